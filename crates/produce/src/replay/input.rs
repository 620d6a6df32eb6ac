use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::ProduceError;

/// Large enough that reading and unpacking are not called for each line.
const BUFFER_BYTES: usize = 1 << 18;

/// Opens a file for reading by lines; the ending of its name says whether it is compressed.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, ProduceError> {
    let fault = |source| ProduceError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(fault)?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    Ok(match ending {
        "gz" => Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(file))),
        "zst" => {
            let decoder = zstd::stream::read::Decoder::new(file).map_err(fault)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        }
        _ => Box::new(BufReader::with_capacity(BUFFER_BYTES, file)),
    })
}
