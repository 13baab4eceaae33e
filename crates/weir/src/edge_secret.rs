//! The secrets that origins and points of presence know each other by: read from a file, and again
//! when it changes, so that a rotation needs no restart.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};
use weir_model::edge::{EdgeSecrets, InvalidEdgeSecrets};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Why there are no secrets.
#[derive(Debug, Error)]
pub(crate) enum EdgeSecretError {
    #[error("cannot read the edge secret from {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} (--edge-secret-file): {source}", path.display())]
    Invalid {
        path: PathBuf,
        source: InvalidEdgeSecrets,
    },
}

/// Reads the secrets that the command line names, if it does, and follows the file from now on.
pub(crate) fn named(
    file: Option<PathBuf>,
) -> Result<Option<watch::Receiver<EdgeSecrets>>, EdgeSecretError> {
    let Some(path) = file else {
        return Ok(None);
    };
    let (secrets, latest) = watch::channel(read(&path)?);
    tokio::spawn(follow(path, secrets));
    Ok(Some(latest))
}

fn read(path: &Path) -> Result<EdgeSecrets, EdgeSecretError> {
    let text = fs::read_to_string(path).map_err(|source| EdgeSecretError::Read {
        path: path.to_owned(),
        source,
    })?;
    EdgeSecrets::parse(&text).map_err(|source| EdgeSecretError::Invalid {
        path: path.to_owned(),
        source,
    })
}

async fn follow(path: PathBuf, secrets: watch::Sender<EdgeSecrets>) {
    let modified = || fs::metadata(&path).and_then(|file| file.modified()).ok();
    let mut seen = modified();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !secrets.is_closed() {
        look.tick().await;
        let now = modified();
        if now.is_none() || now == seen {
            continue;
        }
        seen = now;
        match read(&path) {
            Ok(renewed) => {
                info!(file = %path.display(), ?renewed, "edge secrets renewed");
                secrets.send_replace(renewed);
            }
            Err(error) => warn!(%error, "the edge secrets changed; those before stay"),
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_model::edge::Signed;

    use super::*;

    const OLD: &str = "an old secret of 32 characters..";
    const NEW: &str = "a new secret of 32 characters...";

    #[tokio::test(start_paused = true)]
    async fn a_rotation_is_taken_up_and_nonsense_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let write = |text: &str, seconds| {
            fs::write(&path, text).unwrap();
            let file = fs::File::options().append(true).open(&path).unwrap();
            let later = std::time::SystemTime::now() + Duration::from_secs(seconds);
            file.set_modified(later).unwrap();
        };
        write(OLD, 0);
        let latest = named(Some(path.clone())).unwrap().unwrap();
        let signed = Signed {
            method: "GET",
            target: "/",
            pop: "",
            country: "",
        };
        let proves = |secret: &str| {
            let proof = EdgeSecrets::parse(secret).unwrap().sign(&signed, 1);
            latest.borrow().verify(&signed, Some(&proof), 1).is_ok()
        };
        assert!(proves(OLD) && !proves(NEW));
        write("too short", 10);
        tokio::time::sleep(2 * LOOK).await;
        assert!(proves(OLD));
        write(&format!("{NEW}\n{OLD}\n"), 20);
        tokio::time::sleep(2 * LOOK).await;
        assert!(proves(OLD) && proves(NEW));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let error = || named(Some(path.clone())).unwrap_err().to_string();
        assert!(error().contains("cannot read"));
        fs::write(&path, "short").unwrap();
        assert!(error().contains("at least 32 characters"));
        assert!(named(None).unwrap().is_none());
    }
}
