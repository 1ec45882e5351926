//! Workers under a supervisor that starts the dead anew, as Kubernetes would.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::Worker;

/// Which kind of worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `auscult feature-worker`.
    Features,
    /// `auscult scoring-worker`.
    Scoring,
}

/// How workers are started.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Where they find Kafka.
    pub brokers: String,
    /// Environment of all of them.
    pub settings: Vec<(String, String)>,
    /// The model of every machine.
    pub model: PathBuf,
    /// Where they run, and their logs lie.
    pub folder: PathBuf,
}

/// A worker that ended without having been told to.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Which.
    pub name: String,
    /// How.
    pub status: ExitStatus,
}

impl Ending {
    /// Whether it was a SIGKILL.
    #[must_use]
    pub fn is_kill(&self) -> bool {
        const SIGKILL: i32 = 9;
        self.status.signal() == Some(SIGKILL)
    }
}

struct Post {
    name: String,
    role: Role,
    /// `None` between a death and the next start.
    worker: Option<Worker>,
    /// `AUSCULT_FAULTS` of the launches to come.
    faults: VecDeque<String>,
    died: Option<Instant>,
}

struct Roster {
    terms: Terms,
    posts: Vec<Post>,
    endings: Vec<Ending>,
    trouble: Option<String>,
}

/// The workers of one run. All are killed when it is dropped.
pub struct Staff {
    roster: Arc<Mutex<Roster>>,
    is_over: Arc<AtomicBool>,
    supervisor: Option<JoinHandle<()>>,
}

impl Staff {
    /// A supervisor with nobody to look after yet.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        let roster = Roster { terms, posts: Vec::new(), endings: Vec::new(), trouble: None };
        let roster = Arc::new(Mutex::new(roster));
        let is_over = Arc::new(AtomicBool::new(false));
        let supervise = {
            let (roster, is_over) = (Arc::clone(&roster), Arc::clone(&is_over));
            move || {
                while !is_over.load(Ordering::SeqCst) {
                    lock(&roster).look_after();
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        };
        let supervisor = std::thread::spawn(supervise);
        Self { roster, is_over, supervisor: Some(supervisor) }
    }

    /// Starts a worker; `faults` are the values of `AUSCULT_FAULTS` of its first launches, one each.
    ///
    /// # Errors
    /// When it does not start.
    pub fn hire(&self, role: Role, name: &str, faults: impl IntoIterator<Item = String>) -> Result<()> {
        let mut roster = self.lock();
        let mut post =
            Post { name: name.to_owned(), role, worker: None, faults: faults.into_iter().collect(), died: None };
        post.launch(&roster.terms)?;
        roster.posts.push(post);
        Ok(())
    }

    /// Waits until all are ready.
    ///
    /// # Errors
    /// When one is not within `limit`.
    pub fn wait_until_ready(&self, limit: Duration) -> Result<()> {
        let start = Instant::now();
        loop {
            let mut roster = self.lock();
            roster.ensure_no_trouble()?;
            let mut waiting = Vec::new();
            for post in &mut roster.posts {
                let is_ready = post.worker.as_mut().is_some_and(Worker::is_ready);
                if !is_ready {
                    waiting.push(post.name.clone());
                }
            }
            if waiting.is_empty() {
                return Ok(());
            }
            if start.elapsed() > limit {
                bail!("not ready after {limit:?}: {}", waiting.join(", "));
            }
            drop(roster);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGKILL; the supervisor starts it anew.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn kill(&self, name: &str) -> Result<()> {
        self.with(name, |worker| worker.process().kill())
    }

    /// SIGSTOP.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn pause(&self, name: &str) -> Result<()> {
        self.with(name, |worker| worker.process().pause())
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn resume(&self, name: &str) -> Result<()> {
        self.with(name, |worker| worker.process().resume())
    }

    /// SIGTERM, and waits for the end; it is not started anew.
    ///
    /// # Errors
    /// When it has not ended within `grace`, or not in peace.
    pub fn dismiss(&self, name: &str, grace: Duration) -> Result<Duration> {
        let mut roster = self.lock();
        let index = roster.posts.iter().position(|post| post.name == name).with_context(|| format!("no {name}"))?;
        let mut post = roster.posts.remove(index);
        drop(roster);
        // It may have just died of a fault; then there is nobody to be asked.
        let Some(worker) = &mut post.worker else { return Ok(Duration::ZERO) };
        let begun = Instant::now();
        let status = worker.process().terminate(grace).with_context(|| format!("SIGTERM to {name}"))?;
        let was_killed = Ending { name: name.to_owned(), status }.is_kill();
        if !status.success() && !was_killed {
            bail!(
                "{name} ended with {status} when it was told to stop; it wrote last:\n{}",
                worker.process().log_tail(20)
            );
        }
        Ok(begun.elapsed())
    }

    /// SIGTERM to all.
    ///
    /// # Errors
    /// As [`Staff::dismiss`].
    pub fn dismiss_all(&self, grace: Duration) -> Result<()> {
        let names: Vec<String> = self.lock().posts.iter().map(|post| post.name.clone()).collect();
        std::thread::scope(|scope| {
            let dismissals: Vec<_> = names.iter().map(|name| scope.spawn(|| self.dismiss(name, grace))).collect();
            for dismissal in dismissals {
                dismissal.join().expect("dismissing does not panic")?;
            }
            Ok(())
        })
    }

    /// The names of those at work, in the order in which they came.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.lock().posts.iter().map(|post| post.name.clone()).collect()
    }

    /// Who has ended without having been told to.
    #[must_use]
    pub fn endings(&self) -> Vec<Ending> {
        self.lock().endings.clone()
    }

    /// A worker's metric, summed over its series; `None` while it does not answer.
    #[must_use]
    pub fn metric(&self, name: &str, metric: &str) -> Option<f64> {
        let roster = self.lock();
        let worker = roster.posts.iter().find(|post| post.name == name)?.worker.as_ref()?;
        worker.metrics().ok()?.sum(metric, &[])
    }

    /// The most memory that a worker has held at once, bytes.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn peak_resident_bytes(&self, name: &str) -> Result<u64> {
        let mut bytes = 0;
        self.with(name, |worker| {
            bytes = worker.peak_resident_bytes()?;
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Why a worker says that it is not ready; empty when it is.
    ///
    /// # Errors
    /// When there is no such worker, or it does not answer.
    pub fn unready_reason(&self, name: &str) -> Result<String> {
        let mut reason = String::new();
        self.with(name, |worker| {
            let (status, body) = crate::get(worker.address(), "/readyz")?;
            if status != 200 {
                reason = body;
            }
            Ok(())
        })?;
        Ok(reason)
    }

    /// Fails when a worker could not be started again.
    ///
    /// # Errors
    /// Why.
    pub fn ensure_no_trouble(&self) -> Result<()> {
        self.lock().ensure_no_trouble()
    }

    fn with(&self, name: &str, act: impl FnOnce(&mut Worker) -> Result<()>) -> Result<()> {
        let mut roster = self.lock();
        let post = roster.posts.iter_mut().find(|post| post.name == name).with_context(|| format!("no {name}"))?;
        // Between a death and the next start there is nobody to act upon.
        let Some(worker) = &mut post.worker else { return Ok(()) };
        act(worker)
    }

    fn lock(&self) -> MutexGuard<'_, Roster> {
        lock(&self.roster)
    }
}

impl Drop for Staff {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(supervisor) = self.supervisor.take() {
            // A panic there has been printed; nothing is left to be done about it here.
            let _ = supervisor.join();
        }
    }
}

fn lock(roster: &Mutex<Roster>) -> MutexGuard<'_, Roster> {
    roster.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Roster {
    fn look_after(&mut self) {
        /// As long as a container takes to be started again.
        const AGAIN_AFTER: Duration = Duration::from_millis(200);
        let Self { terms, posts, endings, trouble } = self;
        for post in posts {
            if let Some(worker) = &mut post.worker {
                let Ok(Some(status)) = worker.process().ended() else { continue };
                endings.push(Ending { name: post.name.clone(), status });
                post.worker = None;
                post.died = Some(Instant::now());
            }
            let is_due = post.died.is_some_and(|died| died.elapsed() >= AGAIN_AFTER);
            if is_due && let Err(error) = post.launch(terms) {
                trouble.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }

    fn ensure_no_trouble(&self) -> Result<()> {
        match &self.trouble {
            Some(trouble) => bail!("{trouble}"),
            None => Ok(()),
        }
    }
}

impl Post {
    fn launch(&mut self, terms: &Terms) -> Result<()> {
        let model = terms.model.display().to_string();
        let arguments: &[&str] = match self.role {
            Role::Features => &["feature-worker"],
            Role::Scoring => &["scoring-worker", "--default-model", &model, "--device", "cpu"],
        };
        let faults = self.faults.pop_front().unwrap_or_default();
        let mut settings: Vec<(&str, &str)> =
            terms.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        settings.push(("AUSCULT_FAULTS", &faults));
        if self.role == Role::Scoring {
            settings.push(("AUSCULT__MODELS__RELOAD_SECS", "1"));
        }
        self.worker = Some(Worker::start(&self.name, arguments, &terms.brokers, &settings, &terms.folder)?);
        self.died = None;
        Ok(())
    }
}
