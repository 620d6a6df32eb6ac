use std::collections::BTreeSet;

use crate::fault::Finding;
use crate::source::{code_only, code_outside_tests, comments_only, functions, line_of, test_modules};
use crate::tree::Tree;

/// A longer file is two subjects.
const FILE_LINES_MAX: usize = 500;
/// A longer function is refused.
const FUNCTION_LINES_MAX: usize = 100;
/// From here on a function is worth another look.
const FUNCTION_LINES_NOTE: usize = 60;
/// Marks of unfinished work in comments, cut in two so that this file is free of them.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// Leftovers in code, tests included.
const LEFTOVERS: [&str; 4] = ["dbg!", "todo!", "unimplemented!", "#[ignore"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let tests = test_files(tree);
    let files = tree.files.iter().filter(|(path, _)| path.ends_with(".rs"));
    files.flat_map(|(path, text)| check_file(path, text, &tests)).collect()
}

fn check_file(path: &str, text: &str, tests: &BTreeSet<String>) -> Vec<Finding> {
    let code = code_only(text);
    let mut findings = file_length(path, text, &code);
    findings.extend(function_lengths(path, &code));
    for leftover in LEFTOVERS {
        findings.extend(places(path, &code, leftover, &format!("`{leftover}` is left over; finish it or take it out")));
    }
    let comments = comments_only(text);
    for mark in MARKS {
        findings.extend(places(
            path,
            &comments,
            mark,
            &format!("`{mark}`: finish it, or say what is missing in the documents"),
        ));
    }
    let only_for_tests =
        tests.iter().any(|test| path == test || path.starts_with(&format!("{}/", test.trim_end_matches(".rs"))));
    if path.contains("/src/") && !only_for_tests {
        let advice = "`.unwrap()` outside tests; return an error, or `expect(\"why it cannot fail\")`";
        findings.extend(places(path, &code_outside_tests(text), ".unwrap()", advice));
    }
    findings
}

/// Tests at the end of a file do not count.
fn file_length(path: &str, text: &str, code: &str) -> Vec<Finding> {
    let tests = code.rfind("#[cfg(test)]").filter(|at| code[*at + 12..].trim_start().starts_with("mod tests {"));
    let lines = tests.map_or(text.lines().count(), |at| line_of(code, at) - 1);
    let long = lines > FILE_LINES_MAX;
    let advice = format!("{lines} lines besides tests, at most {FILE_LINES_MAX}; split the file by subject");
    long.then(|| Finding::fault(path, lines, advice)).into_iter().collect()
}

fn function_lengths(path: &str, code: &str) -> Vec<Finding> {
    let measured = functions(code).into_iter().map(|(name, first, last)| (name, first, last - first + 1));
    let finding = |(name, first, lines): (String, usize, usize)| match lines {
        0..FUNCTION_LINES_NOTE => None,
        FUNCTION_LINES_NOTE..=FUNCTION_LINES_MAX => {
            Some(Finding::note(path, first, format!("function `{name}` has {lines} lines; look again")))
        }
        _ => Some(Finding::fault(
            path,
            first,
            format!("function `{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}"),
        )),
    };
    measured.filter_map(finding).collect()
}

/// Where a word stands by itself.
fn places(path: &str, text: &str, word: &str, advice: &str) -> Vec<Finding> {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    let open_left = !is_word(word.as_bytes().first());
    let open_right = !is_word(word.as_bytes().last());
    let alone = |at: usize| {
        let left = open_left || at == 0 || !is_word(bytes.get(at - 1));
        left && (open_right || !is_word(bytes.get(at + word.len())))
    };
    let found = text.match_indices(word).filter(|(at, _)| alone(*at));
    found.map(|(at, _)| Finding::fault(path, line_of(text, at), advice)).collect()
}

/// Files that `#[cfg(test)] mod name;` declares, as they may lie.
fn test_files(tree: &Tree) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, text) in tree.files.iter().filter(|(path, _)| path.ends_with(".rs")) {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = file.trim_end_matches(".rs");
        for name in test_modules(text) {
            found.insert(format!("{folder}/{name}.rs"));
            found.insert(format!("{folder}/{stem}/{name}.rs"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_long_file_is_refused_and_its_tests_do_not_count() {
        let body = "// line\n".repeat(500);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "// line\n".repeat(300));
        assert_eq!(faults("crates/a/src/b.rs", &format!("{body}{tests}")), [""; 0]);
        let found = faults("crates/a/src/b.rs", &format!("{body}// one more\n{tests}"));
        assert_eq!(found, ["crates/a/src/b.rs:501: 501 lines besides tests, at most 500; split the file by subject"]);
    }

    #[test]
    fn a_long_function_is_noted_and_a_longer_one_refused() {
        let function = |lines: usize| format!("fn f() {{\n{}}}\n", "    ();\n".repeat(lines - 2));
        assert_eq!(faults("a.rs", &function(59)), [""; 0]);
        assert_eq!(faults("a.rs", &function(60)), ["a.rs:1: note: function `f` has 60 lines; look again"]);
        assert_eq!(faults("a.rs", &function(101)), ["a.rs:1: function `f` has 101 lines, at most 100"]);
    }

    #[test]
    fn leftovers_are_found_in_code_and_marks_in_comments_but_not_in_strings() {
        let mark = MARKS[0];
        let text = format!(
            "// {mark}: later\nfn f() {{ dbg!(1); }}\n#[ignore]\nfn g() {{ \"todo! {mark}\"; let my_todo = 1; }}\n"
        );
        let lines: Vec<usize> = check(&Tree::of(&[("a.rs", &text)])).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2, 3, 1]);
    }

    #[test]
    fn unwrap_is_refused_in_sources_and_allowed_in_tests() {
        let text = "fn f() { a.unwrap(); b.unwrap_or(1); }\n#[cfg(test)]\nmod tests { fn g() { a.unwrap(); } }";
        assert_eq!(faults("crates/a/src/b.rs", text).len(), 1);
        assert_eq!(faults("crates/a/tests/b.rs", text), [""; 0]);
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", "#[cfg(test)]\nmod twin;"),
            ("crates/a/src/twin.rs", "fn f() { a.unwrap(); }"),
        ]);
        assert_eq!(check(&tree), []);
    }
}
