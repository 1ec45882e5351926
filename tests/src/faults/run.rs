//! One fault, some runs of it: cluster, workers, load, the fault, the verdict.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Fault, Role, Scene, Staff, Terms};
use crate::load::{CONTROL_SHARE, Load, LoadSpec, train_model};
use crate::verifier::{Offsets, Verdict, Verifier};
use crate::{ClusterPlan, KafkaCluster, TcpProxy, run_auscult};

/// Machines of a run.
pub const MACHINES: usize = 20;
/// Partitions of every topic.
pub const PARTITIONS: u32 = 4;
/// Bound of a chunk in the suite, so that a poison can be over it.
const MAX_CHUNK_BYTES: usize = 131_072;
/// How long workers may take to be ready, and to catch up after the load has ended.
const READY: Duration = Duration::from_secs(90);
const SETTLED: Duration = Duration::from_secs(180);
const GRACE: Duration = Duration::from_secs(20);

/// How groups share partitions out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Cooperative-sticky.
    Classic,
    /// KIP-848.
    Consumer,
}

impl Protocol {
    /// The name that the worker's configuration has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        }
    }
}

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Runs of each fault and protocol.
    pub runs: u64,
    /// Chunks of a run.
    pub chunks: usize,
    /// How often a fault happens in a run.
    pub repeats: u32,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// How much longer the load lasts than in the short form.
    pub stretch: f64,
    /// Whether what the workers wrote is kept even where nothing was found.
    pub keeps_logs: bool,
}

/// What came of one fault in one protocol.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Runs that came to a verdict.
    pub runs: u64,
    /// Each verdict.
    pub verdicts: Vec<Verdict>,
    /// The longest time without any result of each run, while there was work.
    pub silences: Vec<Duration>,
    /// Workers that ended because of the fault.
    pub endings: usize,
    /// What kept a run from a verdict, or is wrong beside it.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty() && self.verdicts.iter().all(Verdict::is_clean)
    }
}

/// Runs a fault. What the workers wrote is kept where something was found, and the place is told.
///
/// # Errors
/// When the cluster cannot be set up. Whatever happens after that is part of the outcome.
pub fn run(fault: &Fault, protocol: Protocol, scale: Scale, mutation: Option<&str>) -> Result<Outcome> {
    let folder = tempfile::Builder::new().prefix("auscult-faults-").tempdir()?;
    let mut stage = Stage::set_up(fault, protocol, scale, mutation, folder.path())?;
    let mut outcome = Outcome::default();
    for number in 0..scale.runs {
        match stage.run(fault, number) {
            Ok(run) => {
                outcome.runs += 1;
                outcome.endings += run.endings;
                outcome.silences.push(run.silence);
                let mut found = run.failures;
                if !run.verdict.is_clean() {
                    found.push(run.verdict.to_string());
                }
                // A crippled worker is meant to be found out; what is found is told in numbers.
                if !found.is_empty() && mutation.is_none() {
                    outcome.failures.push(format!("run {number} (seed {}):\n{}", scale.seed, found.join("\n")));
                }
                outcome.verdicts.push(run.verdict);
            }
            Err(error) => outcome.failures.push(format!("run {number} (seed {}): {error:#}", scale.seed)),
        }
    }
    if !outcome.failures.is_empty() {
        let kept = folder.keep();
        let brokers = stage.cluster.keep();
        let (workers, brokers) = (kept.display(), brokers.display());
        outcome.failures.push(format!("what the workers wrote is in {workers}, what the brokers hold in {brokers}"));
    } else if scale.keeps_logs {
        println!("{}: what the workers wrote is in {}", fault.name, folder.keep().display());
    }
    Ok(outcome)
}

/// What came of one run.
struct Run {
    verdict: Verdict,
    silence: Duration,
    endings: usize,
    /// What is wrong beside the verdict.
    failures: Vec<String>,
}

/// A cluster with topics and models, for all runs of one fault.
struct Stage {
    cluster: KafkaCluster,
    proxies: Vec<TcpProxy>,
    terms: Terms,
    models: [std::path::PathBuf; 2],
    protocol: Protocol,
    scale: Scale,
    settled_within: Duration,
}

impl Stage {
    fn set_up(fault: &Fault, protocol: Protocol, scale: Scale, mutation: Option<&str>, folder: &Path) -> Result<Self> {
        let mut plan = ClusterPlan::new(fault.brokers)?;
        let mut proxies = Vec::new();
        if fault.is_proxied {
            for port in plan.proxied_ports() {
                proxies.push(TcpProxy::start(port)?);
            }
            let ports: Vec<u16> = proxies.iter().map(TcpProxy::port).collect();
            plan.advertise(&ports);
        }
        let cluster = plan.start()?;
        let replication = fault.brokers.to_string();
        let partitions = PARTITIONS.to_string();
        let create = ["topics", "create", "--partitions", &partitions, "--replication", &replication];
        run_auscult(&cluster.bootstrap(), &create)?;
        let models = [folder.join("model.safetensors"), folder.join("other-model.safetensors")];
        train_model(&models[0], 0)?;
        train_model(&models[1], 1)?;
        // What is swapped under load is a copy, so that the verifier keeps both.
        let served = folder.join("served.safetensors");
        std::fs::copy(&models[0], &served)?;

        let mut settings: Vec<(String, String)> = [
            ("AUSCULT__KAFKA__GROUP_PROTOCOL", protocol.name()),
            ("AUSCULT__KAFKA__SESSION_TIMEOUT_MS", "6000"),
            ("AUSCULT__KAFKA__TRANSACTION_TIMEOUT_MS", "10000"),
            ("AUSCULT__KAFKA__PROPERTIES__TOPIC_METADATA_REFRESH_INTERVAL_MS", "2000"),
            ("AUSCULT__LIMITS__DRAIN_DEADLINE_MS", "3000"),
            ("AUSCULT__LIMITS__MAX_CHUNK_BYTES", "131072"),
            // Some faults abort dozens of transactions in a row on purpose; that workers wait longer and longer is
            // tested elsewhere.
            ("AUSCULT__LIMITS__MAX_ABORT_BACKOFF_MS", "200"),
        ]
        .into_iter()
        .chain(fault.settings.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        settings.extend(mutation.map(|mutation| ("AUSCULT_MUTATION".to_owned(), mutation.to_owned())));
        let brokers = if fault.is_proxied { cluster.proxied_bootstrap() } else { cluster.bootstrap() };
        let terms = Terms { brokers, settings, model: served, folder: folder.to_owned() };
        // A crippled worker loses chunks for good: there is nothing to wait for.
        let settled_within = if mutation.is_some() { SETTLED / 6 } else { SETTLED };
        Ok(Self { cluster, proxies, terms, models, protocol, scale, settled_within })
    }

    fn run(&mut self, fault: &Fault, number: u64) -> Result<Run> {
        let seed = self.scale.seed.wrapping_add(number);
        let kcat = self.cluster.kcat();
        let since = Offsets::now(&kcat)?;
        let load_secs = fault.load_secs * self.scale.stretch;
        let load = Load::plan(&LoadSpec {
            seed,
            machines: MACHINES,
            chunks: self.scale.chunks,
            rate_per_s: self.scale.chunks as f64 / load_secs,
            prefix: format!("run{number}"),
            poison_share: fault.poison_share,
            control_share: CONTROL_SHARE,
        });
        std::fs::copy(&self.models[0], &self.terms.model)?;
        let staff = Staff::new(self.terms.clone());
        for number in 0..2 {
            let mut rng = Scene::seeded(seed, 2 * number);
            staff.hire(Role::Features, &format!("features-{number}"), (fault.launches)(&mut rng, Role::Features))?;
            let mut rng = Scene::seeded(seed, 2 * number + 1);
            staff.hire(Role::Scoring, &format!("scoring-{number}"), (fault.launches)(&mut rng, Role::Scoring))?;
        }
        staff.wait_until_ready(READY)?;

        let is_loading = AtomicBool::new(true);
        let is_stopped = AtomicBool::new(false);
        let bootstrap = self.cluster.bootstrap();
        let begun_ms = jiff::Timestamp::now().as_millisecond();
        std::thread::scope(|scope| -> Result<()> {
            let sending = scope.spawn(|| {
                let sent = load.send(&bootstrap, &is_stopped);
                is_loading.store(false, Ordering::SeqCst);
                sent
            });
            let mut scene = Scene {
                cluster: &mut self.cluster,
                proxies: &self.proxies,
                staff: &staff,
                terms: &self.terms,
                other_model: self.models[1].clone(),
                protocol: self.protocol,
                rng: Scene::seeded(seed, 99),
                is_loading: &is_loading,
                repeats: self.scale.repeats,
            };
            let driven = (fault.drive)(&mut scene);
            if driven.is_err() {
                is_stopped.store(true, Ordering::SeqCst);
            }
            let sent = sending.join().expect("sending does not panic");
            driven.context("the fault itself")?;
            sent.context("sending the load")
        })?;

        let verifier = Verifier::new(kcat, &self.models, MAX_CHUNK_BYTES);
        let mut failures = Vec::new();
        if let Err(error) =
            verifier.await_settled(&since, load.len(), self.settled_within, || staff.ensure_no_trouble())
        {
            failures.push(format!("{error:#}"));
            for name in staff.names() {
                let reason = staff.unready_reason(&name).unwrap_or_else(|error| format!("{error:#}"));
                failures.push(format!("{name}: {}", if reason.is_empty() { "ready" } else { &reason }));
            }
        }
        // A moment more, in which a doubled result could still come.
        std::thread::sleep(Duration::from_millis(500));
        if let Err(error) = staff.dismiss_all(GRACE) {
            failures.push(format!("{error:#}"));
        }
        let endings = staff.endings();
        let strange = endings.iter().filter(|ending| !(fault.allows)(ending));
        failures.extend(strange.map(|ending| format!("{} ended: {}", ending.name, ending.status)));
        let verdict = verifier.verify(&since)?;
        let silence = longest_silence(begun_ms, &verdict.result_times_ms);
        Ok(Run { verdict, silence, endings: endings.len(), failures })
    }
}

/// The longest time without a result, from the first chunk sent to the last result.
fn longest_silence(begun_ms: i64, result_times_ms: &[i64]) -> Duration {
    let mut times = result_times_ms.to_vec();
    times.push(begun_ms);
    times.sort_unstable();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    Duration::from_millis(u64::try_from(longest).unwrap_or(0))
}
