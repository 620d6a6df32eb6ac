use regex::bytes::{Regex, RegexBuilder};

use crate::error::ProduceError;

/// Most memory of a compiled pattern, and of the tables made while it is used: patterns come from outside. Units:
/// bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;
const TABLE_BYTES_MAX: usize = 8 << 20;
/// Most keys of one line, each of which makes a record.
pub(crate) const KEYS_MAX: usize = 1_000;
/// Longest key. Units: bytes.
pub(crate) const KEY_BYTES_MAX: usize = 1_024;

/// Compiles a pattern. It takes time linear in the line, whatever the pattern. Errors: `Option`, under the name
/// handed in.
pub(crate) fn compile(option: &'static str, pattern: &str) -> Result<Regex, ProduceError> {
    RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(TABLE_BYTES_MAX)
        .build()
        .map_err(|fault| ProduceError::Option { option, problem: format!("not a regular expression: {fault}") })
}

/// What names the entity, or the several entities, that a raw line is about.
#[derive(Clone, Debug)]
pub(crate) struct KeyPattern {
    regex: Regex,
}

impl KeyPattern {
    /// Errors: `Option`.
    pub(crate) fn new(pattern: &str) -> Result<Self, ProduceError> {
        let regex = compile("key pattern", pattern)?;
        if regex.is_match(b"") {
            let problem = format!("`{pattern}` also matches nothing at all, which is no key; ask for one character");
            return Err(ProduceError::Option { option: "key pattern", problem });
        }
        Ok(Self { regex })
    }

    /// Every key in the line once, in the order in which they come: what the pattern's first group matches, or all of
    /// it if it has none. Says what is wrong with the line.
    pub(crate) fn keys(&self, line: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let found: Box<dyn Iterator<Item = &[u8]>> = if self.regex.captures_len() > 1 {
            let groups = self.regex.captures_iter(line).filter_map(|found| found.get(1));
            Box::new(groups.map(|key| key.as_bytes()))
        } else {
            Box::new(self.regex.find_iter(line).map(|key| key.as_bytes()))
        };
        for found in found.filter(|key| !key.is_empty()) {
            if found.len() > KEY_BYTES_MAX {
                return Err(format!("a key of {} bytes; {KEY_BYTES_MAX} at most", found.len()));
            }
            if keys.iter().any(|key| key == found) {
                continue;
            }
            if keys.len() == KEYS_MAX {
                return Err(format!("more than {KEYS_MAX} keys in one line"));
            }
            keys.push(found.to_vec());
        }
        if keys.is_empty() {
            return Err(format!("no key: nothing in it matches `{}`", self.regex));
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_comes_once_in_the_order_of_the_line() {
        let pattern = KeyPattern::new(r"blk_-?\d+").unwrap();
        let keys = pattern.keys(b"ask \xff to delete blk_9 blk_-3 blk_9 /data/blk_9").unwrap();
        assert_eq!(keys, [b"blk_9".to_vec(), b"blk_-3".to_vec()]);
        let grouped = KeyPattern::new(r"user=(\w+)").unwrap();
        assert_eq!(grouped.keys(b"user=ann user=bob user=ann").unwrap(), [b"ann".to_vec(), b"bob".to_vec()]);
        assert_eq!(pattern.keys(b"blk_").unwrap_err(), r"no key: nothing in it matches `blk_-?\d+`");
    }

    #[test]
    fn keys_are_bounded_in_number_and_length() {
        let pattern = KeyPattern::new(r"\w+").unwrap();
        let many: String = (0..=KEYS_MAX).map(|number| format!("{number} ")).collect();
        assert_eq!(pattern.keys(many.as_bytes()).unwrap_err(), "more than 1000 keys in one line");
        let long = "x".repeat(KEY_BYTES_MAX + 1);
        assert_eq!(pattern.keys(long.as_bytes()).unwrap_err(), "a key of 1025 bytes; 1024 at most");
        assert_eq!(pattern.keys(&long.as_bytes()[1..]).unwrap().len(), 1);
    }

    #[test]
    fn patterns_that_are_none_or_too_large_or_match_nothing_are_refused() {
        for pattern in ["(", r"\d*", "(a{1000}){1000}"] {
            let refused = KeyPattern::new(pattern).unwrap_err();
            assert!(matches!(refused, ProduceError::Option { option: "key pattern", .. }), "{refused}");
        }
    }
}
