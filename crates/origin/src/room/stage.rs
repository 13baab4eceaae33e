//! What there is to notice of a broadcast.

use weir_media::live::State;
use weir_model::{VideoId, room::Notice};

use crate::registry::Registry;

/// Of a video's broadcast at the moment; nothing if it is not on air, or has yet to begin.
pub fn of(registry: &Registry, video: VideoId) -> Option<Notice> {
    let status = registry.on_air(video)?.status();
    notice(status.state, status.slate)
}

fn notice(state: State, slate: bool) -> Option<Notice> {
    match state {
        State::Waiting => None,
        State::Live | State::Away | State::Ending if slate => Some(Notice::Slate),
        State::Live | State::Ending => Some(Notice::Live),
        State::Away => Some(Notice::Away),
        State::Ended => Some(Notice::Ended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slate_is_noticed_while_the_broadcast_goes_on() {
        assert_eq!(notice(State::Waiting, false), None);
        assert_eq!(notice(State::Live, false), Some(Notice::Live));
        assert_eq!(notice(State::Away, false), Some(Notice::Away));
        assert_eq!(notice(State::Away, true), Some(Notice::Slate));
        assert_eq!(notice(State::Ended, true), Some(Notice::Ended));
    }
}
