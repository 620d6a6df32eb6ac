use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use crate::fault::Finding;
use crate::source::line_of;
use crate::tree::Tree;

/// Our packages begin with this.
const OURS: &str = "lapwing-";
/// Every crate and what it may use; `*` is everything. Whoever changes an edge changes the design.
const ALLOWED: [(&str, &[&str]); 17] = [
    ("vocabulary", &[]),
    ("features", &["vocabulary"]),
    ("detect", &["vocabulary"]),
    ("logs", &["vocabulary"]),
    ("neural", &["detect"]),
    ("state", &["vocabulary"]),
    ("lake", &["vocabulary"]),
    ("produce", &["vocabulary"]),
    ("evaluate", &["vocabulary", "detect", "neural"]),
    ("sql", &["vocabulary", "features"]),
    ("connect", &["vocabulary", "state"]),
    ("chaos", &["vocabulary", "connect", "produce"]),
    ("pipeline", &["vocabulary", "features", "detect", "logs", "state", "sql"]),
    ("models", &["vocabulary", "detect", "evaluate", "lake", "sql", "pipeline"]),
    ("server", &["vocabulary", "pipeline", "models"]),
    ("cli", &["*"]),
    ("sim", &["vocabulary", "features", "detect", "state", "sql", "pipeline"]),
];
/// A package by one of these names, or with one of them and a dash in front, lives behind these crates alone.
const HEAVY: [(&str, &[&str]); 6] = [
    ("datafusion", &["sql"]),
    ("ballista", &["sql", "cli"]),
    ("rdkafka", &["connect"]),
    ("fjall", &["connect"]),
    ("axum", &["server"]),
    ("candle", &["neural"]),
];
/// The sections of a manifest that make an edge.
const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Refuses every edge outside the table, in normal, dev and build dependencies.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.manifests().flat_map(|(folder, path, text)| check_manifest(folder, path, text)).collect()
}

fn check_manifest(folder: &str, path: &str, text: &str) -> Vec<Finding> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => return vec![Finding::fault(path, 1, format!("is no TOML: {}", error.message()))],
    };
    let Some(name) = package_name(document.as_item()) else { return Vec::new() };
    let name = name.strip_prefix(OURS).unwrap_or(&name).to_owned();
    // `bench` holds several small packages and, like `xtask`, nothing depends on them.
    let allowed: &[&str] = match ALLOWED.iter().find(|(known, _)| *known == name) {
        Some((_, allowed)) => allowed,
        None if folder == "bench" || folder.starts_with("bench/") => &["*"],
        None if name == "xtask" => &[],
        None => return vec![Finding::fault(path, 1, format!("crate `{name}` is not in the table of layers"))],
    };
    let edges = edges(document.as_item());
    let faults = edges.iter().filter_map(|edge| Some((edge, refuse(&name, allowed, &edge.package)?)));
    faults.map(|(edge, text_of)| Finding::fault(path, line_of(text, edge.at.start), text_of)).collect()
}

fn refuse(name: &str, allowed: &[&str], package: &str) -> Option<String> {
    if let Some(used) = package.strip_prefix(OURS) {
        let known = allowed.contains(&used) || allowed.contains(&"*");
        return (!known).then(|| format!("`{name}` must not use `{used}`; it may use: {}", listed(allowed)));
    }
    let is_kind =
        |heavy: &str| package == heavy || package.strip_prefix(heavy).is_some_and(|rest| rest.starts_with('-'));
    let (heavy, homes) = HEAVY.iter().find(|(heavy, _)| is_kind(heavy))?;
    (!homes.contains(&name))
        .then(|| format!("`{name}` must not use `{package}`; {heavy} lives behind {}", listed(homes)))
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

/// One dependency of a manifest.
struct Edge {
    package: String,
    at: Range<usize>,
}

fn package_name(document: &Item) -> Option<String> {
    Some(document.get("package")?.get("name")?.as_str()?.to_owned())
}

fn edges(document: &Item) -> Vec<Edge> {
    let mut edges = Vec::new();
    collect(document, &mut edges);
    let targets = document.get("target").and_then(Item::as_table_like);
    for (_, target) in targets.into_iter().flat_map(TableLike::iter) {
        collect(target, &mut edges);
    }
    edges
}

fn collect(holder: &Item, edges: &mut Vec<Edge>) {
    let sections = SECTIONS.iter().filter_map(|section| holder.get(section)?.as_table_like());
    for section in sections {
        for (key, item) in section.iter() {
            let renamed = item.get("package").and_then(Item::as_str);
            let at = section.key(key).and_then(toml_edit::Key::span).unwrap_or_default();
            edges.push(Edge { package: renamed.unwrap_or(key).to_owned(), at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(name: &str, body: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"lapwing-{name}\"\n{body}");
        let path = format!("crates/{name}/Cargo.toml");
        check(&Tree::of(&[(&path, &text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_edge_outside_the_table_is_named_with_its_line() {
        let found =
            faults("detect", "[dependencies]\nlapwing-vocabulary.workspace = true\nlapwing-sql.workspace = true\n");
        assert_eq!(found, ["crates/detect/Cargo.toml:5: `detect` must not use `sql`; it may use: vocabulary"]);
        assert!(faults("server", "[dependencies]\nlapwing-pipeline.workspace = true").is_empty());
        assert!(faults("cli", "[dependencies]\nlapwing-anything.workspace = true").is_empty());
    }

    #[test]
    fn dev_build_target_and_renamed_dependencies_are_edges_too() {
        for body in [
            "[dev-dependencies]\nlapwing-sql.workspace = true",
            "[build-dependencies]\nlapwing-sql = { path = \"../sql\" }",
            "[target.'cfg(unix)'.dependencies]\nlapwing-sql.workspace = true",
            "[dependencies]\nother = { package = \"lapwing-sql\", path = \"../sql\" }",
            "[dependencies.lapwing-sql]\nworkspace = true",
        ] {
            assert_eq!(faults("detect", body).len(), 1, "{body}");
        }
    }

    #[test]
    fn a_heavy_dependency_has_one_home() {
        assert_eq!(
            faults("cli", "[dependencies]\ndatafusion-common = \"1\"\n"),
            ["crates/cli/Cargo.toml:4: `cli` must not use `datafusion-common`; datafusion lives behind sql"]
        );
        assert!(faults("sql", "[dependencies]\ndatafusion.workspace = true\nballista = \"55\"").is_empty());
        assert_eq!(faults("server", "[dependencies]\naxum.workspace = true\nfjall.workspace = true").len(), 1);
    }

    #[test]
    fn an_unknown_crate_and_a_broken_manifest_are_faults() {
        assert!(faults("helpers", "")[0].contains("not in the table"));
        assert!(faults("sql", "[dependencies\n")[0].contains("is no TOML"));
    }
}
