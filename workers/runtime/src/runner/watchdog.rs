//! Sees to it that a worker never stands still in silence.
//!
//! A thread of its own, with a Kafka client of its own, compares what the log holds with what the worker has heard: the
//! known stalls of Kafka consumers (a wake-up lost at a rebalance, a fetcher that stops) raise no error, and the
//! stalled consumer's own idea of its lag stands still with it.
//!
//! ```text
//!   worker ──signs of life──► look, once a second ◄──ends of partitions── probe
//!                                  │
//!                  stalled for long ──► /readyz says so ──for longer──► the process ends, with the reason
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::{RunnerConfig, RunnerError};
use crate::ports::{Heard, LogProbe};
use crate::telemetry::{Health, Metrics, UnreadyReason};

/// How long a worker may stand still.
#[derive(Clone)]
pub struct WatchdogConfig {
    /// After so long `/readyz` says no.
    pub unready_after: Duration,
    /// After so long the worker gives up.
    pub exit_after: Duration,
    /// What giving up is. Called on the watchdog's thread, because any other may hang.
    pub exit: Arc<dyn Fn(&str) + Send + Sync>,
}

impl std::fmt::Debug for WatchdogConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { unready_after, exit_after, .. } = self;
        f.debug_struct("WatchdogConfig").field("unready_after", unready_after).field("exit_after", exit_after).finish()
    }
}

/// What the runner tells of itself.
#[derive(Debug, Clone)]
pub(super) struct VitalSigns(Arc<Mutex<Signs>>);

#[derive(Debug, Clone)]
struct Signs {
    /// When the log thread last turned.
    turned: Instant,
    /// What was last heard of each started partition.
    heard: BTreeMap<i32, Heard>,
    /// Whether intake is paused for want of room: silence is wanted then.
    is_paused: bool,
    /// Since when something has been computing, committing or restoring without anything having been finished.
    busy_since: Option<Instant>,
    /// Clients that are replaced again and again, without a commit in between.
    trouble: Option<Trouble>,
    /// Transactions that were aborted again and again, by partition, without a commit of the partition's records in
    /// between.
    aborts: BTreeMap<i32, Trouble>,
}

#[derive(Debug, Clone)]
struct Trouble {
    first: Instant,
    last: Instant,
    /// How often.
    times: u32,
    reason: String,
}

impl VitalSigns {
    pub fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Signs {
            turned: now,
            heard: BTreeMap::new(),
            is_paused: false,
            busy_since: None,
            trouble: None,
            aborts: BTreeMap::new(),
        })))
    }

    /// The log thread has turned.
    pub fn turned(&self, is_busy: bool, is_paused: bool) {
        let now = Instant::now();
        let mut signs = self.signs();
        signs.turned = now;
        signs.is_paused = is_paused;
        signs.busy_since = if is_busy { signs.busy_since.or(Some(now)) } else { None };
    }

    /// Something that was under way is finished, well or badly.
    pub fn finished(&self) {
        self.signs().busy_since = None;
    }

    /// Records of these partitions are committed.
    pub fn committed(&self, partitions: &BTreeSet<i32>) {
        let mut signs = self.signs();
        signs.trouble = None;
        signs.aborts.retain(|partition, _| !partitions.contains(partition));
    }

    /// A transaction with records of these partitions was aborted. Only their commit is progress: others' commits do
    /// not help them.
    pub fn aborted(&self, partitions: &BTreeSet<i32>, reason: &str) {
        let now = Instant::now();
        let mut signs = self.signs();
        for partition in partitions {
            let before = signs.aborts.remove(partition).filter(|aborts| aborts.is_present(now));
            signs.aborts.insert(*partition, Trouble::again(before, now, reason));
        }
    }

    /// Partitions that are another worker's now are its trouble.
    pub fn keep_aborts_of(&self, is_owned: impl Fn(i32) -> bool) {
        let mut signs = self.signs();
        if !signs.aborts.is_empty() {
            signs.aborts.retain(|partition, _| is_owned(*partition));
        }
    }

    pub fn heard(&self, heard: BTreeMap<i32, Heard>) {
        self.signs().heard = heard;
    }

    /// The clients are being replaced; gives how often in a row that has happened.
    pub fn replacing(&self, reason: &str) -> u32 {
        let now = Instant::now();
        let mut signs = self.signs();
        signs.heard.clear();
        signs.busy_since = None;
        let before = signs.trouble.take().filter(|trouble| trouble.is_present(now));
        let trouble = Trouble::again(before, now, reason);
        let times = trouble.times;
        signs.trouble = Some(trouble);
        times
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        // Nothing is half done in it when a holder panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trouble {
    /// What has held for so long is sound. Longer than any wait between two attempts.
    const MEMORY: Duration = Duration::from_secs(90);

    fn again(before: Option<Self>, now: Instant, reason: &str) -> Self {
        let (first, times) = before.map_or((now, 0), |trouble| (trouble.first, trouble.times));
        Self { first, last: now, times: times + 1, reason: reason.to_owned() }
    }

    fn is_present(&self, now: Instant) -> bool {
        now.duration_since(self.last) < Self::MEMORY
    }
}

/// A worker that stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stall {
    since: Instant,
    reason: String,
}

/// What was last seen of a partition's end.
#[derive(Debug, Clone, Copy)]
struct Mark {
    heard: Instant,
    end: i64,
    /// When the end was first seen to have moved since the worker has last heard anything.
    grown: Option<Instant>,
}

#[derive(Debug, Default)]
struct Watch {
    marks: BTreeMap<i32, Mark>,
}

impl Watch {
    /// The longest stall of all.
    fn look(&mut self, signs: &Signs, ends: Option<&BTreeMap<i32, i64>>, now: Instant) -> Option<Stall> {
        let mut stalls = Vec::new();
        if let Some(ends) = ends {
            self.mark(signs, ends, now);
        }
        if !signs.is_paused {
            stalls.extend(self.deaf(signs));
        }
        stalls.extend(signs.busy_since.map(|since| Stall {
            since,
            reason: "a batch or a restore is under way and does not end (a broker that does not answer, or a scorer that hangs)"
                .to_owned(),
        }));
        if let Some(trouble) = signs.trouble.as_ref().filter(|trouble| trouble.is_present(now)) {
            let Trouble { times, reason, .. } = trouble;
            let reason =
                format!("the kafka clients were replaced {times} times without a commit, last because: {reason}");
            stalls.push(Stall { since: trouble.first, reason });
        }
        for (partition, aborts) in signs.aborts.iter().filter(|(_, aborts)| aborts.is_present(now)) {
            let Trouble { times, reason, .. } = aborts;
            let reason = format!(
                "partition {partition}: {times} aborts in a row and no commit in between, last because: {reason}"
            );
            stalls.push(Stall { since: aborts.first, reason });
        }
        stalls.push(Stall {
            since: signs.turned,
            reason: "the log thread hangs in a call of the kafka client".to_owned(),
        });
        stalls.into_iter().min_by_key(|stall| stall.since)
    }

    fn mark(&mut self, signs: &Signs, ends: &BTreeMap<i32, i64>, now: Instant) {
        self.marks.retain(|partition, _| signs.heard.contains_key(partition));
        for (partition, heard) in &signs.heard {
            let Some(&end) = ends.get(partition) else { continue };
            match self.marks.get_mut(partition) {
                Some(mark) if mark.heard == heard.at => {
                    if end > mark.end && mark.grown.is_none() {
                        mark.grown = Some(now);
                    }
                }
                _ => {
                    self.marks.insert(*partition, Mark { heard: heard.at, end, grown: None });
                }
            }
        }
    }

    /// Partitions that hold more than the worker hears of. What lies between a position and the end may be nothing but
    /// markers of transactions; then the consumer has said that it is at the end, and only what has come since then
    /// counts.
    fn deaf(&self, signs: &Signs) -> Vec<Stall> {
        let mut stalls = Vec::new();
        for (partition, heard) in &signs.heard {
            let Some(mark) = self.marks.get(partition).filter(|mark| mark.heard == heard.at) else { continue };
            let since = if heard.is_caught_up { mark.grown } else { (mark.end > heard.position).then_some(heard.at) };
            stalls.extend(since.map(|since| Stall {
                since,
                reason: format!(
                    "partition {partition} has records from offset {} on that the consumer does not deliver",
                    heard.position
                ),
            }));
        }
        stalls
    }
}

/// Starts the watchdog; it ends when what is returned is dropped.
pub(super) fn start(
    config: &RunnerConfig,
    signs: VitalSigns,
    probe: Option<Box<dyn LogProbe>>,
    health: Health,
    metrics: Arc<Metrics>,
) -> Result<Sender<()>, RunnerError> {
    let (end, ended) = crossbeam_channel::bounded(0);
    let config = config.watchdog.clone();
    let spawned = std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || watch(&config, &signs, probe, &health, &metrics, &ended));
    spawned.map_err(|source| RunnerError::Thread { name: "watchdog", source })?;
    Ok(end)
}

fn watch(
    config: &WatchdogConfig,
    signs: &VitalSigns,
    mut probe: Option<Box<dyn LogProbe>>,
    health: &Health,
    metrics: &Metrics,
    ended: &Receiver<()>,
) {
    const EVERY: Duration = Duration::from_secs(1);
    /// The ends are asked for less often: it is a request a broker.
    const ENDS_EVERY: Duration = Duration::from_secs(5);
    let mut watch = Watch::default();
    let mut asked: Option<Instant> = None;
    let mut is_stalled = false;
    while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        let present = signs.signs().clone();
        let is_due = asked.is_none_or(|asked| asked.elapsed() >= ENDS_EVERY.min(config.unready_after / 4));
        let ends = match &mut probe {
            Some(probe) if is_due && !present.heard.is_empty() => {
                asked = Some(Instant::now());
                let partitions: Vec<i32> = present.heard.keys().copied().collect();
                let answer = probe.ends(&partitions);
                answer.inspect_err(|failure| tracing::debug!(%failure, "the watchdog cannot ask for the ends")).ok()
            }
            _ => None,
        };
        // What was asked may have taken long: what the worker says of itself must not look old for it.
        let present = signs.signs().clone();
        let now = Instant::now();
        let stall = watch.look(&present, ends.as_ref(), now);
        let lasted = stall.as_ref().map_or(Duration::ZERO, |stall| now.duration_since(stall.since));
        metrics.stalled_seconds.set(lasted.as_secs_f64());
        let Some(Stall { reason, .. }) = stall.filter(|_| lasted >= config.unready_after) else {
            if std::mem::take(&mut is_stalled) {
                tracing::info!("the worker goes on");
                health.clear(UnreadyReason::Stalled);
            }
            continue;
        };
        if !is_stalled {
            tracing::error!(reason, ?lasted, "no progress");
        }
        is_stalled = true;
        health.unready(UnreadyReason::Stalled, reason.clone());
        if lasted >= config.exit_after {
            (config.exit)(&reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    struct Scene {
        start: Instant,
        signs: Signs,
        watch: Watch,
    }

    impl Scene {
        fn new() -> Self {
            let start = Instant::now();
            let signs = VitalSigns::new(start).signs().clone();
            Self { start, signs, watch: Watch::default() }
        }

        fn hears(&mut self, at: u64, position: i64, is_caught_up: bool) {
            self.signs.heard.insert(0, Heard { position, at: self.start + secs(at), is_caught_up });
        }

        /// How long the worker has been standing still.
        fn look(&mut self, at: u64, end: i64) -> u64 {
            let now = self.start + secs(at);
            self.signs.turned = now;
            let stall = self.watch.look(&self.signs, Some(&BTreeMap::from([(0, end)])), now);
            stall.map_or(0, |stall| now.duration_since(stall.since).as_secs())
        }
    }

    #[test]
    fn a_consumer_that_is_at_the_end_is_idle_and_not_stalled() {
        let mut scene = Scene::new();
        scene.hears(0, 10, true);
        assert_eq!(scene.look(1, 10), 0);
        assert_eq!(scene.look(100, 10), 0);
    }

    #[test]
    fn markers_behind_the_last_record_are_no_stall() {
        let mut scene = Scene::new();
        scene.hears(0, 10, true);
        assert_eq!(scene.look(1, 11), 0);
        assert_eq!(scene.look(100, 11), 0);
    }

    #[test]
    fn records_that_are_not_delivered_are_a_stall_from_when_they_came() {
        let mut scene = Scene::new();
        scene.hears(0, 10, true);
        assert_eq!(scene.look(5, 10), 0);
        assert_eq!(scene.look(10, 12), 0);
        assert_eq!(scene.look(40, 90), 30);
        scene.hears(41, 90, true);
        assert_eq!(scene.look(42, 90), 0);
    }

    #[test]
    fn a_consumer_that_stops_in_the_middle_is_a_stall() {
        let mut scene = Scene::new();
        scene.hears(0, 10, false);
        assert_eq!(scene.look(20, 12), 20);
    }

    #[test]
    fn silence_of_a_paused_consumer_is_wanted_but_a_batch_that_never_ends_is_not() {
        let mut scene = Scene::new();
        scene.hears(0, 10, false);
        scene.signs.is_paused = true;
        assert_eq!(scene.look(20, 12), 0);
        scene.signs.busy_since = Some(scene.start + secs(5));
        assert_eq!(scene.look(30, 12), 25);
    }

    #[test]
    fn clients_that_are_replaced_again_and_again_are_a_stall_until_they_hold() {
        let mut scene = Scene::new();
        let at = |secs_later| scene.start + secs(secs_later);
        scene.signs.trouble =
            Some(Trouble { first: at(0), last: at(50), times: 7, reason: "no such topic".to_owned() });
        assert_eq!(scene.look(60, 0), 60);
        assert_eq!(scene.look(150, 0), 0);
    }

    #[test]
    fn aborts_without_a_commit_are_a_stall_whatever_other_partitions_commit() {
        let signs = VitalSigns::new(Instant::now());
        let (poisoned, both) = (BTreeSet::from([3]), BTreeSet::from([1, 3]));
        signs.aborted(&both, "INVALID_TIMESTAMP");
        signs.committed(&BTreeSet::from([1]));
        signs.aborted(&poisoned, "INVALID_TIMESTAMP");
        let mut scene = Scene::new();
        scene.signs = signs.signs().clone();
        let begun = scene.signs.aborts[&3].first;
        scene.start = begun;
        scene.signs.aborts.get_mut(&3).unwrap().last = begun + secs(70);
        assert_eq!(scene.signs.aborts.keys().collect::<Vec<_>>(), [&3]);
        assert_eq!(scene.look(61, 0), 61);
        scene.signs.turned = begun + secs(61);
        let stall = scene.watch.look(&scene.signs, None, begun + secs(61)).unwrap();
        assert!(
            stall.reason.contains("partition 3: 2 aborts") && stall.reason.contains("INVALID_TIMESTAMP"),
            "{stall:?}"
        );

        signs.keep_aborts_of(|partition| partition != 3);
        assert!(signs.signs().aborts.is_empty(), "it is another worker's");
        signs.aborted(&poisoned, "again");
        signs.committed(&poisoned);
        assert!(signs.signs().aborts.is_empty());
    }

    #[test]
    fn a_log_thread_that_hangs_is_a_stall() {
        let mut scene = Scene::new();
        let now = scene.start + secs(70);
        let stall = scene.watch.look(&scene.signs, None, now).unwrap();
        assert_eq!(now.duration_since(stall.since), secs(70));
    }
}
