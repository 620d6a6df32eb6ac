use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use lapwing_server::{HistoryPoint, Options, Overview, RaisedAlert, Server, Token, Watch};
use lapwing_vocabulary::{Alert, AlertStatus, Severity};

/// A token good enough for the server.
pub(crate) const SECRET: &str = "correct-horse-battery-staple";
/// An entity that tries to be markup.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>";

/// A pipeline that stands still: `alerts` of them, ready or not.
pub(crate) struct Still {
    pub(crate) alerts: usize,
    pub(crate) ready: Result<(), String>,
}

impl Watch for Still {
    fn overview(&self) -> Overview {
        let history = vec![HistoryPoint { t: 1_000, events_per_second: 5.0, alerts: 1, latency_ms_p99: None }];
        Overview { pipeline: "still".into(), events_total: 42, history, ..Overview::default() }
    }

    fn alerts(&self, limit: usize) -> Vec<RaisedAlert> {
        (0..self.alerts.min(limit)).map(raised).collect()
    }

    fn metrics(&self) -> String {
        "# TYPE lapwing_events counter\nlapwing_events_total 42\n# EOF\n".to_owned()
    }

    fn ready(&self) -> Result<(), String> {
        self.ready.clone()
    }
}

fn raised(number: usize) -> RaisedAlert {
    let alert = Alert {
        id: format!("a{number}"),
        pipeline: "still".into(),
        kind: "anomaly".into(),
        severity: Severity::Warning,
        entity: HOSTILE.into(),
        event_id: None,
        event_time: "2026-01-01T00:00:00.000000Z".into(),
        summary: "odd".into(),
        score: 0.999,
        threshold: 0.997,
        detectors: vec![],
        contributions: vec![],
        positions: vec![],
        model: "m@1".into(),
        status: AlertStatus::Open,
        window: None,
        lines: Vec::new(),
        templates: Vec::new(),
    };
    RaisedAlert { detected: "2026-01-01T00:00:01.000000Z".into(), latency_ms: Some(12.0), alert }
}

pub(crate) fn still() -> Arc<dyn Watch> {
    Arc::new(Still { alerts: 3, ready: Ok(()) })
}

/// A server on a free loopback port.
pub(crate) fn serve(watch: Arc<dyn Watch>, token: Option<&str>) -> Server {
    let token = token.map(|text| Token::new(text).unwrap());
    Server::start(Options { address: ([127, 0, 0, 1], 0).into(), token }, watch).unwrap()
}

/// One answer, its head in lower case.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Asks for a path as a browser on this machine would.
pub(crate) fn get(server: &Server, path: &str) -> Answer {
    get_with(server, path, &[("Host", "localhost")])
}

/// Asks for a path with just these headers.
pub(crate) fn get_with(server: &Server, path: &str, headers: &[(&str, &str)]) -> Answer {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    exchange(server.address(), &format!("GET {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"))
}

/// Sends raw bytes and reads until the server closes.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}
