//! What a fault is, and the scene on which it happens.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::{Ending, Protocol, Role, Staff, Terms};
use crate::{KafkaCluster, TcpProxy};

/// One fault of the catalogue: what it needs, and how it happens.
#[derive(Clone, Copy)]
pub struct Fault {
    /// Name in the table.
    pub name: &'static str,
    /// One broker or three.
    pub brokers: usize,
    /// Whether workers reach the brokers through proxies.
    pub is_proxied: bool,
    /// The workers' settings, over those of the suite.
    pub settings: &'static [(&'static str, &'static str)],
    /// How long the load lasts in the short form, seconds; the long form may take longer.
    pub load_secs: f64,
    /// How many of the chunks are poison.
    pub poison_share: f64,
    /// Two feature workers and two scoring workers are hired by the suite; this gives the `AUSCULT_FAULTS` of their
    /// first launches.
    pub launches: fn(&mut SmallRng, Role) -> Vec<String>,
    /// The fault itself, while the load is on.
    pub drive: fn(&mut Scene<'_>) -> Result<()>,
    /// Which endings of workers belong to the fault.
    pub allows: fn(&Ending) -> bool,
}

impl Fault {
    /// A fault in which nothing happens; the catalogue's entries say what is different.
    pub const NONE: Self = Self {
        name: "none",
        brokers: 1,
        is_proxied: false,
        settings: &[],
        load_secs: 12.0,
        poison_share: 0.0,
        launches: |_, _| Vec::new(),
        drive: |_| Ok(()),
        allows: |_| false,
    };
}

/// A run in progress.
pub struct Scene<'a> {
    /// The brokers.
    pub cluster: &'a mut KafkaCluster,
    /// One a broker, where the fault asked for them.
    pub proxies: &'a [TcpProxy],
    /// The workers.
    pub staff: &'a Staff,
    /// How the workers are started.
    pub terms: &'a Terms,
    /// Another usable model.
    pub other_model: PathBuf,
    /// Classic or KIP-848.
    pub protocol: Protocol,
    /// Decides where the fault leaves a choice.
    pub rng: SmallRng,
    /// Whether chunks are still being sent.
    pub is_loading: &'a AtomicBool,
    /// How often a fault is repeated in a run: 1 in the short form.
    pub repeats: u32,
}

impl Scene<'_> {
    /// Whether chunks are still being sent.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.is_loading.load(Ordering::SeqCst)
    }

    /// Lets the load go on for a while.
    pub fn pass(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// A time between these, seconds.
    pub fn between(&mut self, least_secs: f64, most_secs: f64) -> Duration {
        Duration::from_secs_f64(self.rng.random_range(least_secs..most_secs))
    }

    /// One of the workers at work.
    pub fn someone(&mut self) -> String {
        let names = self.staff.names();
        names[self.rng.random_range(0..names.len())].clone()
    }

    /// A random generator that the seed of the run and a number decide.
    #[must_use]
    pub fn seeded(seed: u64, number: u64) -> SmallRng {
        SmallRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number))
    }

    /// Does something again and again, with a pause before each time, for as long as chunks are sent and at most this
    /// long.
    ///
    /// # Errors
    /// What it fails with.
    pub fn while_loading(&mut self, at_most: Duration, mut act: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        let begun = Instant::now();
        while self.is_loading() && begun.elapsed() < at_most {
            act(self)?;
        }
        Ok(())
    }
}
