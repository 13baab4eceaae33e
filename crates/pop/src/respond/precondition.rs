//! Conditional requests (RFC 9110 section 13), as far as a cache answers them.

use std::time::SystemTime;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED},
};

use crate::cache::Head;

/// Whether the viewer has the answer already: by weak comparison of entity tags (section 13.1.2),
/// or else by date (section 13.1.3).
pub(crate) fn not_modified(head: &Head, asked: &HeaderMap) -> bool {
    let Some(known) = asked.get(IF_NONE_MATCH) else {
        let since = asked.get(IF_MODIFIED_SINCE).and_then(date);
        let modified = head.get(&LAST_MODIFIED).and_then(date);
        return modified
            .zip(since)
            .is_some_and(|(modified, since)| modified <= since);
    };
    let Ok(known) = known.to_str() else {
        return false;
    };
    if known.trim() == "*" {
        return true;
    }
    let Some(tag) = text(head, &ETAG) else {
        return false;
    };
    known.split(',').any(|one| opaque(one) == opaque(tag))
}

/// Whether a range of this answer is wanted, and not the whole of a newer one: by strong
/// comparison (section 13.1.5).
pub(crate) fn range_applies(head: &Head, asked: &HeaderMap) -> bool {
    let Some(wanted) = asked.get(IF_RANGE) else {
        return true;
    };
    let Ok(wanted) = wanted.to_str().map(str::trim) else {
        return false;
    };
    match wanted.starts_with('"') {
        true => text(head, &ETAG) == Some(wanted),
        // A date has to be the very same; a weak tag, being no date either, never is.
        false => text(head, &LAST_MODIFIED) == Some(wanted),
    }
}

fn text<'h>(head: &'h Head, name: &HeaderName) -> Option<&'h str> {
    head.get(name)?.to_str().ok()
}

fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const DATE: &str = "Tue, 03 Mar 2026 10:00:00 GMT";
    const LATER: &str = "Tue, 03 Mar 2026 10:00:01 GMT";

    fn fields(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let fields = fields.iter().cloned();
        fields
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect()
    }

    fn head(of: &[(HeaderName, &'static str)]) -> Head {
        Head::new(Arc::default(), &fields(of))
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let tagged = [(ETAG, "\"one\"")];
        let dated = [(LAST_MODIFIED, DATE)];
        let both = [(ETAG, "\"one\""), (LAST_MODIFIED, DATE)];
        for (of, asked, expected) in [
            (&tagged[..], &[(IF_NONE_MATCH, "\"one\"")][..], true),
            (&tagged, &[(IF_NONE_MATCH, "\"zero\", W/\"one\"")], true),
            (&tagged, &[(IF_NONE_MATCH, "*")], true),
            (&tagged, &[(IF_NONE_MATCH, "\"two\"")], false),
            (&[], &[(IF_NONE_MATCH, "\"one\"")], false),
            (&dated, &[(IF_MODIFIED_SINCE, DATE)], true),
            (&dated, &[(IF_MODIFIED_SINCE, LATER)], true),
            (
                &[(LAST_MODIFIED, LATER)],
                &[(IF_MODIFIED_SINCE, DATE)],
                false,
            ),
            (&dated, &[(IF_MODIFIED_SINCE, "yesterday")], false),
            // The tag goes before the date.
            (
                &both,
                &[(IF_NONE_MATCH, "\"two\""), (IF_MODIFIED_SINCE, DATE)],
                false,
            ),
            (&both, &[], false),
        ] {
            assert_eq!(
                not_modified(&head(of), &fields(asked)),
                expected,
                "{of:?} {asked:?}"
            );
        }
    }

    #[test]
    fn ranges_are_of_what_the_viewer_has_a_part_of() {
        let both = head(&[(ETAG, "\"one\""), (LAST_MODIFIED, DATE)]);
        for (asked, expected) in [
            (None, true),
            (Some("\"one\""), true),
            (Some("\"two\""), false),
            (Some("W/\"one\""), false),
            (Some(DATE), true),
            (Some(LATER), false),
        ] {
            let asked = asked.map(|value| (IF_RANGE, value));
            let asked = fields(asked.as_slice());
            assert_eq!(range_applies(&both, &asked), expected, "{asked:?}");
        }
        let weak = head(&[(ETAG, "W/\"one\"")]);
        assert!(!range_applies(&weak, &fields(&[(IF_RANGE, "W/\"one\"")])));
    }
}
