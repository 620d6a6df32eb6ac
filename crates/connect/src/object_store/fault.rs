use std::io;

use lapwing_state::StateError;
use object_store::Error;

/// Values that no message may show.
#[derive(Clone, Default)]
pub(super) struct Secrets(pub(super) Vec<String>);

impl Secrets {
    /// A store's answer may repeat what it was sent. It is made one line, too.
    pub(super) fn hide(&self, text: &str) -> String {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let known = self.0.iter().filter(|secret| !secret.is_empty());
        known.fold(line, |line, secret| line.replace(secret.as_str(), "…"))
    }
}

/// Says what was tried on which place, what the store said, and what helps.
pub(super) fn fault(act: &'static str, place: String, error: &Error, secrets: &Secrets) -> StateError {
    let source = io::Error::new(kind(error), secrets.hide(&whole_text(error)));
    StateError::Storage { act, place, source, remedy: remedy(error) }
}

/// The error and its causes, each once: some texts hold their cause already.
fn whole_text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// What a failure of a store asks of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The bucket, folder or file is not there.
    Missing,
    /// The store refuses this client.
    Denied,
    /// It does not answer, or not as it should.
    Unreachable,
}

/// Sorts an error by what helps. Listing has no error of its own for a bucket that is missing or closed, so its answer
/// is looked at.
pub(super) fn meaning(error: &Error) -> Meaning {
    match error {
        Error::NotFound { .. } => Meaning::Missing,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Meaning::Denied,
        Error::Generic { source, .. } => {
            let text = source.to_string();
            let says = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
            if says(&["NoSuchBucket"]) {
                Meaning::Missing
            } else if says(&["401 Unauthorized", "403 Forbidden", "AccessDenied"]) {
                Meaning::Denied
            } else {
                Meaning::Unreachable
            }
        }
        _ => Meaning::Unreachable,
    }
}

fn kind(error: &Error) -> io::ErrorKind {
    match meaning(error) {
        Meaning::Missing => io::ErrorKind::NotFound,
        Meaning::Denied => io::ErrorKind::PermissionDenied,
        Meaning::Unreachable => io::ErrorKind::Other,
    }
}

/// What helps against a failure of a store.
pub(super) fn remedy(error: &Error) -> &'static str {
    match meaning(error) {
        Meaning::Missing => "make the bucket or folder, or mend the state location",
        Meaning::Denied => {
            "check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN) and what they may do there"
        }
        Meaning::Unreachable => {
            "check that the store answers at this address, and its region, or point `state` elsewhere"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listing_answers_is_sorted_by_what_helps() {
        let cases = [
            ("404 Not Found: <Code>NoSuchBucket</Code>", Meaning::Missing),
            ("403 Forbidden: <Code>InvalidAccessKeyId</Code>", Meaning::Denied),
            ("error sending request", Meaning::Unreachable),
        ];
        for (text, expected) in cases {
            assert_eq!(meaning(&Error::Generic { store: "S3", source: text.into() }), expected, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_place_and_remedy_and_hides_the_secret_it_repeats() {
        let answer = Error::PermissionDenied { path: "p".into(), source: "bad key hunter2".into() };
        let secrets = Secrets(vec!["hunter2".into(), String::new()]);
        let text = fault("write snapshot", "s3://b/p".into(), &answer, &secrets).to_string();
        assert!(text.contains("s3://b/p") && text.contains("AWS_ACCESS_KEY_ID"), "{text}");
        assert!(text.contains("bad key …") && !text.contains("hunter2"), "{text}");
    }
}
