//! What is known of each row: nothing, that it is normal, or of what type an anomaly it is.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, StringArray};
use lapwing_detect::Label;

use crate::error::EvaluateError;

/// Most types of anomalies. A column with more different values is no label.
pub const TYPES_MAX: usize = 1000;
/// Words for "normal", in small letters and without a dot behind them.
const NORMAL: [&str; 12] =
    ["normal", "benign", "no", "false", "-", "ok", "none", "legitimate", "good", "background", "negative", "n"];

/// What is known of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Nothing.
    Unknown,
    /// It is normal.
    Normal,
    /// It is an anomaly of the type at that place in [`Truths::types`].
    Anomaly(u16),
}

/// What is known of all rows.
#[derive(Clone, Debug, Default)]
pub struct Truths {
    /// One per row.
    pub rows: Vec<Truth>,
    /// The types of anomalies in the order of their appearance.
    pub types: Vec<String>,
    places: HashMap<String, Truth>,
}

impl Truth {
    /// As detectors know it.
    pub fn label(self) -> Label {
        match self {
            Self::Unknown => Label::Unknown,
            Self::Normal => Label::Normal,
            Self::Anomaly(_) => Label::Anomaly,
        }
    }
}

impl Truths {
    /// Appends the labels of a batch. `normal` are the values that mean normal, if not the usual words and 0.
    /// Errors: `Data` if there are more than [`TYPES_MAX`] types.
    pub(crate) fn add(&mut self, labels: &dyn Array, normal: &[String]) -> Result<(), EvaluateError> {
        let labels: &StringArray = labels.as_string();
        for label in labels {
            let truth = match label {
                None => Truth::Unknown,
                Some(text) => self.truth(text, normal)?,
            };
            self.rows.push(truth);
        }
        Ok(())
    }

    fn truth(&mut self, text: &str, normal: &[String]) -> Result<Truth, EvaluateError> {
        if let Some(known) = self.places.get(text) {
            return Ok(*known);
        }
        let truth = match meaning(text, normal) {
            Meaning::Unknown => Truth::Unknown,
            Meaning::Normal => Truth::Normal,
            Meaning::Anomaly => {
                let name = text.trim().trim_end_matches('.').to_owned();
                let place = self.types.iter().position(|known| *known == name).unwrap_or(self.types.len());
                if place == TYPES_MAX {
                    let text = format!("more than {TYPES_MAX} types of anomalies; is this the column of labels?");
                    return Err(EvaluateError::Data(text));
                }
                if place == self.types.len() {
                    self.types.push(name);
                }
                Truth::Anomaly(place as u16)
            }
        };
        // Words that mean the same in several spellings are few; a hostile file could write 0 in endless ways.
        if self.places.len() < 2 * TYPES_MAX {
            self.places.insert(text.to_owned(), truth);
        }
        Ok(truth)
    }

    /// Numbers of normal rows and of anomalies.
    pub fn counts(&self) -> (usize, usize) {
        let normal = self.rows.iter().filter(|truth| **truth == Truth::Normal).count();
        let anomalies = self.rows.iter().filter(|truth| matches!(truth, Truth::Anomaly(_))).count();
        (normal, anomalies)
    }
}

/// What a label's text means. `normal` are the values that mean normal, if not the usual words and 0.
pub fn label_of(text: &str, normal: &[String]) -> Label {
    match meaning(text, normal) {
        Meaning::Unknown => Label::Unknown,
        Meaning::Normal => Label::Normal,
        Meaning::Anomaly => Label::Anomaly,
    }
}

enum Meaning {
    Unknown,
    Normal,
    Anomaly,
}

fn meaning(text: &str, normal: &[String]) -> Meaning {
    let text = text.trim();
    if !normal.is_empty() {
        return match normal.iter().any(|value| same(value, text)) {
            true => Meaning::Normal,
            false if text.is_empty() => Meaning::Unknown,
            false => Meaning::Anomaly,
        };
    }
    let word = text.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(number) = text.parse::<f64>() {
        return match number {
            number if number.is_nan() => Meaning::Unknown,
            0.0 => Meaning::Normal,
            _ => Meaning::Anomaly,
        };
    }
    match word.as_str() {
        "" | "?" | "unknown" | "null" | "na" | "n/a" => Meaning::Unknown,
        word if NORMAL.contains(&word) => Meaning::Normal,
        _ => Meaning::Anomaly,
    }
}

/// Whether two labels are the same text or the same number, whatever the case and a dot behind them.
fn same(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.trim().trim_end_matches('.').to_ascii_lowercase();
    let numbers = (one.trim().parse::<f64>(), other.trim().parse::<f64>());
    plain(one) == plain(other) || matches!(numbers, (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[Option<&str>], normal: &[&str]) -> Truths {
        let normal: Vec<String> = normal.iter().map(|value| (*value).to_owned()).collect();
        let mut truths = Truths::default();
        truths.add(&StringArray::from(values.to_vec()), &normal).unwrap();
        truths
    }

    #[test]
    fn the_usual_words_and_zero_mean_normal() {
        for word in ["normal", "Normal.", "BENIGN", "0", "0.0", "no", "False", "-", "ok", " benign "] {
            assert_eq!(read(&[Some(word)], &[]).rows, [Truth::Normal], "{word}");
        }
        for word in ["1", "-1", "2.5", "true", "yes", "smurf.", "DoS Hulk"] {
            assert_eq!(read(&[Some(word)], &[]).rows, [Truth::Anomaly(0)], "{word}");
        }
        assert_eq!(read(&[None, Some("?"), Some("nan")], &[]).rows, [Truth::Unknown; 3]);
    }

    #[test]
    fn types_are_told_apart_and_a_dot_is_not() {
        let truths = read(&[Some("smurf."), Some("back"), Some("smurf"), Some("normal.")], &[]);
        assert_eq!(truths.rows, [Truth::Anomaly(0), Truth::Anomaly(1), Truth::Anomaly(0), Truth::Normal]);
        assert_eq!(truths.types, ["smurf", "back"]);
        assert_eq!(truths.counts(), (1, 3));
    }

    #[test]
    fn a_value_named_as_normal_is_the_only_one_that_is() {
        let truths = read(&[Some("1"), Some("-1"), Some("0"), Some("1.0"), None], &["1"]);
        let expected = [Truth::Normal, Truth::Anomaly(0), Truth::Anomaly(1), Truth::Normal, Truth::Unknown];
        assert_eq!(truths.rows, expected);
    }

    #[test]
    fn a_column_of_a_thousand_types_is_refused() {
        let names: Vec<String> = (0..=TYPES_MAX).map(|number| format!("type {number}")).collect();
        let refused = Truths::default().add(&StringArray::from(names), &[]).unwrap_err();
        assert!(refused.to_string().contains("is this the column of labels?"), "{refused}");
    }
}
