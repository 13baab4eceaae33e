//! The document.

use std::{fmt::Write, fs, path::Path};

use super::{Rule, reading::Reading};

/// Names the wish to write the document instead of comparing it.
const WRITE: &str = "WEIR_WRITE_DOCS";

/// All rules by all readings.
pub(crate) struct Table {
    text: String,
    /// What does not hold.
    pub(crate) breaches: Vec<String>,
}

impl Table {
    pub(crate) fn of(readings: &[Reading], chapters: &[(&str, &[Rule])]) -> Self {
        let mut text = String::from(HEAD);
        let mut breaches = Vec::new();
        for (chapter, rules) in chapters {
            let _ = write!(text, "\n## {chapter}\n\n{COLUMNS}");
            for Rule {
                source,
                says,
                check,
            } in *rules
            {
                let _ = write!(text, "| {says} | {source} |");
                for reading in readings {
                    let cell = match check(reading) {
                        None => "",
                        Some(wrong) if wrong.is_empty() => "✓",
                        Some(wrong) => {
                            let about = format!("{says} ({:?})", reading.state);
                            breaches.extend(wrong.iter().map(|wrong| format!("{about}: {wrong}")));
                            "✗"
                        }
                    };
                    let _ = write!(text, " {cell} |");
                }
                text.push('\n');
            }
        }
        Self { text, breaches }
    }

    pub(crate) fn compare_or_write(&self, path: &Path) {
        if std::env::var_os(WRITE).is_some() {
            fs::write(path, &self.text).expect("the document can be written");
        }
        let stands = fs::read_to_string(path).unwrap_or_default();
        assert_eq!(stands, self.text, "run this test with {WRITE}=1");
    }
}

const HEAD: &str = "# Conformance

Made by a test run (`cargo test -p weir-tests --test conformance`): a film is pushed by ffmpeg over
RTMP, its encoder is killed and comes back, the broadcast is ended, and everything that a viewer
gets through the point of presence is read in four states. ✓ holds, ✗ does not; an empty field is a
rule that does not apply there. DASH has one manifest for live and rewinding, so that its rules stand
in the same columns twice.

Read by our own reader in the tests, m3u8-rs, npm `hls-parser`, `mpd-parser` and `mp4box`, ffmpeg 5.1
and 9, and PyPI `xmlschema`, with `tests/dash/weir-mpd.xsd` as the schema and with the standard's own,
`DASH-MPD.xsd`, where `WEIR_DASH_SCHEMA` names it.

Played by hls.js, Shaka, dash.js and Weir's own player, in Debian's Chromium and its Firefox ESR. Each
has to show the film's pictures in their order without an error that only loading the page again
would mend: live, from its edge; after a discontinuity, over it; of the playlists for rewinding,
from their beginning (of DASH, from the beginning of its window); of the recording, its beginning
and its end.

The discontinuity is one without a GAP before it. Where there is one, because the encoder stayed away past
the end of a segment, Shaka as HLS failed 7 of 18 times (0 of 24 without): what is missing in all
renditions it looks for in one after the other, and then tells a wrong date or stays where it was sent.

\"bis\" is draft-ietf-hls-rfc8216bis, \"Apple\" its HLS authoring specification, \"DASH\" ISO/IEC 23009-1,
\"LL\" DASH-IF's low-latency modes, \"CMAF\" ISO/IEC 23000-19.
";

const COLUMNS: &str = "| rule | source | live | after a discontinuity | DVR | recording |
| --- | --- | :-: | :-: | :-: | :-: |
";
