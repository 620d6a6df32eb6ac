use std::fmt;

use axum::http::{HeaderMap, header};

use crate::error::ServerError;

/// The environment variable that holds the token.
pub const TOKEN_VARIABLE: &str = "LAPWING_TOKEN";
/// The cookie that remembers the token in a browser.
pub const TOKEN_COOKIE: &str = "lapwing_token";

/// Shorter ones can be guessed.
const TOKEN_LENGTH_MIN: usize = 16;
/// Longer ones do not fit comfortably into a link.
const TOKEN_LENGTH_MAX: usize = 256;
/// The names by which a browser on this machine calls it.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// A secret that opens the page and the API. It is never printed.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes a token whose characters pass unchanged through a header, a cookie and a link.
    /// Errors: `TokenUnusable`.
    pub fn new(text: &str) -> Result<Self, ServerError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let fault = match text.len() {
            0..TOKEN_LENGTH_MIN => Some("it is too short"),
            TOKEN_LENGTH_MIN..=TOKEN_LENGTH_MAX if text.bytes().all(plain) => None,
            TOKEN_LENGTH_MIN..=TOKEN_LENGTH_MAX => Some("it has a character that a link cannot carry"),
            _ => Some("it is too long"),
        };
        match fault {
            Some(fault) => Err(ServerError::TokenUnusable { fault }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Reads [`TOKEN_VARIABLE`]; `None` if it is not set. Errors: `TokenUnusable`.
    #[expect(
        clippy::disallowed_methods,
        reason = "a secret comes from the environment, so that no file and no process list shows it"
    )]
    pub fn from_environment() -> Result<Option<Self>, ServerError> {
        match std::env::var(TOKEN_VARIABLE) {
            Ok(text) => Self::new(&text).map(Some),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(ServerError::TokenUnusable { fault: "it is not text" }),
        }
    }

    /// Whether `offered` is this token, in a time that does not tell how much of it is right.
    fn matches(&self, offered: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), offered.as_bytes());
        let difference = own.iter().zip(other).fold(0, |seen, (a, b)| seen | (a ^ b));
        own.len() == other.len() && difference == 0
    }

    /// The header that makes a browser remember the token. Scripts cannot read it (`HttpOnly`); `Lax` and not `Strict`,
    /// because a link clicked in a chat must still open the page.
    pub(crate) fn cookie(&self) -> String {
        format!("{TOKEN_COOKIE}={}; Path=/; HttpOnly; SameSite=Lax", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What guards the routes of one server.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Asked for wherever it is set.
    pub token: Option<Token>,
    /// Whether only this machine can connect.
    pub loopback: bool,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer it.
    Allowed,
    /// Remember the token of the link in a cookie and go on without it, so that it stays in no history.
    Remember,
    /// Another site's name leads here: a browser is being tricked into reading loopback (DNS rebinding).
    WrongHost,
    /// No token, or a wrong one.
    Unauthorised,
}

impl Guard {
    /// Decides over one request. The health routes need no token: whoever probes them has none.
    pub fn judge(&self, path: &str, query: Option<&str>, headers: &HeaderMap) -> Verdict {
        if self.loopback && !headers.get(header::HOST).is_some_and(|host| is_loopback_name(host.as_bytes())) {
            return Verdict::WrongHost;
        }
        if path.starts_with("/health/") || self.is_authorised(headers) {
            return Verdict::Allowed;
        }
        let link = (path == "/").then(|| token_of_link(query.unwrap_or_default())).flatten();
        match (&self.token, link) {
            (Some(token), Some(offered)) if token.matches(offered) => Verdict::Remember,
            _ => Verdict::Unauthorised,
        }
    }

    /// Whether the headers carry the token, or none is asked for.
    pub fn is_authorised(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        bearer(headers).is_some_and(|offered| token.matches(offered))
            || cookies(headers).any(|offered| token.matches(offered))
    }
}

fn is_loopback_name(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    LOOPBACK_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == TOKEN_COOKIE)
        .map(|(_, value)| value)
}

/// A token needs no percent-decoding: [`Token::new`] refuses what a link would have to encode.
fn token_of_link(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const SECRET: &str = "correct-horse-battery";

    fn guard(loopback: bool, token: Option<&str>) -> Guard {
        Guard { token: token.map(|t| Token::new(t).unwrap()), loopback }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn only_names_of_this_machine_pass_on_loopback() {
        let guard = guard(true, None);
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]", "[::1]:8080", "LOCALHOST:80"] {
            assert_eq!(guard.judge("/", None, &headers(&[("host", host)])), Verdict::Allowed, "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "::1", "localhost:", "a:b:80"]
        {
            assert_eq!(guard.judge("/", None, &headers(&[("host", host)])), Verdict::WrongHost, "{host}");
        }
        assert_eq!(guard.judge("/", None, &headers(&[])), Verdict::WrongHost);
    }

    #[test]
    fn a_token_is_taken_from_the_header_the_cookie_and_the_link() {
        let guard = guard(false, Some(SECRET));
        let bearer = format!("Bearer {SECRET}");
        let cookie = format!("other=1; lapwing_token={SECRET}");
        let link = format!("a=1&token={SECRET}");
        assert_eq!(guard.judge("/api/alerts", None, &headers(&[("authorization", &bearer)])), Verdict::Allowed);
        assert_eq!(guard.judge("/", None, &headers(&[("cookie", &cookie)])), Verdict::Allowed);
        assert_eq!(guard.judge("/", Some(&link), &headers(&[])), Verdict::Remember);
        assert_eq!(guard.judge("/api/alerts", Some(&link), &headers(&[])), Verdict::Unauthorised);
        assert_eq!(guard.judge("/health/live", None, &headers(&[])), Verdict::Allowed);
    }

    #[test]
    fn a_wrong_or_partial_token_is_refused() {
        let guard = guard(false, Some(SECRET));
        for offered in ["", "correct-horse-batterx", "correct-horse-batter", "correct-horse-battery1"] {
            let bearer = format!("Bearer {offered}");
            assert_eq!(guard.judge("/", None, &headers(&[("authorization", &bearer)])), Verdict::Unauthorised);
            assert_eq!(guard.judge("/", Some(&format!("token={offered}")), &headers(&[])), Verdict::Unauthorised);
        }
    }

    #[test]
    fn a_token_that_is_weak_or_needs_encoding_is_unusable_and_none_is_printed() {
        for text in ["abc-abc", "has a blank in the middle", "semi;colon-semi;colon", &"x".repeat(257)] {
            let error = Token::new(text).unwrap_err();
            assert!(matches!(error, ServerError::TokenUnusable { .. }), "{text}");
            assert!(!error.to_string().contains(text), "{error}");
        }
        assert_eq!(format!("{:?}", Token::new(SECRET).unwrap()), "Token(…)");
    }
}
