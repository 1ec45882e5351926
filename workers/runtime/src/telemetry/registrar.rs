//! Registers metrics and keeps their descriptions: the inventory in `docs/metrics.md` is generated from it.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Atomic, Collector, GenericCounter, GenericCounterVec, GenericGauge, GenericGaugeVec};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// The description of a metric.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricDescription {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What it counts or measures.
    pub help: String,
    /// Its labels, in addition to `worker`, which every metric has.
    pub labels: Vec<String>,
}

/// A kind of metric, by its type in Prometheus' exposition format.
pub trait Kind: Collector + Clone + 'static {
    /// `counter`, `gauge` or `histogram`.
    const KIND: &'static str;
}

impl<P: Atomic + 'static> Kind for GenericCounter<P> {
    const KIND: &'static str = "counter";
}

impl<P: Atomic + 'static> Kind for GenericCounterVec<P> {
    const KIND: &'static str = "counter";
}

impl<P: Atomic + 'static> Kind for GenericGauge<P> {
    const KIND: &'static str = "gauge";
}

impl<P: Atomic + 'static> Kind for GenericGaugeVec<P> {
    const KIND: &'static str = "gauge";
}

impl Kind for Histogram {
    const KIND: &'static str = "histogram";
}

impl Kind for HistogramVec {
    const KIND: &'static str = "histogram";
}

/// A registry that keeps descriptions. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Registrar {
    registry: Registry,
    described: Arc<Mutex<Vec<MetricDescription>>>,
}

impl Registrar {
    /// Wraps a registry.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self { registry, described: Arc::default() }
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Registers a metric; clones of it are the same metric.
    ///
    /// # Errors
    /// If its name is already registered.
    pub fn register<M: Kind>(&self, metric: M) -> Result<M, prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))?;
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        described.extend(metric.desc().into_iter().map(|desc| MetricDescription {
            name: desc.fq_name.clone(),
            kind: M::KIND,
            help: desc.help.clone(),
            labels: desc.variable_labels.clone(),
        }));
        Ok(metric)
    }

    /// A new counter.
    ///
    /// # Errors
    /// If its name is already registered, as for all methods below.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help)?)
    }

    /// New counters, one per set of labels.
    ///
    /// # Errors
    /// As [`Registrar::counter`].
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    /// A new integer gauge.
    ///
    /// # Errors
    /// As [`Registrar::counter`].
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(name, help)?)
    }

    /// New integer gauges, one per set of labels.
    ///
    /// # Errors
    /// As [`Registrar::counter`].
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    /// A new histogram with these upper bounds.
    ///
    /// # Errors
    /// As [`Registrar::counter`].
    pub fn histogram(&self, name: &str, help: &str, buckets: Vec<f64>) -> Result<Histogram, prometheus::Error> {
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?)
    }

    /// All registered metrics, sorted by name.
    #[must_use]
    pub fn descriptions(&self) -> Vec<MetricDescription> {
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner).clone();
        described.sort();
        described
    }
}
