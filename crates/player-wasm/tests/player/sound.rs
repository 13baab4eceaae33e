//! Several audio renditions: languages to choose from, codecs that browsers have or not.

use crate::sim::{
    Sim,
    origin::{DAY_MS, Origin, Sounds},
};

fn origin(sounds: Sounds) -> (Origin, u64) {
    let start = DAY_MS + 3_600_000;
    let mut origin = Origin::live(start);
    origin.sounds = sounds;
    (origin, start + 61_500)
}

/// How many pieces of media of a rendition were fetched from the `since`th request on.
fn fetched(sim: &Sim, name: &str, since: usize) -> usize {
    let of = format!("/{name}/");
    let media = sim.fetched[since..].iter();
    media
        .filter(|url| url.contains(&of) && url.ends_with(".m4s"))
        .count()
}

#[test]
fn the_default_language_plays_until_another_is_chosen() {
    let (origin, now) = origin(Sounds::Languages);
    let mut sim = Sim::new(origin, now);
    sim.run(10_000);
    let names: Vec<_> = sim.player.sounds().iter().map(|s| s.name.clone()).collect();
    assert_eq!(names, ["English", "Français"]);
    assert_eq!(sim.player.active_sound(), Some(0));
    assert_eq!(fetched(&sim, "audio-2", 0), 0);
    assert!(!sim.player.choose_language(sim.now, "de"));
    assert!(sim.player.choose_language(sim.now, "FR"));
    sim.run(10_000);
    assert_eq!(sim.player.active_sound(), Some(1));
    let since = sim.fetched.len();
    sim.run(10_000);
    assert_eq!(fetched(&sim, "audio", since), 0);
    assert!(fetched(&sim, "audio-2", since) > 20);
    assert_eq!(sim.player.meter().stalls(), 0);
    assert!(sim.player.meter().watched_ms() > 29_000);
}

/// As while a slate is shown in place of an encoder of several languages.
#[test]
fn another_sound_fills_what_is_missing_of_the_chosen_one() {
    let (mut origin, now) = origin(Sounds::Languages);
    origin.rendition("audio-2").gaps = (36..40).collect();
    let mut sim = Sim::new(origin, now);
    sim.run(1000);
    sim.player.choose_sound(sim.now, 1);
    sim.run(13_000);
    assert_eq!(
        sim.player.active_sound(),
        Some(0),
        "in the midst of the hole"
    );
    sim.run(26_000);
    assert_eq!(sim.player.active_sound(), Some(1));
    let watched_ms = sim.player.meter().watched_ms();
    // Finding out that a rendition is missing takes a segment.
    assert!(watched_ms > 37_500, "{watched_ms}");
    assert!(sim.player.meter().stalls() <= 1);
}

#[test]
fn the_group_is_one_whose_codec_the_browser_has() {
    let (aac, opus) = (("audio", "mp4a.40.2"), ("opus", "Opus"));
    for (lacks, (group, codec), (other, _)) in [
        (&[][..], aac, opus),
        (&["mp4a"], opus, aac),
        (&["Opus"], aac, opus),
        // Nothing fits: the first is as good as any.
        (&["mp4a", "Opus"], aac, opus),
    ] {
        let (origin, now) = origin(Sounds::Codecs);
        let mut sim = Sim::lacking(origin, now, lacks);
        sim.run(10_000);
        assert_eq!(sim.sound_codec, codec, "{lacks:?}");
        assert!(fetched(&sim, group, 0) > 20, "{lacks:?}");
        assert_eq!(fetched(&sim, other, 0), 0, "{lacks:?}");
        assert_eq!(sim.player.renditions().count(), 2, "{lacks:?}");
        assert_eq!(sim.player.sounds().len(), 1, "{lacks:?}");
    }
}
