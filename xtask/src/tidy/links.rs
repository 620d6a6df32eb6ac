use crate::fault::Finding;
use crate::tree::Tree;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.files.iter().filter(|(path, _)| path.ends_with(".md"));
    documents.flat_map(|(path, text)| check_document(tree, path, text)).collect()
}

fn check_document(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let broken = targets(text).into_iter().filter(|(_, target)| {
        let file = target.split(['#', '?']).next().unwrap_or_default();
        !file.is_empty() && resolve(path, file).is_none_or(|resolved| !resolved.is_empty() && !tree.holds(&resolved))
    });
    broken.map(|(line, target)| Finding::fault(path, line, format!("link to `{target}`, which is not there"))).collect()
}

/// Relative targets of `[text](target)` and `[name]: target`, outside of code, with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code {
            continue;
        }
        let prose = without_code(line);
        let inline = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let named = prose.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target.trim());
        let relative = inline.chain(named).filter(|target| !is_elsewhere(target));
        found.extend(relative.map(|target| (index + 1, target.trim_matches(['<', '>']).to_owned())));
    }
    found
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

fn is_elsewhere(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

/// The path from the root of the repository; `None` if it leads out of it.
fn resolve(document: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => document.split('/').collect(),
    };
    parts.pop();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let files = [("docs/a.md", text), ("docs/b.md", ""), ("README.md", ""), ("crates/x/src/lib.rs", "")];
        check(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text =
            "[b](b.md) [r](../README.md#top) [d](../crates/x) [w](https://x.y/z) [h](#here) [root](..)\n[n]: b.md\n";
        assert_eq!(faults(text), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_named_and_code_is_no_link() {
        let found = faults(
            "`[x](none.md)`\n```\n[x](none.md)\n```\n[a](b.md) and [b](none.md)\n[out](../../etc)\n[n]: gone.md\n",
        );
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0], "docs/a.md:5: link to `none.md`, which is not there");
    }
}
