//! What was found.

use std::fmt;

/// One thing that is not as it should be: a sentence that names machine, topic, partition and offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding(pub String);

/// All that was found in one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Records that came in.
    pub chunks: usize,
    /// Scores, audit records and dead letters that came out.
    pub results: usize,
    /// Results that are not there.
    pub lost: Vec<Finding>,
    /// Results that are there more than once.
    pub doubled: Vec<Finding>,
    /// Results that stand before those of earlier records.
    pub reordered: Vec<Finding>,
    /// Results that say something else than the replay, or answer nothing that came in.
    pub wrong: Vec<Finding>,
    /// Machines whose state in the changelog is not that of the replay.
    pub state_mismatches: Vec<Finding>,
    /// When each score and each audit record was written and each dead letter made, ms since 1970.
    pub result_times_ms: Vec<i64>,
}

impl Verdict {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.kinds().iter().all(|(_, findings)| findings.is_empty())
    }

    pub(super) fn add_lost(&mut self, what: String) {
        self.lost.push(Finding(what));
    }

    pub(super) fn add_doubled(&mut self, what: String) {
        self.doubled.push(Finding(what));
    }

    pub(super) fn add_reordered(&mut self, what: String) {
        self.reordered.push(Finding(what));
    }

    pub(super) fn add_wrong(&mut self, what: String) {
        self.wrong.push(Finding(what));
    }

    pub(super) fn add_state_mismatch(&mut self, what: String) {
        self.state_mismatches.push(Finding(what));
    }

    fn kinds(&self) -> [(&'static str, &Vec<Finding>); 5] {
        [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("reordered", &self.reordered),
            ("wrong", &self.wrong),
            ("state mismatches", &self.state_mismatches),
        ]
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        let counts: Vec<String> =
            self.kinds().iter().map(|(kind, findings)| format!("{} {kind}", findings.len())).collect();
        write!(f, "{} records in, {} results; {}", self.chunks, self.results, counts.join(", "))?;
        for (kind, findings) in self.kinds() {
            for Finding(sentence) in findings.iter().take(SHOWN) {
                write!(f, "\n  {kind}: {sentence}")?;
            }
            if findings.len() > SHOWN {
                write!(f, "\n  {kind}: and {} more", findings.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}
