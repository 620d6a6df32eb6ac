use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// The values of a categorical column that a model knows, each with its place in the list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub(crate) struct Categories {
    values: Vec<String>,
    places: HashMap<String, u32, FixedState>,
}

impl From<Vec<String>> for Categories {
    fn from(values: Vec<String>) -> Self {
        let places = values.iter().cloned().zip(0..).collect();
        Self { values, places }
    }
}

impl From<Categories> for Vec<String> {
    fn from(categories: Categories) -> Self {
        categories.values
    }
}

impl PartialEq for Categories {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl Categories {
    /// The values in order.
    pub(crate) fn values(&self) -> &[String] {
        &self.values
    }

    /// Place of a value in the list.
    pub(crate) fn place(&self, value: &str) -> Option<usize> {
        self.places.get(value).map(|place| *place as usize)
    }

    /// Whether a value is listed twice.
    pub(crate) fn repeats(&self) -> bool {
        self.places.len() != self.values.len()
    }
}

/// Counts how often each value of a column occurs.
#[derive(Debug, Default)]
pub(crate) struct Census {
    counts: HashMap<String, u64, FixedState>,
    total: u64,
}

impl Census {
    /// Counts a value once.
    pub(crate) fn add(&mut self, value: &str) {
        self.total += 1;
        match self.counts.get_mut(value) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(value.to_owned(), 1);
            }
        }
    }

    /// Number of values counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The most frequent values with their counts, most frequent first, ties in the order of the text.
    pub(crate) fn most_frequent(self, limit: usize) -> Vec<(String, u64)> {
        let mut counted: Vec<(String, u64)> = self.counts.into_iter().collect();
        counted.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counted.truncate(limit);
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_values_come_first_and_ties_by_name() {
        let mut census = Census::default();
        for value in ["b", "a", "c", "c", "b", "a", "c", "d"] {
            census.add(value);
        }
        assert_eq!(census.total(), 8);
        let frequent = census.most_frequent(3);
        assert_eq!(frequent, vec![("c".to_owned(), 3), ("a".to_owned(), 2), ("b".to_owned(), 2)]);
        let categories = Categories::from(frequent.into_iter().map(|(value, _)| value).collect::<Vec<_>>());
        assert_eq!((categories.place("b"), categories.place("d"), categories.repeats()), (Some(2), None, false));
    }
}
