//! Detects machines on two partitions. A scoring worker sees only its own partitions, so it reads all states when an
//! unknown machine sends a chunk, when partitions are assigned, and periodically while there is a finding.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use auscult_runtime::machine_places::{MachinePlaces, listed};
use auscult_schemas::MachineId;
use prometheus::IntGauge;

/// Delay before reading, so that states are committed.
const SETTLING: Duration = Duration::from_secs(3);
/// Minimum interval between two reads.
const APART: Duration = Duration::from_secs(30);

/// Reads the partitions of all machines.
pub type ReadPlaces = Box<dyn Fn() -> Result<MachinePlaces, String> + Send>;

/// Requests reads of the partitions; dropping it ends the reading thread.
#[derive(Debug)]
pub(crate) struct PlaceWatch(SyncSender<()>);

impl PlaceWatch {
    /// Starts the thread.
    pub(crate) fn start(read: ReadPlaces, metric: IntGauge) -> std::io::Result<Self> {
        let (ask, asked) = sync_channel(1);
        let watch = move || Watch { read, metric, found: BTreeSet::new() }.run(&asked);
        std::thread::Builder::new().name("machine-places".to_owned()).spawn(watch)?;
        Ok(Self(ask))
    }

    /// Requests a read soon.
    pub(crate) fn ask(&self) {
        // Full: a read is already requested.
        let _ = self.0.try_send(());
    }
}

struct Watch {
    read: ReadPlaces,
    metric: IntGauge,
    /// Machines found on two partitions at the last read.
    found: BTreeSet<MachineId>,
}

impl Watch {
    fn run(mut self, asked: &Receiver<()>) {
        let mut goes_on = false;
        loop {
            // While there is a finding, it can change without a request.
            let is_ended =
                if goes_on { asked.try_recv() == Err(TryRecvError::Disconnected) } else { asked.recv().is_err() };
            if is_ended {
                return;
            }
            std::thread::sleep(SETTLING);
            while asked.try_recv().is_ok() {}
            goes_on = self.look();
            std::thread::sleep(APART);
        }
    }

    /// Reads and reports; returns whether it must be repeated.
    fn look(&mut self) -> bool {
        let places = match (self.read)() {
            Ok(places) => places,
            Err(reason) => {
                tracing::warn!(
                    reason,
                    "where machines live cannot be read: one that is heard on two partitions would not be noticed"
                );
                return true;
            }
        };
        let divided = places.divided();
        let is_undecided = divided.iter().any(|divided| divided.is_undecided);
        let heard = divided.into_iter().filter(|divided| !divided.heard_on.is_empty());
        let mut now = BTreeSet::new();
        for divided in heard {
            if !self.found.contains(&divided.machine) {
                let (machine, partitions) = (&divided.machine, listed(divided.heard_on.iter().copied()));
                tracing::error!(
                    %machine,
                    partitions,
                    "a machine is heard on two partitions: each has a state of its own, and neither hears all chunks. Give all its producers one partitioner, \
                     then retire the state that is left behind (docs/delivery.md, \"The partition of a machine\")"
                );
            }
            now.insert(divided.machine);
        }
        for machine in self.found.difference(&now) {
            tracing::info!(%machine, "the machine is heard on one partition again");
        }
        self.metric.set(i64::try_from(now.len()).unwrap_or(i64::MAX));
        self.found = now;
        is_undecided || !self.found.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(states: &[(i32, &str)]) -> MachinePlaces {
        let mut places = MachinePlaces::default();
        for (partition, heard) in states {
            let state = format!("{{\"last_heard\":\"2026-11-28T{heard}:00Z\"}}");
            places.note(*partition, Some(b"fan-1"), Some(state.as_bytes()));
        }
        places
    }

    #[test]
    fn a_machine_on_two_partitions_is_counted_until_it_is_on_one_again() {
        let metric = IntGauge::new("machines", "m").unwrap();
        let mut watch =
            Watch { read: Box::new(|| Err("no broker".to_owned())), metric: metric.clone(), found: BTreeSet::new() };
        assert!(watch.look(), "what could not be read is read again");
        watch.read = Box::new(|| Ok(places(&[(0, "10:00"), (1, "10:01"), (0, "10:02")])));
        assert!(watch.look() && metric.get() == 1);
        watch.read = Box::new(|| Ok(places(&[(0, "10:00"), (1, "10:01"), (0, "10:02"), (0, "10:30")])));
        assert!(!watch.look() && metric.get() == 0);
        // It may still turn out to be on two.
        watch.read = Box::new(|| Ok(places(&[(0, "10:00"), (1, "10:01")])));
        assert!(watch.look() && metric.get() == 0);
    }
}
