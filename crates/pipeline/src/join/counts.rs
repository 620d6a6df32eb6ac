use super::plan::JoinPlan;

/// What became of events and of joined records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In the order of the joins.
    pub joins: Vec<JoinCounts>,
    /// Events that went on before their time, because too many waited.
    pub hurried: u64,
    /// Records of streams that the pipeline does not join, or joins no more.
    pub strangers: u64,
}

/// What became of events and records at one join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinCounts {
    /// Events that matched something.
    pub matched: u64,
    /// Events that went on without a match: `kind = "left"`.
    pub unmatched: u64,
    /// Events left out for want of a match: `kind = "inner"`.
    pub no_match: u64,
    /// Matches left out because one event had too many.
    pub cut: u64,
    /// Records taken in.
    pub kept: u64,
    /// Records that no event could match any more.
    pub late: u64,
    /// Records given up before their time, because too many were kept.
    pub evicted: u64,
    /// Rows deleted from a table.
    pub deleted: u64,
    /// Rows refused because a table was full.
    pub refused: u64,
}

impl JoinCounts {
    /// Adds other counts.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { matched, unmatched, no_match, cut, kept, late, evicted, deleted, refused } = other;
        self.matched += matched;
        self.unmatched += unmatched;
        self.no_match += no_match;
        self.cut += cut;
        self.kept += kept;
        self.late += late;
        self.evicted += evicted;
        self.deleted += deleted;
        self.refused += refused;
    }
}

impl Counts {
    pub(super) fn of(plans: &[JoinPlan]) -> Self {
        Self { joins: vec![JoinCounts::default(); plans.len()], ..Self::default() }
    }
}
