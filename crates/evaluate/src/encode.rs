//! From columns of a file to inputs of detectors, decided by the rows to learn from alone.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, RecordBatch};
use lapwing_detect::columns::{FREQUENCIES_MAX, ONE_HOT_MAX};
use lapwing_detect::{Encoding, InputSpec};

use crate::error::EvaluateError;
use crate::read::{Column, Kind};

/// Most columns that categories may become, all together; an isolation forest reads 1,024.
const ONE_HOT_COLUMNS_MAX: usize = 512;
/// From so many rows on, a text that differs in nearly every row is an id or a time, not a category.
const ROWS_TO_JUDGE: usize = 100;
/// Share of rows with a value of their own from which on a text is taken for an id.
const DISTINCT_SHARE: f64 = 0.9;

/// How the columns become numbers.
#[derive(Debug)]
pub(crate) struct Encodings {
    /// What detectors read.
    pub(crate) specs: Vec<InputSpec>,
    /// What a person should know of columns that are not read.
    pub(crate) notes: Vec<String>,
}

/// Numbers stay numbers. Texts get a column per category while there is room, those with few categories first, and
/// their rarity if they have more categories than columns. Errors: `Setting` if nothing is left to read.
pub(crate) fn encodings(columns: &[Column], batches: &[RecordBatch]) -> Result<Encodings, EvaluateError> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let mut notes = Vec::new();
    let mut counted = Vec::new();
    for column in columns.iter().filter(|column| column.kind == Kind::Text) {
        let (distinct, present) = distinct(&column.name, batches);
        let single =
            rows >= ROWS_TO_JUDGE && distinct as f64 > DISTINCT_SHARE * present as f64 && distinct > ONE_HOT_MAX;
        if single || distinct > FREQUENCIES_MAX {
            notes.push(format!(
                "`{}` is not read: {distinct} different texts in {present} rows are no categories",
                column.name
            ));
        } else {
            counted.push((distinct, column.name.as_str()));
        }
    }
    counted.sort_unstable();
    let mut room = ONE_HOT_COLUMNS_MAX;
    let mut one_hot = HashSet::new();
    for (distinct, name) in &counted {
        let width = distinct.min(&ONE_HOT_MAX) + 1;
        if width <= room {
            room -= width;
            one_hot.insert(*name);
        }
    }
    let mut specs = Vec::new();
    for column in columns {
        let found = counted.iter().find(|(_, name)| *name == column.name);
        let spec = |encoding| InputSpec { column: column.name.clone(), encoding };
        match (column.kind, found) {
            (Kind::Number, _) => specs.push(spec(Encoding::Numeric)),
            (Kind::Text, None) => {}
            (Kind::Text, Some((distinct, name))) => {
                let has_columns = one_hot.contains(name);
                specs.extend(has_columns.then(|| spec(Encoding::OneHot)));
                specs.extend((!has_columns || *distinct > ONE_HOT_MAX).then(|| spec(Encoding::Frequency)));
            }
        }
    }
    match specs.is_empty() {
        true => Err(EvaluateError::setting(format!("no column is left to learn from: {}", notes.join("; ")))),
        false => Ok(Encodings { specs, notes }),
    }
}

/// Numbers of different texts and of rows that have one. Stops counting where there are too many for categories.
fn distinct(name: &str, batches: &[RecordBatch]) -> (usize, usize) {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut present = 0;
    for batch in batches {
        let texts = batch.column_by_name(name).expect("batches hold all inputs").as_string::<i32>();
        present += texts.len() - texts.null_count();
        for text in texts.iter().flatten() {
            if seen.len() > FREQUENCIES_MAX {
                break;
            }
            seen.insert(text);
        }
    }
    (seen.len(), present)
}
