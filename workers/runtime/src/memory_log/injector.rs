//! Planned failures at named steps.

use std::collections::VecDeque;
use std::time::Duration;

/// The step at which a failure occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Before a transaction begins.
    Begin,
    /// Half of the outputs are sent.
    Send,
    /// All are sent, the offsets are not.
    SendOffsets,
    /// Offsets are sent, the transaction is not ended.
    Commit,
    /// The transaction is committed, its producer does not know yet.
    Committed,
    /// A partition is being restored.
    Restore,
}

/// The kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An abortable error: the client aborts and reports it. Not possible once committed, where it counts as fatal.
    Abort,
    /// The client is of no use any more, and leaves everything as it is.
    Fatal,
    /// It takes this much longer.
    Delay(Duration),
}

/// The plan: failures occur in the planned order, separately for each step.
#[derive(Debug, Default)]
pub struct Injector {
    planned: VecDeque<(Step, Fault)>,
}

impl Injector {
    pub(crate) fn plan(&mut self, step: Step, fault: Fault) {
        self.planned.push_back((step, fault));
    }

    pub(crate) fn strike(&mut self, step: Step) -> Option<Fault> {
        let index = self.planned.iter().position(|(planned, _)| *planned == step)?;
        self.planned.remove(index).map(|(_, fault)| fault)
    }
}
