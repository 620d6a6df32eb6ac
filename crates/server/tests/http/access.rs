use std::sync::Arc;

use lapwing_server::{Options, Server, ServerError, Token};

use crate::support::{SECRET, Still, get, get_with, serve, still};

#[test]
fn an_address_that_others_reach_needs_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let options = Options { address: address.parse().unwrap(), token: None };
        let error = Server::start(options, still()).unwrap_err();
        assert!(matches!(error, ServerError::AddressNeedsToken { .. }), "{address}: {error}");
        assert!(error.to_string().contains("LAPWING_TOKEN"), "{error}");
    }
}

#[test]
fn with_a_token_every_interface_is_served_under_any_name() {
    let options = Options { address: ([0, 0, 0, 0], 0).into(), token: Some(Token::new(SECRET).unwrap()) };
    let server = Server::start(options, still()).unwrap();
    let bearer = format!("Bearer {SECRET}");
    let known = [("Host", "lapwing.example"), ("Authorization", bearer.as_str())];
    assert_eq!(get_with(&server, "/api/overview", &known).status, 200);
    assert_eq!(get_with(&server, "/api/overview", &[("Host", "lapwing.example")]).status, 401);
}

#[test]
fn without_the_token_only_health_answers_and_says_no_more_than_that() {
    let watch = Arc::new(Still { alerts: 1, ready: Err("waiting for broker-7".into()) });
    let server = serve(watch, Some(SECRET));
    for path in ["/", "/page.js", "/api/overview", "/api/alerts", "/metrics", "/nothing"] {
        let answer = get(&server, path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.head.contains("www-authenticate: bearer"), "{path}");
        assert!(!answer.body.contains("still") && !answer.body.contains(SECRET), "{path}: {}", answer.body);
    }
    assert_eq!(get(&server, "/health/live").status, 200);
    assert!(!get(&server, "/health/ready").body.contains("broker-7"));
    let bearer = format!("Bearer {SECRET}");
    let known = get_with(&server, "/health/ready", &[("Host", "localhost"), ("Authorization", &bearer)]);
    assert!(known.body.contains("broker-7"));
}

#[test]
fn a_link_with_the_token_becomes_a_cookie_and_the_cookie_opens_the_page() {
    let server = serve(still(), Some(SECRET));
    let answer = get(&server, &format!("/?token={SECRET}"));
    assert_eq!(answer.status, 303);
    assert!(answer.head.contains("location: /\r\n"), "the token must not stay in the address: {}", answer.head);
    let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap().to_owned();
    assert!(cookie.contains("httponly") && cookie.contains("samesite=lax"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let answer = get_with(&server, "/", &[("Host", "localhost"), ("Cookie", pair)]);
    assert_eq!(answer.status, 200);
    assert_eq!(get(&server, "/?token=wrong-wrong-wrong-wrong").status, 401);
}

#[test]
fn another_sites_name_for_loopback_is_refused() {
    let server = serve(still(), None);
    let port = server.address().port();
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), "localhost.evil.example".into()] {
        let answer = get_with(&server, "/api/overview", &[("Host", &host)]);
        assert_eq!(answer.status, 421, "{host}");
        assert!(!answer.body.contains("still"), "{host}");
    }
    for host in [format!("127.0.0.1:{port}"), format!("[::1]:{port}"), format!("localhost:{port}")] {
        assert_eq!(get_with(&server, "/api/overview", &[("Host", &host)]).status, 200, "{host}");
    }
}
