//! A JSON reader (RFC 8259) that makes nothing: it walks a text once and says what it saw. And how a
//! text is written in JSON.

use std::fmt::Write;

/// The text is not JSON, or nests deeper than [`MAX_DEPTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Deepest nesting of arrays and objects.
pub const MAX_DEPTH: u32 = 16;

/// What a value was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// An object.
    Object,
    /// An array.
    Array,
    /// A string, as written between its quotes, escapes and all.
    Text(&'a str),
    /// A number, as written.
    Number(&'a str),
    /// `true`, `false` or `null`.
    Word,
}

/// A place in a JSON text.
pub struct Json<'a> {
    rest: &'a str,
    depth: u32,
}

impl<'a> Json<'a> {
    /// The beginning of `text`.
    pub fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            depth: 0,
        }
    }

    /// Walks one value.
    pub fn value(&mut self) -> Result<Kind<'a>, Malformed> {
        match self.peek() {
            Some(b'{') => self.members(|_, json| json.value().map(drop)),
            Some(b'[') => self.items(|json| json.value().map(drop)),
            Some(b'"') => self.text().map(Kind::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => ["true", "false", "null"]
                .iter()
                .find_map(|word| self.rest.strip_prefix(word))
                .map(|rest| {
                    self.rest = rest;
                    Kind::Word
                })
                .ok_or(Malformed),
        }
    }

    /// Walks one value; if it is an object, `member` walks each member's value, given its name as
    /// written.
    pub fn members(
        &mut self,
        mut member: impl FnMut(&'a str, &mut Self) -> Result<(), Malformed>,
    ) -> Result<Kind<'a>, Malformed> {
        if self.peek() != Some(b'{') {
            return self.value();
        }
        self.list(b'{', b'}', |json| {
            json.peek();
            let name = json.text()?;
            json.expect(b':')?;
            member(name, json)
        })?;
        Ok(Kind::Object)
    }

    /// Walks one value; if it is an array, `item` walks each of its values.
    pub fn items(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<Kind<'a>, Malformed> {
        if self.peek() != Some(b'[') {
            return self.value();
        }
        self.list(b'[', b']', item)?;
        Ok(Kind::Array)
    }

    /// Nothing but white space is left.
    pub fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    fn list(
        &mut self,
        open: u8,
        close: u8,
        mut element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if self.depth >= MAX_DEPTH {
            return Err(Malformed);
        }
        self.depth += 1;
        self.expect(open)?;
        if self.peek() != Some(close) {
            element(self)?;
            while self.peek() == Some(b',') {
                self.expect(b',')?;
                element(self)?;
            }
        }
        self.expect(close)?;
        self.depth -= 1;
        Ok(())
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.rest.bytes().next()
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        self.peek();
        self.rest = self.rest.strip_prefix(char::from(byte)).ok_or(Malformed)?;
        Ok(())
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let inside = self.rest.strip_prefix('"').ok_or(Malformed)?;
        let mut bytes = inside.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    let (text, rest) = inside.split_at_checked(at).ok_or(Malformed)?;
                    self.rest = rest.strip_prefix('"').ok_or(Malformed)?;
                    return Ok(text);
                }
                b'\\' => match bytes.next() {
                    Some((_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => {}
                    Some((_, b'u')) => {
                        for _ in 0..4 {
                            let hex = bytes.next().is_some_and(|(_, b)| b.is_ascii_hexdigit());
                            if !hex {
                                return Err(Malformed);
                            }
                        }
                    }
                    _ => return Err(Malformed),
                },
                0..=0x1f => return Err(Malformed),
                _ => {}
            }
        }
        Err(Malformed)
    }

    fn number(&mut self) -> Result<Kind<'a>, Malformed> {
        let begun = self.rest;
        self.rest = self.rest.strip_prefix('-').unwrap_or(self.rest);
        match self.rest.strip_prefix('0') {
            Some(rest) => self.rest = rest,
            None => self.digits()?,
        }
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            self.digits()?;
        }
        if let Some(rest) = self.rest.strip_prefix(['e', 'E']) {
            self.rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
            self.digits()?;
        }
        let len = begun.len() - self.rest.len();
        Ok(Kind::Number(&begun[..len]))
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == self.rest.len() {
            return Err(Malformed);
        }
        self.rest = rest;
        Ok(())
    }
}

/// Writes `text` as a JSON string, with its quotes.
pub fn write_text(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            // Writing to a string cannot fail.
            '\0'..='\x1f' => drop(write!(json, "\\u{:04x}", u32::from(c))),
            _ => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn walk(text: &str) -> Result<Kind<'_>, Malformed> {
        let mut json = Json::new(text);
        let kind = json.value()?;
        json.end()?;
        Ok(kind)
    }

    #[test]
    fn tells_kinds_and_refuses_the_rest() {
        for (text, expected) in [
            (" {\"a\" : [1, {}] , \"b\":null}\n", Ok(Kind::Object)),
            ("[]", Ok(Kind::Array)),
            (r#""a\"\u00e9""#, Ok(Kind::Text(r#"a\"\u00e9"#))),
            ("-0.5e+3", Ok(Kind::Number("-0.5e+3"))),
            ("true", Ok(Kind::Word)),
            ("", Err(Malformed)),
            ("{", Err(Malformed)),
            ("[1,]", Err(Malformed)),
            ("{\"a\"}", Err(Malformed)),
            ("{a:1}", Err(Malformed)),
            ("01", Err(Malformed)),
            ("1.", Err(Malformed)),
            ("-", Err(Malformed)),
            ("\"\\x\"", Err(Malformed)),
            ("\"\\u12g4\"", Err(Malformed)),
            ("\"\n\"", Err(Malformed)),
            ("\"é", Err(Malformed)),
            ("nul", Err(Malformed)),
            ("1 2", Err(Malformed)),
        ] {
            assert_eq!(walk(text), expected, "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(walk(&nested(16)), Ok(Kind::Array));
        assert_eq!(walk(&nested(17)), Err(Malformed));
        assert_eq!(walk(&"[".repeat(100_000)), Err(Malformed));
    }

    proptest! {
        // Beside serde_json, which refuses lone surrogates and numbers out of range besides.
        #[test]
        fn agrees_with_serde_json(text in r#"([\[\]{}:, ]|"[a-zé\\"n]{0,3}"|-?[0-9.]{1,4}|true|null){0,12}"#) {
            let oracle = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(walk(&text).is_ok(), oracle);
        }

        #[test]
        fn texts_return(text in "(\\PC|[\"\\\\\n]){0,20}") {
            let mut json = String::new();
            write_text(&mut json, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&json).ok(), Some(text));
        }
    }
}
