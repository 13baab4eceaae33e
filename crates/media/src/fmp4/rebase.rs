//! Moving chunks in time.

use thiserror::Error;

use super::boxes::FourCc;

/// Chunks that cannot be moved. They may be half changed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidRebase {
    /// A box claims more bytes than there are, or ends within its fields.
    #[error("the box at byte {0} is broken")]
    Box(usize),
    /// A chunk begins before what is to be time 0.
    #[error("decode time {decode_time} lies before the new origin {subtract}")]
    BeforeOrigin {
        /// The chunk's decode time, in the track's timescale.
        decode_time: u64,
        /// What was to be subtracted.
        subtract: u64,
    },
}

/// Subtracts from the decode time of every chunk in `chunks`, which are of one track, in place.
/// `subtract` is in the track's timescale.
///
/// # Errors
/// [`InvalidRebase`]; the bytes are then of no use.
pub fn rebase(chunks: &mut [u8], subtract: u64) -> Result<(), InvalidRebase> {
    rebase_within(chunks, 0, &[*b"moof", *b"traf", *b"tfdt"], subtract)
}

/// Looks into boxes along `path`. `at` is where `data` starts, for error messages.
fn rebase_within(
    mut data: &mut [u8],
    mut at: usize,
    path: &[FourCc],
    subtract: u64,
) -> Result<(), InvalidRebase> {
    const HEADER: usize = 8;
    let Some((next, deeper)) = path.split_first() else {
        return rebase_tfdt(data, subtract).ok_or(InvalidRebase::Box(at))?;
    };
    while !data.is_empty() {
        let broken = InvalidRebase::Box(at);
        let Some(&[a, b, c, d, ref name @ ..]) = data.first_chunk::<HEADER>() else {
            return Err(broken);
        };
        let (size, name) = (u32::from_be_bytes([a, b, c, d]) as usize, *name);
        if size < HEADER {
            return Err(broken);
        }
        let (found, rest) = data.split_at_mut_checked(size).ok_or(broken)?;
        if name == *next {
            rebase_within(&mut found[HEADER..], at + HEADER, deeper, subtract)?;
        }
        data = rest;
        at += size;
    }
    Ok(())
}

/// `None` when the box is too short.
fn rebase_tfdt(content: &mut [u8], subtract: u64) -> Option<Result<(), InvalidRebase>> {
    let (version_flags, time) = content.split_first_chunk_mut::<4>()?;
    let decode_time = match version_flags[0] {
        0 => u64::from(u32::from_be_bytes(*time.first_chunk()?)),
        _ => u64::from_be_bytes(*time.first_chunk()?),
    };
    let Some(moved) = decode_time.checked_sub(subtract) else {
        return Some(Err(InvalidRebase::BeforeOrigin {
            decode_time,
            subtract,
        }));
    };
    match version_flags[0] {
        // It only became less, so that it still fits.
        0 => *time.first_chunk_mut()? = (moved as u32).to_be_bytes(),
        _ => *time.first_chunk_mut()? = moved.to_be_bytes(),
    }
    Some(Ok(()))
}
