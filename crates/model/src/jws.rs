//! JSON Web Signatures in compact form (RFC 7515 section 7.1): `header.payload.signature`, each
//! piece in base64url without padding.

use data_encoding::BASE64URL_NOPAD;

use crate::{
    json::{Json, Kind, Malformed, write_text},
    key::{InvalidKey, SigningKey},
};

/// A signature that was taken apart, and not yet verified.
pub(crate) struct Compact<'a> {
    pub(crate) header: Header,
    /// What is signed: header and payload as they came.
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
    payload: &'a str,
}

/// What a header says of the signature.
#[derive(Default)]
pub(crate) struct Header {
    pub(crate) algorithm: String,
    pub(crate) kid: Option<String>,
    pub(crate) kind: Option<String>,
}

impl<'a> Compact<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Malformed> {
        let (signed, signature) = text.rsplit_once('.').ok_or(Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Malformed)?;
        Ok(Self {
            header: Header::parse(&decoded_text(header)?)?,
            signed,
            signature: decoded(signature)?,
            payload,
        })
    }

    /// The payload as text; to be looked at once the signature is verified.
    pub(crate) fn payload(&self) -> Result<String, Malformed> {
        decoded_text(self.payload)
    }
}

impl Header {
    fn parse(json: &str) -> Result<Self, Malformed> {
        let mut header = Self::default();
        let mut algorithm = None;
        members(json, |name, json| {
            match name {
                "alg" => once(&mut algorithm, plain(json)?)?,
                "kid" => once(&mut header.kid, plain(json)?)?,
                "typ" => once(&mut header.kind, plain(json)?)?,
                // Extensions that must be understood (RFC 7515 section 4.1.11): none is.
                "crit" => return Err(Malformed),
                _ => {
                    json.value()?;
                }
            }
            Ok(())
        })?;
        header.algorithm = algorithm.ok_or(Malformed)?;
        Ok(header)
    }
}

/// Walks the members of the object that `json` is. A name with an escape in it could be another
/// spelling of a known one, so that there is none.
pub(crate) fn members<'j>(
    json: &'j str,
    mut member: impl FnMut(&'j str, &mut Json<'j>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut reader = Json::new(json);
    let kind = reader.members(|name, json| {
        if name.contains('\\') {
            return Err(Malformed);
        }
        member(name, json)
    })?;
    reader.end()?;
    if kind == Kind::Object {
        Ok(())
    } else {
        Err(Malformed)
    }
}

/// Gives a member its value, unless it has one.
pub(crate) fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed),
    }
}

/// A text without escapes.
fn plain(json: &mut Json<'_>) -> Result<String, Malformed> {
    match json.value()? {
        Kind::Text(text) if !text.contains('\\') => Ok(text.to_owned()),
        _ => Err(Malformed),
    }
}

/// Signs `payload`, which is JSON. `kind` is the header's `typ`.
pub(crate) fn sign(key: &SigningKey, kind: &str, payload: &str) -> Result<String, InvalidKey> {
    let mut header = format!(r#"{{"alg":"{}","typ":"{kind}""#, key.algorithm.as_str());
    if !key.kid.is_empty() {
        header.push_str(r#","kid":"#);
        write_text(&mut header, &key.kid);
    }
    header.push('}');
    let mut text = encoded(header.as_bytes());
    text.push('.');
    text.push_str(&encoded(payload.as_bytes()));
    let signature = key.sign(text.as_bytes())?;
    text.push('.');
    text.push_str(&encoded(&signature));
    Ok(text)
}

/// Base64url without padding.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// The bytes behind base64url without padding.
pub(crate) fn decoded(text: &str) -> Result<Vec<u8>, Malformed> {
    BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| Malformed)
}

fn decoded_text(text: &str) -> Result<String, Malformed> {
    String::from_utf8(decoded(text)?).map_err(|_| Malformed)
}
