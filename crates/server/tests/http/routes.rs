use std::sync::Arc;

use crate::support::{HOSTILE, Still, exchange, get, serve, still};

#[test]
fn the_page_and_all_it_loads_come_from_the_server_under_a_strict_policy() {
    let server = serve(still(), None);
    for (path, kind) in [
        ("/", "text/html"),
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/charts.js", "text/javascript"),
        ("/alerts.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = get(&server, path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.head.contains(&format!("content-type: {kind}")), "{path}: {}", answer.head);
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
        ] {
            assert!(answer.head.contains(header), "{path} lacks {header}");
        }
        assert!(!answer.head.contains("unsafe-inline"), "{path}");
    }
}

#[test]
fn the_overview_is_json() {
    let answer = get(&serve(still(), None), "/api/overview");
    assert_eq!(answer.status, 200);
    let overview = answer.json();
    assert_eq!((&overview["pipeline"], &overview["events_total"]), (&"still".into(), &42.into()));
    assert_eq!(overview["history"][0]["t"], 1_000);
    assert!(overview["model"].is_null() && overview["latency_ms"].is_null() && overview["quality"].is_null());
}

#[test]
fn an_alert_stands_beside_the_moment_it_was_raised() {
    let answer = get(&serve(still(), None), "/api/alerts?limit=2");
    let alerts = answer.json()["alerts"].as_array().unwrap().clone();
    assert_eq!(alerts.len(), 2);
    assert_eq!((&alerts[0]["id"], &alerts[0]["type"]), (&"a0".into(), &"anomaly".into()));
    assert_eq!((&alerts[0]["severity"], &alerts[0]["latency_ms"]), (&"warning".into(), &12.0.into()));
    assert_eq!(alerts[0]["detected"], "2026-01-01T00:00:01.000000Z");
}

#[test]
fn an_entity_that_looks_like_markup_travels_as_json_that_no_browser_renders() {
    let answer = get(&serve(still(), None), "/api/alerts");
    assert_eq!(answer.json()["alerts"][0]["entity"], HOSTILE);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    assert!(answer.head.contains("nosniff"));
}

#[test]
fn a_limit_that_makes_no_sense_is_refused_as_json() {
    let server = serve(Arc::new(Still { alerts: 1_500, ready: Ok(()) }), None);
    for (query, word) in [
        ("limit=0", "1..=1000"),
        ("limit=1001", "1..=1000"),
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("lmit=1", "lmit"),
    ] {
        let answer = get(&server, &format!("/api/alerts?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(word), "{query}: {error}");
    }
    assert_eq!(get(&server, "/api/alerts").json()["alerts"].as_array().unwrap().len(), 100);
    assert_eq!(get(&server, "/api/alerts?limit=1000").json()["alerts"].as_array().unwrap().len(), 1_000);
}

#[test]
fn metrics_are_openmetrics_text() {
    let answer = get(&serve(still(), None), "/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", answer.head);
    assert!(answer.body.contains("lapwing_events_total 42\n"), "{}", answer.body);
    assert!(answer.body.ends_with("# EOF\n"));
}

#[test]
fn health_tells_live_from_ready() {
    let server = serve(Arc::new(Still { alerts: 0, ready: Err("waiting for partitions".into()) }), None);
    assert_eq!(get(&server, "/health/live").status, 200);
    let answer = get(&server, "/health/ready");
    assert_eq!((answer.status, &answer.json()["reason"]), (503, &"waiting for partitions".into()));
    let answer = get(&serve(still(), None), "/health/ready");
    assert_eq!((answer.status, &answer.json()["status"]), (200, &"ready".into()));
}

#[test]
fn an_unknown_path_and_a_write_are_refused_as_json() {
    let server = serve(still(), None);
    let answer = get(&server, "/nothing");
    assert!(answer.status == 404 && answer.json()["error"].is_string(), "{}", answer.body);
    let post = "POST /api/alerts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    let answer = exchange(server.address(), post);
    assert!(answer.status == 405 && answer.json()["error"].is_string(), "{}", answer.body);
}

#[test]
fn requests_larger_than_any_honest_one_are_refused() {
    let server = serve(still(), None);
    let long = get(&server, &format!("/api/alerts?limit={}", "1".repeat(4_000)));
    assert_eq!(long.status, 414);
    for announced in ["Content-Length: 1000000000", "Transfer-Encoding: chunked"] {
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{announced}\r\n\r\n");
        let answer = exchange(server.address(), &request);
        assert_eq!(answer.status, 413, "{announced}");
    }
}
