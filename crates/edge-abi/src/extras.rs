//! What a plan says besides its action. Most plans say nothing, in one byte.

use weir_model::{Cmcd, cmcd::ObjectType};

use crate::{
    DecodeError, Limit, Overflow,
    wire::{Reader, Writer},
};

const REMEMBER: u8 = 1;
const LIMIT: u8 = 2;
const CMCD: u8 = 4;

const STARTUP: u8 = 1;
const STARVED: u8 = 2;
const BITRATE: u8 = 4;
const THROUGHPUT: u8 = 8;
const BUFFER: u8 = 16;

pub(crate) struct Extras<'a> {
    pub(crate) remember: Option<&'a [u8]>,
    pub(crate) limit: Option<Limit>,
    pub(crate) cmcd: Option<Cmcd>,
}

impl<'a> Extras<'a> {
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.u8(flags(&[
            (REMEMBER, self.remember.is_some()),
            (LIMIT, self.limit.is_some()),
            (CMCD, self.cmcd.is_some()),
        ]))?;
        if let Some(claims) = self.remember {
            writer.bytes(claims)?;
        }
        if let Some(limit) = self.limit {
            writer.u8(limit.bucket)?;
            writer.u32(limit.per_minute)?;
            writer.u32(limit.burst)?;
        }
        self.cmcd.map_or(Ok(()), |cmcd| encode_cmcd(&cmcd, writer))
    }

    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let set = reader.flags("extras", REMEMBER | LIMIT | CMCD)?;
        Ok(Self {
            remember: match set & REMEMBER {
                0 => None,
                _ => Some(reader.bytes()?),
            },
            limit: match set & LIMIT {
                0 => None,
                _ => Some(Limit {
                    bucket: reader.u8()?,
                    per_minute: reader.u32()?,
                    burst: reader.u32()?,
                }),
            },
            cmcd: match set & CMCD {
                0 => None,
                _ => Some(decode_cmcd(reader)?),
            },
        })
    }
}

fn encode_cmcd(cmcd: &Cmcd, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    writer.u8(cmcd.object_type.map_or(0, ObjectType::number))?;
    writer.u8(flags(&[
        (STARTUP, cmcd.startup),
        (STARVED, cmcd.starved),
        (BITRATE, cmcd.bitrate_kbps.is_some()),
        (THROUGHPUT, cmcd.throughput_kbps.is_some()),
        (BUFFER, cmcd.buffer_ms.is_some()),
    ]))?;
    for number in [cmcd.bitrate_kbps, cmcd.throughput_kbps, cmcd.buffer_ms] {
        writer.u32(number.unwrap_or_default())?;
    }
    Ok(())
}

fn decode_cmcd(reader: &mut Reader<'_>) -> Result<Cmcd, DecodeError> {
    let object_type = match reader.u8()? {
        0 => None,
        value => Some(
            ObjectType::from_number(value).ok_or(DecodeError::UnknownValue {
                field: "object type",
                value,
            })?,
        ),
    };
    let known = STARTUP | STARVED | BITRATE | THROUGHPUT | BUFFER;
    let set = reader.flags("CMCD flags", known)?;
    let mut number = |flag| {
        let number = reader.u32()?;
        Ok((set & flag != 0).then_some(number))
    };
    Ok(Cmcd {
        object_type,
        startup: set & STARTUP != 0,
        starved: set & STARVED != 0,
        bitrate_kbps: number(BITRATE)?,
        throughput_kbps: number(THROUGHPUT)?,
        buffer_ms: number(BUFFER)?,
    })
}

fn flags(flags: &[(u8, bool)]) -> u8 {
    flags
        .iter()
        .filter(|(_, set)| *set)
        .fold(0, |sum, (flag, _)| sum | flag)
}
