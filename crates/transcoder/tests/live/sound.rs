//! Audio renditions: what is heard, and when.

use bytes::Bytes;
use weir_media::{
    framing::{AudioCodec, Frame, LadderJob, SoundRung},
    unit::{TIMESCALE, Timestamp, TrackConfig},
};
use weir_transcoder::choose;

use crate::support::{Received, Running, Source, job};

const OPUS: &[&str] = &["-c:a", "libopus"];
const AAC: &[&str] = &["-c:a", "aac"];
/// Seconds.
const IN_STEP: f64 = 0.005;

fn sound_job(codec: AudioCodec) -> LadderJob {
    LadderJob {
        renditions: Vec::new(),
        sound: vec![SoundRung::new(codec, 96)],
        live: true,
    }
}

fn rung(codec: AudioCodec, source: &Source) -> Received {
    let made = Running::all(sound_job(codec), source);
    Received::of(SoundRung::new(codec, 96).id.as_str(), &made)
}

/// 1 kHz from a time on, in so many channels.
fn tone(from: f64, channels: usize, rate: u32, arguments: &[&str]) -> Source {
    let channel = format!("0.5*gt(t,{from})*sin(2*PI*1000*t)");
    let exprs = vec![channel; channels].join("|");
    Source::make_sound(&format!("aevalsrc='{exprs}':s={rate}:d=2"), arguments)
}

impl Source {
    fn as_received(&self) -> Received {
        Received {
            configs: vec![self.config.clone()],
            units: self.units.clone(),
        }
    }

    fn remove(&mut self, from: f64, to: f64) {
        self.units
            .retain(|unit| !(from..to).contains(&unit.pts.as_secs_f64()));
    }
}

impl Received {
    /// 48,000 samples a second from time 0 on, silence where there are none.
    fn heard(&self, filter: &str) -> Vec<f32> {
        let filter = format!("{filter},aresample=48000:async=1:min_hard_comp=0.001:first_pts=0");
        let arguments = ["-af", &filter, "-ac", "1", "-f", "f32le", "-"];
        let samples = self.ffmpeg(&arguments).stdout;
        let samples = samples.chunks_exact(4);
        samples
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect()
    }

    fn heard_on_all(&self) -> Vec<f32> {
        self.heard("anull")
    }
}

/// When it becomes loud, in seconds.
fn onset(heard: &[f32]) -> f64 {
    let loudest = heard.iter().fold(0.0f32, |most, s| most.max(s.abs()));
    assert!(loudest > 0.1, "nothing is heard");
    let loud = heard.iter().position(|s| s.abs() > loudest / 2.0);
    loud.unwrap() as f64 / 48_000.0
}

/// Of what is heard from a time on, by its zero crossings.
fn frequency(heard: &[f32], from: f64) -> f64 {
    let part = &heard[(from * 48_000.0) as usize..][..12_000];
    let rising = |pair: &&[f32]| pair[0] < 0.0 && pair[1] >= 0.0;
    let crossings = part.windows(2).filter(rising).count();
    crossings as f64 * 4.0
}

fn check_in_step(source: &Source, made: &Received, name: &str) {
    let (before, after) = (source.as_received().heard_on_all(), made.heard_on_all());
    let late = onset(&after) - onset(&before);
    assert!(late.abs() < IN_STEP, "{name}: {late} s late");
    let frequency = frequency(&after, 1.2);
    assert!(
        (990.0..=1010.0).contains(&frequency),
        "{name}: {frequency} Hz"
    );
    let first = |units: &[weir_media::unit::Unit]| units[0].pts;
    assert_eq!(first(&made.units), first(&source.units), "{name}");
    let regular = made.units.windows(2).all(|pair| {
        let samples = made.configs[0].usual_audio_samples().unwrap();
        let expected = i64::from(samples) * i64::from(TIMESCALE) / 48_000;
        (pair[1].pts.0 - pair[0].pts.0 - expected).abs() <= 1
    });
    assert!(regular, "{name}");
}

#[test]
fn opus_becomes_aac_and_stays_in_step() {
    for channels in [1, 2] {
        let source = tone(1.0, channels, 48_000, OPUS);
        let made = rung(AudioCodec::Aac, &source);
        assert_eq!(made.configs.len(), 1);
        let TrackConfig::Aac(aac) = &made.configs[0] else {
            panic!("not AAC")
        };
        assert_eq!(usize::from(aac.channels), channels);
        assert_eq!((aac.object_type, aac.sample_rate), (2, 48_000));
        check_in_step(&source, &made, &format!("{channels} channels"));
    }
}

#[test]
fn aac_becomes_opus_and_stays_in_step() {
    for (channels, rate, expected) in [
        (1, 48_000, 1),
        (2, 44_100, 2),
        (2, 48_000, 2),
        (6, 48_000, 2),
    ] {
        let source = tone(1.0, channels, rate, AAC);
        let made = rung(AudioCodec::Opus, &source);
        assert_eq!(made.configs.len(), 1);
        assert_eq!(made.configs[0].channels(), Some(expected));
        let samples = |unit: &Bytes| made.configs[0].audio_samples(unit);
        assert!(
            made.units
                .iter()
                .all(|unit| samples(&unit.data) == Some(960))
        );
        check_in_step(&source, &made, &format!("{channels} channels of {rate} Hz"));
    }
}

#[test]
fn every_speaker_of_5_1_stays_what_it_was() {
    // Centre 500 Hz from 0.5 s on, the left at the back 1 kHz from 1 s on.
    let exprs = "0|0|0.5*gt(t,0.5)*sin(2*PI*500*t)|0|0.5*gt(t,1)*sin(2*PI*1000*t)|0";
    let arguments = ["-c:a", "libopus", "-mapping_family", "1", "-b:a", "256k"];
    let source = format!("aevalsrc='{exprs}':s=48000:d=2:c=5.1");
    let source = Source::make_sound(&source, &arguments);
    assert_eq!(source.config.channels(), Some(6));
    let made = rung(AudioCodec::Aac, &source);
    assert_eq!(made.configs[0].channels(), Some(6));
    let centre = made.heard("pan=mono|c0=FC");
    let back = made.heard("pan=mono|c0=BL");
    assert!((490.0..=510.0).contains(&frequency(&centre, 1.2)));
    assert!((990.0..=1010.0).contains(&frequency(&back, 1.2)));
    assert!((0.49..0.53).contains(&onset(&centre)), "{}", onset(&centre));
    assert!((0.99..1.03).contains(&onset(&back)), "{}", onset(&back));
}

#[test]
fn a_hole_stays_a_hole() {
    for (arguments, codec) in [(OPUS, AudioCodec::Aac), (AAC, AudioCodec::Opus)] {
        let mut source = tone(1.5, 2, 48_000, arguments);
        source.remove(0.6, 0.9);
        let after = source
            .units
            .iter()
            .find(|unit| unit.pts.as_secs_f64() >= 0.9);
        let after = after.unwrap().pts;
        let made = rung(codec, &source);
        let times: Vec<_> = made.shown();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{codec:?}");
        assert!(times.contains(&after), "{codec:?}: begins with the sound");
        let before = times
            .iter()
            .rfind(|time| **time < after)
            .unwrap()
            .as_secs_f64();
        assert!(
            (0.57..0.63).contains(&before),
            "{codec:?}: last at {before} s"
        );
        let (was, is) = (source.as_received().heard_on_all(), made.heard_on_all());
        let late = onset(&is) - onset(&was);
        assert!(late.abs() < IN_STEP, "{codec:?}: {late} s late");
    }
}

#[test]
fn what_follows_a_lost_unit_is_in_step() {
    for (arguments, codec) in [(OPUS, AudioCodec::Aac), (AAC, AudioCodec::Opus)] {
        let mut source = tone(1.0, 2, 48_000, arguments);
        source.units.remove(20);
        let made = rung(codec, &source);
        assert!(made.shown().contains(&source.units[20].pts), "{codec:?}");
        let (was, is) = (source.as_received().heard_on_all(), made.heard_on_all());
        let late = onset(&is) - onset(&was);
        assert!(late.abs() < IN_STEP, "{codec:?}: {late} s late");
    }
}

#[test]
fn a_clock_that_runs_fast_or_slow_is_followed() {
    for percent in [98, 102] {
        let mut source = tone(0.1, 2, 48_000, AAC);
        for unit in &mut source.units {
            unit.pts.0 = unit.pts.0 * percent / 100;
            unit.dts = unit.pts;
        }
        let made = rung(AudioCodec::Opus, &source);
        let times = made.shown();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{percent}%");
        let off =
            times.last().unwrap().as_secs_f64() - source.shown().last().unwrap().as_secs_f64();
        assert!(off.abs() < 0.045, "{percent}%: {off} s");
    }
}

#[test]
fn sound_leaves_within_a_tenth_of_a_second() {
    for (arguments, codec) in [(OPUS, AudioCodec::Aac), (AAC, AudioCodec::Opus)] {
        let source = tone(0.1, 2, 48_000, arguments);
        let running = Running::start(sound_job(codec));
        running.ladder.configure(source.config.clone());
        let mut made = Timestamp(0);
        for unit in &source.units[..40] {
            running.ladder.push(unit.clone(), false);
        }
        // No more is put in, so that this must be there.
        let due = Timestamp(source.units[40].pts.0 - i64::from(TIMESCALE) / 10);
        while made < due {
            match running.next() {
                Frame::Unit { unit, .. } => made = unit.pts,
                frame => assert!(matches!(frame, Frame::Config { .. }), "{frame:?}"),
            }
        }
    }
}

#[test]
fn damaged_units_are_skipped_and_told() {
    let mut source = tone(1.0, 2, 48_000, AAC);
    for unit in &mut source.units[10..14] {
        unit.data = Bytes::from_static(&[0xff; 40]);
    }
    let made = Running::all(sound_job(AudioCodec::Opus), &source);
    assert!(made.contains(&Frame::Idle));
    let made = Received::of("audio-opus", &made);
    let late = onset(&made.heard_on_all()) - onset(&source.as_received().heard_on_all());
    assert!(late.abs() < IN_STEP, "{late} s late");
    assert!(made.units.windows(2).all(|pair| pair[0].pts < pair[1].pts));
}

#[test]
fn a_source_that_changes_its_coding_goes_on() {
    let (before, mut after) = (tone(0.1, 2, 44_100, AAC), tone(0.1, 1, 48_000, OPUS));
    for unit in &mut after.units {
        unit.pts.0 += 2 * i64::from(TIMESCALE) + 9000;
        unit.dts = unit.pts;
    }
    let running = Running::start(sound_job(AudioCodec::Aac));
    for source in [&before, &after] {
        running.ladder.configure(source.config.clone());
        for unit in &source.units {
            running.ladder.push(unit.clone(), false);
        }
    }
    let made = Received::of("audio-aac", &running.finish());
    let channels: Vec<_> = made.configs.iter().map(TrackConfig::channels).collect();
    assert_eq!(channels, [Some(2), Some(1)]);
    assert!(made.shown().contains(&after.units[0].pts));
}

#[test]
fn pictures_and_sound_are_made_side_by_side() {
    let pictures = Source::make("640x360", &["-g", "30", "-bf", "0"]);
    let sound = tone(1.0, 2, 48_000, AAC);
    let running = Running::start(LadderJob {
        sound: SoundRung::standard(),
        ..job(&[("240p", 240)])
    });
    running.ladder.configure(pictures.config.clone());
    running.ladder.configure(sound.config.clone());
    let mut units: Vec<_> = [&pictures.units[..], &sound.units].concat();
    units.sort_by_key(|unit| unit.dts);
    for unit in units {
        running.ladder.push(unit, false);
    }
    let made = running.finish();
    assert_eq!(Received::of("240p", &made).shown(), pictures.shown());
    for name in ["audio-aac", "audio-opus"] {
        check_in_step(&sound, &Received::of(name, &made), name);
    }
}

#[test]
fn the_check_opens_the_encoders_of_sound() {
    let checked = |kbps| {
        let sound = vec![
            SoundRung::new(AudioCodec::Aac, 128),
            SoundRung::new(AudioCodec::Opus, kbps),
        ];
        choose::check(&LadderJob { sound, ..job(&[]) })
    };
    let encoders: Vec<_> = checked(96)
        .unwrap()
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    assert_eq!(encoders, ["aac", "libopus"]);
    let error = checked(5000).unwrap_err().to_string();
    assert!(
        error.contains("audio-opus") && error.contains("libopus"),
        "{error}"
    );
}
