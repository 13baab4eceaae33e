//! Which names are counted apart. A rendition's name comes from players, and whoever posts events
//! can make names up; a name that nobody needs would cost a row of numbers in every minute for ever.
//! So names are admitted before they get into the log, the first ones that come, and the others are
//! logged as `other`: what is in the log is then counted as it stands, and a rebuild needs to know
//! nothing of this.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use weir_model::VideoId;
use weir_stats::{
    batch::Event,
    dimension::{Attributes, Dimension, Label},
};

/// Renditions of one video that are counted apart. A ladder has ten or so.
const MOST_OF_A_VIDEO: usize = 32;

/// Renditions of all videos together.
const MOST_RENDITIONS: usize = 256;

/// Points of presence.
const MOST_POPS: usize = 1024;

/// What was admitted since the start.
#[derive(Debug, Default)]
pub(super) struct Admission {
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    renditions: HashSet<Label>,
    of_videos: HashMap<VideoId, HashSet<Label>>,
    pops: HashSet<Label>,
}

impl Admission {
    /// The attributes as they are logged.
    pub(super) fn attributes(&self, mut attributes: Attributes) -> Attributes {
        let pop = attributes.get(Dimension::Pop);
        if !pop.is_unknown() {
            // No statement that holds this leaves it half changed.
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let pop = admit(&mut names.pops, pop, MOST_POPS);
            attributes.set(Dimension::Pop, pop);
        }
        attributes
    }

    /// The event as it is logged.
    pub(super) fn event(&self, mut event: Event) -> Event {
        let Event {
            video, rendition, ..
        } = event;
        if !rendition.is_unknown() {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let of_video = names.of_videos.entry(video).or_default();
            let rendition = admit(of_video, rendition, MOST_OF_A_VIDEO);
            event.rendition = admit(&mut names.renditions, rendition, MOST_RENDITIONS);
        }
        event
    }
}

fn admit(names: &mut HashSet<Label>, name: Label, most: usize) -> Label {
    if names.contains(&name) {
        return name;
    }
    if names.len() >= most {
        return Label::OTHER;
    }
    names.insert(name);
    name
}

#[cfg(test)]
mod tests {
    use weir_model::{Access, WallTime};
    use weir_stats::schema::EventType;

    use super::*;

    fn event(video: u64, rendition: &str) -> Event {
        Event {
            seq: 0,
            video: VideoId::from_random(video, Access::Open),
            event: EventType::View,
            time: WallTime(0),
            value: None,
            rendition: Dimension::Rendition.label(rendition).unwrap(),
        }
    }

    #[test]
    fn the_first_names_are_counted_apart() {
        let admission = Admission::default();
        let name = |n: usize| format!("rung-{n}");
        for n in 0..MOST_OF_A_VIDEO {
            let admitted = admission.event(event(1, &name(n)));
            assert_eq!(admitted.rendition.as_str(), name(n));
        }
        let beyond = admission.event(event(1, "one-more"));
        assert_eq!(beyond.rendition, Label::OTHER);
        let again = admission.event(event(1, &name(0)));
        assert_eq!(again.rendition.as_str(), name(0), "known ones stay");
        assert_eq!(
            admission.event(event(2, "one-more")).rendition.as_str(),
            "one-more"
        );
        for n in 0..MOST_RENDITIONS {
            let video = 10 + (n / MOST_OF_A_VIDEO) as u64;
            admission.event(event(video, &name(1000 + n)));
        }
        assert_eq!(admission.event(event(3, "late")).rendition, Label::OTHER);
        let unknown = Event {
            rendition: Label::UNKNOWN,
            ..event(3, "late")
        };
        assert_eq!(admission.event(unknown).rendition, Label::UNKNOWN);
    }

    #[test]
    fn points_of_presence_are_bounded_too() {
        let admission = Admission::default();
        let of = |pop: &str| {
            let mut attributes = Attributes::default();
            attributes.set(Dimension::Pop, Dimension::Pop.label(pop).unwrap());
            admission.attributes(attributes).get(Dimension::Pop)
        };
        for n in 0..MOST_POPS {
            assert_eq!(of(&format!("pop-{n}")).as_str(), format!("pop-{n}"));
        }
        assert_eq!(of("one-more"), Label::OTHER);
        assert_eq!(of("pop-0").as_str(), "pop-0");
    }
}
