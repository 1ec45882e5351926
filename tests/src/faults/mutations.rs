//! Proof that the suite can fail: each rule of delivery switched off, and the fault that must then be noticed.

use anyhow::Result;
use rand::rngs::SmallRng;

use super::{Fault, Outcome, Protocol, Role, Scale, catalogue, run};
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
    /// Launches instead of the fault's own, where those leave too much to luck.
    pub launches: Option<fn(&mut SmallRng, Role) -> Vec<String>>,
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
        // A stale result does harm when it comes after the partition's new owner has begun: so every batch ends seconds
        // behind the drain deadline, and holds what has gathered in all partitions meanwhile.
        launches: Some(|_, _| vec!["process:3+:sleep=6000".to_owned()]),
        shows: |verdict| verdict.doubled.len(),
        as_what: "doubled",
    },
    Mutation {
        name: "no-seek",
        rule: "rule 5: after an abort, back to the committed offsets",
        fault: "transactions aborted",
        launches: None,
        shows: |verdict| verdict.lost.len(),
        as_what: "lost",
    },
    Mutation {
        name: "state-apart",
        rule: "the state in the same transaction as the results",
        fault: "SIGKILL after commit",
        launches: None,
        shows: |verdict| verdict.state_mismatches.len() + verdict.wrong.len(),
        as_what: "wrong or state mismatches",
    },
    Mutation {
        name: "no-renewal",
        rule: "a producer that lost a connection is not used for another transaction",
        fault: "EndTxn twice, the first one late",
        launches: None,
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
        let mut fault: Fault = catalogue::named(self.fault).expect("mutations name faults of the catalogue");
        fault.launches = self.launches.unwrap_or(fault.launches);
        run(&fault, Protocol::Classic, scale, Some(self.name))
    }

    /// How much of it was noticed.
    #[must_use]
    pub fn noticed(&self, outcome: &Outcome) -> usize {
        outcome.verdicts.iter().map(self.shows).sum()
    }
}
