use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::role::Role;
use crate::chance::{generator, log_normal};
use crate::schema::host_id;

/// Seed of the shipped reference table, and of the scenario unless another is given.
pub const DEFAULT_SEED: u64 = 7;
/// Number of hosts in the shipped reference table, and in the scenario unless another is given.
pub const DEFAULT_HOSTS: usize = 1000;

const SITES: [&str; 5] = ["amsterdam", "dublin", "frankfurt", "madrid", "warsaw"];
const CRITICALITIES: [&str; 3] = ["low", "medium", "high"];
/// Streams of the generator below this number belong to the scenario itself; hosts have one each above.
const FIRST_STREAM: u64 = 1 << 32;
/// Partners that a host usually talks to.
pub(crate) const PEERS: usize = 12;

/// One host of the scenario.
#[derive(Clone, Debug)]
pub struct Host {
    /// Name, and key of its events.
    pub id: String,
    /// What it is for.
    pub role: Role,
    /// Where it stands.
    pub site: &'static str,
    /// How much depends on it: `low`, `medium` or `high`.
    pub criticality: &'static str,
    pub(crate) address: [u8; 4],
    /// Mean rate, relative to other hosts.
    pub(crate) weight: f64,
    /// Bytes relative to what is usual for its role.
    pub(crate) size: f64,
    /// Connections within two seconds, typically.
    pub(crate) count: f64,
    pub(crate) peers: [[u8; 4]; PEERS],
}

impl Host {
    fn new(seed: u64, index: usize) -> Self {
        let mut rng = generator(seed, FIRST_STREAM + index as u64);
        let role = draw_role(&mut rng);
        let site = SITES[rng.random_range(0..SITES.len() as u32) as usize];
        let criticality = CRITICALITIES[draw_criticality(&mut rng, role)];
        let profile = role.profile();
        Self {
            id: host_id(index),
            role,
            site,
            criticality,
            address: [10, (index >> 16) as u8, (index >> 8) as u8, index as u8],
            weight: log_normal(&mut rng, profile.rate, 0.5),
            size: log_normal(&mut rng, profile.size, 0.3),
            count: log_normal(&mut rng, profile.count, 0.25),
            peers: std::array::from_fn(|_| outside(&mut rng)),
        }
    }

    /// Bytes that it usually sends in one connection: the mean of its services' medians.
    pub(crate) fn usual_src_bytes(&self) -> f64 {
        let services = self.role.profile().services;
        services.iter().map(|(service, weight)| service.src_bytes * f64::from(*weight)).sum::<f64>() / 100.0 * self.size
    }
}

/// An address outside the site. Source: RFC 2544, the range set aside for benchmarks.
pub(crate) fn outside(rng: &mut ChaCha8Rng) -> [u8; 4] {
    let [_, low, c, d] = rng.random::<u32>().to_be_bytes();
    [198, 18 + (low & 1), c, d]
}

fn draw_role(rng: &mut ChaCha8Rng) -> Role {
    let mut rest = rng.random_range(0..100_u32);
    for role in Role::ALL {
        let percent = role.profile().hosts_percent;
        if rest < percent {
            return role;
        }
        rest -= percent;
    }
    Role::Workstation
}

/// Servers matter more than desks, desks more than sensors; one host in four differs from its role's rule.
fn draw_criticality(rng: &mut ChaCha8Rng, role: Role) -> usize {
    let usual = match role {
        Role::Iot => 0,
        Role::Workstation | Role::File => 1,
        Role::Web | Role::Database | Role::Mail | Role::Dns | Role::Gateway => 2,
    };
    match rng.random_range(0..8_u32) {
        0 => usual.max(1) - 1,
        1 => (usual + 1).min(2),
        _ => usual,
    }
}

/// The hosts of a seed. A smaller number gives the first ones of a larger.
pub fn hosts(seed: u64, count: usize) -> Vec<Host> {
    (0..count).map(|index| Host::new(seed, index)).collect()
}

/// The reference table of a scenario's hosts: `host_id,role,site,criticality`, with a header.
pub fn hosts_csv(seed: u64, count: usize) -> String {
    let mut table = String::from("host_id,role,site,criticality\n");
    for host in hosts(seed, count) {
        table.extend([&host.id, ",", host.role.name(), ",", host.site, ",", host.criticality, "\n"]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_hosts_are_the_first_of_more() {
        assert!(hosts_csv(3, 200).starts_with(&hosts_csv(3, 50)));
        assert_ne!(hosts_csv(3, 50), hosts_csv(4, 50));
    }

    #[test]
    fn every_role_is_there_about_as_often_as_stated() {
        let hosts = hosts(DEFAULT_SEED, DEFAULT_HOSTS);
        for role in Role::ALL {
            let seen = hosts.iter().filter(|host| host.role == role).count() as f64;
            let stated = f64::from(role.profile().hosts_percent) * 10.0;
            assert!((seen - stated).abs() < 4.0 * stated.sqrt(), "{} {seen}", role.name());
        }
    }
}
