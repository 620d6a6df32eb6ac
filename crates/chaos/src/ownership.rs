use crate::sign::Sign;

/// Which copy, and which worker of it, holds each partition, as the logs tell.
#[derive(Clone, Debug)]
pub(crate) struct Ownership {
    holders: Vec<Option<(usize, u64)>>,
    /// How often a partition was taken up.
    pub(crate) taken: u64,
    /// How often a worker threw its open epoch away.
    pub(crate) started_over: u64,
}

impl Ownership {
    /// Nobody holds anything.
    pub(crate) fn new(partitions: usize) -> Self {
        Self { holders: vec![None; partitions], taken: 0, started_over: 0 }
    }

    /// Notes what the log of a copy says.
    pub(crate) fn note(&mut self, copy: usize, sign: &Sign) {
        match sign {
            Sign::Taken { worker, partition } => {
                self.taken += 1;
                if let Some(holder) = self.holders.get_mut(*partition) {
                    *holder = Some((copy, *worker));
                }
            }
            Sign::Handed { worker, partitions } => {
                let given = |partition: &usize| partitions.contains(partition);
                self.free((copy, *worker), given);
            }
            Sign::StartedOver { worker } => {
                self.started_over += 1;
                self.free((copy, *worker), |_| true);
            }
            Sign::Complaint => {}
        }
    }

    fn free(&mut self, from: (usize, u64), which: impl Fn(&usize) -> bool) {
        for (partition, holder) in self.holders.iter_mut().enumerate() {
            if *holder == Some(from) && which(&partition) {
                *holder = None;
            }
        }
    }

    /// The process of a copy has ended; returns how many partitions it held.
    pub(crate) fn gone(&mut self, copy: usize) -> usize {
        let held = self.holders.iter_mut().filter(|holder| holder.is_some_and(|(owner, _)| owner == copy));
        held.map(|holder| *holder = None).count()
    }

    /// Whether every partition is held.
    pub(crate) fn is_whole(&self) -> bool {
        self.holders.iter().all(Option::is_some)
    }

    /// How many partitions nobody holds.
    pub(crate) fn free_count(&self) -> usize {
        self.holders.iter().filter(|holder| holder.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_belongs_to_whom_took_it_up_last_until_that_one_lets_go_or_dies() {
        let mut ownership = Ownership::new(2);
        for (copy, partition) in [(0, 0), (0, 1), (1, 1)] {
            ownership.note(copy, &Sign::Taken { worker: 0, partition });
        }
        assert!(ownership.is_whole());
        // Copy 0 says so late: partition 1 is no longer its own.
        ownership.note(0, &Sign::Handed { worker: 0, partitions: vec![1] });
        assert!(ownership.is_whole());
        assert_eq!(ownership.gone(0), 1);
        assert_eq!(ownership.free_count(), 1);
        ownership.note(1, &Sign::StartedOver { worker: 0 });
        assert_eq!((ownership.free_count(), ownership.taken), (2, 3));
    }
}
