use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use lapwing_server::{Options, Overview, RaisedAlert, Server, ServerError, Watch};

use crate::support::{get, serve, still};

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let first = serve(still(), None);
    let error = Server::start(Options { address: first.address(), token: None }, still()).unwrap_err();
    assert!(matches!(error, ServerError::PortInUse { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&first.address().port().to_string()) && text.contains("port 0"), "{text}");
}

#[test]
fn an_address_of_another_machine_cannot_be_listened_on() {
    let token = lapwing_server::Token::new("sixteen-letters-or-more").unwrap();
    let options = Options { address: ([192, 0, 2, 1], 0).into(), token: Some(token) };
    let error = Server::start(options, still()).unwrap_err();
    assert!(matches!(error, ServerError::Bind { .. }), "{error}");
}

#[test]
fn a_stopped_server_has_given_its_port_back() {
    let server = serve(still(), None);
    let address = server.address();
    assert_eq!(get(&server, "/health/live").status, 200);
    server.stop();
    assert!(TcpStream::connect(address).is_err());
    let again = Server::start(Options { address, token: None }, still()).unwrap();
    assert_eq!(get(&again, "/health/live").status, 200);
}

#[test]
fn a_connection_that_only_waits_does_not_hold_up_the_stop() {
    let server = serve(still(), None);
    let mut silent = TcpStream::connect(server.address()).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    silent.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut start = [0; 12];
    silent.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let mut half = TcpStream::connect(server.address()).unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHost: loc").unwrap();
    server.stop();
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).unwrap();
}

/// Says that it was asked, and answers when it is let.
struct Slow {
    asked: mpsc::SyncSender<()>,
    answer: Mutex<mpsc::Receiver<()>>,
}

impl Watch for Slow {
    fn overview(&self) -> Overview {
        self.asked.send(()).unwrap();
        self.answer.lock().unwrap().recv().unwrap();
        Overview { pipeline: "slow".into(), ..Overview::default() }
    }

    fn alerts(&self, _limit: usize) -> Vec<RaisedAlert> {
        Vec::new()
    }

    fn metrics(&self) -> String {
        String::new()
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn a_request_under_way_is_answered_before_the_server_stops() {
    let (asked, was_asked) = mpsc::sync_channel(1);
    let (let_go, answer) = mpsc::channel();
    let server = serve(Arc::new(Slow { asked, answer: Mutex::new(answer) }), None);
    let address = server.address();
    let request = "GET /api/overview HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let client = std::thread::spawn(move || crate::support::exchange(address, request));
    was_asked.recv().unwrap();
    let stopper = std::thread::spawn(move || server.stop());
    let_go.send(()).unwrap();
    stopper.join().unwrap();
    let answer = client.join().unwrap();
    assert_eq!((answer.status, &answer.json()["pipeline"]), (200, &"slow".into()));
}
