//! Compares verdicts with the ground truth by chunk, and prints the final summary.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use auscult_schemas::{MachineState, Score};

use super::Truth;
use super::text::grouped;

/// One machine's verdicts compared with the ground truth.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MachineTally {
    /// Number of scored chunks.
    pub chunks: u64,
    /// Chunks with normal ground truth.
    pub normal: u64,
    /// Normal chunks scored as anomalous.
    pub false_alarms: u64,
    /// Chunks of each fault, and how many of them were scored as anomalous.
    pub faults: BTreeMap<String, (u64, u64)>,
    /// The first faulty chunk, from 1.
    pub onset: Option<u64>,
    /// The first chunk, counted from 1, at which an alarm was raised while the machine was faulty.
    pub alarm: Option<u64>,
    /// Number of alarms raised while the machine was healthy.
    pub needless_alarms: u64,
}

impl MachineTally {
    fn add(&mut self, score: &Score, truth: &Truth) {
        self.chunks += 1;
        let went_into_alarm = score.state == MachineState::Alarm && score.previous_state != MachineState::Alarm;
        match truth {
            Truth::Unknown => {}
            Truth::Normal => {
                self.normal += 1;
                self.false_alarms += u64::from(score.anomalous);
                self.needless_alarms += u64::from(went_into_alarm);
            }
            Truth::Faulty { fault, .. } => {
                let (chunks, found) = self.faults.entry(fault.clone()).or_default();
                *chunks += 1;
                *found += u64::from(score.anomalous);
                self.onset.get_or_insert(self.chunks);
                // If the machine was already in alarm at the start of the fault, the fault counts as detected
                // immediately.
                if score.state == MachineState::Alarm {
                    self.alarm.get_or_insert(self.chunks);
                }
            }
        }
    }

    /// Faulty chunks, and how many were scored as anomalous.
    #[must_use]
    pub fn faulty(&self) -> (u64, u64) {
        self.faults
            .values()
            .fold((0, 0), |(chunks, found), (of_fault, found_of_fault)| (chunks + of_fault, found + found_of_fault))
    }

    /// Correct verdicts, and chunks with known ground truth.
    #[must_use]
    pub fn right(&self) -> (u64, u64) {
        let (faulty, found) = self.faulty();
        (self.normal - self.false_alarms + found, self.normal + faulty)
    }

    /// Number of chunks from the first faulty one to the alarm; 0 if that chunk raised it.
    #[must_use]
    pub fn delay(&self) -> Option<u64> {
        Some(self.alarm? - self.onset?)
    }
}

/// All machines' verdicts compared with the ground truth.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    machines: BTreeMap<String, MachineTally>,
    sound_s: f64,
}

impl Tally {
    /// Counts one scored chunk of length `sound_s`, s.
    pub fn add(&mut self, score: &Score, truth: &Truth, sound_s: f64) {
        self.machines.entry(score.machine.as_str().to_owned()).or_default().add(score, truth);
        self.sound_s += sound_s;
    }

    /// The machines, by id.
    #[must_use]
    pub fn machines(&self) -> &BTreeMap<String, MachineTally> {
        &self.machines
    }

    /// Number of scored chunks.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.machines.values().map(|machine| machine.chunks).sum()
    }

    /// Correct verdicts, and chunks with known ground truth.
    #[must_use]
    pub fn right(&self) -> (u64, u64) {
        self.machines.values().map(MachineTally::right).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// The final summary: chunks, throughput, and ground truth against verdict for every machine. `streaming` is the
    /// time from the first sent chunk to the last scored one.
    #[must_use]
    pub fn summary(&self, streaming: Duration) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_summary(&mut text, streaming.as_secs_f64().max(1e-9));
        text
    }

    fn write_summary(&self, out: &mut String, seconds: f64) -> std::fmt::Result {
        let chunks = self.chunks();
        writeln!(
            out,
            "{} chunks, {:.0} s of sound, judged in {seconds:.1} s: {:.0} chunks/s, {:.0} times as fast as it was recorded",
            grouped(chunks),
            self.sound_s,
            chunks as f64 / seconds,
            self.sound_s / seconds
        )?;
        let (right, known) = self.right();
        if known > 0 {
            let share = 100.0 * right as f64 / known as f64;
            writeln!(out, "{} of {} chunks judged rightly ({share:.1} %)", grouped(right), grouped(known))?;
        }

        let width = self.machines.keys().map(|id| id.chars().count()).max().unwrap_or(0).max(7);
        writeln!(
            out,
            "\n{:<width$}  {:<26}  {:>13}  {:>13}  alarm",
            "machine", "truth", "faults found", "false alarms"
        )?;
        for (id, machine) in &self.machines {
            let of = |part: u64, whole: u64| if whole == 0 { "–".to_owned() } else { format!("{part} of {whole}") };
            let (faulty, found) = machine.faulty();
            let false_alarms = of(machine.false_alarms, machine.normal);
            writeln!(
                out,
                "{id:<width$}  {:<26}  {:>13}  {false_alarms:>13}  {}",
                machine.truth_text(),
                of(found, faulty),
                machine.alarm_text()
            )?;
            if machine.faults.len() > 1 {
                for (fault, (chunks, found)) in &machine.faults {
                    writeln!(out, "{:<width$}    {fault:<24}  {:>13}", "", of(*found, *chunks))?;
                }
            }
        }
        Ok(())
    }
}

impl MachineTally {
    fn truth_text(&self) -> String {
        let mut faults = self.faults.keys();
        match (faults.next(), faults.len()) {
            (None, _) if self.normal > 0 => "normal throughout".to_owned(),
            (None, _) => "unknown".to_owned(),
            (Some(fault), 0) => format!("{fault} from chunk {}", self.onset.unwrap_or(1)),
            (Some(_), more) => format!("{} faults", more + 1),
        }
    }

    fn alarm_text(&self) -> String {
        let needless = match self.needless_alarms {
            0 => String::new(),
            1 => ", and once needlessly".to_owned(),
            times => format!(", and {times} times needlessly"),
        };
        let raised = match (self.onset, self.delay()) {
            (Some(_), Some(0)) => "at the first faulty chunk".to_owned(),
            (Some(_), Some(1)) => "1 chunk after the onset".to_owned(),
            (Some(_), Some(delay)) => format!("{delay} chunks after the onset"),
            (Some(_), None) => "never: missed".to_owned(),
            (None, _) if self.needless_alarms == 0 => "none, rightly".to_owned(),
            (None, _) => "none due".to_owned(),
        };
        raised + &needless
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples::{faulty, score};
    use MachineState::{Alarm, Healthy, Learning};

    #[test]
    fn truth_against_verdict_gives_hits_false_alarms_and_the_delay() {
        let mut tally = Tally::default();
        let wear = faulty("bearing wear");
        let mut add = |machine, value, state, previous, truth: &Truth| {
            tally.add(&score(machine, value, state, previous), truth, 2.0)
        };
        add("fan-1", 1.0, Healthy, Learning, &Truth::Normal);
        add("fan-1", 3.0, Healthy, Healthy, &Truth::Normal);
        add("fan-1", 1.5, Healthy, Healthy, &wear);
        add("fan-1", 3.0, Healthy, Healthy, &wear);
        add("fan-1", 4.0, Alarm, Healthy, &wear);
        add("fan-1", 4.0, Alarm, Alarm, &wear);
        add("fan-2", 1.0, Healthy, Learning, &Truth::Normal);

        let fan = &tally.machines()["fan-1"];
        assert_eq!((fan.onset, fan.alarm, fan.delay()), (Some(3), Some(5), Some(2)));
        assert_eq!((fan.faulty(), fan.right(), fan.needless_alarms), ((4, 3), (4, 6), 0));
        assert_eq!(tally.right(), (5, 7));

        let summary = tally.summary(Duration::from_secs(2));
        for expected in [
            "7 chunks, 14 s of sound, judged in 2.0 s: 4 chunks/s, 7 times as fast as it was recorded",
            "5 of 7 chunks judged rightly (71.4 %)",
            "fan-1    bearing wear from chunk 3          3 of 4         1 of 2  2 chunks after the onset",
            "fan-2    normal throughout                       –         0 of 1  none, rightly",
        ] {
            assert!(summary.contains(expected), "{expected:?} in\n{summary}");
        }
    }

    #[test]
    fn a_missed_fault_and_a_needless_alarm_are_called_so() {
        let mut tally = Tally::default();
        tally.add(&score("deaf", 1.0, Healthy, Learning), &faulty("leak"), 1.0);
        tally.add(&score("nervous", 9.0, Alarm, Learning), &Truth::Normal, 1.0);
        let summary = tally.summary(Duration::from_secs(1));
        assert!(summary.contains("never: missed"), "{summary}");
        assert!(summary.contains("none due, and once needlessly"), "{summary}");
    }

    #[test]
    fn several_faults_of_one_machine_are_counted_apart() {
        let mut tally = Tally::default();
        tally.add(&score("compressor", 9.0, Alarm, Learning), &faulty("bearing"), 3.0);
        tally.add(&score("compressor", 1.0, Alarm, Alarm), &faulty("inlet valve"), 3.0);
        let summary = tally.summary(Duration::from_secs(1));
        assert!(summary.contains("2 faults") && summary.contains("at the first faulty chunk"), "{summary}");
        assert!(summary.contains("bearing                          1 of 1"), "{summary}");
        assert!(summary.contains("inlet valve                      0 of 1"), "{summary}");
    }
}
