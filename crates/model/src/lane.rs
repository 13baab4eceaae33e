//! The two publishers that one video may have.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which of a video's two publishers an encoder is. Each lane takes one encoder at a time.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// On air while it lives.
    #[default]
    Primary,
    /// Stands by, and goes on air when the primary's media stops.
    Backup,
}

impl Lane {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Primary, Self::Backup];

    /// What an encoder says of itself in the query behind its stream key or its application:
    /// `backup=1` (or `backup=true`, or `backup` alone) makes it the backup. Whatever else stands
    /// there is ignored.
    pub fn of_query(query: &str) -> Self {
        let says_so = |pair: &str| matches!(pair, "backup" | "backup=1" | "backup=true");
        match query.split('&').any(says_so) {
            true => Self::Backup,
            false => Self::Primary,
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Primary => Self::Backup,
            Self::Backup => Self::Primary,
        }
    }
}

impl std::fmt::Display for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Backup => "backup",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Lane;

    #[test]
    fn an_encoder_says_that_it_is_the_backup() {
        for query in ["backup=1", "backup=true", "backup", "bitrate=9&backup=1"] {
            assert_eq!(Lane::of_query(query), Lane::Backup, "{query}");
        }
        for query in [
            "",
            "backup=0",
            "nobackup=1",
            "backup=10",
            "BACKUP=1",
            "a=backup=1",
        ] {
            assert_eq!(Lane::of_query(query), Lane::Primary, "{query}");
        }
    }
}
