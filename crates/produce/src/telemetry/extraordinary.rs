use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::anomaly::{Anomaly, AnomalyKind};
use super::connection::{Connection, Content, Flag};
use super::hosts::{Host, outside};
use super::ordinary::{draw_service, ends, surroundings};
use super::service::{CARRIERS, FLOODED, GUESSED, SCANNED, Service};
use super::window::{HOST_COUNT_MAX, Surroundings};
use crate::chance::{log_normal, one_of};

/// What stays the same throughout one anomaly: drawn once, when it is planned.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) anomaly: Anomaly,
    /// The stranger at the other end.
    stranger: [u8; 4],
    /// The service attacked or used.
    service: &'static Service,
    /// Share of refusals among a dead host's failures: a dead machine is silent, a dead service refuses.
    refused: f64,
}

impl Story {
    pub(crate) fn new(anomaly: Anomaly, rng: &mut ChaCha8Rng) -> Self {
        let services: &[&'static Service] = match anomaly.kind {
            AnomalyKind::PortScan | AnomalyKind::DeadHost => &SCANNED,
            AnomalyKind::SynFlood => &FLOODED,
            AnomalyKind::Exfiltration => &CARRIERS,
            AnomalyKind::BruteForce => &GUESSED,
        };
        let service = *one_of(rng, services);
        let refused = *one_of(rng, &[0.0, 0.0, 0.2, 1.0]);
        Self { anomaly, stranger: outside(rng), service, refused }
    }

    /// Draws a connection of the anomaly; `made` is how many it has made before.
    pub(crate) fn connection(&self, host: &Host, made: u64, rng: &mut ChaCha8Rng) -> Connection {
        match self.anomaly.kind {
            AnomalyKind::PortScan => self.scan(host, made, rng),
            AnomalyKind::SynFlood => self.flood(host, rng),
            AnomalyKind::Exfiltration => self.exfiltrate(host, made, rng),
            AnomalyKind::BruteForce => self.guess(host, made, rng),
            AnomalyKind::DeadHost => self.fail(host, rng),
        }
    }

    fn scan(&self, host: &Host, made: u64, rng: &mut ChaCha8Rng) -> Connection {
        use Flag::{Rej, Rstr, S0, Sh};
        let severity = self.anomaly.severity;
        let service = *one_of(rng, &SCANNED);
        let flag = *one_of(rng, &[Rej, Rej, Rej, Rej, Rej, Rej, Rej, S0, Rstr, Sh]);
        let around = Surroundings {
            // A patient scanner stays below any limit on connections in two seconds.
            count: 4.0 + 250.0 * severity * severity,
            same_service: 0.03,
            other_hosts: 0.1,
            s_error: 0.2,
            r_error: 0.75,
            host_count: seen(made, 30),
            same_port: 0.3 * severity,
        };
        let src_bytes = if flag == Rstr { rng.random_range(0..8) } else { 0 };
        let mut connection = self.towards_host(host, service, flag, around, rng);
        connection.src_bytes = src_bytes;
        connection.dst_port = if rng.random() { service.port } else { rng.random_range(1..=u16::MAX) };
        connection
    }

    fn flood(&self, host: &Host, rng: &mut ChaCha8Rng) -> Connection {
        let severity = self.anomaly.severity;
        let around = Surroundings {
            count: 60.0 + 450.0 * severity,
            same_service: 0.97,
            other_hosts: 0.0,
            s_error: 0.94 + 0.06 * severity,
            r_error: 0.0,
            host_count: HOST_COUNT_MAX,
            same_port: 0.0,
        };
        let mut connection = self.towards_host(host, self.service, Flag::S0, around, rng);
        // The sources of a flood are forged.
        connection.src_ip = outside(rng);
        connection
    }

    fn exfiltrate(&self, host: &Host, made: u64, rng: &mut ChaCha8Rng) -> Connection {
        let times_usual = 20.0 * 10_f64.powf(self.anomaly.severity);
        let around = Surroundings {
            count: 1.0 + 2.0 * self.anomaly.severity,
            same_service: 0.98,
            other_hosts: 0.0,
            s_error: 0.0,
            r_error: 0.005,
            host_count: seen(made, 1),
            same_port: 0.05,
        };
        // Between 20 and 200 times the usual, whatever the single draw.
        let times = log_normal(rng, times_usual, 0.25).clamp(20.0, 200.0);
        let sent = host.usual_src_bytes() * times;
        Connection {
            src_ip: host.address,
            dst_ip: self.stranger,
            dst_port: self.service.port,
            service: self.service,
            flag: Flag::Sf,
            duration_seconds: log_normal(rng, 2.0 + 20.0 * self.anomaly.severity, 0.7) as u64,
            src_bytes: sent.ceil() as u64,
            dst_bytes: log_normal(rng, 150.0, 0.5) as u64,
            content: Content { logged_in: true, ..Content::default() },
            window: around.draw(rng, false, false),
        }
    }

    fn guess(&self, host: &Host, made: u64, rng: &mut ChaCha8Rng) -> Connection {
        let severity = self.anomaly.severity;
        let flag = *one_of(rng, &[Flag::Sf, Flag::Sf, Flag::Sf, Flag::Rsto]);
        let around = Surroundings {
            count: 2.0 + 40.0 * severity,
            same_service: 0.99,
            other_hosts: 0.0,
            s_error: 0.0,
            r_error: 0.25,
            host_count: seen(made, 5),
            same_port: 0.1,
        };
        let failed = 1 + rng.random_range(0..=(1.0 + 3.0 * severity) as u64);
        let mut connection = self.towards_host(host, self.service, flag, around, rng);
        connection.duration_seconds = rng.random_range(0..=3);
        connection.src_bytes = log_normal(rng, 125.0, 0.1) as u64;
        connection.dst_bytes = log_normal(rng, 190.0, 0.1) as u64;
        connection.content.num_failed_logins = failed;
        connection.content.hot = rng.random_range(0..=1);
        connection
    }

    fn fail(&self, host: &Host, rng: &mut ChaCha8Rng) -> Connection {
        let service = draw_service(host.role.profile(), rng);
        let failing = failing_share(self.anomaly.severity);
        let flag = if rng.random::<f64>() < self.refused { Flag::Rej } else { Flag::S0 };
        let around = Surroundings {
            s_error: failing * (1.0 - self.refused),
            r_error: failing * self.refused,
            ..surroundings(host, rng)
        };
        let (src_ip, dst_ip) = ends(host, rng);
        let mut connection = self.towards_host(host, service, flag, around, rng);
        (connection.src_ip, connection.dst_ip) = (src_ip, dst_ip);
        connection
    }

    /// A connection from the stranger to the host that moves no bytes.
    fn towards_host(
        &self,
        host: &Host,
        service: &'static Service,
        flag: Flag,
        around: Surroundings,
        rng: &mut ChaCha8Rng,
    ) -> Connection {
        Connection {
            src_ip: self.stranger,
            dst_ip: host.address,
            dst_port: service.port,
            service,
            flag,
            duration_seconds: 0,
            src_bytes: 0,
            dst_bytes: 0,
            content: Content::default(),
            window: around.draw(rng, flag.is_s_error(), flag.is_r_error()),
        }
    }
}

/// Share of a dead host's connections that fail.
pub(crate) fn failing_share(severity: f64) -> f64 {
    0.6 + 0.4 * severity
}

/// Connections that the host window has seen of an anomaly which began with `first`.
fn seen(made: u64, first: u64) -> u32 {
    made.saturating_add(first).min(u64::from(HOST_COUNT_MAX)) as u32
}
