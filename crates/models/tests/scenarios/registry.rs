use std::fs;
use std::sync::Barrier;

use lapwing_detect::{DetectError, Ensemble};
use lapwing_models::{Card, ModelError, Registry};
use tempfile::tempdir;

use crate::setup::{card, model_of};

#[test]
fn what_is_saved_is_loaded_under_versions_that_count_up() {
    let folder = tempdir().unwrap();
    let registry = Registry::new(&folder.path().join("not there yet"));
    let (one, two) = (model_of(0).ensemble, model_of(1).ensemble);
    assert!(registry.versions("small").unwrap().is_empty());
    assert_eq!(registry.save(&one, card()).unwrap().version, 1);
    assert_eq!(registry.save(&two, card()).unwrap().version, 2);
    assert_eq!(registry.versions("small").unwrap(), [1, 2]);
    let loaded = registry.load("small", 1).unwrap();
    assert_eq!((loaded.id(), &loaded.ensemble), ("small@1".to_owned(), &one));
    assert_eq!(registry.load("small", 2).unwrap().ensemble, two);
    assert!(registry.versions("other").unwrap().is_empty());
}

#[test]
fn the_card_keeps_what_it_was_given_with_version_and_checksum() {
    let folder = tempdir().unwrap();
    let registry = Registry::new(folder.path());
    let ensemble = model_of(0).ensemble;
    let saved = registry.save(&ensemble, card()).unwrap();
    assert_eq!(registry.card("small", 1).unwrap(), saved);
    assert_eq!(saved, Card { version: 1, sha256: saved.sha256.clone(), ..card() });
    let file = fs::read(folder.path().join("small/1.model")).unwrap();
    assert_eq!(file, ensemble.to_bytes().unwrap());
    let sum: String = sha256(&file);
    assert_eq!(saved.sha256, sum);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_alias_moves_and_stands_only_for_versions_that_exist() {
    let folder = tempdir().unwrap();
    let registry = Registry::new(folder.path());
    let ensemble = model_of(0).ensemble;
    registry.save(&ensemble, card()).unwrap();
    registry.save(&ensemble, card()).unwrap();
    assert_eq!(registry.alias("small", "champion").unwrap(), None);
    for version in [2, 1] {
        registry.set_alias("small", "champion", version).unwrap();
        assert_eq!(registry.alias("small", "champion").unwrap(), Some(version));
    }
    let error = registry.set_alias("small", "champion", 3).unwrap_err();
    assert!(matches!(&error, ModelError::Unknown { wanted, .. } if wanted == "small@3"), "{error}");
    assert_eq!(registry.alias("small", "champion").unwrap(), Some(1), "a refused move changes nothing");
}

#[test]
fn a_version_that_does_not_exist_is_answered_with_those_that_do() {
    let folder = tempdir().unwrap();
    let registry = Registry::new(folder.path());
    let error = registry.load("small", 7).unwrap_err().to_string();
    assert!(error.starts_with("no model `small@7` in ") && error.contains("there are none"), "{error}");
    registry.save(&model_of(0).ensemble, card()).unwrap();
    let error = registry.load("small", 7).unwrap_err().to_string();
    assert!(error.contains("there are versions [1]") && error.contains("lapwing train"), "{error}");
}

#[test]
fn a_damaged_artefact_is_refused_with_its_path() {
    let folder = tempdir().unwrap();
    let registry = Registry::new(folder.path());
    registry.save(&model_of(0).ensemble, card()).unwrap();
    let path = folder.path().join("small/1.model");
    let whole = fs::read(&path).unwrap();
    for at in [0, 60, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        let error = registry.load("small", 1).unwrap_err();
        let refused =
            matches!(&error, ModelError::Artefact { path: found, error: DetectError::Artefact(_) } if *found == path);
        assert!(refused, "byte {at}: {error}");
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(matches!(registry.load("small", 1), Err(ModelError::Artefact { .. })));
    fs::write(&path, b"").unwrap();
    assert!(matches!(registry.load("small", 1), Err(ModelError::Artefact { .. })));
}

#[test]
fn an_alias_or_card_that_was_written_over_is_a_fault_and_no_panic() {
    let folder = tempdir().unwrap();
    let registry = Registry::new(folder.path());
    registry.save(&model_of(0).ensemble, card()).unwrap();
    fs::write(folder.path().join("small/champion"), "newest").unwrap();
    let error = registry.alias("small", "champion").unwrap_err().to_string();
    assert!(error.contains("`newest` is no version number"), "{error}");
    fs::write(folder.path().join("small/1.json"), "{").unwrap();
    assert!(matches!(registry.card("small", 1), Err(ModelError::Io { act: "read model card", .. })));
    assert!(registry.load("small", 1).is_ok(), "the artefact does not need its card");
}

#[test]
fn saves_at_the_same_time_get_versions_of_their_own_and_lose_nothing() {
    const SAVERS: i32 = 6;
    let folder = tempdir().unwrap();
    let models: Vec<_> = (0..SAVERS).map(|partition| model_of(partition).ensemble).collect();
    let barrier = Barrier::new(models.len());
    let save = |ensemble: &Ensemble| {
        barrier.wait();
        Registry::new(folder.path()).save(ensemble, card())
    };
    let cards: Vec<Card> = std::thread::scope(|scope| {
        let threads: Vec<_> = models.iter().map(|ensemble| scope.spawn(move || save(ensemble))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().expect("a save succeeds whoever else saves")).collect()
    });
    let registry = Registry::new(folder.path());
    let mut versions: Vec<u64> = cards.iter().map(|card| card.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=SAVERS as u64).collect::<Vec<_>>());
    for (ensemble, card) in models.iter().zip(&cards) {
        assert_eq!(&registry.load("small", card.version).unwrap().ensemble, ensemble, "version {}", card.version);
        assert_eq!(&registry.card("small", card.version).unwrap(), card);
    }
    let names = fs::read_dir(folder.path().join("small")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains("tmp")).collect();
    assert!(left.is_empty(), "temporary files are left behind: {left:?}");
}
