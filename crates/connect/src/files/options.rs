use std::path::{Path, PathBuf};

use super::gather::Begins;

/// Header of a record that was longer than allowed: its original length in bytes, as a decimal number. The value holds
/// only the beginning.
pub const HEADER_OVERSIZE: &str = "lapwing.oversize";

/// Bytes that are kept of a record that is too long.
pub(super) const OVERSIZE_KEPT_BYTES: usize = 64 << 10;

/// What the caller decides about inputs and outputs.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// Files to read, each one a partition; `-` is standard input. Names ending in `.gz` or `.zst` are decompressed.
    pub inputs: Vec<PathBuf>,
    /// Whether records are CSV records, which span several lines where a quoted value does. Otherwise each line is one.
    /// Empty lines are no records, and a carriage return before the line's end does not belong to it.
    pub csv: bool,
    /// Whether the first record of each CSV file names the columns. It is then no record and has no offset.
    pub csv_header: bool,
    /// Byte between two values of a CSV record.
    pub csv_delimiter: u8,
    /// Where events have several lines: which lines begin one. The last event of a followed file comes with the next.
    pub begins: Option<Begins>,
    /// Folder of the outputs; `-` is standard output; `None` for reading only.
    pub outputs: Option<PathBuf>,
    /// Whether to wait for more at the end of the inputs. They are then read side by side, otherwise one after another.
    pub follow: bool,
    /// The topic that goes to standard output, where that is the output.
    pub stdout_topic: String,
    /// Longer records are cut to their first 64 KiB and marked with [`HEADER_OVERSIZE`]. Units: bytes.
    pub record_bytes_max: usize,
    /// The time at which records are read. Units: microseconds since the epoch.
    pub clock: fn() -> i64,
}

pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}
