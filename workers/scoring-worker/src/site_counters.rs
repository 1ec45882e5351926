//! Counts chunks by site, line and kind of machine, for anomaly rates by site, line or kind with any number of
//! machines.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use auscult_detection::environment::environment_of;
use auscult_runtime::telemetry::Registrar;
use auscult_schemas::{MachineId, Score};
use prometheus::IntCounterVec;

/// Further places are counted as one, so that ids cannot overload Prometheus.
const MOST: usize = 256;
/// The label of those places.
const OTHER: &str = "other";

/// Site, line and kind of a machine, from its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Site<'a> {
    site: &'a str,
    line: &'a str,
    kind: &'a str,
}

impl<'a> Site<'a> {
    /// For `works/hall-1/fan-01`: the site is `works`, the line is `hall-1` (everything between the first and the last
    /// `/`), and the kind is `fan`, the last part without its number. Missing parts are empty.
    fn of(machine: &'a MachineId) -> Self {
        let place = environment_of(machine);
        let name = machine.as_str().rsplit('/').next().unwrap_or_default();
        let (site, line) = place.split_once('/').unwrap_or((place, ""));
        let kind = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_', '.', ' ']);
        Self { site, line, kind }
    }
}

/// The counters; clones share them.
#[derive(Debug, Clone)]
pub struct SiteCounters {
    chunks: IntCounterVec,
    anomalous_chunks: IntCounterVec,
    places: Arc<Mutex<BTreeSet<String>>>,
}

impl SiteCounters {
    /// Registers them.
    ///
    /// # Errors
    /// If a name is already registered.
    pub fn register(make: &Registrar) -> Result<Self, prometheus::Error> {
        let labels = &["site", "line", "kind"];
        Ok(Self {
            chunks: make.counters(
                "auscult_site_chunks_total",
                "chunks judged, by where the machine stands and what it is",
                labels,
            )?,
            anomalous_chunks: make.counters(
                "auscult_site_anomalous_chunks_total",
                "chunks judged anomalous, by where the machine stands and what it is",
                labels,
            )?,
            places: Arc::default(),
        })
    }

    /// Counts a score; chunks without a working sensor are not counted.
    pub(crate) fn scored(&self, score: &Score) {
        if score.health_index.is_none() {
            return;
        }
        let Site { site, line, kind } = Site::of(&score.machine);
        let labels = if self.is_known(&format!("{site}/{line}/{kind}")) { [site, line, kind] } else { [OTHER; 3] };
        self.chunks.with_label_values(&labels).inc();
        // A rate needs a 0 before the first increment.
        let anomalous = self.anomalous_chunks.with_label_values(&labels);
        anomalous.inc_by(u64::from(score.anomalous));
    }

    fn is_known(&self, place: &str) -> bool {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.contains(place) || (places.len() < MOST && places.insert(place.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_s_id_says_where_it_stands_and_what_it_is() {
        let place = |id: &str| {
            let machine = MachineId::new(id).unwrap();
            let Site { site, line, kind } = Site::of(&machine);
            [site, line, kind].map(str::to_owned)
        };
        assert_eq!(place("works/hall-1/fan-01"), ["works", "hall-1", "fan"]);
        assert_eq!(place("works/north/line 4/slide_rail_12"), ["works", "north/line 4", "slide_rail"]);
        assert_eq!(place("works/fan-7"), ["works", "", "fan"]);
        assert_eq!(place("fan-7"), ["", "", "fan"]);
        assert_eq!(place("4711"), ["", "", ""]);
    }

    #[test]
    fn places_beyond_the_bound_are_counted_as_one() {
        let counters = SiteCounters::register(&Registrar::default()).unwrap();
        let known = (0..10 * MOST).filter(|number| counters.is_known(&format!("site-{number}//fan"))).count();
        assert_eq!(known, MOST);
        assert!(counters.is_known("site-0//fan"));
    }
}
