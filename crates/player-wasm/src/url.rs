//! References resolved against the playlist they stand in (RFC 3986 section 5, as far as playlists
//! go: a query of the base is never inherited). No server sees a fragment, so that it is there that
//! a reference carries a range of bytes.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::outbox::push_number;
use crate::playlist::scalar::integer;

/// The URL that `reference` means in the document at `base`.
pub fn resolve(base: &str, reference: &str) -> String {
    if !split_origin(reference).0.is_empty() {
        return reference.to_owned();
    }
    let (origin, base_path) = split_origin(base);
    if let Some(rest) = reference.strip_prefix("//") {
        let scheme = origin.split_once(':').map_or("", |(scheme, _)| scheme);
        return [scheme, "://", rest].concat();
    }
    if reference.starts_with('/') {
        return [origin, &normal(reference)].concat();
    }
    let (base_path, _) = split_query(base_path);
    let folder = base_path.rsplit_once('/').map_or("", |(folder, _)| folder);
    [origin, &normal(&[folder, "/", reference].concat())].concat()
}

/// The reference to a range of bytes, up to the end without a last one: `film.mp4#bytes=0-99`.
/// Whoever fetches it asks for `Range: bytes=0-99` of `film.mp4`.
pub fn ranged(reference: &str, first: u64, last: Option<u64>) -> String {
    let whole = reference.split('#').next().unwrap_or_default();
    let mut ranged = String::with_capacity(whole.len() + 32);
    ranged.push_str(whole);
    ranged.push_str("#bytes=");
    push_number(&mut ranged, first);
    ranged.push('-');
    if let Some(last) = last {
        push_number(&mut ranged, last);
    }
    ranged
}

/// How many bytes a reference made by [`ranged`] is to, if it has a last one.
pub fn ranged_bytes(reference: &str) -> Option<u64> {
    let (_, range) = reference.rsplit_once('#')?;
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    integer(last)?.checked_sub(integer(first)?)?.checked_add(1)
}

/// The last folder of a URL's path: `480p` of `/v/x/480p/index.m3u8`.
pub fn folder_name(url: &str) -> &str {
    split_query(url).0.rsplit('/').nth(1).unwrap_or("")
}

/// `https://host` and the path that follows it. A bare path has an empty origin.
fn split_origin(url: &str) -> (&str, &str) {
    let Some((scheme, rest)) = url.split_once(':') else {
        return ("", url);
    };
    let named = |b: u8| b.is_ascii_alphanumeric() || b == b'+';
    let Some(rest) = rest
        .strip_prefix("//")
        .filter(|_| scheme.bytes().all(named))
    else {
        return ("", url);
    };
    let path = rest.find(['/', '?', '#']).map_or(0, |at| rest.len() - at);
    split_at(url, url.len() - path)
}

/// A path, and its query or fragment with the sign that begins it.
fn split_query(url: &str) -> (&str, &str) {
    split_at(url, url.find(['?', '#']).unwrap_or(url.len()))
}

/// Like the standard one, without the panic that would bring a formatter into the module.
fn split_at(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// Takes `.` and `..` out of a path; the query stays as it is.
fn normal(path: &str) -> String {
    let (path, query) = split_query(path);
    let mut normal = String::with_capacity(path.len() + query.len() + 1);
    let mut is_folder = false;
    for name in path.split('/').skip(1) {
        is_folder = matches!(name, "." | "..");
        if name == ".." {
            normal.truncate(normal.rfind('/').unwrap_or(0));
        }
        if !is_folder {
            normal.push('/');
            normal.push_str(name);
        }
    }
    if is_folder || normal.is_empty() {
        normal.push('/');
    }
    normal.push_str(query);
    normal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn resolves_references() {
        let check = |base, reference, expected: &str| {
            assert_eq!(resolve(base, reference), expected, "{reference} in {base}");
        };
        let base = "http://h:1/v/o/480p/index.m3u8?_HLS_msn=3";
        check(base, "../3/480p/7.m4s", "http://h:1/v/o/3/480p/7.m4s");
        check(base, "x.m4s?a=../b", "http://h:1/v/o/480p/x.m4s?a=../b");
        check(base, "./x/", "http://h:1/v/o/480p/x/");
        check(base, "/x/./y", "http://h:1/x/y");
        check(base, "../../../../../../x", "http://h:1/x");
        check(base, "https://other/x", "https://other/x");
        check(base, "//other/x", "http://other/x");
        check("http://h", "x", "http://h/x");
        check("/v/o/index.m3u8", "480p/index.m3u8", "/v/o/480p/index.m3u8");
        check("/t/tok/v/p/index.m3u8", "../p/a", "/t/tok/v/p/a");
    }

    #[test]
    fn ranges_survive_being_resolved() {
        let reference = ranged("a/film.mp4?b#c", 5, Some(99));
        assert_eq!(
            resolve("http://h/v/", &reference),
            "http://h/v/a/film.mp4?b#bytes=5-99"
        );
        assert_eq!(ranged_bytes(&reference), Some(95));
        assert_eq!(ranged("film.mp4", 7, None), "film.mp4#bytes=7-");
        for unknown in [
            "film.mp4",
            "film.mp4#bytes=7-",
            "film.mp4#bytes=9-7",
            "film.mp4#bytes=-",
        ] {
            assert_eq!(ranged_bytes(unknown), None);
        }
    }

    #[test]
    fn names_the_folder() {
        assert_eq!(folder_name("http://h/v/o/480p/index.m3u8?x=/y/z"), "480p");
        assert_eq!(folder_name("x"), "");
    }

    proptest! {
        #[test]
        fn stays_on_its_host(reference in "[a-z./?]{0,30}") {
            prop_assume!(!reference.starts_with("//") && !reference.contains("://"));
            let url = resolve("http://h/a/b", &reference);
            prop_assert!(url.starts_with("http://h/"), "{}", url);
            let path = url.split('?').next().unwrap();
            prop_assert!(!path.split('/').any(|name| name == ".."), "{}", url);
        }
    }
}
