//! The reference names every key, and its examples and those of other documents are accepted.

use crate::settings::{Overrides, Pipeline, known_keys};

const REFERENCE: &str = include_str!("../../../../../docs/pipeline-reference.md");
const JOINS: &str = include_str!("../../../../../docs/joins.md");
const WINDOWS: &str = include_str!("../../../../../docs/windows.md");

#[test]
fn every_key_is_named_in_the_reference() {
    let missing: Vec<String> =
        known_keys().into_iter().filter(|key| !REFERENCE.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_example_of_the_documents_is_accepted() {
    [REFERENCE, JOINS, WINDOWS].into_iter().for_each(accepts_the_examples_of);
}

fn accepts_the_examples_of(document: &str) {
    for block in document.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        let name = if block.contains("name = ") && !block.starts_with('[') { "" } else { "name = \"example\"\n" };
        let source = "[source]\ntopic = \"t\"\nkey = \"host_id\"\ntime = \"utc\"\n";
        let source = if block.contains("[source]") { "" } else { source };
        let text = match block.starts_with('[') {
            true => format!("{name}{source}{block}"),
            false => format!("{name}{block}{source}"),
        };
        let variables = |_: &str| Some("x".to_owned());
        let result = Pipeline::parse_with(&text, "../../pipelines/p.toml", &Overrides::default(), &variables);
        assert!(result.is_ok(), "{}\n{text}", result.unwrap_err());
    }
}
