use toml_edit::{Document, Item};

use crate::fault::Finding;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let ours = tree.manifests().filter(|(folder, _, _)| folder.starts_with("crates/") || *folder == "xtask");
    ours.flat_map(|(_, path, text)| check_manifest(path, text)).collect()
}

fn check_manifest(path: &str, text: &str) -> Vec<Finding> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => return vec![Finding::fault(path, 1, format!("is no TOML: {}", error.message()))],
    };
    let get = |table: &str, key: &str| document.get(table).and_then(|table| table.get(key));
    let lints = get("lints", "workspace").and_then(Item::as_bool) == Some(true);
    let described = get("package", "description").and_then(Item::as_str).is_some_and(|text| !text.trim().is_empty());
    let wanted = [
        (lints, "`[lints] workspace = true` is missing: the rules of the house would not hold here"),
        (described, "`description` is missing: say in one sentence what the crate is"),
    ];
    wanted.iter().filter(|(there, _)| !there).map(|(_, text)| Finding::fault(path, 1, *text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lints_and_a_description_are_asked_for() {
        let good = "[package]\nname = \"a\"\ndescription = \"A.\"\n[lints]\nworkspace = true\n";
        assert_eq!(check(&Tree::of(&[("crates/a/Cargo.toml", good)])), []);
        let bad = "[package]\nname = \"a\"\ndescription = \" \"\n[lints]\nworkspace = false\n";
        assert_eq!(check(&Tree::of(&[("crates/a/Cargo.toml", bad)])).len(), 2);
        assert_eq!(check(&Tree::of(&[("bench/a/Cargo.toml", bad)])), []);
    }
}
