//! Attribute lists (RFC 8216 section 4.2).

/// Walks `NAME=value,NAME="quoted, value"`; quotes are taken off. What cannot be read ends it.
pub(super) struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Attributes<'a> {
    pub(super) fn of(list: &'a str) -> Self {
        Self { rest: list }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, after) = self.rest.split_once('=')?;
        let (value, rest) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, rest) = quoted.split_once('"')?;
                (value, rest.strip_prefix(',').unwrap_or(""))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        self.rest = rest;
        Some((name.trim_ascii(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists() {
        let check = |list, expected: &[(&str, &str)]| {
            assert_eq!(Attributes::of(list).collect::<Vec<_>>(), expected, "{list}");
        };
        check("", &[]);
        check("A=1", &[("A", "1")]);
        check(
            r#"A="x,y=z",B=YES, C=3x4"#,
            &[("A", "x,y=z"), ("B", "YES"), ("C", "3x4")],
        );
        check(r#"A=1,B="open"#, &[("A", "1")]);
        check("A,B", &[]);
    }
}
