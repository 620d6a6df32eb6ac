use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::connection::{Connection, Content, Flag};
use super::hosts::Host;
use super::role::Profile;
use super::service::{Protocol, Service};
use super::window::{HOST_COUNT_MAX, Surroundings};
use crate::chance::{log_normal, one_of};

/// One event in so many happens in a bad moment of the network: errors rise though nothing is wrong.
const BAD_MOMENT: f64 = 0.01;

/// Draws a connection of an ordinary day.
pub(crate) fn ordinary(host: &Host, rng: &mut ChaCha8Rng) -> Connection {
    let profile = host.role.profile();
    let service = draw_service(profile, rng);
    let surroundings = surroundings(host, rng);
    let flag = draw_flag(service, surroundings.s_error, surroundings.r_error, rng);
    let (src_bytes, dst_bytes) = draw_bytes(host, service, flag, rng);
    let duration_seconds = draw_duration(profile, flag, rng);
    let (src_ip, dst_ip) = ends(host, rng);
    Connection {
        src_ip,
        dst_ip,
        dst_port: service.port,
        service,
        flag,
        duration_seconds,
        src_bytes,
        dst_bytes,
        content: draw_content(service, flag, rng),
        window: surroundings.draw(rng, flag.is_s_error(), flag.is_r_error()),
    }
}

/// Caller and called: the host and one of its usual partners.
pub(crate) fn ends(host: &Host, rng: &mut ChaCha8Rng) -> ([u8; 4], [u8; 4]) {
    let peer = *one_of(rng, &host.peers);
    if host.role.profile().opens { (host.address, peer) } else { (peer, host.address) }
}

/// A service of the role's mix.
pub(crate) fn draw_service(profile: &Profile, rng: &mut ChaCha8Rng) -> &'static Service {
    let mut rest = rng.random_range(0..100_u32);
    let mix = profile.services;
    let found = mix.iter().find(|(_, weight)| {
        let found = rest < *weight;
        rest = rest.saturating_sub(*weight);
        found
    });
    found.map_or(mix[0].0, |(service, _)| service)
}

/// What surrounds an ordinary connection of the host.
pub(crate) fn surroundings(host: &Host, rng: &mut ChaCha8Rng) -> Surroundings {
    let profile = host.role.profile();
    let strain = if rng.random::<f64>() < BAD_MOMENT { rng.random_range(0.03..0.3) } else { 0.0 };
    // A called host sees all its connections in the host window; a caller spreads them over its partners.
    let host_count = if profile.opens { rng.random_range(8..120) } else { HOST_COUNT_MAX };
    Surroundings {
        count: host.count,
        same_service: if profile.opens { 0.85 } else { 0.94 },
        other_hosts: if profile.opens { 0.15 } else { 0.03 },
        s_error: profile.s_error + strain,
        r_error: profile.r_error + strain / 2.0,
        host_count,
        same_port: 0.02,
    }
}

fn draw_flag(service: &Service, s_error: f64, r_error: f64, rng: &mut ChaCha8Rng) -> Flag {
    if service.protocol != Protocol::Tcp {
        return Flag::Sf;
    }
    let u: f64 = rng.random();
    if u < s_error {
        return if u < 0.7 * s_error { Flag::S0 } else { Flag::S1 };
    }
    let u = u - s_error;
    if u < r_error {
        return *one_of(rng, &[Flag::Rej, Flag::Rej, Flag::Rsto, Flag::Rstr]);
    }
    Flag::Sf
}

fn draw_bytes(host: &Host, service: &Service, flag: Flag, rng: &mut ChaCha8Rng) -> (u64, u64) {
    if flag.is_silent() {
        return (0, 0);
    }
    let spread = host.role.profile().spread;
    let src = log_normal(rng, service.src_bytes * host.size, 0.6 * spread);
    let dst = if service.dst_bytes > 0.0 { log_normal(rng, service.dst_bytes * host.size, spread) } else { 0.0 };
    (src as u64, dst as u64)
}

fn draw_duration(profile: &Profile, flag: Flag, rng: &mut ChaCha8Rng) -> u64 {
    if flag.is_silent() || rng.random::<f64>() >= profile.lasting {
        return 0;
    }
    // Half of the lasting connections end within eight seconds, one in a hundred lasts over five minutes.
    log_normal(rng, 8.0, 1.6) as u64
}

fn draw_content(service: &Service, flag: Flag, rng: &mut ChaCha8Rng) -> Content {
    if flag != Flag::Sf {
        return Content::default();
    }
    let u: f64 = rng.random();
    let mistyped = service.login && u < 0.02;
    Content {
        wrong_fragment: u64::from(service.protocol == Protocol::Udp && u > 0.9995),
        hot: u64::from(service.login && u > 0.95),
        num_failed_logins: u64::from(mistyped),
        logged_in: service.protocol == Protocol::Tcp && u > 0.04,
        num_file_creations: u64::from(service.login && u > 0.985),
        num_access_files: u64::from(service.login && (0.5..0.51).contains(&u)),
        is_guest_login: service.login && (0.6..0.61).contains(&u),
    }
}
