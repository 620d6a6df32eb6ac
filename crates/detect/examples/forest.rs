//! Fits the isolation forest on a CSV file of numbers whose last column is the label (0 or 1; no header), and prints
//! how well and how fast it scores those rows, as one line of JSON. `bench/peers/forest.py` compares it with
//! scikit-learn.
//!
//! Usage: `forest FILE [SEEDS]`

use std::error::Error;

use lapwing_detect::isolation_forest::{SAMPLES_DEFAULT, TREES_DEFAULT};
use lapwing_detect::{IsolationForest, Matrix};

/// The best of several runs is the one least disturbed by the rest of the machine.
const SPEED_RUNS: usize = 5;
/// Rows scored for a speed figure; smaller files are scored repeatedly.
const SPEED_ROWS_MIN: usize = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: forest FILE [SEEDS]")?;
    let seeds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let (rows, labels) = read(&path)?;
    let mut aurocs = Vec::new();
    let mut rows_per_second = 0.0_f64;
    for seed in 1..=seeds {
        let forest = IsolationForest::fit(&rows, TREES_DEFAULT, SAMPLES_DEFAULT, seed)?;
        aurocs.push(auroc(&forest.score(&rows)?, &labels));
        if seed == 1 {
            rows_per_second = speed(&forest, &rows)?;
        }
    }
    let mean = aurocs.iter().sum::<f64>() / aurocs.len() as f64;
    let (count, width) = (rows.rows(), rows.width());
    print(&format!(
        r#"{{"rows":{count},"columns":{width},"auroc":{aurocs:?},"auroc_mean":{mean:.5},"rows_per_second":{rows_per_second:.0}}}"#
    ))
}

fn print(line: &str) -> Result<(), Box<dyn Error>> {
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn read(path: &str) -> Result<(Matrix, Vec<bool>), Box<dyn Error>> {
    let (mut values, mut labels, mut width) = (Vec::new(), Vec::new(), 0);
    for (number, line) in std::fs::read_to_string(path)?.lines().enumerate() {
        let cells: Result<Vec<f32>, _> = line.split(',').map(str::parse).collect();
        let cells = cells.map_err(|error| format!("{path} line {}: {error}", number + 1))?;
        let (label, row) = cells.split_last().ok_or("an empty line")?;
        labels.push(*label != 0.0);
        width = row.len();
        values.extend_from_slice(row);
    }
    Ok((Matrix::from_values(width, values)?, labels))
}

/// Probability that an anomaly scores above a normal row; ties count half (Mann-Whitney). NaN if a class is missing.
fn auroc(scores: &[f64], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let anomalies = labels.iter().filter(|label| **label).count() as f64;
    let mut rank_sum = 0.0;
    let mut start = 0;
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let mean_rank = start as f64 + (tied.len() as f64 + 1.0) / 2.0;
        rank_sum += mean_rank * tied.iter().filter(|row| labels[**row]).count() as f64;
        start += tied.len();
    }
    (rank_sum - anomalies * (anomalies + 1.0) / 2.0) / (anomalies * (labels.len() as f64 - anomalies))
}

/// Rows scored per second of this thread's processor time, so that other programs do not count.
fn speed(forest: &IsolationForest, rows: &Matrix) -> Result<f64, Box<dyn Error>> {
    let repeats = SPEED_ROWS_MIN.div_ceil(rows.rows());
    let mut best = 0.0_f64;
    for _ in 0..SPEED_RUNS {
        let start = processor_seconds()?;
        for _ in 0..repeats {
            std::hint::black_box(forest.score(std::hint::black_box(rows))?);
        }
        best = best.max((repeats * rows.rows()) as f64 / (processor_seconds()? - start));
    }
    Ok(best)
}

/// Time this thread has run, as Linux counts it: first number of `schedstat`, in nanoseconds.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanos / 1e9)
}
