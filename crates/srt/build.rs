//! Links libsrt, of which Debian 12 has version 1.5.1.

fn main() -> Result<(), pkg_config::Error> {
    pkg_config::Config::new()
        .atleast_version("1.5.0")
        .probe("srt")?;
    Ok(())
}
