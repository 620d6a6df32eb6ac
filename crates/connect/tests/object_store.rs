//! Snapshots in a folder that a URL names.

use std::collections::BTreeMap;

use lapwing_connect::object_store::ObjectPlace;
use lapwing_vocabulary::PortError;

mod place_suite;

#[test]
fn a_folder_does_what_every_place_must() {
    let folder = tempfile::tempdir().unwrap();
    let url = |name: &str| format!("file://{}/{name}", folder.path().display());
    place_suite::run(|name| ObjectPlace::open(&url(name), &BTreeMap::new()).unwrap());
    let options = BTreeMap::from([("region".to_string(), "x".to_string())]);
    let Err(PortError::Operator(text)) = ObjectPlace::open(&url("options"), &options) else { panic!("taken") };
    assert!(text.contains("leave them out"), "{text}");
}
