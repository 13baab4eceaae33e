//! How many files and sockets the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Of which files, pipes and what leads upstream take their share.
const BESIDES: u64 = 512;

/// Has `connections` viewers' connections fit, as far as the system lets it: a shell's limit is
/// made for programs that have a few files open.
pub(crate) fn allow(connections: usize) {
    let wanted = connections as u64 + BESIDES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let raised = Rlimit {
        current: Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted))),
        ..limit
    };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(_) => limit.current,
    };
    if allowed.is_some_and(|allowed| allowed < wanted) {
        warn!(
            allowed,
            wanted, "too few open files are allowed for all connections (ulimit -n)"
        );
    }
}
