//! Trains a detector that is made of trees and scores other rows with it; `bench/detect/trees.py` compares it with
//! scikit-learn and LightGBM. Prints one line of JSON: seconds of training, of the clock and of all processors, rows
//! scored per second of one processor's time, and microseconds to explain a row.
//!
//! Usage: `trees METHOD WIDTH TRAIN TEST SCORES THREADS [OPTION=VALUE …]`
//!
//! TRAIN and TEST hold 32-bit numbers, little-endian, row by row: WIDTH values, then the label (1 anomaly, 0 normal).
//! The scores of the rows of TEST are written to SCORES as 64-bit numbers.

use std::error::Error;
use std::time::Instant;

use lapwing_detect::trees::linked::LinkedTrees;
use lapwing_detect::{
    DetectError, ExtendedIsolationForest, GradientBoosting, IsolationForest, Label, Matrix, Method, OptionValue,
    RandomForest, TrainingSet, UnsupervisedForest,
};

/// Runs of scoring for a figure.
const SPEED_RUNS: usize = 5;
/// Linux counts a thread's time in steps of about this; a shorter time is not known better. Units: seconds.
const CLOCK_STEP: f64 = 1e-3;
/// Rows explained for a figure.
const ROWS_EXPLAINED: usize = 50_000;

/// A trained detector, as far as this program needs to know it.
enum Trained {
    IsolationForest(IsolationForest),
    ExtendedIsolationForest(ExtendedIsolationForest),
    UnsupervisedForest(UnsupervisedForest),
    RandomForest(RandomForest),
    GradientBoosting(GradientBoosting),
}

impl Trained {
    fn fit(method: &Method, set: &TrainingSet<'_>) -> Result<Self, DetectError> {
        Ok(match method {
            Method::IsolationForest(options) => {
                Self::IsolationForest(IsolationForest::fit(set.rows, options.trees, options.samples, 1)?)
            }
            Method::ExtendedIsolationForest(options) => {
                Self::ExtendedIsolationForest(ExtendedIsolationForest::fit(set, options, 1)?)
            }
            Method::UnsupervisedForest(options) => Self::UnsupervisedForest(UnsupervisedForest::fit(set, options, 1)?),
            Method::RandomForest(options) => Self::RandomForest(RandomForest::fit(set, options, 1)?),
            Method::GradientBoosting(options) => Self::GradientBoosting(GradientBoosting::fit(set, options, 1)?),
            other => return Err(DetectError::Setting(format!("{} is not made of trees", other.name()))),
        })
    }

    fn score(&self, rows: &Matrix) -> Result<Vec<f64>, DetectError> {
        match self {
            Self::IsolationForest(forest) => forest.score(rows),
            Self::ExtendedIsolationForest(forest) => forest.score(rows),
            Self::UnsupervisedForest(forest) => forest.score(rows),
            Self::RandomForest(forest) => forest.score(rows),
            Self::GradientBoosting(trees) => trees.score(rows),
        }
    }

    fn attribute(&self, row: &[f32], credit: &mut [f64]) {
        match self {
            Self::IsolationForest(forest) => forest.attribute(row, credit),
            Self::ExtendedIsolationForest(forest) => forest.attribute(row, credit),
            Self::UnsupervisedForest(forest) => forest.attribute(row, credit),
            Self::RandomForest(forest) => forest.attribute(row, credit),
            Self::GradientBoosting(trees) => trees.attribute(row, credit),
        }
    }

    /// Number of trees and of their nodes, where these are not padded.
    fn size(&self) -> (usize, usize) {
        let linked = |trees: &LinkedTrees| (trees.trees(), trees.nodes());
        match self {
            Self::IsolationForest(forest) => (forest.trees(), 0),
            Self::ExtendedIsolationForest(forest) => (forest.trees(), 0),
            Self::UnsupervisedForest(forest) => linked(forest.trees()),
            Self::RandomForest(forest) => linked(forest.trees()),
            Self::GradientBoosting(trees) => linked(trees.trees()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [method, width, train, test, scores, threads, options @ ..] = arguments.as_slice() else {
        return Err("usage: trees METHOD WIDTH TRAIN TEST SCORES THREADS [OPTION=VALUE …]".into());
    };
    let method = method_with(method, options)?;
    let (rows, labels) = read(train, width.parse()?)?;
    let (unseen, _) = read(test, width.parse()?)?;
    let set = TrainingSet { labels: &labels, threads: threads.parse()?, ..TrainingSet::unlabelled(&rows) };
    let (start, start_processors) = (Instant::now(), all_threads_seconds()?);
    let trained = Trained::fit(&method, &set)?;
    let (wall, processors) = (start.elapsed().as_secs_f64(), all_threads_seconds()? - start_processors);
    let raw = trained.score(&unseen)?;
    std::fs::write(scores, raw.iter().flat_map(|score| score.to_le_bytes()).collect::<Vec<u8>>())?;
    let (rows_per_second, explain_micros) = (speed(&trained, &unseen)?, explain(&trained, &unseen)?);
    let (trees, nodes) = trained.size();
    print(&format!(
        r#"{{"train_seconds":{wall:.3},"train_processor_seconds":{processors:.2},"rows_per_second":{rows_per_second:.0},"explain_micros":{explain_micros:.2},"trees":{trees},"nodes":{nodes}}}"#
    ))
}

fn print(line: &str) -> Result<(), Box<dyn Error>> {
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn method_with(name: &str, options: &[String]) -> Result<Method, Box<dyn Error>> {
    let mut method = Method::named(name).ok_or_else(|| format!("there is no method {name}"))?;
    for option in options {
        let (name, text) = option.split_once('=').ok_or_else(|| format!("{option} is not OPTION=VALUE"))?;
        let whole = text.parse().map(OptionValue::Whole).ok();
        let number = || text.parse().map(OptionValue::Number).ok();
        let flag = || text.parse().map(OptionValue::Flag).ok();
        let value = whole.or_else(number).or_else(flag).ok_or_else(|| format!("{text} is no value"))?;
        method.set(name, &value)?;
    }
    Ok(method)
}

fn read(path: &str, width: usize) -> Result<(Matrix, Vec<Label>), Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let (mut values, mut labels) = (Vec::with_capacity(numbers.len()), Vec::new());
    for row in numbers.chunks_exact(width + 1) {
        values.extend_from_slice(&row[..width]);
        labels.push(if row[width] == 0.0 { Label::Normal } else { Label::Anomaly });
    }
    Ok((Matrix::from_values(width, values)?, labels))
}

/// Rows scored per second of this thread's processor time, so that other programs do not count.
fn speed(trained: &Trained, rows: &Matrix) -> Result<f64, Box<dyn Error>> {
    let start = thread_seconds()?;
    for _ in 0..SPEED_RUNS {
        std::hint::black_box(trained.score(std::hint::black_box(rows))?);
    }
    Ok((SPEED_RUNS * rows.rows()) as f64 / (thread_seconds()? - start).max(CLOCK_STEP))
}

/// Microseconds of this thread's processor time to explain one row.
fn explain(trained: &Trained, rows: &Matrix) -> Result<f64, Box<dyn Error>> {
    let mut credit = vec![0.0; rows.width()];
    let chosen = (0..ROWS_EXPLAINED).map(|place| rows.row(place * 7919 % rows.rows()));
    let start = thread_seconds()?;
    chosen.for_each(|row| trained.attribute(row, std::hint::black_box(&mut credit)));
    Ok((thread_seconds()? - start) / ROWS_EXPLAINED as f64 * 1e6)
}

/// Time this thread has run, as Linux counts it: first number of `schedstat`, in nanoseconds.
fn thread_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanos / 1e9)
}

/// Time all threads have run, ended ones too: user and system time of `stat`, in hundredths of a second.
fn all_threads_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let [user, system] = [11, 12].map(|place| fields.get(place).and_then(|field| field.parse::<f64>().ok()));
    Ok(user.zip(system).map(|(user, system)| (user + system) / 100.0).ok_or("stat has no times")?)
}
