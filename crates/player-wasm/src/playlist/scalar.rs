//! Numbers and dates as playlists write them. The standard library's float parser is exact to the
//! last bit and costs more bytes than this whole reader; microseconds are enough here.

use alloc::string::String;

/// A decimal integer below 10^15, so that sums of several do not overflow.
pub(crate) fn integer(text: &str) -> Option<u64> {
    long_integer(text).filter(|_| text.len() <= 15)
}

/// A decimal integer below 10^19: a media time that counts from 1970 takes 17 digits.
pub(crate) fn long_integer(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.bytes().fold(0, |n, b| n * 10 + u64::from(b - b'0')))
}

/// A non-negative decimal number, exact to the ninth decimal.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.get(..9).unwrap_or(fraction);
    let scale = 10_u64.pow(fraction.len() as u32);
    let fraction = if fraction.is_empty() {
        0
    } else {
        integer(fraction)?
    };
    Some(integer(whole)? as f64 + fraction as f64 / scale as f64)
}

/// An RFC 3339 instant in Unix milliseconds, from 1970 to 9999.
pub(crate) fn date_time(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.len() < 20 {
        return None;
    }
    let punctuation = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if punctuation.iter().any(|&(at, sign)| bytes[at] != sign) || !matches!(bytes[10], b'T' | b't')
    {
        return None;
    }
    let number = |from: usize, to: usize| integer(text.get(from..to)?);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let known = year >= 1970
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !known {
        return None;
    }
    let tail = text.get(19..)?;
    let (fraction, zone_text) = tail.split_at_checked(tail.find(['Z', 'z', '+', '-'])?)?;
    let fraction = match fraction.strip_prefix('.') {
        Some(digits) => decimal(&["0.", digits].concat())?,
        None if fraction.is_empty() => 0.0,
        None => return None,
    };
    let east_of_utc_min = zone(zone_text)?;
    let minutes = (days_from_civil(year, month, day) * 24 + hour) * 60 + minute;
    let minutes = minutes as f64 - east_of_utc_min;
    Some((minutes * 60.0 + second as f64 + fraction) * 1000.0)
}

/// `Z` or `±hh:mm` (the colon may be missing, as ISO 8601 allows), in minutes east of UTC.
fn zone(text: &str) -> Option<f64> {
    if matches!(text, "Z" | "z") {
        return Some(0.0);
    }
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let digits: String = text.chars().skip(1).filter(|c| *c != ':').collect();
    let hhmm = integer(&digits).filter(|_| digits.len() == 4)?;
    Some(sign * (hhmm / 100 * 60 + hhmm % 100) as f64)
}

/// Days from 1970-01-01. Years are counted from March, so that the leap day ends a year.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let (year, from_march) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, year) = (year / 400, year % 400);
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_numbers() {
        let check = |text, expected| assert_eq!(decimal(text), expected, "{text}");
        check("4", Some(4.0));
        check("0.33300", Some(0.333));
        check("2.", Some(2.0));
        check("1.0000000001", Some(1.0));
        check("", None);
        check(".5", None);
        check("-1", None);
        check("1e9", None);
        check("99999999999999999999", None);
        check("1.é", None);
    }

    #[test]
    fn reads_dates() {
        let check = |text, expected| assert_eq!(date_time(text), expected, "{text}");
        check("1970-01-01T00:00:00Z", Some(0.0));
        check("2026-11-22T17:04:56.789Z", Some(1_795_367_096_789.0));
        check("1013-11-22T17:04:56.789Z", None);
        check("2000-02-29T01:00:00.5+01:00", Some(951_782_400_500.0));
        check("2000-02-28T23:00:00-0100", Some(951_782_400_000.0));
        check("2000-02-29T00:00:00", None);
        check("2000-13-29T00:00:00Z", None);
        check("2000-02-29T00:00:00.Z", Some(951_782_400_000.0));
        check("soon", None);
        check("2000-02-29T00:00:00+9é", None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}") {
            let _ = (decimal(&text), integer(&text), date_time(&text));
        }

        #[test]
        fn milliseconds_survive(ms in 0_u64..3_600_000) {
            let text = format!("{}.{:03}", ms / 1000, ms % 1000);
            let read = decimal(&text).unwrap();
            prop_assert!((read * 1000.0 - ms as f64).abs() < 1e-6);
        }
    }
}
