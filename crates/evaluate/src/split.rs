//! Which rows are learned from, and which are scored.

use lapwing_vocabulary::EventTime;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::error::EvaluateError;
use crate::roles::Answers;
use crate::truth::Truth;

/// Where a file is cut in two: the earlier part is learned from, the later one scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// After this share of the rows, in the order of time if there is one, else of the file.
    Share(f64),
    /// At this moment.
    Time(EventTime),
}

impl Cut {
    /// Reads a share between 0 and 1, or a time. Errors: `Setting`.
    pub fn parse(text: &str) -> Result<Self, EvaluateError> {
        if let Some(share) = text.parse::<f64>().ok().filter(|share| (0.0..1.0).contains(share)) {
            return match share > 0.0 {
                true => Ok(Self::Share(share)),
                false => Err(EvaluateError::setting("the split is at 0: nothing would be learned from")),
            };
        }
        let refused = || EvaluateError::setting(format!("the split is `{text}`: a share such as 0.7 is, or a time"));
        EventTime::parse(text).map(Self::Time).ok_or_else(refused)
    }

    /// Rows before and after the cut, each in the order of the file. Errors: `Setting` if a side is empty.
    pub(crate) fn divide(self, answers: &Answers) -> Result<(Vec<u32>, Vec<u32>), EvaluateError> {
        let rows = answers.truths.rows.len() as u32;
        let time = |row: u32| answers.times.get(row as usize).copied();
        let (mut before, mut after): (Vec<u32>, Vec<u32>) = match self {
            Self::Share(share) => {
                let mut order: Vec<u32> = (0..rows).collect();
                order.sort_by_key(|row| time(*row));
                let (before, after) = order.split_at((share * f64::from(rows)) as usize);
                (before.to_vec(), after.to_vec())
            }
            Self::Time(_) if answers.times.is_empty() => {
                return Err(EvaluateError::setting("a split at a time needs --time COLUMN"));
            }
            Self::Time(moment) => (0..rows).partition(|row| time(*row) < Some(moment)),
        };
        before.sort_unstable();
        after.sort_unstable();
        match before.is_empty() || after.is_empty() {
            true => Err(EvaluateError::setting(format!(
                "the split leaves {} rows to learn from and {} to score; both sides need some",
                before.len(),
                after.len()
            ))),
            false => Ok((before, after)),
        }
    }
}

/// A uniform sample of at most so many of the items, in their order.
pub(crate) fn sample<T: Copy>(items: &[T], size: usize, seed: u64) -> Vec<T> {
    if items.len() <= size {
        return items.to_vec();
    }
    let mut places = index::sample(&mut ChaCha8Rng::seed_from_u64(seed), items.len(), size).into_vec();
    places.sort_unstable();
    places.into_iter().map(|place| items[place]).collect()
}

/// The rows of which something is known.
pub(crate) fn labelled(rows: &[u32], truths: &[Truth]) -> Vec<u32> {
    rows.iter().copied().filter(|row| truths[*row as usize] != Truth::Unknown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::Truths;

    fn answers(times: &[i64]) -> Answers {
        let mut truths = Truths::default();
        truths.rows = vec![Truth::Normal; times.len()];
        Answers { truths, times: times.iter().map(|time| EventTime(*time)).collect() }
    }

    #[test]
    fn a_share_is_cut_in_the_order_of_time_and_ties_keep_the_order_of_the_file() {
        let (before, after) = Cut::Share(0.5).divide(&answers(&[30, 10, 20, 10])).unwrap();
        assert_eq!((before, after), (vec![1, 3], vec![0, 2]));
        let (before, _) = Cut::Share(0.5).divide(&answers(&[5, 5, 5, 5])).unwrap();
        assert_eq!(before, [0, 1]);
    }

    #[test]
    fn a_time_belongs_to_the_later_side() {
        let (before, after) = Cut::Time(EventTime(20)).divide(&answers(&[30, 10, 20, 10])).unwrap();
        assert_eq!((before, after), (vec![1, 3], vec![0, 2]));
        assert!(Cut::Time(EventTime(5)).divide(&answers(&[30, 10])).unwrap_err().to_string().contains("0 rows"));
    }

    #[test]
    fn a_split_is_a_share_or_a_time() {
        assert_eq!(Cut::parse("0.7").unwrap(), Cut::Share(0.7));
        assert_eq!(Cut::parse("1970-01-01T00:00:01Z").unwrap(), Cut::Time(EventTime(1_000_000)));
        assert!(Cut::parse("0").is_err() && Cut::parse("half").is_err());
        assert!(Cut::Time(EventTime(1)).divide(&Answers::default()).unwrap_err().to_string().contains("--time"));
    }

    #[test]
    fn a_sample_is_seeded_ordered_and_without_repeats() {
        let rows: Vec<u32> = (0..1000).collect();
        let drawn = sample(&rows, 100, 1);
        assert_eq!(drawn, sample(&rows, 100, 1));
        assert_ne!(drawn, sample(&rows, 100, 2));
        assert!(drawn.len() == 100 && drawn.is_sorted_by(|a, b| a < b));
        assert_eq!(sample(&rows, 1000, 1), rows);
    }
}
