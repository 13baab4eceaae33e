//! Renditions that are coded in different ways, and one that changes in its midst.

use crate::sim::Sim;
use crate::sim::origin::{DAY_MS, Origin};

fn coded(source_codec: &'static str, lacks: &[&str]) -> Sim {
    let start = DAY_MS + 3_600_000;
    let mut origin = Origin::live(start);
    origin.source_codec = source_codec;
    Sim::lacking(origin, start + 61_500, lacks)
}

#[test]
fn changes_the_type_between_renditions() {
    let mut sim = coded("hvc1.1.6.L93.90", &[]);
    sim.run(15_000);
    assert_eq!(sim.player.renditions().count(), 2);
    assert_eq!(sim.rendition(), "source");
    sim.player.choose(sim.now, Some(0));
    sim.run(10_000);
    assert_eq!(sim.rendition(), "480p");
    sim.player.choose(sim.now, None);
    sim.run(15_000);
    let types: Vec<_> = sim.types.iter().map(|mime| &mime[19..23]).collect();
    assert_eq!(types, ["hvc1", "avc1", "hvc1"]);
    assert_eq!(sim.player.meter().stalls(), 0);
    assert!(sim.player.meter().watched_ms() > 39_000);
}

#[test]
fn leaves_out_what_the_browser_lacks() {
    let mut sim = coded("hvc1.1.6.L93.90", &["hvc1"]);
    sim.run(30_000);
    assert_eq!(sim.player.renditions().count(), 1);
    assert_eq!(sim.player.meter().stalls(), 0);
    assert!(sim.fetched.iter().all(|url| !url.contains("source")));
    assert!(sim.types.is_empty());
}

#[test]
fn follows_a_change_of_codec_within_a_rendition() {
    let mut sim = coded("avc1.64001f", &[]);
    sim.origin.recoded_at = Some((36, "vp09"));
    sim.run(10_000);
    sim.player.choose(sim.now, Some(1));
    sim.run(30_000);
    assert_eq!(sim.rendition(), "source");
    // The list goes on telling of the codec of before; the initialisation segment knows better.
    assert_eq!(sim.types, ["video/mp4; codecs=\"vp09.00.31.08\""]);
    assert_eq!(sim.player.meter().stalls(), 0);
    assert!(sim.player.meter().watched_ms() > 39_000);
}
