//! `Range` (RFC 9110 section 14).

use std::ops::RangeInclusive;

/// A range as it is asked for, of a body whose length may not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// `bytes=2-5`
    Closed { first: usize, last: usize },
    /// `bytes=2-`
    From(usize),
    /// `bytes=-5`: the last so many.
    Suffix(usize),
}

/// No byte of the body is in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsatisfiable;

impl ByteRange {
    /// The one range that the field's value asks for. Several ranges, other units and what is no
    /// range are answered with the whole, as the section allows.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let digits = |text: &str| {
            let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            // A number too large for us is as good as the largest.
            number.then(|| text.parse().unwrap_or(usize::MAX))
        };
        let (unit, range) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        match (first, last) {
            ("", last) => Some(Self::Suffix(digits(last)?)),
            (first, "") => Some(Self::From(digits(first)?)),
            (first, last) => {
                let (first, last) = (digits(first)?, digits(last)?);
                (first <= last).then_some(Self::Closed { first, last })
            }
        }
    }

    /// First and last byte of it in a body of `len` bytes.
    pub(crate) fn within(self, len: usize) -> Result<RangeInclusive<usize>, Unsatisfiable> {
        let end = len.checked_sub(1).ok_or(Unsatisfiable)?;
        let (first, last) = match self {
            Self::Closed { first, last } => (first, last.min(end)),
            Self::From(first) => (first, end),
            Self::Suffix(0) => return Err(Unsatisfiable),
            Self::Suffix(count) => (len.saturating_sub(count), end),
        };
        match first <= end {
            true => Ok(first..=last),
            false => Err(Unsatisfiable),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_one_range() {
        let check = |value: &str, len, expected: Option<Result<(usize, usize), Unsatisfiable>>| {
            let found = ByteRange::parse(value).map(|range| range.within(len));
            let found = found.map(|range| range.map(|range| (*range.start(), *range.end())));
            assert_eq!(found, expected, "{value}");
        };
        check("bytes=0-0", 10, Some(Ok((0, 0))));
        check("bytes=2-5", 10, Some(Ok((2, 5))));
        check("Bytes= 2-5 ", 10, Some(Ok((2, 5))));
        check("bytes=2-", 10, Some(Ok((2, 9))));
        check("bytes=2-99", 10, Some(Ok((2, 9))));
        check("bytes=-3", 10, Some(Ok((7, 9))));
        check("bytes=-30", 10, Some(Ok((0, 9))));
        check("bytes=10-", 10, Some(Err(Unsatisfiable)));
        check("bytes=10-12", 10, Some(Err(Unsatisfiable)));
        let huge = "bytes=99999999999999999999999-";
        check(huge, 10, Some(Err(Unsatisfiable)));
        check("bytes=-0", 10, Some(Err(Unsatisfiable)));
        check("bytes=0-", 0, Some(Err(Unsatisfiable)));
        for value in [
            "bytes=5-2",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "lines=0-1",
            "bytes",
            "bytes=-",
        ] {
            check(value, 10, None);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_lies_within(value in "bytes=[0-9]{0,22}-[0-9]{0,22}", len in 0usize..100) {
            if let Some(Ok(range)) = ByteRange::parse(&value).map(|range| range.within(len)) {
                prop_assert!(range.start() <= range.end() && *range.end() < len);
            }
        }
    }
}
