//! Which columns of a batch a model reads, and how they become numbers. Learned once, in training; a model carries its
//! columns along, so that live rows are encoded as the training rows were.

use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch};
use serde::{Deserialize, Serialize};

use crate::categories::{Categories, Census};
use crate::column_values::{Numbers, Texts};
use crate::error::{ColumnFaults, DetectError, WrongType};
use crate::matrix::Matrix;

/// Most categories that get a column of their own; the rest share one.
pub const ONE_HOT_MAX: usize = 64;
/// Most categories whose frequency is kept; the rest count as never seen.
pub const FREQUENCIES_MAX: usize = 65_536;
/// Most encoded columns of a model.
pub const COLUMNS_MAX: usize = 16_384;
/// Longest name of a column; bounds what a damaged artefact can make us build. Units: bytes.
pub const NAME_BYTES_MAX: usize = 1024;
/// Name of the category that stands for all others.
const OTHER: &str = "(other)";
/// Rows encoded column by column before the next rows: they stay in the first-level cache.
const ROWS_PER_BLOCK: usize = 256;

/// How a column becomes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Its value; false is 0, true is 1.
    Numeric,
    /// A column per category, 1 where the row has it and 0 elsewhere.
    OneHot,
    /// How rare the category is: −ln of its share of the training rows.
    Frequency,
}

/// A column that a model shall read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InputSpec {
    /// Name of the column.
    pub column: String,
    /// How it becomes numbers.
    pub encoding: Encoding,
}

/// The columns a model reads, with what training taught about their categories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelColumns {
    inputs: Vec<Input>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Input {
    column: String,
    encoder: Encoder,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Encoder {
    Numeric,
    OneHot { categories: Categories },
    Frequency { categories: Categories, rarities: Vec<f32>, unseen: f32 },
}

/// A column of a batch, ready to be encoded.
enum Source<'a> {
    Numeric(Numbers),
    OneHot(Texts, &'a Categories),
    Frequency { texts: Texts, categories: &'a Categories, rarities: &'a [f32], unseen: f32 },
}

impl ModelColumns {
    /// Learns the categories of the columns from all batches together.
    /// Errors: `Columns` if a batch does not fit, `Setting` without inputs, with repeated ones, or with too many.
    pub fn fit(specs: &[InputSpec], batches: &[RecordBatch]) -> Result<Self, DetectError> {
        for batch in batches {
            check_fit(batch, specs.iter().map(|spec| (spec.column.as_str(), spec.encoding)))?;
        }
        let inputs = specs.iter().map(|spec| Input::fit(spec, batches)).collect();
        let columns = Self { inputs };
        columns.check().map_err(DetectError::Setting)?;
        Ok(columns)
    }

    /// Columns `names`, all numeric: for data that is numbers already. Errors: as [`ModelColumns::fit`].
    pub fn numeric<S: AsRef<str>>(names: &[S]) -> Result<Self, DetectError> {
        let spec = |name: &S| InputSpec { column: name.as_ref().to_owned(), encoding: Encoding::Numeric };
        Self::fit(&names.iter().map(spec).collect::<Vec<_>>(), &[])
    }

    /// Refuses columns that could not be encoded; the text says what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(input) = self.inputs.iter().find(|input| !input.encoder.is_consistent()) {
            return Err(format!("the categories of column `{}` are inconsistent", input.column));
        }
        if let Some(input) = self.inputs.iter().find(|input| input.column.len() > NAME_BYTES_MAX) {
            return Err(format!(
                "the name of a column has {} bytes, {NAME_BYTES_MAX} are possible",
                input.column.len()
            ));
        }
        let width = self.width();
        if !(1..=COLUMNS_MAX).contains(&width) {
            return Err(format!("a model reads {width} columns after encoding, 1 to {COLUMNS_MAX} are possible"));
        }
        let mut names = self.names();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("a model reads `{}` twice", pair[0])),
            None => Ok(()),
        }
    }

    /// Number of encoded columns.
    pub fn width(&self) -> usize {
        self.inputs.iter().map(|input| input.encoder.width()).sum()
    }

    /// Names of the encoded columns: the column's own if numeric, `column=value` for a category,
    /// `rarity(column)` for a frequency.
    pub fn names(&self) -> Vec<String> {
        self.inputs.iter().flat_map(Input::names).collect()
    }

    /// Name of one encoded column, as in [`ModelColumns::names`]; `None` beyond the last.
    pub fn name(&self, place: usize) -> Option<String> {
        let mut start = 0;
        for input in &self.inputs {
            let width = input.encoder.width();
            if place < start + width {
                return Some(input.name(place - start));
            }
            start += width;
        }
        None
    }

    /// The columns read, in order.
    pub fn inputs(&self) -> Vec<InputSpec> {
        let spec = |input: &Input| InputSpec { column: input.column.clone(), encoding: input.encoder.encoding() };
        self.inputs.iter().map(spec).collect()
    }

    /// Places, among the encoded columns, of what a name stands for: all encoded columns of a batch column, or the
    /// one of that encoded name. Empty if nothing is called so.
    pub fn places(&self, name: &str) -> Vec<usize> {
        let mut places = Vec::new();
        let mut start = 0;
        for input in &self.inputs {
            let width = input.encoder.width();
            if input.column == name {
                places.extend(start..start + width);
            }
            start += width;
        }
        if places.is_empty() {
            places.extend(self.names().iter().position(|encoded| encoded == name));
        }
        places
    }

    /// Encodes a batch. Null, NaN and infinite become missing; a category never seen in training goes with the rest,
    /// or is rarer than any seen. Shape: one row per row of the batch, [`ModelColumns::width`] columns.
    /// Errors: `Columns` if columns are missing or of the wrong type, all of them named.
    pub fn encode(&self, batch: &RecordBatch) -> Result<Matrix, DetectError> {
        check_fit(batch, self.inputs.iter().map(|input| (input.column.as_str(), input.encoder.encoding())))?;
        let sources: Vec<Source> = self.inputs.iter().filter_map(|input| input.source(batch)).collect();
        let width = self.width();
        let mut matrix = Matrix::missing(batch.num_rows(), width);
        for (index, cells) in matrix.values_mut().chunks_mut(ROWS_PER_BLOCK * width).enumerate() {
            let start = index * ROWS_PER_BLOCK;
            let rows = start..start + cells.len() / width;
            let mut place = 0;
            for source in &sources {
                source.write(rows.clone(), &mut cells[place..], width);
                place += source.width();
            }
        }
        Ok(matrix)
    }
}

/// Lists every column that is missing or of a type its encoding cannot read.
fn check_fit<'a>(batch: &RecordBatch, inputs: impl Iterator<Item = (&'a str, Encoding)>) -> Result<(), DetectError> {
    let mut faults = ColumnFaults::default();
    for (column, encoding) in inputs {
        let expected = match encoding {
            Encoding::Numeric => "a number",
            Encoding::OneHot | Encoding::Frequency => "a category (text, whole number or boolean)",
        };
        match batch.column_by_name(column) {
            None => faults.missing.push(column.to_owned()),
            Some(array) if !reads(array, encoding) => {
                let found = array.data_type().to_string();
                faults.wrong_type.push(WrongType { column: column.to_owned(), expected, found });
            }
            Some(_) => {}
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    faults.present = batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
    Err(DetectError::Columns(faults))
}

/// Asks an empty slice, so that nothing is cast twice.
fn reads(array: &ArrayRef, encoding: Encoding) -> bool {
    let empty = array.slice(0, 0);
    match encoding {
        Encoding::Numeric => Numbers::of(&empty).is_some(),
        Encoding::OneHot | Encoding::Frequency => Texts::of(&empty).is_some(),
    }
}

impl Input {
    fn fit(spec: &InputSpec, batches: &[RecordBatch]) -> Self {
        let encoder = match spec.encoding {
            Encoding::Numeric => Encoder::Numeric,
            Encoding::OneHot => Encoder::one_hot(census(&spec.column, batches)),
            Encoding::Frequency => Encoder::frequency(census(&spec.column, batches)),
        };
        Self { column: spec.column.clone(), encoder }
    }

    fn names(&self) -> impl Iterator<Item = String> {
        (0..self.encoder.width()).map(|place| self.name(place))
    }

    /// Name of the encoded column at `place` among those of this input.
    fn name(&self, place: usize) -> String {
        let column = &self.column;
        match &self.encoder {
            Encoder::Numeric => column.clone(),
            Encoder::OneHot { categories } => {
                let value = categories.values().get(place).map_or(OTHER, String::as_str);
                format!("{column}={value}")
            }
            Encoder::Frequency { .. } => format!("rarity({column})"),
        }
    }

    fn source(&self, batch: &RecordBatch) -> Option<Source<'_>> {
        let array = batch.column_by_name(&self.column)?;
        Some(match &self.encoder {
            Encoder::Numeric => Source::Numeric(Numbers::of(array)?),
            Encoder::OneHot { categories } => Source::OneHot(Texts::of(array)?, categories),
            Encoder::Frequency { categories, rarities, unseen } => {
                Source::Frequency { texts: Texts::of(array)?, categories, rarities, unseen: *unseen }
            }
        })
    }
}

fn census(column: &str, batches: &[RecordBatch]) -> Census {
    let mut census = Census::default();
    for batch in batches {
        let Some(texts) = batch.column_by_name(column).and_then(Texts::of) else { continue };
        (0..batch.num_rows()).filter_map(|row| texts.get(row)).for_each(|value| census.add(value));
    }
    census
}

impl Encoder {
    /// A category called like the one for all others is counted among them, so that no name comes twice.
    fn one_hot(census: Census) -> Self {
        let frequent = census.most_frequent(ONE_HOT_MAX);
        let values: Vec<String> = frequent.into_iter().map(|(value, _)| value).filter(|value| value != OTHER).collect();
        Self::OneHot { categories: values.into() }
    }

    /// A category never seen counts as seen half a time: rarer than any that was.
    fn frequency(census: Census) -> Self {
        let total = census.total().max(1) as f64;
        let rarity = |count: f64| (total / count).ln() as f32;
        let (values, rarities): (Vec<String>, Vec<f32>) = census
            .most_frequent(FREQUENCIES_MAX)
            .into_iter()
            .map(|(value, count)| (value, rarity(count as f64)))
            .unzip();
        Self::Frequency { categories: values.into(), rarities, unseen: rarity(0.5) }
    }

    fn encoding(&self) -> Encoding {
        match self {
            Self::Numeric => Encoding::Numeric,
            Self::OneHot { .. } => Encoding::OneHot,
            Self::Frequency { .. } => Encoding::Frequency,
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Numeric | Self::Frequency { .. } => 1,
            Self::OneHot { categories } => categories.values().len() + 1,
        }
    }

    fn is_consistent(&self) -> bool {
        match self {
            Self::Numeric => true,
            Self::OneHot { categories } => !categories.repeats() && categories.values().len() <= ONE_HOT_MAX,
            Self::Frequency { categories, rarities, unseen } => {
                let finite = rarities.iter().chain([unseen]).all(|rarity| rarity.is_finite());
                finite && !categories.repeats() && categories.values().len() == rarities.len()
            }
        }
    }
}

impl Source<'_> {
    fn width(&self) -> usize {
        match self {
            Self::Numeric(_) | Self::Frequency { .. } => 1,
            Self::OneHot(_, categories) => categories.values().len() + 1,
        }
    }

    /// Writes the values of `rows` to the first cells of each stretch of `width` cells.
    fn write(&self, rows: Range<usize>, cells: &mut [f32], width: usize) {
        match self {
            Self::Numeric(numbers) => numbers.write(rows, cells, width),
            Self::OneHot(texts, categories) => {
                let others = categories.values().len();
                for (row, cells) in rows.zip(cells.chunks_mut(width)) {
                    let Some(value) = texts.get(row) else { continue };
                    cells[..=others].fill(0.0);
                    cells[categories.place(value).unwrap_or(others)] = 1.0;
                }
            }
            Self::Frequency { texts, categories, rarities, unseen } => {
                for (row, cells) in rows.zip(cells.chunks_mut(width)) {
                    let Some(value) = texts.get(row) else { continue };
                    cells[0] = categories.place(value).map_or(*unseen, |place| rarities[place]);
                }
            }
        }
    }
}
