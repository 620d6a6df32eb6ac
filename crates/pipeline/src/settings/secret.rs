use std::fmt;

/// Shown in place of a secret.
pub(super) const MASK: &str = "***";
/// A key that contains one of these holds a secret.
pub(super) const SENSITIVE: [&str; 4] = ["password", "secret", "jaas", "key.pem"];

/// Whether the value of this key must not be shown.
pub(super) fn is_sensitive(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SENSITIVE.iter().any(|word| key.contains(word))
}

/// A value that is never shown: its text forms are `***`, or the variable it comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    shown: String,
}

impl Secret {
    /// A secret shown as `***`.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), shown: MASK.to_owned() }
    }

    /// A secret that is shown as the text it was made from, `${NAME}`.
    pub(super) fn shown_as(value: String, shown: &str) -> Self {
        Self { value, shown: shown.to_owned() }
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.shown)
    }
}
