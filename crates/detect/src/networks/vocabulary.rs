use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::error::DetectError;
use crate::matrix::Matrix;

/// Most keys told apart; rarer ones count as unknown.
pub const VOCABULARY_MAX: usize = 1024;
/// Token of a place where no key is, as before the first event of an entity.
pub const ABSENT: u32 = 0;
/// Token of a place whose key shall be told.
pub const MASK: u32 = 1;
/// Token of a key that is not in the vocabulary.
pub const UNKNOWN: u32 = 2;
/// Token of the least key; the others follow in their order.
pub const FIRST_KEY: u32 = 3;
/// Whole numbers up to this, and not all beyond it, are kept apart by single precision.
const KEY_MAX: f32 = 16_777_216.0;

/// The keys that a detector knows. A key is a whole number: the id of a template, a status, a code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// Ascending.
    keys: Vec<f32>,
}

impl Vocabulary {
    /// Takes the most frequent keys of all columns, at most `limit`; of equally frequent ones the smaller.
    /// Errors: `Setting` if a value is no key; it names the act.
    pub fn fit(act: &str, rows: &Matrix, limit: usize) -> Result<Self, DetectError> {
        let mut counts: HashMap<u32, u64, FixedState> = HashMap::default();
        for (index, row) in rows.iter().enumerate() {
            for (column, value) in row.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
                if !is_key(*value) {
                    let text = format!(
                        "{act}: row {index}, column {column} holds {value}; keys are whole numbers up to {KEY_MAX}: name \
                         the columns of a sequence of ids, not measured values"
                    );
                    return Err(DetectError::Setting(text));
                }
                *counts.entry(canonical(*value).to_bits()).or_default() += 1;
            }
        }
        let mut counted: Vec<(f32, u64)> =
            counts.into_iter().map(|(bits, count)| (f32::from_bits(bits), count)).collect();
        counted.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.total_cmp(&b.0)));
        let mut keys: Vec<f32> = counted.into_iter().take(limit.min(VOCABULARY_MAX)).map(|(key, _)| key).collect();
        keys.sort_unstable_by(f32::total_cmp);
        Ok(Self { keys })
    }

    /// Refuses keys that could not be looked up; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.keys.len() > VOCABULARY_MAX {
            return Err(format!("a vocabulary of {} keys, at most {VOCABULARY_MAX} are possible", self.keys.len()));
        }
        match self.keys.iter().all(|key| is_key(*key)) && self.keys.windows(2).all(|pair| pair[0] < pair[1]) {
            true => Ok(()),
            false => Err("the keys of a vocabulary are not ascending whole numbers".to_owned()),
        }
    }

    /// The keys, ascending.
    pub fn keys(&self) -> &[f32] {
        &self.keys
    }

    /// Number of tokens: those of the keys, and the three before them.
    pub fn tokens(&self) -> usize {
        FIRST_KEY as usize + self.keys.len()
    }

    /// Number of keys that can be expected: those known, and the unknown one.
    pub fn classes(&self) -> usize {
        1 + self.keys.len()
    }

    /// The token of a value; whatever is not in the vocabulary is unknown.
    pub fn token(&self, value: f32) -> u32 {
        if value.is_nan() {
            return ABSENT;
        }
        let found = self.keys.binary_search_by(|key| key.total_cmp(&canonical(value)));
        found.map_or(UNKNOWN, |place| FIRST_KEY + place as u32)
    }
}

fn is_key(value: f32) -> bool {
    value.abs() <= KEY_MAX && value.fract() == 0.0
}

/// Both zeros are one key.
fn canonical(value: f32) -> f32 {
    value + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_keys_get_tokens_and_all_others_one() {
        let rows = Matrix::from_rows(&[[7.0, 7.0, -0.0], [3.0, 3.0, 0.0], [9.0, f32::NAN, 7.0]]).unwrap();
        let vocabulary = Vocabulary::fit("learn", &rows, 3).unwrap();
        assert_eq!(vocabulary.keys(), [0.0, 3.0, 7.0]);
        assert_eq!((vocabulary.tokens(), vocabulary.classes(), vocabulary.check()), (6, 4, Ok(())));
        let tokens = [0.0, -0.0, 7.0, 9.0, 3.5, f32::INFINITY, f32::NAN].map(|value| vocabulary.token(value));
        assert_eq!(tokens, [FIRST_KEY, FIRST_KEY, FIRST_KEY + 2, UNKNOWN, UNKNOWN, UNKNOWN, ABSENT]);
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_place() {
        for value in [0.5, f32::INFINITY, 2.0 * KEY_MAX] {
            let error =
                Vocabulary::fit("learn", &Matrix::from_rows(&[[1.0, 2.0], [1.0, value]]).unwrap(), 10).unwrap_err();
            assert!(matches!(&error, DetectError::Setting(text) if text.contains("row 1, column 1")), "{error}");
        }
        for keys in [vec![2.0, 1.0], vec![1.0, 1.0], vec![0.5], vec![f32::NAN]] {
            assert!(Vocabulary { keys }.check().is_err());
        }
    }
}
