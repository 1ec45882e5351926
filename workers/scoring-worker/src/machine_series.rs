//! Time series of single machines: the state, the latest health index, and the drift charts.
//!
//! They are exported only if a worker has few machines: a machine has a dozen series, and ten thousand machines would
//! overload Prometheus. With more machines, use the counts by state, and for a single machine `audio.scores` and
//! `audio.drift`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auscult_runtime::telemetry::Registrar;
use auscult_schemas::{ChartReading, DriftChart, MachineState, Score, ScorerState};
use prometheus::{GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts};

/// Time series of single machines; clones share the series.
#[derive(Debug, Clone)]
pub struct MachineSeries {
    /// 1 for the current state of a machine.
    state: IntGaugeVec,
    /// Its latest chunk's health index, 0–100.
    health_index: GaugeVec,
    /// Its latest score as a multiple of the threshold.
    score: GaugeVec,
    chunks: IntCounterVec,
    anomalous_chunks: IntCounterVec,
    /// 1 during drift.
    drifting: IntGaugeVec,
    /// Values of its drift charts, as multiples of their limits.
    drift_charts: GaugeVec,
    /// 1 if there are too many machines for single series.
    left_out: IntGauge,
    /// The machines with series, and their exported state.
    shown: Arc<Mutex<Shown>>,
}

#[derive(Debug)]
struct Shown {
    most: usize,
    machines: BTreeMap<String, MachineState>,
    is_left_out: bool,
}

impl MachineSeries {
    /// Registers the series, for at most this many machines.
    ///
    /// # Errors
    /// If a name is already registered.
    pub fn register(make: &Registrar, most: usize) -> Result<Self, prometheus::Error> {
        let of_machine = &["machine"];
        let series = Self {
            state: make.gauges("auscult_machine_state", "1 for the state that the machine is in",
                &["machine", "state"],
            )?,
            health_index: make.register(GaugeVec::new(Opts::new(
                    "auscult_machine_health_index",
                    "health index of the machine's latest chunk, 100 best, 50 at the threshold"), of_machine)?)?,
            score: make.register(GaugeVec::new(Opts::new("auscult_machine_score_ratio", "the machine's latest score as a multiple of its threshold"), of_machine)?)?,
            chunks: make.counters("auscult_machine_chunks_total", "chunks of the machine that were judged",
                of_machine,
            )?,
            anomalous_chunks: make.counters("auscult_machine_anomalous_chunks_total", "chunks of the machine judged anomalous",
                of_machine,
            )?,
            drifting: make.gauges("auscult_machine_drifting", "1 while the machine's sound has drifted",
                of_machine,
            )?,
            drift_charts: make.register(GaugeVec::new(Opts::new(
                    "auscult_machine_drift_chart_ratio",
                    "where the machine's drift chart stands, as a multiple of the limit above which it finds drift"), &["machine", "chart"])?)?,
            left_out: make.gauge(
                "auscult_machine_series_left_out",
                "1 where this worker has more machines than metrics.machine_series_up_to, so that none has series of its own",
            )?,
            shown: Arc::new(Mutex::new(Shown { most, machines: BTreeMap::new(), is_left_out: false })),
        };
        Ok(series)
    }

    /// Applies a score of a machine that has series.
    pub(crate) fn scored(&self, score: &Score) {
        let machine = score.machine.as_str();
        if !self.shown().machines.contains_key(machine) {
            return;
        }
        if let Some(health_index) = score.health_index {
            self.health_index.with_label_values(&[machine]).set(health_index);
            self.score.with_label_values(&[machine]).set(score.score / score.threshold);
            self.chunks.with_label_values(&[machine]).inc();
        }
        if score.anomalous {
            self.anomalous_chunks.with_label_values(&[machine]).inc();
        }
    }

    /// Applies chart values of a machine that has series.
    pub(crate) fn charted<'a>(&self, machine: &str, charts: impl IntoIterator<Item = &'a ChartReading>) {
        if self.shown().machines.contains_key(machine) {
            self.chart(machine, charts);
        }
    }

    fn chart<'a>(&self, machine: &str, charts: impl IntoIterator<Item = &'a ChartReading>) {
        for ChartReading { chart, value, limit } in charts {
            self.drift_charts.with_label_values(&[machine, chart.as_str()]).set(value / limit);
        }
    }

    /// Exports exactly these machines.
    pub(crate) fn show_only<'a>(&self, states: impl Iterator<Item = (&'a ScorerState, MachineState)>) {
        let states: Vec<_> = states.collect();
        let named: BTreeSet<&str> = states.iter().map(|(state, _)| state.machine.as_str()).collect();
        let mut shown = self.shown();
        let gone: Vec<String> =
            shown.machines.keys().filter(|machine| !named.contains(machine.as_str())).cloned().collect();
        gone.iter().for_each(|machine| self.remove(&mut shown, machine));
        shown.is_left_out = false;
        for (state, counted_as) in states {
            self.put(&mut shown, state, counted_as);
        }
        self.left_out.set(i64::from(shown.is_left_out));
    }

    /// Adds or updates these machines.
    pub(crate) fn show<'a>(&self, states: impl Iterator<Item = (&'a ScorerState, MachineState)>) {
        let mut shown = self.shown();
        for (state, counted_as) in states {
            self.put(&mut shown, state, counted_as);
        }
        self.left_out.set(i64::from(shown.is_left_out));
    }

    /// Whether there are too many machines, so that none has series.
    pub(crate) fn is_left_out(&self) -> bool {
        self.shown().is_left_out
    }

    /// Removes these machines.
    pub(crate) fn hide<'a>(&self, machines: impl Iterator<Item = &'a str>) {
        let mut shown = self.shown();
        machines.for_each(|machine| self.remove(&mut shown, machine));
    }

    fn put(&self, shown: &mut Shown, state: &ScorerState, counted_as: MachineState) {
        let machine = state.machine.as_str();
        if shown.is_left_out {
            return;
        }
        let before = shown.machines.insert(machine.to_owned(), counted_as);
        if shown.machines.len() > shown.most {
            tracing::warn!(
                most = shown.most,
                "more machines than metrics.machine_series_up_to: none has series of its own from here on"
            );
            shown.is_left_out = true;
            let all: Vec<String> = shown.machines.keys().cloned().collect();
            all.iter().for_each(|machine| self.remove(shown, machine));
            return;
        }
        if let Some(before) = before.filter(|before| *before != counted_as) {
            let _ = self.state.remove_label_values(&[machine, before.as_str()]);
        }
        self.state.with_label_values(&[machine, counted_as.as_str()]).set(1);
        self.drifting.with_label_values(&[machine]).set(i64::from(state.drift.episode.is_some()));
        // A rate needs a 0 before the first increment.
        self.chunks.with_label_values(&[machine]);
        self.anomalous_chunks.with_label_values(&[machine]);
    }

    /// Ignores series that do not exist.
    fn remove(&self, shown: &mut Shown, machine: &str) {
        if let Some(state) = shown.machines.remove(machine) {
            let _ = self.state.remove_label_values(&[machine, state.as_str()]);
        }
        let _ = self.health_index.remove_label_values(&[machine]);
        let _ = self.score.remove_label_values(&[machine]);
        let _ = self.chunks.remove_label_values(&[machine]);
        let _ = self.anomalous_chunks.remove_label_values(&[machine]);
        let _ = self.drifting.remove_label_values(&[machine]);
        for chart in DriftChart::ALL {
            let _ = self.drift_charts.remove_label_values(&[machine, chart.as_str()]);
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
