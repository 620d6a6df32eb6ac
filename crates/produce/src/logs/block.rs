use super::anomaly::AnomalyKind;
use super::job::File;
use super::message::Message;

/// One line of a block's life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// When. Units: microseconds.
    pub(crate) at: i64,
    pub(crate) message: Message,
    /// Whose line it is, or whom it names first.
    pub(crate) node: u16,
    /// Whom it names besides.
    pub(crate) other: u16,
    /// A number that the message names.
    pub(crate) number: u32,
}

/// A block and what is still to come of it.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) id: i64,
    /// Units: bytes.
    pub(crate) size: u32,
    pub(crate) file: File,
    /// What goes wrong with it.
    pub(crate) kind: Option<AnomalyKind>,

    /// The last one first.
    pub(crate) steps: Vec<Step>,
    /// Whether a line has named it.
    pub(crate) is_known: bool,
}

/// Appends the name of a block: `blk_-1608`.
pub(crate) fn write_name(out: &mut Vec<u8>, id: i64) {
    out.extend_from_slice(b"blk_");
    out.extend_from_slice(itoa::Buffer::new().format(id).as_bytes());
}
