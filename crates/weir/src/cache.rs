//! What a point of presence may keep.

use std::path::PathBuf;

use clap::Args;
use weir_pop::DiskCache;

/// The caches of a point of presence.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// Most memory that cached answers may take, such as 512M.
    #[arg(long, default_value = "512M", value_parser = bytes, value_name = "SIZE")]
    pub(crate) cache: u64,
    /// A folder for a cache that outlives the process. No other process may use it.
    #[arg(long, value_name = "DIR")]
    pub(crate) disk_cache: Option<PathBuf>,
    /// Most that its files may take, such as 20G.
    #[arg(
        long,
        default_value = "20G",
        value_parser = bytes,
        value_name = "SIZE",
        requires = "disk_cache"
    )]
    pub(crate) disk_cache_size: u64,
}

impl CacheArgs {
    pub(crate) fn disk(&self) -> Option<DiskCache> {
        self.disk_cache.clone().map(|folder| DiskCache {
            folder,
            bytes: self.disk_cache_size,
        })
    }
}

/// A whole number and its unit: `512K`, `512M`, `20G`, of 1024 each.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let shift = match text.chars().last() {
        Some('K') => 10,
        Some('M') => 20,
        Some('G') => 30,
        _ => return Err(format!("{text:?} needs a unit: K, M or G")),
    };
    let number: u64 = text[..text.len() - 1]
        .parse()
        .map_err(|_| format!("{text:?} begins with no number"))?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes <= 1 << 50)
        .ok_or_else(|| format!("{text:?} is more than any machine has"))
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_need_a_unit() {
        assert_eq!(bytes("1K"), Ok(1024));
        assert_eq!(bytes("512M"), Ok(512 << 20));
        assert_eq!(bytes("20G"), Ok(20 << 30));
        for text in [
            "",
            "20",
            "M",
            "-1M",
            "1.5G",
            "20 G",
            "20GB",
            "99999999999G",
            "é",
        ] {
            assert!(bytes(text).is_err(), "{text:?}");
        }
    }
}
