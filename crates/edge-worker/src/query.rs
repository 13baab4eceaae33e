//! Query parameters in one spelling, so that one answer has one cache key. Parameters that a path
//! does not know are dropped, before the key and before the origin.

use std::borrow::Cow;

/// A parameter that a path knows.
#[derive(Clone, Copy)]
pub struct Parameter {
    name: &'static str,
    spelling: fn(&str) -> Option<Cow<'_, str>>,
}

impl Parameter {
    /// `spelling` gives a value's one spelling, or `None` if it is no value.
    pub const fn new(name: &'static str, spelling: fn(&str) -> Option<Cow<'_, str>>) -> Self {
        Self { name, spelling }
    }
}

/// A known parameter is malformed or given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidParameter;

/// Known parameters of a query, in the order of the list that it was read by.
pub struct Values<'a> {
    known: &'static [Parameter],
    values: [Option<Cow<'a, str>>; MOST_KNOWN],
}

/// Most parameters that any path knows.
const MOST_KNOWN: usize = 6;

/// Reads the `known` parameters out of `query`.
pub fn canonical<'a>(
    query: &'a str,
    known: &'static [Parameter],
) -> Result<Values<'a>, InvalidParameter> {
    let mut values = [const { None }; MOST_KNOWN];
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let slot = known
            .iter()
            .zip(&mut values)
            .find(|(parameter, _)| parameter.name == name);
        if let Some((parameter, slot)) = slot {
            let value = (parameter.spelling)(value).ok_or(InvalidParameter)?;
            if slot.replace(value).is_some() {
                return Err(InvalidParameter);
            }
        }
    }
    Ok(Values { known, values })
}

impl<'a> Values<'a> {
    /// The value of `name`, if it was given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Whether `name` was given.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Gives `name` a value; does nothing if it is not known.
    pub fn set(&mut self, name: &str, value: &'static str) {
        let mut slots = self.known.iter().zip(&mut self.values);
        if let Some((_, slot)) = slots.find(|(parameter, _)| parameter.name == name) {
            *slot = Some(Cow::Borrowed(value));
        }
    }

    /// `path` with these parameters behind it.
    pub fn target<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let mut target = Cow::Borrowed(path);
        let mut separator = '?';
        for (name, value) in self.iter() {
            let target = target.to_mut();
            target.push(separator);
            target.push_str(name);
            target.push('=');
            target.push_str(value);
            separator = '&';
        }
        target
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let given = |(parameter, value): (&Parameter, &'_ Option<Cow<'a, str>>)| {
            value.is_some().then_some(parameter.name)
        };
        self.known.iter().zip(&self.values).filter_map(move |pair| {
            let name = given(pair)?;
            Some((name, pair.1.as_deref()?))
        })
    }
}

/// A decimal number of up to 19 digits; leading zeros go.
pub fn decimal(value: &str) -> Option<Cow<'_, str>> {
    let number =
        !value.is_empty() && value.len() <= 19 && value.bytes().all(|b| b.is_ascii_digit());
    number.then(|| Cow::Borrowed(without_leading_zeros(value)))
}

/// 1 to 64 characters of `A-Za-z0-9_-`: ids, words, cursors.
pub fn identifier(value: &str) -> Option<Cow<'_, str>> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let fits = (1..=64).contains(&value.len()) && value.bytes().all(allowed);
    fits.then_some(Cow::Borrowed(value))
}

/// Seconds: up to 9 digits and a fraction, cut to milliseconds without zeros at its end.
pub fn seconds(value: &str) -> Option<Cow<'_, str>> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |text: &str, most| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    if !digits(whole, 9) || !digits(fraction, 20) {
        return None;
    }
    let whole = without_leading_zeros(whole);
    match fraction.get(..3).unwrap_or(fraction).trim_end_matches('0') {
        "" => Some(Cow::Borrowed(whole)),
        fraction => Some(Cow::Owned(format!("{whole}.{fraction}"))),
    }
}

fn without_leading_zeros(digits: &str) -> &str {
    match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Parameter] = &[
        Parameter::new("limit", decimal),
        Parameter::new("offset", seconds),
    ];

    #[test]
    fn one_answer_has_one_target() {
        let check = |query, expected: Result<&str, InvalidParameter>| {
            let target = canonical(query, KNOWN).map(|values| values.target("/p").into_owned());
            assert_eq!(
                target.as_deref().map_err(|error| *error),
                expected,
                "{query}"
            );
        };
        check("", Ok("/p"));
        check("utm_source=x&&=", Ok("/p"));
        check("offset=12&limit=5", Ok("/p?limit=5&offset=12"));
        check("limit=005&offset=012.500", Ok("/p?limit=5&offset=12.5"));
        check("offset=0.0", Ok("/p?offset=0"));
        check("offset=1.23456", Ok("/p?offset=1.234"));
        check("limit=1&limit=1", Err(InvalidParameter));
        check("limit=", Err(InvalidParameter));
        check("limit", Err(InvalidParameter));
        check("limit=-1", Err(InvalidParameter));
        check("limit=%31", Err(InvalidParameter));
        check("offset=.5", Err(InvalidParameter));
        check("offset=1.", Err(InvalidParameter));
        check("offset=1e3", Err(InvalidParameter));
    }
}
