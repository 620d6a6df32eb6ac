use std::fs;

use lapwing_models::Registry;
use lapwing_models::registry::{Pin, Source};
use lapwing_pipeline::score::ModelSource;
use tempfile::{TempDir, tempdir};

use crate::setup::{card, model_of};

/// A registry with three versions and no alias.
fn registry() -> (TempDir, Registry) {
    let folder = tempdir().unwrap();
    let registry = Registry::new(folder.path());
    for partition in 0..3 {
        registry.save(&model_of(partition).ensemble, card()).unwrap();
    }
    (folder, registry)
}

fn version(source: &Source, known: Option<u64>) -> Option<u64> {
    source.changed_from(known).unwrap().map(|model| model.version)
}

#[test]
fn a_source_follows_its_alias_forwards_and_back() {
    let (_folder, registry) = registry();
    let source = Source::new(registry.clone(), "small", Pin::Alias("champion".into()));
    assert_eq!(version(&source, None), None, "there is no champion yet");
    registry.set_alias("small", "champion", 1).unwrap();
    assert_eq!(version(&source, None), Some(1));
    assert_eq!(version(&source, Some(1)), None, "nothing has changed");
    registry.set_alias("small", "champion", 3).unwrap();
    assert_eq!(version(&source, Some(1)), Some(3));
    registry.set_alias("small", "champion", 2).unwrap();
    assert_eq!(version(&source, Some(3)), Some(2), "a rollback is a change");
    let model = source.changed_from(None).unwrap().unwrap();
    assert_eq!((model.id(), &model.ensemble), ("small@2".to_owned(), &model_of(1).ensemble));
}

#[test]
fn each_source_follows_its_own_alias() {
    let (_folder, registry) = registry();
    registry.set_alias("small", "champion", 1).unwrap();
    registry.set_alias("small", "shadow", 3).unwrap();
    let shadow = Source::new(registry.clone(), "small", Pin::Alias("shadow".into()));
    assert_eq!(version(&shadow, None), Some(3));
    let other = Source::new(registry, "other", Pin::Alias("champion".into()));
    assert_eq!(version(&other, None), None);
}

#[test]
fn a_pinned_version_stays_whatever_the_alias_does() {
    let (_folder, registry) = registry();
    let source = Source::new(registry.clone(), "small", Pin::Version(2));
    assert_eq!(version(&source, None), Some(2));
    registry.set_alias("small", "champion", 3).unwrap();
    assert_eq!(version(&source, Some(2)), None);
    let missing = Source::new(registry, "small", Pin::Version(9));
    let fault = missing.changed_from(None).unwrap_err();
    assert!(fault.contains("no model `small@9`") && fault.contains("[1, 2, 3]"), "{fault}");
}

#[test]
fn a_champion_that_cannot_be_read_is_a_fault_and_the_next_one_counts_again() {
    let (folder, registry) = registry();
    let source = Source::new(registry.clone(), "small", Pin::Alias("champion".into()));
    registry.set_alias("small", "champion", 2).unwrap();
    fs::write(folder.path().join("small/2.model"), b"damaged").unwrap();
    let fault = source.changed_from(Some(1)).unwrap_err();
    assert!(fault.contains("2.model") && fault.contains("hint: train again"), "{fault}");
    registry.set_alias("small", "champion", 3).unwrap();
    assert_eq!(version(&source, Some(1)), Some(3));
}
