//! Fits every unsupervised detector, and the default ensemble, on classical tabular sets without their labels, and
//! prints how well they rank the labelled anomalies among those same rows: AUROC / AUPRC per set and detector.
//!
//! Usage: `LAPWING_DATA=FOLDER tabular [SEED]`; FOLDER/tabular holds .npz files with X (n × d) and y (n), as ADBench
//! distributes them.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;
use lapwing_detect::{Ensemble, Inputs, Matrix, MemberSpec, Method, ModelColumns, TrainingSet};

/// Share flagged; ranking does not depend on it.
const ALERT_RATE: f64 = 0.01;

fn main() -> Result<(), Box<dyn Error>> {
    let seed: u64 = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    let folder = std::env::var_os("LAPWING_DATA").ok_or("LAPWING_DATA is not set: the folder that holds `tabular`")?;
    let mut files: Vec<PathBuf> = fs::read_dir(Path::new(&folder).join("tabular"))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "npz"))
        .collect();
    files.sort();
    let mut means: Vec<(String, f64, f64)> = Vec::new();
    for file in &files {
        let (rows, labels) = read(file)?;
        print(&format!("{} ({} × {})", file.display(), rows.rows(), rows.width()))?;
        for (place, (name, members)) in ensembles().into_iter().enumerate() {
            let scores = fused(&rows, &members, seed)?;
            let (auroc, auprc) = (auroc(&scores, &labels), average_precision(&scores, &labels));
            print(&format!("  {name:<18} {auroc:.4} / {auprc:.4}"))?;
            if means.len() <= place {
                means.push((name, 0.0, 0.0));
            }
            means[place].1 += auroc / files.len() as f64;
            means[place].2 += auprc / files.len() as f64;
        }
    }
    print(&format!("mean of {} sets", files.len()))?;
    means.iter().try_for_each(|(name, auroc, auprc)| print(&format!("  {name:<18} {auroc:.4} / {auprc:.4}")))
}

fn print(line: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Each unsupervised method alone, and the default ensemble.
fn ensembles() -> Vec<(String, Vec<MemberSpec>)> {
    let member = |method: &Method| MemberSpec {
        name: method.name().to_owned(),
        method: method.clone(),
        inputs: Inputs::All,
        rules: Vec::new(),
    };
    let alone = Method::all().into_iter().filter(|method| !method.is_supervised());
    let mut all: Vec<(String, Vec<MemberSpec>)> =
        alone.map(|method| (method.name().to_owned(), vec![member(&method)])).collect();
    all.push(("default ensemble".to_owned(), Method::default_ensemble().iter().map(member).collect()));
    all
}

/// One member's raw score, or the fused surprisal of several.
fn fused(rows: &Matrix, members: &[MemberSpec], seed: u64) -> Result<Vec<f64>, Box<dyn Error>> {
    let names: Vec<String> = (0..rows.width()).map(|column| format!("x{column}")).collect();
    let set = TrainingSet::unlabelled(rows);
    let ensemble = Ensemble::fit(ModelColumns::numeric(&names)?, &set, members, ALERT_RATE, seed)?;
    let scores = ensemble.score(rows)?;
    Ok(match members {
        [_] => scores.members[0].raw.clone(),
        _ => scores.tail.iter().map(|tail| -tail.ln()).collect(),
    })
}

fn read(path: &Path) -> Result<(Matrix, Vec<bool>), Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let (rows, width) = array(&entry(&bytes, "X.npy")?)?;
    let (labels, _) = array(&entry(&bytes, "y.npy")?)?;
    Ok((Matrix::from_values(width, rows)?, labels.into_iter().map(|label| label != 0.0).collect()))
}

/// A file of a zip archive. Its list of files is at the end: entries of 46 bytes and three texts, each with the place
/// of the file, whose own header is 30 bytes and two texts.
fn entry(archive: &[u8], name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let end = archive.windows(4).rposition(|window| window == b"PK\x05\x06").ok_or("no zip archive")?;
    let mut at = number(archive, end + 16, 4)?;
    while archive.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x01\x02")) {
        let name_bytes = number(archive, at + 28, 2)?;
        if archive.get(at + 46..at + 46 + name_bytes) == Some(name.as_bytes()) {
            let (packed, start) = (number(archive, at + 20, 4)?, number(archive, at + 42, 4)?);
            let start = start + 30 + number(archive, start + 26, 2)? + number(archive, start + 28, 2)?;
            let data = archive.get(start..start + packed).ok_or("the archive is cut short")?;
            let mut unpacked = data.to_vec();
            if number(archive, at + 10, 2)? == 8 {
                unpacked.clear();
                DeflateDecoder::new(data).read_to_end(&mut unpacked)?;
            }
            return Ok(unpacked);
        }
        at += 46 + name_bytes + number(archive, at + 30, 2)? + number(archive, at + 32, 2)?;
    }
    Err(format!("the archive has no {name}").into())
}

/// A little-endian number of `size` bytes.
fn number(bytes: &[u8], at: usize, size: usize) -> Result<usize, Box<dyn Error>> {
    let bytes = bytes.get(at..at + size).ok_or("the file is cut short")?;
    Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// Values of a numpy array, row by row, and its number of columns (1 if it has one dimension).
fn array(file: &[u8]) -> Result<(Vec<f32>, usize), Box<dyn Error>> {
    let length = number(file, 8, 2)?;
    let header = std::str::from_utf8(file.get(10..10 + length).ok_or("an array without header")?)?;
    let data = &file[10 + length..];
    let values: Vec<f32> = match header {
        header if header.contains("'<f8'") => {
            data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()
        }
        header if header.contains("'<i8'") => {
            data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f32).collect()
        }
        header if header.contains("'<i4'") => {
            data.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b) as f32).collect()
        }
        header if header.contains("'<i2'") => {
            data.as_chunks().0.iter().map(|b| f32::from(i16::from_le_bytes(*b))).collect()
        }
        header if header.contains("'<f4'") => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        header if header.contains("'|u1'") => data.iter().map(|byte| f32::from(*byte)).collect(),
        _ => return Err(format!("an array of unknown kind: {header}").into()),
    };
    let shape =
        header.split_once("'shape': (").and_then(|(_, rest)| rest.split_once(')')).ok_or("an array of no shape")?;
    let sizes: Result<Vec<usize>, _> =
        shape.0.split(',').map(str::trim).filter(|size| !size.is_empty()).map(str::parse).collect();
    let (sizes, by_columns) = (sizes?, header.contains("'fortran_order': True"));
    let (count, width) = (sizes.first().copied().unwrap_or(0), sizes.get(1).copied().unwrap_or(1));
    match by_columns {
        true => Ok(((0..count * width).map(|cell| values[cell % width * count + cell / width]).collect(), width)),
        false => Ok((values, width)),
    }
}

/// Probability that an anomaly scores above a normal row; ties count half (Mann-Whitney). NaN if a class is missing.
fn auroc(scores: &[f64], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let anomalies = labels.iter().filter(|label| **label).count() as f64;
    let (mut rank_sum, mut start) = (0.0, 0);
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let mean_rank = start as f64 + (tied.len() as f64 + 1.0) / 2.0;
        rank_sum += mean_rank * tied.iter().filter(|row| labels[**row]).count() as f64;
        start += tied.len();
    }
    (rank_sum - anomalies * (anomalies + 1.0) / 2.0) / (anomalies * (labels.len() as f64 - anomalies))
}

/// Precision averaged over the anomalies, from the strangest down; tied rows are taken together.
fn average_precision(scores: &[f64], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let anomalies = labels.iter().filter(|label| **label).count() as f64;
    let (mut found, mut seen, mut area) = (0.0, 0.0, 0.0);
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let hits = tied.iter().filter(|row| labels[**row]).count() as f64;
        found += hits;
        seen += tied.len() as f64;
        area += hits / anomalies * found / seen;
    }
    area
}
