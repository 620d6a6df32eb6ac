/// Rust: sizes and leftovers.
mod rust;
/// Any text: blanks, hidden characters, words.
mod text;
/// Manifests: lints and descriptions.
mod manifest;
/// Links between documents.
mod links;

use crate::fault::Finding;
use crate::tree::Tree;

/// Everything that is not about layers or circles.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    [rust::check, text::check, manifest::check, links::check].iter().flat_map(|check| check(tree)).collect()
}
