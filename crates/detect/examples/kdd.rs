//! Fits the default ensemble, and every unsupervised detector of rows of numbers alone, on the normal connections among
//! the first 150,000 of KDD Cup 1999 (10 %), scores all later ones, and prints how well attacks are told from normal
//! connections, how long scoring a row takes, and how long explaining one.
//!
//! Usage: `LAPWING_DATA=FOLDER kdd [SEED]`; FOLDER/kdd99 holds kddcup.data_10_percent.gz.

use std::error::Error;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray};
use flate2::read::GzDecoder;
use lapwing_detect::{Encoding, Ensemble, InputSpec, Inputs, Matrix, MemberSpec, Method, ModelColumns, TrainingSet};

/// Connections that models may learn from; the normal ones are 70,000.
const HISTORY: usize = 150_000;
/// Columns that are text: protocol, service, flag.
const TEXTS: [usize; 3] = [1, 2, 3];
/// Columns before the label.
const COLUMNS: usize = 41;
const ALERT_RATE: f64 = 0.003;
/// Unsupervised detectors whose inputs are not such columns, or that are trained elsewhere.
const NOT_ALONE: [&str; 6] = ["surprise", "count_distance", "transitions", "autoencoder", "transformer", "onnx"];
/// Rows explained for a figure of speed.
const EXPLAINED: usize = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let seed: u64 = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    let folder = std::env::var_os("LAPWING_DATA").ok_or("LAPWING_DATA is not set: the folder that holds `kdd99`")?;
    let file = std::fs::File::open(Path::new(&folder).join("kdd99/kddcup.data_10_percent.gz"))?;
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text)?;
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let (history, live) = rows.split_at(HISTORY);
    let is_attack = |row: &Vec<&str>| row.last() != Some(&"normal.");
    let normal: Vec<Vec<&str>> = history.iter().filter(|row| !is_attack(row)).cloned().collect();
    let attacks: Vec<bool> = live.iter().map(is_attack).collect();
    let encoding = |column| if TEXTS.contains(&column) { Encoding::OneHot } else { Encoding::Numeric };
    let input = |column| InputSpec { column: format!("c{column}"), encoding: encoding(column) };
    let inputs: Vec<InputSpec> = (0..COLUMNS).map(input).collect();
    let (normal, live) = (batch(&normal)?, batch(live)?);
    let columns = ModelColumns::fit(&inputs, std::slice::from_ref(&normal))?;
    let (to_fit, to_score) = (columns.encode(&normal)?, columns.encode(&live)?);
    print(&format!(
        "{} encoded columns, {} rows to fit, {} to score",
        columns.width(),
        to_fit.rows(),
        to_score.rows()
    ))?;
    for (name, methods) in ensembles() {
        let member = |method: &Method| MemberSpec {
            name: method.name().to_owned(),
            method: method.clone(),
            inputs: Inputs::All,
            rules: Vec::new(),
        };
        let members: Vec<MemberSpec> = methods.iter().map(member).collect();
        let set = TrainingSet::unlabelled(&to_fit);
        let ensemble = Ensemble::fit(columns.clone(), &set, &members, ALERT_RATE, seed)?;
        report(&name, &ensemble, &to_score, &attacks)?;
    }
    Ok(())
}

fn print(line: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn ensembles() -> Vec<(String, Vec<Method>)> {
    let here = |method: &Method| !method.is_supervised() && !NOT_ALONE.contains(&method.name());
    let alone = Method::all().into_iter().filter(here);
    let mut all: Vec<(String, Vec<Method>)> = alone.map(|method| (method.name().to_owned(), vec![method])).collect();
    all.push(("default ensemble".to_owned(), Method::default_ensemble()));
    all
}

fn batch(rows: &[Vec<&str>]) -> Result<RecordBatch, Box<dyn Error>> {
    let mut columns: Vec<(String, ArrayRef)> = Vec::with_capacity(COLUMNS);
    for column in 0..COLUMNS {
        let cells = rows.iter().map(|row| row.get(column).copied().unwrap_or_default());
        let array: ArrayRef = match TEXTS.contains(&column) {
            true => Arc::new(StringArray::from_iter_values(cells)),
            false => Arc::new(Float32Array::from(cells.map(str::parse).collect::<Result<Vec<f32>, _>>()?)),
        };
        columns.push((format!("c{column}"), array));
    }
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn report(name: &str, ensemble: &Ensemble, rows: &Matrix, attacks: &[bool]) -> Result<(), Box<dyn Error>> {
    let start = processor_seconds()?;
    let scores = ensemble.score(rows)?;
    let micros = (processor_seconds()? - start) * 1e6 / rows.rows() as f64;
    let start = processor_seconds()?;
    for row in rows.iter().step_by(rows.rows() / EXPLAINED).take(EXPLAINED) {
        std::hint::black_box(ensemble.explain(row)?);
    }
    let explain = (processor_seconds()? - start) * 1e6 / EXPLAINED as f64;
    let (auroc, rates) = ranking(&scores.tail, attacks);
    print(&format!(
        "{name:<18} AUROC {auroc:.4}, TPR {:.4} at FPR 0.3 %, {:.4} at FPR 1 %; {micros:.2} µs a row, {explain:.1} µs to explain one",
        rates[0], rates[1]
    ))
}

/// AUROC (ties count half), and the share of attacks at least as strange as the threshold that 0.3 % and 1 % of the
/// normal rows exceed.
fn ranking(tails: &[f64], attacks: &[bool]) -> (f64, [f64; 2]) {
    let mut order: Vec<usize> = (0..tails.len()).collect();
    order.sort_by(|a, b| tails[*a].total_cmp(&tails[*b]));
    let positives = attacks.iter().filter(|attack| **attack).count() as f64;
    let negatives = attacks.len() as f64 - positives;
    let (mut hits, mut alarms, mut area, mut rates) = (0.0, 0.0, 0.0, [0.0; 2]);
    for tied in order.chunk_by(|a, b| tails[*a] == tails[*b]) {
        let found = tied.iter().filter(|row| attacks[**row]).count() as f64;
        let missed = tied.len() as f64 - found;
        area += missed * (hits + found / 2.0);
        hits += found;
        alarms += missed;
        for (rate, limit) in rates.iter_mut().zip([0.003, 0.01]) {
            if alarms <= limit * negatives {
                *rate = hits / positives;
            }
        }
    }
    (area / (positives * negatives), rates)
}

/// Time this thread has run, as Linux counts it: first number of `schedstat`, in nanoseconds.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanos / 1e9)
}
