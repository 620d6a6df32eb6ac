use crate::fault::Finding;
use crate::tree::Tree;

/// Files that people write; recorded data may look as it likes.
const WRITTEN: [&str; 11] = ["rs", "toml", "md", "sh", "js", "css", "html", "svg", "py", "yml", "yaml"];
/// Places of one machine, which mean nothing on another. Cut in two so that this file is free of them.
const FORBIDDEN: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("<<<<", "<<< ")];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().flat_map(|(path, text)| check_file(path, text)).collect()
}

fn check_file(path: &str, text: &str) -> Vec<Finding> {
    let written = is_written(path, text);
    let mut findings = Vec::new();
    for (line, content) in text.split('\n').enumerate().map(|(index, content)| (index + 1, content)) {
        if let Some(word) = FORBIDDEN.iter().find(|word| content.contains(**word)) {
            findings.push(Finding::fault(path, line, format!("`{word}` has no place in this repository")));
        }
        if let Some(blemish) = blemish(content).filter(|_| written) {
            findings.push(Finding::fault(path, line, blemish));
        }
    }
    if written && !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        findings.push(Finding::fault(path, text.lines().count(), "a file ends with exactly one line break"));
    }
    findings
}

/// Scripts have no ending, but say how they are run.
fn is_written(path: &str, text: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((_, ending)) if WRITTEN.contains(&ending) => true,
        _ => text.starts_with("#!"),
    }
}

fn blemish(line: &str) -> Option<&'static str> {
    if line.contains('\t') {
        return Some("a tab; use spaces");
    }
    if line.ends_with([' ', '\r']) {
        return Some("blanks at the end of the line");
    }
    line.chars().any(is_hidden).then_some("a character that cannot be seen; write it as an escape")
}

/// Control characters, and those that reorder or hide text.
/// Source: Boucher and Anderson 2021, "Trojan Source", for the bidirectional ones.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Vec<String> {
        check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tabs_trailing_blanks_and_hidden_characters_are_named_with_their_line() {
        let found = faults("a.rs", "fine – “ü” →\n\tx\ny \nz\u{202e}\nw\u{7}\n");
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], "a.rs:2: a tab; use spaces");
        assert!(found[1].starts_with("a.rs:3") && found[2].starts_with("a.rs:4") && found[3].starts_with("a.rs:5"));
    }

    #[test]
    fn recorded_data_may_hold_tabs_but_scripts_may_not() {
        assert_eq!(faults("data.csv", "a\tb \n"), [""; 0]);
        assert_eq!(faults("run", "#!/bin/sh\n\tx\n").len(), 1);
    }

    #[test]
    fn a_path_of_one_machine_is_refused_everywhere() {
        let text = format!("see {}main\n", FORBIDDEN[0]);
        assert_eq!(faults("data.csv", &text).len(), 1);
        assert_eq!(faults("a.rs", "frame.work / x\n"), [""; 0]);
    }

    #[test]
    fn a_file_ends_with_one_line_break() {
        assert_eq!(faults("a.md", "x").len(), 1);
        assert_eq!(faults("a.md", "x\n\n").len(), 1);
        assert_eq!(faults("a.md", "x\n"), [""; 0]);
        assert_eq!(faults("a.md", ""), [""; 0]);
    }
}
