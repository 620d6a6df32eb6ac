/// What a line says. Named by what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    ExistsAlready,
    Verified,
    Served,
    ServeFailed,
    Receiving,
    Copied,
    WriteFailed,
    Interrupted,
    Received,
    ResponderFailed,
    Terminating,
    MirrorFailed,
    EmptyPacket,
    ReceiveFailed,
    OffsetChanged,
    Transmitted,
    TransferFailed,
    TransferStarted,
    Reopened,
    DeleteFailed,
    Deleted,
    Allocated,
    Invalidated,
    NoLongerNeeded,
    AskedToCopy,
    Stored,
    StoredTwice,
    StoredWithoutFile,
    CopyTimedOut,
    AskedToDelete,
    VolumeReadOnly,
    LengthsDiffer,
    DiskSlow,
    LeaseQuarrel,
    MetaTorn,
    SocketsExhausted,
}

/// How a message is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Who writes it: level and component, up to the message.
    pub(crate) source: &'static str,
    /// Words and, in braces, values.
    pub(crate) text: &'static str,
}

/// The messages that no list of templates knows.
pub(crate) const UNHEARD_OF: [Message; 6] = [
    Message::VolumeReadOnly,
    Message::LengthsDiffer,
    Message::DiskSlow,
    Message::LeaseQuarrel,
    Message::MetaTorn,
    Message::SocketsExhausted,
];

const XCEIVER: &str = "INFO dfs.DataNode$DataXceiver: ";
const XCEIVER_WARNS: &str = "WARN dfs.DataNode$DataXceiver: ";
const RESPONDER: &str = "INFO dfs.DataNode$PacketResponder: ";
const RECEIVER: &str = "INFO dfs.DataNode$BlockReceiver: ";
const TRANSFER: &str = "INFO dfs.DataNode$DataTransfer: ";
const TRANSFER_WARNS: &str = "WARN dfs.DataNode$DataTransfer: ";
const DATA_SET: &str = "INFO dfs.FSDataset: ";
const DATA_SET_WARNS: &str = "WARN dfs.FSDataset: ";
const NAMES: &str = "INFO dfs.FSNamesystem: ";
const NAMES_WARN: &str = "WARN dfs.FSNamesystem: ";
const MONITOR_WARNS: &str = "WARN dfs.PendingReplicationBlocks$PendingReplicationMonitor: ";

impl Message {
    /// Every message: E1 to E29 in the order of their numbers, the request to delete, the unheard-of ones.
    pub(crate) const ALL: [Self; 36] = {
        use Message::*;
        [
            ExistsAlready,
            Verified,
            Served,
            ServeFailed,
            Receiving,
            Copied,
            WriteFailed,
            Interrupted,
            Received,
            ResponderFailed,
            Terminating,
            MirrorFailed,
            EmptyPacket,
            ReceiveFailed,
            OffsetChanged,
            Transmitted,
            TransferFailed,
            TransferStarted,
            Reopened,
            DeleteFailed,
            Deleted,
            Allocated,
            Invalidated,
            NoLongerNeeded,
            AskedToCopy,
            Stored,
            StoredTwice,
            StoredWithoutFile,
            CopyTimedOut,
            AskedToDelete,
            VolumeReadOnly,
            LengthsDiffer,
            DiskSlow,
            LeaseQuarrel,
            MetaTorn,
            SocketsExhausted,
        ]
    };

    /// How it is written.
    pub(crate) fn form(self) -> Form {
        let (source, text) = match self {
            Self::ExistsAlready => (DATA_SET_WARNS, "{node}:Adding an already existing block {block}"),
            Self::Verified => ("INFO dfs.DataBlockScanner: ", "Verification succeeded for {block}"),
            Self::Served => (XCEIVER, "{node} Served block {block} to /{other_ip}"),
            Self::ServeFailed => (XCEIVER_WARNS, "{node}:Got exception while serving {block} to /{other_ip}:"),
            Self::Receiving => (XCEIVER, "Receiving block {block} src: /{other_ip}:{port} dest: /{node}"),
            Self::Copied => (XCEIVER, "Received block {block} src: /{other_ip}:{port} dest: /{node} of size {bytes}"),
            Self::WriteFailed => {
                (XCEIVER, "writeBlock {block} received exception java.io.IOException: Could not read from stream")
            }
            Self::Interrupted => (RESPONDER, "PacketResponder {number} for block {block} Interrupted."),
            Self::Received => (RESPONDER, "Received block {block} of size {bytes} from /{other_ip}"),
            Self::ResponderFailed => (RESPONDER, "PacketResponder {block} {number} Exception java.io.EOFException"),
            Self::Terminating => (RESPONDER, "PacketResponder {number} for block {block} terminating"),
            Self::MirrorFailed => (RECEIVER, "{node}:Exception writing block {block} to mirror {other}"),
            Self::EmptyPacket => (RECEIVER, "Receiving empty packet for block {block}"),
            Self::ReceiveFailed => {
                (RECEIVER, "Exception in receiveBlock for block {block} java.io.IOException: Connection reset by peer")
            }
            Self::OffsetChanged => {
                (RECEIVER, "Changing block file offset of block {block} from {number} to 0 meta file offset to 7")
            }
            Self::Transmitted => (TRANSFER, "{node}:Transmitted block {block} to /{other}"),
            Self::TransferFailed => (
                TRANSFER_WARNS,
                "{node}:Failed to transfer {block} to {other} got java.net.SocketTimeoutException: timed out",
            ),
            Self::TransferStarted => {
                ("INFO dfs.DataNode: ", "{node} Starting thread to transfer block {block} to {other}")
            }
            Self::Reopened => (DATA_SET, "Reopen Block {block}"),
            Self::DeleteFailed => {
                (DATA_SET_WARNS, "Unexpected error trying to delete block {block}. BlockInfo not found in volumeMap.")
            }
            Self::Deleted => (DATA_SET, "Deleting block {block} file {file}"),
            Self::Allocated => (NAMES, "BLOCK* NameSystem.allocateBlock: {path}. {block}"),
            Self::Invalidated => (NAMES, "BLOCK* NameSystem.delete: {block} is added to invalidSet of {node}"),
            Self::NoLongerNeeded => {
                (NAMES, "BLOCK* Removing block {block} from neededReplications as it does not belong to any file.")
            }
            Self::AskedToCopy => (NAMES, "BLOCK* ask {node} to replicate {block} to datanode(s) {other}"),
            Self::Stored => {
                (NAMES, "BLOCK* NameSystem.addStoredBlock: blockMap updated: {node} is added to {block} size {bytes}")
            }
            Self::StoredTwice => (
                NAMES_WARN,
                "BLOCK* NameSystem.addStoredBlock: Redundant addStoredBlock request received for {block} on {node} \
                 size {bytes}",
            ),
            Self::StoredWithoutFile => (
                NAMES,
                "BLOCK* NameSystem.addStoredBlock: addStoredBlock request received for {block} on {node} size {bytes} \
                 But it does not belong to any file.",
            ),
            Self::CopyTimedOut => (MONITOR_WARNS, "PendingReplicationMonitor timed out block {block}"),
            Self::AskedToDelete => (NAMES, "BLOCK* ask {node} to delete {blocks}"),
            Self::VolumeReadOnly => {
                ("ERROR dfs.FSDataset: ", "Volume under {file} became read-only while {block} was open, errno 30")
            }
            Self::LengthsDiffer => {
                (NAMES_WARN, "Nodes {node} and {other} disagree on the length of {block}: {bytes} against {number}")
            }
            Self::DiskSlow => {
                ("WARN dfs.DataNode: ", "Flushing {block} took {number} ms on {node}, the disk may be failing")
            }
            Self::LeaseQuarrel => (
                "ERROR dfs.FSNamesystem: ",
                "Lease on {path} is claimed by two writers, last one at {other_ip} for {block}",
            ),
            Self::MetaTorn => {
                ("ERROR dfs.DataBlockScanner: ", "Metadata of {block} ends within a checksum at byte {number}")
            }
            Self::SocketsExhausted => {
                (XCEIVER_WARNS, "{node}:No socket left for {block}, {number} threads are waiting")
            }
        };
        Form { source, text }
    }

    /// Whether the node of names writes it, and not a node of data.
    pub(crate) fn is_of_names(self) -> bool {
        self.form().source.contains("FSNamesystem") || self == Self::CopyTimedOut
    }
}
