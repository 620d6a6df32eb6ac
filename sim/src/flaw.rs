/// A fault planted on purpose, to see that the checks find it. No story has one unless it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Every now and then a commit keeps its outputs and forgets its positions.
    ForgetsPositions,
    /// Whoever commits is believed to own what it names.
    FencesNobody,
    /// Every now and then the last output of an epoch is lost.
    LosesAnOutput,
    /// A refused epoch is visible nevertheless.
    ShowsWhatItRefused,
    /// Every now and then delivery starts one record too late.
    SkipsARecord,
    /// A snapshot holds records from behind the offset that it names.
    SnapshotFromTheFuture,
}

impl Flaw {
    /// Every flaw.
    pub const ALL: [Self; 6] = [
        Self::ForgetsPositions,
        Self::FencesNobody,
        Self::LosesAnOutput,
        Self::ShowsWhatItRefused,
        Self::SkipsARecord,
        Self::SnapshotFromTheFuture,
    ];
}
