//! Proof that the suite can fail: each rule of delivery switched off, and the fault that must then be noticed.

use anyhow::Result;

use super::{Fault, Outcome, Protocol, Scale, catalogue, run};
use crate::verifier::Verdict;

/// A rule that is switched off in the workers.
#[derive(Clone, Copy)]
pub struct Mutation {
    /// Value of `AUSCULT_MUTATION`.
    pub name: &'static str,
    /// The rule.
    pub rule: &'static str,
    /// The fault under which it must show.
    pub fault: &'static str,
    /// What it must show as.
    pub shows: fn(&Verdict) -> usize,
    /// The name of that.
    pub as_what: &'static str,
}

/// All of them.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "keep-stale",
        rule: "rule 3: results of an old epoch are dropped",
        fault: "revoke during a slow batch",
        shows: |verdict| verdict.doubled.len(),
        as_what: "doubled",
    },
    Mutation {
        name: "no-seek",
        rule: "rule 5: after an abort, back to the committed offsets",
        fault: "transactions aborted",
        shows: |verdict| verdict.lost.len(),
        as_what: "lost",
    },
    Mutation {
        name: "state-apart",
        rule: "the state in the same transaction as the results",
        fault: "SIGKILL after commit",
        shows: |verdict| verdict.state_mismatches.len() + verdict.wrong.len(),
        as_what: "wrong or state mismatches",
    },
    Mutation {
        name: "no-renewal",
        rule: "a producer that lost a connection is not used for another transaction",
        fault: "EndTxn twice, the first one late",
        shows: |verdict| verdict.doubled.len() + verdict.lost.len(),
        as_what: "doubled or lost",
    },
];

impl Mutation {
    /// Runs the fault with the rule switched off.
    ///
    /// # Errors
    /// When the cluster cannot be set up.
    pub fn run(&self, scale: Scale) -> Result<Outcome> {
        let fault: Fault = catalogue::named(self.fault).expect("mutations name faults of the catalogue");
        run(&fault, Protocol::Classic, scale, Some(self.name))
    }

    /// How much of it was noticed.
    #[must_use]
    pub fn noticed(&self, outcome: &Outcome) -> usize {
        outcome.verdicts.iter().map(self.shows).sum()
    }
}
