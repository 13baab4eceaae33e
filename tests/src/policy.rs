//! An edge's policy whose keys come and go, and tokens that they sign.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;
use weir_model::VideoId;

use crate::built;

/// What signs session tickets under every [`Policy`].
pub const TICKET_KEY: [u8; 32] = [1; 32];
/// The same in base64url.
const TICKET_KEY_TEXT: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

/// A policy file and the keys beside it, in a folder of their own.
#[derive(Debug)]
pub struct Policy {
    folder: TempDir,
}

impl Default for Policy {
    fn default() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self { folder }
    }
}

impl Policy {
    /// An empty folder.
    pub fn new() -> Self {
        Self::default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a key, `hs256` or `eddsa`; gives its entry.
    pub fn key(&self, kid: &str, algorithm: &str) -> String {
        let mut keygen = Command::new(built::weir());
        keygen
            .args([
                "token",
                "keygen",
                "--kid",
                kid,
                "--algorithm",
                algorithm,
                "--out",
            ])
            .arg(self.path(kid));
        said(&mut keygen)
    }

    /// Replaces the policy as a whole, as an operator's tools do; gives the file.
    pub fn write(&self, keys: &[&str]) -> PathBuf {
        let (path, new) = (self.path("policy.toml"), self.path("policy.new"));
        let head = format!(
            "audience = \"tests\"\ndenied_countries = [\"XX\"]\ncountry_header = \"x-country\"\n\
             ticket_key = \"{TICKET_KEY_TEXT}\"\n"
        );
        fs::write(&new, head + &keys.concat()).expect("the policy can be written");
        fs::rename(&new, &path).expect("the policy can be replaced");
        path
    }

    /// A token for `video`, signed with the key `kid`; `args` are further ones of `weir token`.
    pub fn token(&self, kid: &str, video: VideoId, args: &[&str]) -> String {
        let mut mint = Command::new(built::weir());
        mint.args(["token", "--key"])
            .arg(self.path(kid))
            .args(["--video", video.as_str()])
            .args(args);
        if !args.contains(&"--audience") {
            mint.args(["--audience", "tests"]);
        }
        said(&mut mint).trim().to_owned()
    }
}

/// What a command that succeeds says.
fn said(command: &mut Command) -> String {
    let output = command.output().expect("weir starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("weir writes UTF-8")
}
