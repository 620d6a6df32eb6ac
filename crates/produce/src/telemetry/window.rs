use rand_chacha::ChaCha8Rng;

use crate::chance::{how_many, log_normal};

/// Largest `count`, and connections that the host window looks back. Source: the ranges of KDD Cup 1999.
const COUNT_MAX: f64 = 511.0;
/// See [`COUNT_MAX`].
pub(crate) const HOST_COUNT_MAX: u32 = 255;

/// The shares that hold around a connection; its window features are samples of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    /// Connections to the same host within two seconds, typically.
    pub(crate) count: f64,
    /// Share of them that go to the same service.
    pub(crate) same_service: f64,
    /// Share of connections to the same service that go to other hosts.
    pub(crate) other_hosts: f64,
    /// Share whose opening was never answered.
    pub(crate) s_error: f64,
    /// Share that was refused or reset.
    pub(crate) r_error: f64,
    /// Connections to the same host among the last 255.
    pub(crate) host_count: u32,
    /// Share of those from the same source port.
    pub(crate) same_port: f64,
}

/// Window features of one connection, by KDD'99's names; rates in hundredths.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    pub(crate) count: u32,
    pub(crate) srv_count: u32,
    pub(crate) serror_rate: u8,
    pub(crate) srv_serror_rate: u8,
    pub(crate) rerror_rate: u8,
    pub(crate) srv_rerror_rate: u8,
    pub(crate) same_srv_rate: u8,
    pub(crate) diff_srv_rate: u8,
    pub(crate) srv_diff_host_rate: u8,
    pub(crate) dst_host_count: u32,
    pub(crate) dst_host_srv_count: u32,
    pub(crate) dst_host_same_srv_rate: u8,
    pub(crate) dst_host_diff_srv_rate: u8,
    pub(crate) dst_host_same_src_port_rate: u8,
    pub(crate) dst_host_srv_diff_host_rate: u8,
    pub(crate) dst_host_serror_rate: u8,
    pub(crate) dst_host_srv_serror_rate: u8,
    pub(crate) dst_host_rerror_rate: u8,
    pub(crate) dst_host_srv_rerror_rate: u8,
}

impl Surroundings {
    /// Draws the window features of a connection that itself ended as told: each window holds that connection too.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng, is_s_error: bool, is_r_error: bool) -> Window {
        let count = log_normal(rng, self.count, 0.5).round().clamp(1.0, COUNT_MAX) as u32;
        let same = 1 + how_many(rng, count - 1, self.same_service);
        let elsewhere = how_many(rng, same, self.other_hosts);
        let srv_count = same + elsewhere;
        let host_count = self.host_count.clamp(1, HOST_COUNT_MAX);
        let host_same = 1 + how_many(rng, host_count - 1, self.same_service);
        let (s, r) = (self.s_error, self.r_error);
        Window {
            count,
            srv_count,
            serror_rate: rate_with(rng, count, s, is_s_error),
            srv_serror_rate: rate_with(rng, srv_count, s, is_s_error),
            rerror_rate: rate_with(rng, count, r, is_r_error),
            srv_rerror_rate: rate_with(rng, srv_count, r, is_r_error),
            same_srv_rate: rate(same, count),
            diff_srv_rate: rate(count - same, count),
            srv_diff_host_rate: rate(elsewhere, srv_count),
            dst_host_count: host_count,
            dst_host_srv_count: host_same,
            dst_host_same_srv_rate: rate(host_same, host_count),
            dst_host_diff_srv_rate: rate(host_count - host_same, host_count),
            dst_host_same_src_port_rate: rate_with(rng, host_count, self.same_port, true),
            dst_host_srv_diff_host_rate: rate_with(rng, host_same, self.other_hosts, false),
            dst_host_serror_rate: rate_with(rng, host_count, s, is_s_error),
            dst_host_srv_serror_rate: rate_with(rng, host_same, s, is_s_error),
            dst_host_rerror_rate: rate_with(rng, host_count, r, is_r_error),
            dst_host_srv_rerror_rate: rate_with(rng, host_same, r, is_r_error),
        }
    }
}

/// The rate among `n` connections, of which one is known and the others are drawn.
fn rate_with(rng: &mut ChaCha8Rng, n: u32, p: f64, this: bool) -> u8 {
    rate(u32::from(this) + how_many(rng, n - 1, p), n)
}

/// `hits` of `n` in hundredths, rounded; `n` is at least 1.
fn rate(hits: u32, n: u32) -> u8 {
    ((hits * 200 + n) / (2 * n)) as u8
}
