//! What `onMetaData` tells of tracks (Enhanced RTMP v2, "Enhancing onMetaData").
//!
//! `audioTrackIdInfoMap` and `videoTrackIdInfoMap` hold an object of properties for each trackId.
//! The specification names technical ones; for people, encoders write `language` or `lang`, and
//! `name`, `title` or `label`. The first audio track may have its language beside the maps.

use weir_media::{
    track::{FromTrack, TrackIndex, TrackLabel},
    unit::TrackKind,
};

use crate::amf0::Value;

const MAPS: [(&str, TrackKind); 2] = [
    ("videoTrackIdInfoMap", TrackKind::Video),
    ("audioTrackIdInfoMap", TrackKind::Audio),
];
const LANGUAGE: [&str; 2] = ["language", "lang"];
const NAME: [&str; 3] = ["name", "title", "label"];

/// The labels of the tracks that are told of, each track once.
pub(super) fn labels(properties: &Value) -> Vec<FromTrack> {
    let mut labels: Vec<FromTrack> = Vec::new();
    let mut add = |kind: TrackKind, index: TrackIndex, label: TrackLabel| {
        let known = |known: &FromTrack| matches!(known, FromTrack::Label { kind: k, index: i, .. } if (*k, *i) == (kind, index));
        if !label.is_empty() && !labels.iter().any(known) {
            labels.push(FromTrack::Label { kind, index, label });
        }
    };
    for (map, kind) in MAPS {
        let Some(Value::Object(tracks)) = properties.get(map) else {
            continue;
        };
        for (id, track) in tracks {
            if let Some(index) = id.parse().ok().and_then(TrackIndex::new) {
                let label = TrackLabel::new(text(track, &LANGUAGE), text(track, &NAME));
                add(kind, index, label);
            }
        }
    }
    let label = TrackLabel::new(text(properties, &LANGUAGE), None);
    add(TrackKind::Audio, TrackIndex::LEAD, label);
    labels
}

fn text<'a>(properties: &'a Value, names: &[&str]) -> Option<&'a str> {
    let mut told = names.iter().filter_map(|name| properties.get(name));
    told.find_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(kind: TrackKind, id: u8, language: &str, name: &str) -> FromTrack {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        FromTrack::Label {
            kind,
            index: TrackIndex::new(id).unwrap(),
            label: TrackLabel {
                language: text(language),
                name: text(name),
            },
        }
    }

    #[test]
    fn tracks_are_told_of_by_their_ids() {
        let track = |properties: [(&str, Value); 2]| Value::object(properties);
        let properties = Value::object([
            ("lang", "en".into()),
            (
                "audioTrackIdInfoMap",
                Value::object([
                    (
                        "1",
                        track([("language", "fr".into()), ("title", "Commentaire".into())]),
                    ),
                    (
                        "1",
                        track([("lang", "de".into()), ("channels", 2.0.into())]),
                    ),
                    (
                        "2",
                        track([("lang", "not a tag".into()), ("channels", 2.0.into())]),
                    ),
                    (
                        "9",
                        track([("lang", "de".into()), ("name", "Too many".into())]),
                    ),
                    (
                        "x",
                        track([("lang", "de".into()), ("name", "No id".into())]),
                    ),
                ]),
            ),
            (
                "videoTrackIdInfoMap",
                Value::object([(
                    "3",
                    track([("width", 640.0.into()), ("label", "Small".into())]),
                )]),
            ),
        ]);
        assert_eq!(
            labels(&properties),
            [
                label(TrackKind::Video, 3, "", "Small"),
                label(TrackKind::Audio, 1, "fr", "Commentaire"),
                label(TrackKind::Audio, 0, "en", ""),
            ]
        );
        for nothing in [
            Value::Null,
            Value::object([("audioTrackIdInfoMap", 1.0.into())]),
        ] {
            assert_eq!(labels(&nothing), []);
        }
    }
}
