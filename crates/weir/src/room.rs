//! What can be said about rooms on the command line.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use weir_origin::room::relay;
use weir_pop::RoomConfig;

use crate::origin::first_line;

/// Of a point of presence.
#[derive(Clone, Debug, Args)]
pub(crate) struct RoomArgs {
    /// Most viewers in rooms (chat, reactions) at a time.
    #[arg(long, value_name = "NUMBER", default_value_t = RoomConfig::default().max_clients)]
    room_clients: usize,
    /// Most of them from one IPv4 address, or one network of 64 bits of IPv6.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = RoomConfig::default().max_clients_per_address
    )]
    room_clients_per_address: usize,
    /// Another site whose pages may open rooms, such as https://example.org. Any number.
    #[arg(long, value_name = "ORIGIN", value_parser = page_origin)]
    room_page_origin: Vec<String>,
}

impl RoomArgs {
    pub(crate) fn config(&self) -> RoomConfig {
        RoomConfig {
            max_clients: self.room_clients,
            max_clients_per_address: self.room_clients_per_address,
            page_origins: self.room_page_origin.clone(),
        }
    }
}

/// Of an origin.
#[derive(Clone, Debug, Args)]
pub(crate) struct RelayArgs {
    /// Rooms on Cloudflare that hear what happens in this origin's (see docs/rooms.md).
    #[arg(long, value_name = "URL", requires = "rooms_secret_file")]
    rooms_url: Option<http::Uri>,
    /// A file with the secret that they know the origin by.
    #[arg(long, value_name = "FILE", requires = "rooms_url")]
    rooms_secret_file: Option<PathBuf>,
}

impl RelayArgs {
    pub(crate) fn config(self) -> anyhow::Result<Option<relay::Config>> {
        let Some((url, file)) = self.rooms_url.zip(self.rooms_secret_file) else {
            return Ok(None);
        };
        let secret = first_line(&file)?;
        ensure!(!secret.is_empty(), "{} is empty", file.display());
        Ok(Some(relay::Config { url, secret }))
    }
}

/// RFC 6454 section 6.2: scheme, host and, if it is no default, port.
fn page_origin(text: &str) -> Result<String, String> {
    let bare = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let valid = bare.is_some_and(|bare| {
        let authority = bare.parse::<http::uri::Authority>();
        authority.is_ok_and(|authority| !authority.as_str().contains('@'))
    });
    match valid {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(format!(
            "{text:?} is no origin, such as https://example.org"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_no_path() {
        assert_eq!(
            page_origin("https://Example.org:8443"),
            Ok("https://example.org:8443".to_owned())
        );
        for text in [
            "example.org",
            "https://",
            "https://a.example/",
            "ftp://a",
            "https://a@b",
        ] {
            assert!(page_origin(text).is_err(), "{text}");
        }
    }
}
