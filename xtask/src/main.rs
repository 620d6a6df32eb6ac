//! Checks of the house: `cargo xtask layers circles tidy`. Every fault is one line, `file:line: text`; one fault fails.

/// One fault: where, and what.
mod fault;
/// Rust text with comments, strings and tests blanked out, so that plain scanning tells the truth.
mod source;
/// The files of the repository.
mod tree;
/// Which crate may use which, and which heavy dependency lives where.
mod layers;
/// Module cycles inside a crate.
mod circles;
/// Sizes, leftovers, manifests, links and words.
mod tidy;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fault::Finding;
use tree::Tree;

/// What a check looks at and returns.
type Check = fn(&Tree) -> Vec<Finding>;

/// Every verb, once.
const CHECKS: [(&str, Check); 3] = [("layers", layers::check), ("circles", circles::check), ("tidy", tidy::check)];

fn main() -> ExitCode {
    let verbs: Vec<String> = std::env::args().skip(1).collect();
    match run(&verbs, &root()) {
        Ok(findings) => report(&findings),
        Err(message) => {
            say(&message);
            ExitCode::FAILURE
        }
    }
}

/// The repository is one folder above this crate.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

fn run(verbs: &[String], root: &Path) -> Result<Vec<Finding>, String> {
    let names: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
    let usage = || format!("usage: cargo xtask VERB…, each one of {}", names.join(", "));
    if verbs.is_empty() {
        return Err(usage());
    }
    if let Some(unknown) = verbs.iter().find(|verb| !names.contains(&verb.as_str())) {
        return Err(format!("unknown verb `{unknown}`; {}", usage()));
    }
    let tree = Tree::read(root)?;
    let chosen = CHECKS.iter().filter(|(name, _)| verbs.iter().any(|verb| verb == name));
    Ok(chosen.flat_map(|(_, check)| check(&tree)).collect())
}

fn report(findings: &[Finding]) -> ExitCode {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort();
    for finding in &sorted {
        say(&finding.to_string());
    }
    let faults = findings.iter().filter(|finding| finding.is_fault()).count();
    if faults == 0 {
        return ExitCode::SUCCESS;
    }
    say(&format!("{faults} faults"));
    ExitCode::FAILURE
}

/// A closed pipe behind us is no reason to fail differently.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_verb_is_refused_with_the_known_ones() {
        let error = run(&["layers".into(), "tidyy".into()], &root()).unwrap_err();
        assert!(error.contains("`tidyy`") && error.contains("layers, circles, tidy"), "{error}");
        assert!(run(&[], &root()).unwrap_err().starts_with("usage"));
    }
}
