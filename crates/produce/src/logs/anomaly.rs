/// What can go wrong with a block.
///
/// | kind | how it looks |
/// |---|---|
/// | `write_failure` | a node breaks off while the block is written: exceptions, interrupted responders; two nodes finish it, or none does |
/// | `lost_replica` | no line says so: one of the three nodes never reports the block, or was never asked, or the block is allocated and nothing comes of it |
/// | `redundant_store` | nodes report a block that they have reported already |
/// | `delete_race` | the block is deleted while it is still written: a node does not know it any more, or a report comes for a block without a file; or all lines are the usual ones, in the wrong order |
/// | `slow_replication` | a copy is asked for and times out, is asked for again; or only takes ten to fifty minutes instead of seconds |
/// | `unknown_message` | a line that no list of templates knows |
///
/// Each shows before the end of the span: what would come later befalls no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnomalyKind {
    /// The pipeline of nodes breaks.
    WriteFailure,
    /// There are fewer copies than there should be.
    LostReplica,
    /// Copies are reported twice.
    RedundantStore,
    /// Deletion overtakes writing.
    DeleteRace,
    /// A copy takes far too long.
    SlowReplication,
    /// Something new is said.
    UnknownMessage,
}

impl AnomalyKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::WriteFailure,
        Self::LostReplica,
        Self::RedundantStore,
        Self::DeleteRace,
        Self::SlowReplication,
        Self::UnknownMessage,
    ];

    /// The word in the `type` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::WriteFailure => "write_failure",
            Self::LostReplica => "lost_replica",
            Self::RedundantStore => "redundant_store",
            Self::DeleteRace => "delete_race",
            Self::SlowReplication => "slow_replication",
            Self::UnknownMessage => "unknown_message",
        }
    }
}
