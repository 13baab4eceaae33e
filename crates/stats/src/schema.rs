//! The types of events as data. The table is the definition: validation, units in answers, the
//! packed form and what sketches are kept all read it. What events can be broken down by stands in
//! [`crate::dimension`].

use std::{ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

/// What happened.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// The first frame was rendered. Counts once per session and video.
    View,
    /// The viewer likes the video, or (value 0) takes that back.
    Like,
    /// The viewer dislikes the video, or (value 0) takes that back.
    Dislike,
    /// The video was shared.
    Share,
    /// A comment was written.
    Comment,
    /// A reaction was sent.
    Reaction,
    /// Time watched up to the event's time.
    Watch,
    /// From the wish to play to the first frame.
    Startup,
    /// Playback stood still for want of data.
    Stall,
    /// Bitrate of the rendition played.
    Bitrate,
    /// How far behind the live edge playback was.
    Latency,
    /// Playback failed; the value may say how.
    Error,
}

/// What a value counts, as sent and as shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds, shown as they are.
    Milliseconds,
    /// Milliseconds, shown as seconds.
    Seconds,
    /// Kilobits per second.
    KilobitsPerSecond,
}

impl Unit {
    /// The symbol as shown.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::KilobitsPerSecond => "kbit/s",
        }
    }
}

/// Whether an event of a type carries a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueRule {
    /// It must not.
    Forbidden,
    /// It may, in these bounds. Such values are states or codes and are never added up.
    Optional(RangeInclusive<u32>),
    /// It must, in these bounds and this unit.
    Required(RangeInclusive<u32>, Unit),
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The type.
    pub event: EventType,
    /// Its name in JSON and in queries.
    pub name: &'static str,
    /// Its code in the packed form, never given to another type.
    pub code: u8,
    /// [`VERSION`] of the table that introduced it.
    pub since: u16,
    /// Its value.
    pub value: ValueRule,
    /// Whether the sessions that sent it are counted, each once.
    pub unique: bool,
    /// Whether it is kept how its values are spread.
    pub quantile: bool,
}

/// Version of [`TABLE`] and of [`crate::dimension::DIMENSIONS`]. It grows when a row is added; a
/// row's meaning never changes.
pub const VERSION: u16 = 2;

/// Longest time that one event can report, in ms. Players report watch time every few seconds;
/// an hour leaves room for a page that was frozen in the background.
pub const MAX_DURATION_MS: u32 = 3_600_000;

/// Every type of event, in the order of [`EventType`].
pub static TABLE: [Definition; 12] = {
    use EventType as E;
    use ValueRule::{Forbidden, Optional, Required};
    const fn row(event: E, name: &'static str, code: u8, value: ValueRule) -> Definition {
        Definition {
            event,
            name,
            code,
            since: 1,
            value,
            // A sketch is some bytes in every minute of every video: these are the types of which
            // somebody asks how many viewers it was, and how bad it was for most of them.
            unique: matches!(event, E::View | E::Watch | E::Stall | E::Error),
            quantile: matches!(event, E::Startup | E::Stall | E::Bitrate | E::Latency),
        }
    }
    const DURATION: RangeInclusive<u32> = 0..=MAX_DURATION_MS;
    [
        row(E::View, "view", 1, Forbidden),
        row(E::Like, "like", 2, Optional(0..=1)),
        row(E::Dislike, "dislike", 3, Optional(0..=1)),
        row(E::Share, "share", 4, Forbidden),
        row(E::Comment, "comment", 5, Forbidden),
        row(E::Reaction, "reaction", 6, Optional(0..=255)),
        row(
            E::Watch,
            "watch",
            7,
            Required(1..=MAX_DURATION_MS, Unit::Seconds),
        ),
        row(
            E::Startup,
            "startup",
            8,
            Required(DURATION, Unit::Milliseconds),
        ),
        row(E::Stall, "stall", 9, Required(DURATION, Unit::Milliseconds)),
        row(
            E::Bitrate,
            "bitrate",
            10,
            Required(1..=1_000_000, Unit::KilobitsPerSecond),
        ),
        row(
            E::Latency,
            "latency",
            11,
            Required(DURATION, Unit::Milliseconds),
        ),
        row(E::Error, "error", 12, Optional(0..=u32::MAX)),
    ]
};

/// A word that names no type of event.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "an event is one of view, like, dislike, share, comment, reaction, watch, startup, stall, \
     bitrate, latency and error"
)]
pub struct UnknownEvent;

/// A value that does not go with the type of its event.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidValue {
    /// The type carries none.
    #[error("{0} takes no value")]
    Forbidden(&'static str),
    /// The type needs one.
    #[error("{name} needs a value from {min} to {max}")]
    Missing {
        /// The type's name.
        name: &'static str,
        /// Smallest value.
        min: u32,
        /// Largest value.
        max: u32,
    },
    /// It is out of bounds.
    #[error("{name} takes a whole number from {min} to {max}, not {value}")]
    OutOfBounds {
        /// The type's name.
        name: &'static str,
        /// Smallest value.
        min: u32,
        /// Largest value.
        max: u32,
        /// What was given.
        value: i64,
    },
}

impl EventType {
    /// The type's row of the table.
    pub fn definition(self) -> &'static Definition {
        // `EventType` counts the rows in their order; a test holds the two together.
        &TABLE[self as usize]
    }

    /// The name in JSON and in queries.
    pub fn as_str(self) -> &'static str {
        self.definition().name
    }

    /// The type with this code of the packed form.
    pub fn from_code(code: u8) -> Option<Self> {
        TABLE
            .iter()
            .find(|row| row.code == code)
            .map(|row| row.event)
    }

    /// The unit of values that can be added up; `None` if there are none.
    pub fn unit(self) -> Option<Unit> {
        match self.definition().value {
            ValueRule::Required(_, unit) => Some(unit),
            ValueRule::Forbidden | ValueRule::Optional(_) => None,
        }
    }

    /// Checks the value of an event of this type.
    pub fn check_value(self, value: Option<i64>) -> Result<Option<u32>, InvalidValue> {
        let Definition {
            name, value: rule, ..
        } = self.definition();
        let bounds = match (rule, value) {
            (ValueRule::Forbidden | ValueRule::Optional(_), None) => return Ok(None),
            (ValueRule::Forbidden, Some(_)) => return Err(InvalidValue::Forbidden(name)),
            (ValueRule::Optional(bounds) | ValueRule::Required(bounds, _), _) => bounds,
        };
        let (min, max) = (*bounds.start(), *bounds.end());
        let value = value.ok_or(InvalidValue::Missing { name, min, max })?;
        u32::try_from(value)
            .ok()
            .filter(|value| bounds.contains(value))
            .map(Some)
            .ok_or(InvalidValue::OutOfBounds {
                name,
                min,
                max,
                value,
            })
    }
}

impl FromStr for EventType {
    type Err = UnknownEvent;

    fn from_str(s: &str) -> Result<Self, UnknownEvent> {
        TABLE
            .iter()
            .find(|row| row.name == s)
            .map(|row| row.event)
            .ok_or(UnknownEvent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_enum() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.event as usize, i, "{}", row.name);
            assert_eq!(row.name.parse(), Ok(row.event));
            assert_eq!(EventType::from_code(row.code), Some(row.event));
            assert_eq!(serde_json::to_value(row.event).unwrap(), row.name);
            assert!(row.since <= VERSION);
        }
        assert_eq!(EventType::from_code(0), None);
        assert_eq!("View".parse::<EventType>(), Err(UnknownEvent));
        let told = UnknownEvent.to_string();
        assert!(TABLE.iter().all(|row| told.contains(row.name)), "{told}");
    }

    #[test]
    fn values_are_held_to_their_bounds() {
        let check = |event: EventType, value, expected: Result<Option<u32>, &str>| {
            let checked = event
                .check_value(value)
                .map_err(|refusal| refusal.to_string());
            assert_eq!(checked, expected.map_err(str::to_owned));
        };
        check(EventType::View, None, Ok(None));
        check(EventType::View, Some(1), Err("view takes no value"));
        check(EventType::Like, None, Ok(None));
        check(EventType::Like, Some(0), Ok(Some(0)));
        check(
            EventType::Like,
            Some(2),
            Err("like takes a whole number from 0 to 1, not 2"),
        );
        check(EventType::Watch, Some(10_000), Ok(Some(10_000)));
        check(
            EventType::Watch,
            None,
            Err("watch needs a value from 1 to 3600000"),
        );
        check(
            EventType::Watch,
            Some(-1),
            Err("watch takes a whole number from 1 to 3600000, not -1"),
        );
        check(
            EventType::Error,
            Some(i64::from(u32::MAX)),
            Ok(Some(u32::MAX)),
        );
    }
}
