//! Artefacts: what is written is read, what is damaged is refused, and nothing panics.

use std::path::PathBuf;

use crate::networks::DRAWN;
use crate::world::{WIDTH, columns, member, normal};
use lapwing_detect::artefact::{FORMAT, MAGIC};
use lapwing_detect::onnx::trees_to_onnx;
use lapwing_detect::training::Outside;
use lapwing_detect::tree_scorer::TreeNode;
use lapwing_detect::{
    Autoencoder, AutoencoderOptions, DetectError, Ensemble, Inputs, Label, Matrix, MemberSpec, Method, OptionValue,
    TrainingSet, Transformer, TransformerOptions, TreeScorer,
};
use sha2::{Digest, Sha256};

pub(crate) const HEADER_BYTES: usize = 52;

/// Networks drawn at random, and a model file of one small tree.
#[derive(Debug)]
struct World;

impl Outside for World {
    fn file(&self, _path: &str) -> Result<Vec<u8>, DetectError> {
        let split = TreeNode::Split { feature: 2, threshold: 1.5, left: 1, right: 2 };
        let tree = vec![split, TreeNode::Leaf(0.25), TreeNode::Leaf(4.0)];
        Ok(trees_to_onnx(&TreeScorer::new(&[tree], 1, vec![0.0; WIDTH])?))
    }

    fn autoencoder(&self, rows: &Matrix, options: &AutoencoderOptions, seed: u64) -> Result<Autoencoder, DetectError> {
        DRAWN.autoencoder(rows, options, seed)
    }

    fn transformer(&self, rows: &Matrix, options: &TransformerOptions, seed: u64) -> Result<Transformer, DetectError> {
        DRAWN.transformer(rows, options, seed)
    }
}

/// Small, with every part an ensemble can have. A method is in it by being in the list.
fn little() -> Ensemble {
    let small = |mut method: Method| {
        for (option, size) in [("trees", 3), ("samples", 8), ("rounds", 3)] {
            if method.allowed(option).is_some() && method.name() != "transformer" {
                method.set(option, &OptionValue::Whole(size)).unwrap();
            }
        }
        if method.allowed("file").is_some() {
            method.set("file", &OptionValue::Text("any.onnx".into())).unwrap();
        }
        method
    };
    let inputs = |method: &Method| match method {
        Method::Transformer(_) | Method::Transitions(_) => Inputs::Named(vec!["flag".into()]),
        _ => Inputs::All,
    };
    let member = |method: Method| MemberSpec { inputs: inputs(&method), ..member(method.name(), small(method)) };
    let members: Vec<MemberSpec> = Method::all().into_iter().map(member).collect();
    let (rows, strange) = (normal(60, 1), normal(4, 2));
    let rows = Matrix::from_rows(&rows.iter().chain(strange.iter()).collect::<Vec<_>>()).unwrap();
    let labels: Vec<Label> = (0..64).map(|row| if row < 60 { Label::Normal } else { Label::Anomaly }).collect();
    let set = TrainingSet { labels: &labels, outside: &World, ..TrainingSet::unlabelled(&rows) };
    Ensemble::fit(columns(), &set, &members, 0.05, 1).unwrap()
}

/// Rows of the golden files' tails.
fn golden_rows() -> Matrix {
    Matrix::from_rows(&[
        [0.1, 1.0, -0.2, 0.1, 0.7, 0.0],
        [0.1, 1.0, 8.0, 0.1, 0.7, 0.0],
        [3.0, 30.0, 3.0, 3.0, 3.0, 1.0],
        [f32::NAN; WIDTH],
    ])
    .unwrap()
}

/// The artefact and the file of tails of a format.
fn golden_files(format: u32) -> (PathBuf, PathBuf) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    (folder.join(format!("ensemble.v{format}.bin")), folder.join(format!("ensemble.v{format}.tails.txt")))
}

/// The bytes with their payload replaced and length and checksum made to fit.
pub(crate) fn sealed(bytes: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut sealed = bytes[..12].to_vec();
    sealed.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    sealed.extend_from_slice(&Sha256::digest(payload));
    sealed.extend_from_slice(payload);
    sealed
}

fn refusal(bytes: &[u8]) -> String {
    Ensemble::from_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn an_ensemble_read_back_is_the_one_written() {
    let ensemble = little();
    let bytes = ensemble.to_bytes().unwrap();
    let read = Ensemble::from_bytes(&bytes).unwrap();
    assert_eq!(read, ensemble);
    assert_eq!(read.to_bytes().unwrap(), bytes);
    let rows = normal(20, 2);
    assert_eq!(read.score(&rows).unwrap(), ensemble.score(&rows).unwrap());
}

#[test]
fn each_damage_of_the_frame_is_named() {
    let bytes = little().to_bytes().unwrap();
    let changed = |place: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[place] = value;
        bytes
    };
    assert!(refusal(&changed(0, b'l')).contains("right file"));
    assert!(refusal(&changed(8, 0)).contains("format 0"));
    assert!(refusal(&changed(30, bytes[30] ^ 1)).contains("checksum"));
    assert!(refusal(&changed(bytes.len() - 1, bytes[bytes.len() - 1] ^ 1)).contains("checksum"));
    assert!(refusal(&bytes[..bytes.len() - 1]).contains("announced"));
    let newer = Ensemble::from_bytes(&changed(8, 9)).unwrap_err();
    assert_eq!(newer, DetectError::NewerFormat { found: 9, supported: FORMAT });
    assert!(refusal(&[bytes.as_slice(), b"x"].concat()).contains("announced"));
    assert!(refusal(&sealed(&bytes, &[&bytes[HEADER_BYTES..], b"x"].concat())).contains("1 bytes follow"));
}

/// Some thousand places of an artefact are tried, on no boundary of its own.
fn stride(bytes: &[u8]) -> usize {
    (bytes.len() / 2000) | 1
}

#[test]
fn an_artefact_cut_anywhere_is_refused() {
    let bytes = little().to_bytes().unwrap();
    for length in (0..bytes.len()).step_by(stride(&bytes)) {
        assert!(matches!(Ensemble::from_bytes(&bytes[..length]), Err(DetectError::Artefact(_))), "{length}");
        if length > HEADER_BYTES {
            let cut = sealed(&bytes, &bytes[HEADER_BYTES..length]);
            assert!(matches!(Ensemble::from_bytes(&cut), Err(DetectError::Artefact(_))), "{length}, sealed");
        }
    }
}

#[test]
fn a_changed_byte_is_refused_or_gives_an_ensemble_that_scores_and_explains() {
    let rows = Matrix::from_rows(&[[1.0, -1.0, 0.5, 1.0, 0.1, 0.0], [f32::NAN; WIDTH]]).unwrap();
    let older = [1, 2].map(|format| std::fs::read(golden_files(format).0).unwrap());
    for bytes in older.into_iter().chain([little().to_bytes().unwrap()]) {
        let (mut refused, mut accepted) = (0, 0);
        for place in (HEADER_BYTES..bytes.len()).step_by(stride(&bytes)) {
            for flip in [0x01, 0x80, 0xff] {
                let mut payload = bytes[HEADER_BYTES..].to_vec();
                payload[place - HEADER_BYTES] ^= flip;
                match Ensemble::from_bytes(&sealed(&bytes, &payload)) {
                    Err(DetectError::Artefact(_)) => refused += 1,
                    Err(other) => panic!("byte {place}: {other}"),
                    Ok(ensemble) if ensemble.columns().width() == rows.width() => {
                        accepted += 1;
                        let scores = ensemble.score(&rows).unwrap();
                        assert!(scores.tail.iter().all(|tail| *tail > 0.0 && *tail <= 1.0), "byte {place}");
                        ensemble.explain(rows.row(0)).unwrap();
                    }
                    Ok(ensemble) => panic!("byte {place}: {} columns", ensemble.columns().width()),
                }
            }
        }
        assert!(refused > 200 && accepted > 200, "{refused} refused, {accepted} accepted");
    }
}

#[test]
fn noise_behind_a_valid_frame_is_refused() {
    let bytes = little().to_bytes().unwrap();
    assert_eq!(bytes[..8], MAGIC);
    for length in [0, 1, 10, 1000] {
        for fill in [0x00, 0x01, 0x7f, 0xff] {
            let noise = sealed(&bytes, &vec![fill; length]);
            assert!(matches!(Ensemble::from_bytes(&noise), Err(DetectError::Artefact(_))), "{length} × {fill}");
        }
    }
}

/// `LAPWING_GOLDEN_WRITE=1` writes the files of the newest format, once, before it is first released; those of older
/// formats stay for ever.
#[test]
fn the_golden_file_of_each_format_scores_as_on_the_day_it_was_written() {
    let rows = golden_rows();
    if std::env::var_os("LAPWING_GOLDEN_WRITE").is_some() {
        let (ensemble, (model, tails)) = (little(), golden_files(FORMAT));
        std::fs::write(&model, ensemble.to_bytes().unwrap()).unwrap();
        let lines: Vec<String> = ensemble.score(&rows).unwrap().tail.iter().map(|tail| format!("{tail:e}\n")).collect();
        std::fs::write(&tails, lines.concat()).unwrap();
    }
    for format in 1..=FORMAT {
        let (model, tails) = golden_files(format);
        let ensemble = Ensemble::from_bytes(&std::fs::read(&model).unwrap()).unwrap();
        let expected = std::fs::read_to_string(&tails).unwrap();
        let expected: Vec<f64> = expected.lines().map(|line| line.parse().unwrap()).collect();
        let scores = ensemble.score(&rows).unwrap();
        assert_eq!(scores.tail.len(), expected.len());
        for (tail, expected) in scores.tail.iter().zip(expected) {
            // Logarithm and exponential may differ in the last bits between platforms.
            assert!((tail / expected - 1.0).abs() < 1e-9, "format {format}: {tail} was {expected}");
        }
    }
}

#[test]
fn an_ensemble_of_an_older_format_is_written_in_the_newest_and_scores_the_same() {
    for format in 1..FORMAT {
        let old = Ensemble::from_bytes(&std::fs::read(golden_files(format).0).unwrap()).unwrap();
        let read = Ensemble::from_bytes(&old.to_bytes().unwrap()).unwrap();
        assert_eq!(read, old);
        assert_eq!(read.score(&golden_rows()).unwrap(), old.score(&golden_rows()).unwrap());
    }
}
