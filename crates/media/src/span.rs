//! The recording in spans: stretches of about ten seconds of whole segments, the same in every
//! rendition, cut where the timeline breaks.

use weir_model::{Epoch, Msn, RenditionId};

use crate::record::SegmentRecord;

/// A span is closed by the first segment that carries it to this length, in seconds.
pub const SPAN_S: f64 = 10.0;

/// One span of a video.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Life of the video that wrote it.
    pub epoch: Epoch,
    /// Number within the epoch, from 0; the same in every rendition.
    pub n: u32,
    /// Its first segment.
    pub first: Msn,
    /// Its last segment.
    pub last: Msn,
    /// Seconds of the video before it.
    pub start_s: f64,
    /// How long it lasts in seconds.
    pub duration_s: f64,
    /// It will not grow.
    pub closed: bool,
    /// Renditions with media in it.
    pub renditions: Vec<RenditionId>,
}

/// Where in the video an offset leads.
#[derive(Clone, Debug, PartialEq)]
pub struct Location<'a> {
    /// The span that holds the offset, or the next one with media.
    pub span: &'a Span,
    /// Where the next closed span with media starts, in seconds; `None` after the last one.
    pub next_offset_s: Option<f64>,
}

/// Groups a video's records into spans. `records` are those of all renditions in order of msn, up
/// to one that every rendition has closed; then adding records never changes a closed span. With
/// `ended` the last one is closed, however short.
pub fn plan(records: &[SegmentRecord], ended: bool) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut offset_s = 0.0;
    for group in records.chunk_by(|a, b| a.msn == b.msn) {
        let lead = lead(group);
        let seconds = lead.seconds();
        let last = spans.last_mut();
        let breaks = lead.discontinuity || last.as_ref().is_none_or(|s| s.epoch != lead.epoch);
        match last {
            Some(span) if !breaks && !span.closed => {
                span.last = lead.msn;
                span.duration_s += seconds;
            }
            last => {
                let n = match last {
                    Some(span) => {
                        span.closed = true;
                        if span.epoch == lead.epoch {
                            span.n + 1
                        } else {
                            0
                        }
                    }
                    None => 0,
                };
                spans.push(Span {
                    epoch: lead.epoch,
                    n,
                    first: lead.msn,
                    last: lead.msn,
                    start_s: offset_s,
                    duration_s: seconds,
                    closed: false,
                    renditions: Vec::new(),
                });
            }
        }
        offset_s += seconds;
        if let Some(span) = spans.last_mut() {
            span.closed = span.duration_s >= SPAN_S - 0.05;
            for record in group.iter().filter(|record| !record.gap) {
                if !span.renditions.contains(&record.rendition) {
                    span.renditions.push(record.rendition);
                }
            }
        }
    }
    if let (true, Some(span)) = (ended, spans.last_mut()) {
        span.closed = true;
    }
    spans
}

/// Finds the closed span of `rendition` that holds `offset_s`; spans without its media are
/// skipped. `None` past the last one.
pub fn locate(spans: &[Span], rendition: RenditionId, offset_s: f64) -> Option<Location<'_>> {
    let has_media = |span: &&Span| span.closed && span.renditions.contains(&rendition);
    let mut rest = spans
        .iter()
        .filter(has_media)
        .skip_while(|span| span.start_s + span.duration_s <= offset_s);
    let span = rest.next()?;
    Some(Location {
        span,
        next_offset_s: rest.next().map(|next| next.start_s),
    })
}

/// The record whose time counts: that of video before that of audio, of the source before others.
fn lead(group: &[SegmentRecord]) -> &SegmentRecord {
    group
        .iter()
        .find(|record| record.rendition.as_str() == "source")
        .unwrap_or(&group[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::WallTime;

    fn record(rendition: &str, epoch: u32, msn: u64, seconds: u64, gap: bool) -> SegmentRecord {
        SegmentRecord {
            epoch: Epoch(epoch),
            rendition: rendition.parse().unwrap(),
            msn: Msn(msn),
            init: 0,
            timescale: 1,
            start: 0,
            composition_offset: 0,
            duration: seconds,
            pdt: WallTime(0),
            bytes: 0,
            units: 0,
            first_unit_end: 0,
            gap,
            discontinuity: false,
            independent: true,
            parts: Vec::new(),
        }
    }

    /// Twelve segments of 2 s in two renditions; the second epoch starts with segment 8.
    fn records() -> Vec<SegmentRecord> {
        let both = |msn| {
            let epoch = if msn < 8 { 1 } else { 2 };
            [
                record("480p", epoch, msn, 2, msn < 5),
                record("source", epoch, msn, 2, false),
            ]
        };
        (0..12).flat_map(both).collect()
    }

    fn shape(spans: &[Span]) -> Vec<(u32, u32, u64, u64, bool)> {
        let shape = |span: &Span| (span.epoch.0, span.n, span.first.0, span.last.0, span.closed);
        spans.iter().map(shape).collect()
    }

    #[test]
    fn spans_are_ten_seconds_of_one_epoch() {
        let expected = [(1, 0, 0, 4, true), (1, 1, 5, 7, true), (2, 0, 8, 11, false)];
        assert_eq!(shape(&plan(&records(), false)), expected);
        let last = plan(&records(), true).pop().unwrap();
        assert!(last.closed);
        assert_eq!((last.start_s, last.duration_s), (16.0, 8.0));
    }

    #[test]
    fn a_discontinuity_cuts() {
        let mut records = records();
        records
            .iter_mut()
            .filter(|r| r.msn.0 == 2)
            .for_each(|r| r.discontinuity = true);
        let expected = [
            (1, 0, 0, 1, true),
            (1, 1, 2, 6, true),
            (1, 2, 7, 7, true),
            (2, 0, 8, 11, false),
        ];
        assert_eq!(shape(&plan(&records, false)), expected);
    }

    #[test]
    fn closed_spans_stay_as_they_are() {
        let records = records();
        let whole = plan(&records, true);
        for len in (0..=records.len()).step_by(2) {
            for span in plan(&records[..len], false)
                .iter()
                .filter(|span| span.closed)
            {
                assert!(whole.contains(span));
            }
        }
    }

    #[test]
    fn an_offset_leads_to_the_span_that_holds_it_or_the_next_with_media() {
        let spans = plan(&records(), true);
        let check = |rendition: &str, offset_s, expected| {
            let found = locate(&spans, rendition.parse().unwrap(), offset_s);
            assert_eq!(
                found.map(|at| (at.span.start_s, at.next_offset_s)),
                expected,
                "{offset_s}"
            );
        };
        check("source", 0.0, Some((0.0, Some(10.0))));
        check("source", 9.999, Some((0.0, Some(10.0))));
        check("source", 10.0, Some((10.0, Some(16.0))));
        check("source", 23.9, Some((16.0, None)));
        check("source", 24.0, None);
        // The rung has only GAPs in the first span.
        check("480p", 0.0, Some((10.0, Some(16.0))));
        check("audio", 0.0, None);
    }
}
