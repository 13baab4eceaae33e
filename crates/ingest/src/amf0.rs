//! AMF0 (Adobe Action Message Format, AMF 0), bounded: nesting is limited, and nothing is
//! allocated for a count that the bytes don't back.

use thiserror::Error;

/// Deepest nesting of objects and arrays that is read.
pub const MAX_DEPTH: usize = 8;

/// A value. Types that RTMP doesn't need are folded into their nearest relative.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number, or a date in milliseconds since 1970.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A string, long string or XML document. Invalid UTF-8 is replaced.
    String(String),
    /// An object, typed object or ECMA array, in the order written.
    Object(Vec<(String, Value)>),
    /// A strict array.
    Array(Vec<Value>),
    /// Null, undefined or unsupported.
    Null,
}

/// Bytes that are no AMF0.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Amf0Error {
    /// The bytes end within a value.
    #[error("AMF0 value is cut short")]
    Truncated,
    /// A type marker that is unknown or not used over RTMP.
    #[error("AMF0 type marker {0:#04x} is not taken")]
    Marker(u8),
    /// Objects within objects, too deep.
    #[error("AMF0 values nest deeper than {MAX_DEPTH}")]
    TooDeep,
}

impl Value {
    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The property of an object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(properties) => properties
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// An object with these properties.
    pub fn object<const N: usize>(properties: [(&str, Value); N]) -> Self {
        Self::Object(
            properties
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

mod marker {
    pub(super) const NUMBER: u8 = 0x00;
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const STRING: u8 = 0x02;
    pub(super) const OBJECT: u8 = 0x03;
    pub(super) const NULL: u8 = 0x05;
    pub(super) const UNDEFINED: u8 = 0x06;
    pub(super) const ECMA_ARRAY: u8 = 0x08;
    pub(super) const OBJECT_END: u8 = 0x09;
    pub(super) const STRICT_ARRAY: u8 = 0x0a;
    pub(super) const DATE: u8 = 0x0b;
    pub(super) const LONG_STRING: u8 = 0x0c;
    pub(super) const UNSUPPORTED: u8 = 0x0d;
    pub(super) const XML_DOCUMENT: u8 = 0x0f;
    pub(super) const TYPED_OBJECT: u8 = 0x10;
}

/// Reads all values. The memory they take is at most a small multiple of `bytes`.
///
/// # Errors
/// If the bytes are cut short, nest too deep or hold a marker that is not taken.
pub fn read(bytes: &[u8]) -> Result<Vec<Value>, Amf0Error> {
    let mut reader = Reader { rest: bytes };
    let mut values = Vec::new();
    while !reader.rest.is_empty() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

/// Writes the values one after the other. Strings are cut at 65,535 bytes.
pub fn write(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        write_value(&mut out, value);
    }
    out
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Amf0Error> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(Amf0Error::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Amf0Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Amf0Error::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Amf0Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn string(&mut self) -> Result<String, Amf0Error> {
        let len = u16::from_be_bytes(self.array()?);
        self.text(usize::from(len))
    }

    fn long_string(&mut self) -> Result<String, Amf0Error> {
        let len = u32::from_be_bytes(self.array()?);
        self.text(len as usize)
    }

    fn text(&mut self, len: usize) -> Result<String, Amf0Error> {
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }

    fn value(&mut self, depth: usize) -> Result<Value, Amf0Error> {
        if depth > MAX_DEPTH {
            return Err(Amf0Error::TooDeep);
        }
        Ok(match self.byte()? {
            marker::NUMBER => Value::Number(f64::from_be_bytes(self.array()?)),
            marker::BOOLEAN => Value::Boolean(self.byte()? != 0),
            marker::STRING => Value::String(self.string()?),
            marker::LONG_STRING | marker::XML_DOCUMENT => Value::String(self.long_string()?),
            marker::NULL | marker::UNDEFINED | marker::UNSUPPORTED => Value::Null,
            marker::OBJECT => self.properties(depth)?,
            marker::TYPED_OBJECT => {
                self.string()?;
                self.properties(depth)?
            }
            marker::ECMA_ARRAY => {
                // The count is a hint; encoders write it wrong. The end marker decides.
                self.array::<4>()?;
                self.properties(depth)?
            }
            marker::STRICT_ARRAY => {
                let count = u32::from_be_bytes(self.array()?);
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(depth + 1)?);
                }
                Value::Array(values)
            }
            marker::DATE => {
                let ms = f64::from_be_bytes(self.array()?);
                self.array::<2>()?;
                Value::Number(ms)
            }
            other => return Err(Amf0Error::Marker(other)),
        })
    }

    fn properties(&mut self, depth: usize) -> Result<Value, Amf0Error> {
        let mut properties = Vec::new();
        loop {
            let key = self.string()?;
            if key.is_empty() && self.rest.first() == Some(&marker::OBJECT_END) {
                self.byte()?;
                return Ok(Value::Object(properties));
            }
            properties.push((key, self.value(depth + 1)?));
        }
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(marker::NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(truth) => out.extend_from_slice(&[marker::BOOLEAN, u8::from(*truth)]),
        Value::String(text) => {
            out.push(marker::STRING);
            write_string(out, text);
        }
        Value::Object(properties) => {
            out.push(marker::OBJECT);
            for (key, value) in properties {
                write_string(out, key);
                write_value(out, value);
            }
            out.extend_from_slice(&[0, 0, marker::OBJECT_END]);
        }
        Value::Array(values) => {
            out.push(marker::STRICT_ARRAY);
            out.extend_from_slice(&(values.len() as u32).to_be_bytes());
            for value in values {
                write_value(out, value);
            }
        }
        Value::Null => out.push(marker::NULL),
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    let text = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(|n| Value::Number(f64::from(n))),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,12}".prop_map(Value::String),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(("[a-z]{1,6}", inner.clone()), 0..4).prop_map(Value::Object),
                prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            ]
        })
    }

    proptest! {
        #[test]
        fn written_values_read_back(values in prop::collection::vec(any_value(), 0..4)) {
            prop_assert_eq!(read(&write(&values)), Ok(values));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn reads_an_ecma_array_whose_count_lies() {
        let mut bytes = vec![marker::ECMA_ARRAY, 0xff, 0xff, 0xff, 0xff];
        bytes.extend_from_slice(b"\x00\x07encoder\x02\x00\x03obs\x00\x00\x09");
        let values = read(&bytes).unwrap();
        assert_eq!(
            values[0].get("encoder").and_then(Value::as_str),
            Some("obs")
        );
    }

    #[test]
    fn refuses_what_would_blow_up() {
        let nested = b"\x03\x00\x01a".repeat(16_000);
        assert_eq!(read(&nested), Err(Amf0Error::TooDeep));
        let huge_array = [marker::STRICT_ARRAY, 0xff, 0xff, 0xff, 0xff, marker::NULL];
        assert_eq!(read(&huge_array), Err(Amf0Error::Truncated));
        let long_string = [marker::LONG_STRING, 0xff, 0xff, 0xff, 0xff, b'a'];
        assert_eq!(read(&long_string), Err(Amf0Error::Truncated));
        assert_eq!(read(&[0x11]), Err(Amf0Error::Marker(0x11)));
    }
}
