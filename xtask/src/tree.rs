use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Every text file of the repository that git does not ignore: path from the root, with `/`, and text.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Text by path.
    pub(crate) files: BTreeMap<String, String>,
    /// Every path, of texts and of others: links may lead to pictures.
    pub(crate) paths: Vec<String>,
}

impl Tree {
    /// Reads what git tracks, and what it would track if it were added.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("list the files of {}: {error}; install git", root.display()))?;
        if !listing.status.success() {
            let said = String::from_utf8_lossy(&listing.stderr).into_owned();
            return Err(format!("list the files of {}: {}; run from a clone", root.display(), said.trim()));
        }
        let mut tree = Self::default();
        for path in String::from_utf8_lossy(&listing.stdout).split('\0').filter(|path| !path.is_empty()) {
            // A tracked file that is deleted but not committed yet is not there to be read.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            tree.paths.push(path.to_owned());
            if let Some(text) = text_of(bytes) {
                tree.files.insert(path.to_owned(), text);
            }
        }
        Ok(tree)
    }

    /// A tree of small strings.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let paths = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Self { files, paths }
    }

    /// The manifests of the packages, with the folder of each: `crates/sql` and `crates/sql/Cargo.toml`.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.files.iter().filter_map(|(path, text)| {
            let folder = path.strip_suffix("/Cargo.toml")?;
            Some((folder, path.as_str(), text.as_str()))
        })
    }

    /// The Rust files below a folder.
    pub(crate) fn rust_below(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        let prefix = format!("{folder}/");
        self.files
            .iter()
            .filter(move |(path, _)| path.starts_with(&prefix) && path.ends_with(".rs"))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Whether a path is a file or a folder of the repository.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.paths.iter().any(|held| held == path || held.starts_with(&folder))
    }
}

/// `None` for pictures, compressed data and other files that are no text.
fn text_of(bytes: Vec<u8>) -> Option<String> {
    if bytes.contains(&0) {
        return None;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_left_out() {
        assert_eq!(text_of(b"caf\xc3\xa9".to_vec()).as_deref(), Some("café"));
        assert_eq!(text_of(b"a\0b".to_vec()), None);
        assert_eq!(text_of(vec![0xff, 0xfe]), None);
    }

    #[test]
    fn a_folder_counts_as_held() {
        let tree = Tree::of(&[("docs/a/b.md", "")]);
        assert!(tree.holds("docs/a") && tree.holds("docs/a/b.md") && !tree.holds("docs/a/b"));
    }
}
