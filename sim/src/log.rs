//! The broker's side: the source log as far as it has grown, whose partition is whose, what was committed. It is the
//! truth; what a worker believes of it lies in its membership.

use lapwing_vocabulary::{Epoch, Offset, OutputRecord, Partition};

use crate::source::{Source, SourceRecord};

/// Number of a process.
pub type Member = u64;

/// A partition in the hands of a member, for as long as nobody else was given it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who has it.
    pub member: Member,
    /// The how-manieth claim this is. A member that lost a partition and got it again has another claim.
    pub number: u64,
}

/// The log of a story.
#[derive(Debug)]
pub struct Log {
    source: Source,

    /// Per partition, how many records there are already.
    grown: Vec<usize>,
    claims: Vec<Option<Claim>>,
    committed: Vec<Option<Offset>>,
    outputs: Vec<OutputRecord>,
    /// How many of them a reader from outside can see: those of the last epoch only after the next, or when it waits.
    readable: usize,
    claims_made: u64,
}

impl Log {
    /// Nothing is there yet.
    pub fn new(source: Source) -> Self {
        let count = source.partitions.len();
        Self {
            source,
            grown: vec![0; count],
            claims: vec![None; count],
            committed: vec![None; count],
            outputs: Vec::new(),
            readable: 0,
            claims_made: 0,
        }
    }

    /// The whole source.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Every partition.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        0..self.source.partitions.len() as Partition
    }

    /// Appends up to `count` records to a partition.
    pub fn grow(&mut self, partition: Partition, count: usize) {
        let at = partition as usize;
        self.grown[at] = self.grown[at].saturating_add(count).min(self.source.partitions[at].len());
    }

    /// Whether nothing will be appended any more.
    pub fn is_complete(&self) -> bool {
        self.grown.iter().zip(&self.source.partitions).all(|(grown, records)| *grown == records.len())
    }

    /// The records that there are already.
    pub fn records(&self, partition: Partition) -> &[SourceRecord] {
        &self.source.partitions[partition as usize][..self.grown[partition as usize]]
    }

    /// First offset that exists.
    pub fn earliest(&self, partition: Partition) -> Offset {
        self.source.partitions[partition as usize][0].offset
    }

    /// The committed position.
    pub fn committed(&self, partition: Partition) -> Option<Offset> {
        self.committed[partition as usize]
    }

    /// Whether every record there will ever be is committed.
    pub fn is_consumed(&self) -> bool {
        let end = |records: &Vec<SourceRecord>| records.last().map(|last| last.offset + 1);
        self.committed.iter().zip(&self.source.partitions).all(|(committed, records)| *committed == end(records))
    }

    /// Everything committed to output topics, in order.
    pub fn outputs(&self) -> &[OutputRecord] {
        &self.outputs
    }

    /// Everything committed can be read from now on.
    pub fn settle(&mut self) {
        self.readable = self.outputs.len();
    }

    /// The markers of a partition that can be read, as values, in order.
    pub fn markers(&self, topic: &str, partition: Partition) -> Vec<&[u8]> {
        let readable = self.outputs[..self.readable].iter();
        let of = readable.filter(|record| &*record.topic == topic && record.partition == Some(partition));
        of.map(|record| &record.value[..]).collect()
    }

    /// Who has a partition.
    pub fn owner(&self, partition: Partition) -> Option<Claim> {
        self.claims[partition as usize]
    }

    /// Gives a partition to a member.
    pub fn give(&mut self, partition: Partition, member: Member) -> Claim {
        self.claims_made += 1;
        let claim = Claim { member, number: self.claims_made };
        self.claims[partition as usize] = Some(claim);
        claim
    }

    /// Takes a partition from whoever has it.
    pub fn take_back(&mut self, partition: Partition) {
        self.claims[partition as usize] = None;
    }

    /// Makes an epoch visible. `Err` says which law it broke; then nothing is.
    pub fn apply(&mut self, epoch: Epoch) -> Result<(), String> {
        for (partition, offset) in &epoch.positions {
            let before = self.committed(*partition);
            // A marker is committed without any record.
            if before.is_some_and(|before| before > *offset) {
                return Err(format!("partition {partition} is committed at {offset} after {before:?}"));
            }
            let end = self.records(*partition).last().map_or(0, |last| last.offset + 1);
            if *offset > end {
                return Err(format!("partition {partition} is committed at {offset}, behind its end at {end}"));
            }
        }
        for (partition, offset) in epoch.positions {
            self.committed[partition as usize] = Some(offset);
        }
        self.settle();
        self.outputs.extend(epoch.outputs);
        Ok(())
    }
}
