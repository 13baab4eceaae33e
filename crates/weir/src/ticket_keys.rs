//! What edges sign session tickets with, and origins verify them with: made of the secret that both
//! share, or read from a file, and again when it changes.

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
use weir_model::{
    edge::EdgeSecrets,
    ticket::{InvalidTicketKeys, TicketKeys},
};
use weir_origin::keys::{TicketKeyError, ensure_ticket_key};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The latest keys.
pub(crate) type Latest = watch::Receiver<TicketKeys>;

/// Why there are no keys.
#[derive(Debug, Error)]
pub(crate) enum TicketKeysError {
    #[error("cannot read ticket keys from {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} (--ticket-key-file): {source}", path.display())]
    Invalid {
        path: PathBuf,
        source: InvalidTicketKeys,
    },
    #[error(transparent)]
    Make(#[from] TicketKeyError),
}

/// The keys of an edge and an origin in one process: those of `file`, or else of a file in the data
/// folder, which is made if it is missing.
pub(crate) fn of_one_process(
    file: Option<PathBuf>,
    data: &Path,
) -> Result<Latest, TicketKeysError> {
    let path = match file {
        Some(path) => path,
        None => {
            let path = data.join("ticket-key");
            let made = fs::create_dir_all(data);
            made.map_err(|source| TicketKeysError::Read {
                path: data.to_owned(),
                source,
            })?;
            ensure_ticket_key(&path)?;
            path
        }
    };
    following(path)
}

/// The keys of an origin whose edges are elsewhere: those of `file`, and those that come of the
/// secrets shared with the edges. `None` if there are neither.
pub(crate) fn of_origin(
    file: Option<PathBuf>,
    secrets: Option<watch::Receiver<EdgeSecrets>>,
) -> Result<Option<Latest>, TicketKeysError> {
    let named = file.map(following).transpose()?;
    Ok(match (named, secrets) {
        (None, None) => None,
        (Some(named), None) => Some(named),
        (None, Some(secrets)) => Some(of_edge(secrets)),
        (Some(named), Some(secrets)) => Some(both(named, of_edge(secrets))),
    })
}

/// The keys that come of the secrets that an edge shares with its origins.
pub(crate) fn of_edge(mut secrets: watch::Receiver<EdgeSecrets>) -> Latest {
    let made = secrets.borrow_and_update().ticket_keys();
    let (keys, latest) = watch::channel(made);
    tokio::spawn(async move {
        while secrets.changed().await.is_ok() {
            let made = secrets.borrow_and_update().ticket_keys();
            keys.send_replace(made);
        }
    });
    latest
}

/// The keys of two, those of the first one first.
fn both(mut first: Latest, mut second: Latest) -> Latest {
    let together = |first: &mut Latest, second: &mut Latest| {
        let (first, second) = (first.borrow_and_update(), second.borrow_and_update());
        first.iter().chain(second.iter()).cloned().collect()
    };
    let (keys, latest) = watch::channel(together(&mut first, &mut second));
    tokio::spawn(async move {
        loop {
            let changed = tokio::select! {
                changed = first.changed() => changed,
                changed = second.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
            keys.send_replace(together(&mut first, &mut second));
        }
    });
    latest
}

/// The keys in a file, which is followed from now on.
fn following(path: PathBuf) -> Result<Latest, TicketKeysError> {
    let (keys, latest) = watch::channel(read(&path)?);
    tokio::spawn(follow(path, keys));
    Ok(latest)
}

fn read(path: &Path) -> Result<TicketKeys, TicketKeysError> {
    let text = fs::read_to_string(path).map_err(|source| TicketKeysError::Read {
        path: path.to_owned(),
        source,
    })?;
    TicketKeys::parse(&text).map_err(|source| TicketKeysError::Invalid {
        path: path.to_owned(),
        source,
    })
}

async fn follow(path: PathBuf, keys: watch::Sender<TicketKeys>) {
    let modified = || fs::metadata(&path).and_then(|file| file.modified()).ok();
    let mut seen = modified();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !keys.is_closed() {
        look.tick().await;
        let now = modified();
        if now.is_none() || now == seen {
            continue;
        }
        seen = now;
        match read(&path) {
            Ok(renewed) => {
                info!(file = %path.display(), ?renewed, "ticket keys renewed");
                keys.send_replace(renewed);
            }
            Err(error) => warn!(%error, "the ticket keys changed; those before stay"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONES: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    const TWOS: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";

    fn write(path: &Path, text: &str, seconds: u64) {
        fs::write(path, text).unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        let later = std::time::SystemTime::now() + Duration::from_secs(seconds);
        file.set_modified(later).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn one_process_makes_its_own_key_and_follows_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let made = of_one_process(None, &data).unwrap();
        let again = of_one_process(None, &data).unwrap();
        assert_eq!(*made.borrow(), *again.borrow());
        let path = data.join("ticket-key");
        write(&path, "nonsense", 10);
        tokio::time::sleep(2 * LOOK).await;
        assert_eq!(*made.borrow(), *again.borrow());
        write(&path, &format!("{ONES}\n{TWOS}\n"), 20);
        tokio::time::sleep(2 * LOOK).await;
        assert_eq!(
            *made.borrow(),
            TicketKeys::parse(&format!("{ONES}\n{TWOS}")).unwrap()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_origin_takes_what_its_edges_sign_while_secrets_change() {
        const OLD: &str = "an old secret of 32 characters..";
        const NEW: &str = "a new secret of 32 characters...";
        let secrets = |text: &str| EdgeSecrets::parse(text).unwrap();
        let (sender, shared) = watch::channel(secrets(OLD));
        let edge = of_edge(shared.clone());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, ONES, 0);
        let origin = of_origin(Some(path), Some(shared)).unwrap().unwrap();
        let takes = || {
            let signs = edge.borrow().first().cloned().unwrap();
            origin.borrow().iter().any(|key| *key == signs)
        };
        assert!(takes() && origin.borrow().iter().count() == 2);
        sender.send_replace(secrets(&format!("{NEW}\n{OLD}")));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(takes() && origin.borrow().iter().count() == 3);
        assert!(of_origin(None, None).unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let error = || following(path.clone()).unwrap_err().to_string();
        assert!(error().contains("cannot read ticket keys"));
        fs::write(&path, "short").unwrap();
        assert!(error().contains("--ticket-key-file"));
    }
}
