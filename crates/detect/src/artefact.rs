//! A trained ensemble as bytes.
//!
//! ```text
//! offset  bytes  what
//!      0      8  magic, ASCII "LAPWINGM"
//!      8      4  format version, little-endian: 3
//!     12      8  length of the payload, little-endian
//!     20     32  SHA-256 of the payload
//!     52      …  payload: the ensemble in postcard, fields in the order of their declaration
//! ```
//!
//! A field added, removed or moved anywhere below [`Ensemble`] is a new format version: postcard names no fields. A
//! method added at the end of the list of detectors is none. Formats 1 and 2 are read too (`format_1`, `format_2`).

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::ensemble::Ensemble;
use crate::error::DetectError;
use crate::format_1::EnsembleV1;
use crate::format_2::EnsembleV2;

/// First bytes of every artefact.
pub const MAGIC: [u8; 8] = *b"LAPWINGM";
/// Format version this code writes, and the newest it reads.
pub const FORMAT: u32 = 3;
/// Largest artefact that is read; a forest of 10,000 trees takes about 60 MiB. Units: bytes.
pub const ARTEFACT_BYTES_MAX: usize = 256 * 1024 * 1024;
const HEADER_BYTES: usize = 52;

impl Ensemble {
    /// Writes the ensemble; the same ensemble gives the same bytes. Errors: `Setting` if it is larger than
    /// [`ARTEFACT_BYTES_MAX`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, DetectError> {
        let payload = postcard::to_stdvec(self)
            .map_err(|error| DetectError::Setting(format!("write model artefact: {error}")))?;
        let size = HEADER_BYTES + payload.len();
        if size > ARTEFACT_BYTES_MAX {
            let text =
                format!("write model artefact: {size} bytes, {ARTEFACT_BYTES_MAX} are possible; use fewer trees");
            return Err(DetectError::Setting(text));
        }
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&Sha256::digest(&payload));
        bytes.extend_from_slice(&payload);
        Ok(bytes)
    }

    /// Reads an ensemble; whatever the bytes are, the result scores without panicking or is an error.
    /// Errors: `Artefact` if they are damaged or no artefact, `NewerFormat`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DetectError> {
        let (format, payload) = checked_payload(bytes)?;
        let ensemble = match format {
            1 => decode::<EnsembleV1>(payload)?.into(),
            2 => decode::<EnsembleV2>(payload)?.into(),
            _ => decode::<Self>(payload)?,
        };
        ensemble.check().map_err(refused)?;
        Ok(ensemble)
    }
}

fn decode<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, DetectError> {
    let (read, rest) =
        postcard::take_from_bytes(payload).map_err(|error| refused(format!("the payload cannot be read: {error}")))?;
    match rest.len() {
        0 => Ok(read),
        more => Err(refused(format!("{more} bytes follow the ensemble"))),
    }
}

fn refused(text: String) -> DetectError {
    DetectError::Artefact(format!("{text}; train the model anew"))
}

/// Checks all that stands before the payload, and returns the format and the payload.
fn checked_payload(bytes: &[u8]) -> Result<(u32, &[u8]), DetectError> {
    let refuse = |text: String| Err(DetectError::Artefact(text));
    if bytes.len() > ARTEFACT_BYTES_MAX {
        return refuse(format!("{} bytes are more than the {ARTEFACT_BYTES_MAX} possible", bytes.len()));
    }
    let Some((magic, rest)) = bytes.split_first_chunk::<8>() else {
        return refuse(format!("{} bytes are too few to be one", bytes.len()));
    };
    if *magic != MAGIC {
        return refuse("it does not start as one does; is this the right file?".to_owned());
    }
    let Some((format, rest)) = rest.split_first_chunk::<4>() else { return refuse(cut_short(bytes)) };
    let format = match u32::from_le_bytes(*format) {
        0 => return refuse("format 0 does not exist; fetch it again".to_owned()),
        known @ 1..=FORMAT => known,
        found => return Err(DetectError::NewerFormat { found, supported: FORMAT }),
    };
    let Some((length, rest)) = rest.split_first_chunk::<8>() else { return refuse(cut_short(bytes)) };
    let Some((checksum, payload)) = rest.split_first_chunk::<32>() else { return refuse(cut_short(bytes)) };
    let length = u64::from_le_bytes(*length);
    if length != payload.len() as u64 {
        return refuse(format!("{length} bytes of payload announced, {} found; fetch it again", payload.len()));
    }
    match Sha256::digest(payload)[..] == checksum[..] {
        true => Ok((format, payload)),
        false => refuse("its checksum does not match; fetch it again".to_owned()),
    }
}

fn cut_short(bytes: &[u8]) -> String {
    format!("it ends within its header, after {} bytes; fetch it again", bytes.len())
}
