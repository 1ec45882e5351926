//! The workers of an upgrade, each of the build that is its turn.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::Worker;
use crate::faults::Role;

const READY: Duration = Duration::from_secs(60);
/// What the chart gives a pod before it is killed.
const GRACE: Duration = Duration::from_secs(30);

/// Where workers run, and what they are told.
#[derive(Debug)]
pub(super) struct Terms {
    pub brokers: String,
    pub model: PathBuf,
    pub folder: PathBuf,
}

impl Terms {
    fn start(&self, program: &Path, role: Role, name: &str) -> Result<Worker> {
        let model = self.model.display().to_string();
        let arguments: &[&str] = match role {
            Role::Features => &["feature-worker"],
            Role::Scoring => &["scoring-worker", "--default-model", &model, "--device", "cpu"],
        };
        let settings = [
            ("AUSCULT__KAFKA__SESSION_TIMEOUT_MS", "6000"),
            ("AUSCULT__KAFKA__TRANSACTION_TIMEOUT_MS", "10000"),
            ("AUSCULT__LIMITS__DRAIN_DEADLINE_MS", "3000"),
            ("AUSCULT__LIMITS__MAX_CHUNK_BYTES", "131072"),
        ];
        Worker::start_program(program, name, arguments, &self.brokers, &settings, &self.folder)
    }
}

/// Two feature workers, then two scoring workers.
#[derive(Debug)]
pub(super) struct Crew {
    terms: Terms,
    members: Vec<(Role, String, Worker)>,
}

impl Crew {
    pub(super) fn start(terms: Terms, program: &Path) -> Result<Self> {
        let roles = [Role::Features, Role::Features, Role::Scoring, Role::Scoring];
        let names = ["features-0", "features-1", "scoring-0", "scoring-1"];
        let mut members = Vec::new();
        for (role, name) in roles.into_iter().zip(names) {
            members.push((role, name.to_owned(), terms.start(program, role, name)?));
        }
        let mut crew = Self { terms, members };
        for (_, _, worker) in &mut crew.members {
            worker.wait_until_ready(READY)?;
        }
        Ok(crew)
    }

    pub(super) fn names(&self, role: Role) -> Vec<String> {
        let of_role = self.members.iter().filter(|(other, ..)| *other == role);
        of_role.map(|(_, name, _)| name.clone()).collect()
    }

    /// As Kubernetes replaces a pod: SIGTERM, the end, and the same name again. Gives how long the worker took to end,
    /// and its successor to be ready.
    pub(super) fn replace(&mut self, name: &str, program: &Path) -> Result<(Duration, Duration)> {
        self.ensure_running()?;
        let found = self.members.iter_mut().find(|(_, other, _)| other == name);
        let (role, _, worker) = found.with_context(|| format!("no {name}"))?;
        let begun = Instant::now();
        let status = worker.process().terminate(GRACE)?;
        ensure!(status.success(), "{name} ended with {status}; it wrote last:\n{}", worker.process().log_tail(20));
        let ended = begun.elapsed();
        *worker = self.terms.start(program, *role, name)?;
        worker.wait_until_ready(READY)?;
        Ok((ended, begun.elapsed() - ended))
    }

    /// Nobody has ended by itself.
    pub(super) fn ensure_running(&mut self) -> Result<()> {
        self.members.iter_mut().try_for_each(|(_, _, worker)| worker.process().ensure_running())
    }

    pub(super) fn dismiss(&mut self) -> Result<()> {
        for (_, name, worker) in &mut self.members {
            let status = worker.process().terminate(GRACE)?;
            ensure!(status.success(), "{name} ended with {status}");
        }
        Ok(())
    }

    /// Lines of all logs, of every build, in which a worker says that it cannot read what another has remembered.
    pub(super) fn complaints(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        for (_, name, worker) in &mut self.members {
            let log = worker.process().log();
            let lines = log.lines().filter(|line| line.contains("unreadable"));
            found.extend(lines.map(|line| format!("{name}: {line}")));
        }
        found
    }
}
