use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::fault::Finding;
use crate::source::{code_outside_tests, line_of};
use crate::tree::Tree;

/// Files that are the root of a crate, not modules of it.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

/// Who uses whom among the top-level modules of one crate, and the first place where.
type Edges = BTreeMap<String, BTreeMap<String, (String, usize)>>;

/// Refuses cycles between the top-level modules of a crate. Tests may look at everything.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.manifests().flat_map(|(folder, _, _)| check_crate(tree, folder)).collect()
}

fn check_crate(tree: &Tree, folder: &str) -> Vec<Finding> {
    let source = format!("{folder}/src");
    let files: Vec<(Vec<String>, &str, String)> = tree
        .rust_below(&source)
        .map(|(path, text)| (module_path(&path[source.len() + 1..]), path, code_outside_tests(text)))
        .collect();
    let modules: BTreeSet<&str> = files.iter().filter_map(|(module, _, _)| Some(module.first()?.as_str())).collect();
    let exports: BTreeMap<String, String> = files
        .iter()
        .filter(|(module, _, _)| module.is_empty())
        .flat_map(|(_, _, code)| re_exports(code, &modules))
        .collect();
    let mut edges = Edges::new();
    for (module, path, code) in files.iter().filter(|(module, _, _)| !module.is_empty()) {
        for (name, at) in root_names(code, module) {
            let used = if modules.contains(name.as_str()) { Some(&name) } else { exports.get(&name) };
            let Some(used) = used.filter(|used| **used != module[0]) else { continue };
            let place = || ((*path).to_owned(), line_of(code, at));
            edges.entry(module[0].clone()).or_default().entry(used.clone()).or_insert_with(place);
        }
    }
    cycles(&edges).into_iter().map(|cycle| describe(&edges, &cycle)).collect()
}

/// `decode/json.rs` is `decode::json`, `decode/mod.rs` is `decode`, a root is empty.
fn module_path(path: &str) -> Vec<String> {
    if ROOTS.contains(&path) || path.starts_with("bin/") {
        return Vec::new();
    }
    let path = path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix(".rs")).unwrap_or(path);
    path.split('/').map(str::to_owned).collect()
}

/// Names that a root takes out of its modules: `pub use alert::{Alert, Severity}` makes both lead to `alert`.
fn re_exports(code: &str, modules: &BTreeSet<&str>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, mark) in code.match_indices("use ") {
        let statement = code[at + mark.len()..].split(';').next().unwrap_or_default();
        let mut words = words(statement).filter(|word| !["crate", "self", "as"].contains(word));
        let Some(module) = words.next().filter(|module| modules.contains(module)) else { continue };
        found.extend(words.map(|word| (word.to_owned(), module.to_owned())));
    }
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// Every name taken from the root of the crate, through `crate::` or enough `super::`, and where.
fn root_names(code: &str, module: &[String]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, mark) in code.match_indices("crate::") {
        found.extend(heads(&code[at + mark.len()..]).into_iter().map(|name| (name, at)));
    }
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("::") {
            continue;
        }
        let mut rest = &code[at..];
        let mut levels = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            (rest, levels) = (after, levels + 1);
        }
        if levels == module.len() {
            found.extend(heads(rest).into_iter().map(|name| (name, at)));
        }
    }
    found
}

/// First names of what follows: `a::b` gives `a`; `{a::B, c::{d, e}}` gives `a` and `c`.
fn heads(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else {
        return words(rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default())
            .map(str::to_owned)
            .collect();
    };
    let (mut depth, mut heads, mut wanted) = (1, Vec::new(), true);
    let mut word = String::new();
    for c in group.chars() {
        let in_word = c.is_alphanumeric() || c == '_';
        if wanted && in_word {
            word.push(c);
        } else if !word.is_empty() {
            heads.push(std::mem::take(&mut word));
            wanted = false;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => wanted = true,
            _ => {}
        }
    }
    heads
}

/// The shortest cycle through each module, counted once, at its first module by name.
fn cycles(edges: &Edges) -> Vec<Vec<String>> {
    edges.keys().filter_map(|start| cycle_through(edges, start)).collect()
}

fn cycle_through(edges: &Edges, start: &String) -> Option<Vec<String>> {
    let mut queue = VecDeque::from([vec![start.clone()]]);
    let mut seen = BTreeSet::new();
    while let Some(path) = queue.pop_front() {
        let last = path.last()?;
        for next in edges.get(last).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                return Some(path);
            }
            if next > start && seen.insert(next.clone()) {
                queue.push_back(path.iter().cloned().chain([next.clone()]).collect());
            }
        }
    }
    None
}

fn describe(edges: &Edges, cycle: &[String]) -> Finding {
    let next = |i: usize| &cycle[(i + 1) % cycle.len()];
    let place = |i: usize| &edges[&cycle[i]][next(i)];
    let steps: Vec<String> =
        (0..cycle.len()).map(|i| format!("{} uses {} ({}:{})", cycle[i], next(i), place(i).0, place(i).1)).collect();
    let (file, line) = place(0);
    Finding::fault(file, *line, format!("modules go in a circle: {}", steps.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = vec![("crates/c/Cargo.toml", "[package]\nname = \"c\"\n")];
        all.extend_from_slice(files);
        check(&Tree::of(&all)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_circle_of_three_is_printed_once_with_its_places() {
        let found = faults(&[
            ("crates/c/src/a.rs", "\nuse crate::b::B;"),
            ("crates/c/src/b.rs", "use crate::{\n  c::{x, y},\n};"),
            ("crates/c/src/c/deep.rs", "fn f() { super::super::a::g() }"),
        ]);
        assert_eq!(
            found,
            ["crates/c/src/a.rs:2: modules go in a circle: a uses b (crates/c/src/a.rs:2), \
             b uses c (crates/c/src/b.rs:1), c uses a (crates/c/src/c/deep.rs:1)"]
        );
    }

    #[test]
    fn a_name_re_exported_by_the_root_leads_to_its_module() {
        let lib = "pub mod a;\npub mod b;\npub use a::{Alert, Severity as S};";
        let found = faults(&[
            ("crates/c/src/lib.rs", lib),
            ("crates/c/src/a.rs", "use super::b::X;"),
            ("crates/c/src/b.rs", "use crate::S;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn ways_down_tests_comments_and_neighbours_inside_are_no_circle() {
        let found = faults(&[
            ("crates/c/src/a.rs", "use crate::b::X;\nmod inner;"),
            ("crates/c/src/a/inner.rs", "use super::Y;\nuse super::b::not_the_top_level_one;"),
            ("crates/c/src/b.rs", "// crate::a\n#[cfg(test)]\nmod tests { use crate::a::Z; use super::*; }"),
        ]);
        assert_eq!(found, [""; 0]);
    }
}
