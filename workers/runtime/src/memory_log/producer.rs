//! The transactional producer.

use super::{Fault, Inner, Membership, MemoryLog, MemoryWorker, Outcome, Step, TransactionNumber};
use crate::ports::{Failure, LogProducer, RefusedOutput, Transaction};
use crate::record::OutputRecord;

/// A producer of one transactional id and epoch.
#[derive(Debug)]
pub struct MemoryProducer {
    log: MemoryLog,
    transactional_id: String,
    epoch: u64,
    group: String,
}

impl MemoryProducer {
    pub(crate) fn fencing(log: MemoryLog, worker: &MemoryWorker) -> Self {
        let epoch = log.lock().fence(&worker.transactional_id);
        log.notify();
        Self { log, transactional_id: worker.transactional_id.clone(), epoch, group: worker.group.clone() }
    }

    fn check_epoch(&self, inner: &Inner) -> Result<(), Failure> {
        let current = inner.transactional_ids.get(&self.transactional_id).map_or(0, |id| id.epoch);
        if current == self.epoch {
            return Ok(());
        }
        Err(Failure::Fatal(format!(
            "fenced: another worker uses the transactional id {:?}, or a transaction took too long; give each worker its own instance id",
            self.transactional_id
        )))
    }

    /// Runs one step under the lock, with its planned faults.
    fn step<T>(
        &self,
        step: Step,
        open: Option<TransactionNumber>,
        run: impl FnOnce(&mut Inner) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let planned = self.log.lock().injector.strike(step);
        if let Some(Fault::Delay(delay)) = planned {
            std::thread::sleep(delay);
        }
        let mut inner = self.log.lock();
        self.check_epoch(&inner)?;
        match planned {
            Some(Fault::Fatal) => Err(Failure::Fatal(format!("injected at {step:?}"))),
            Some(Fault::Abort) => {
                self.abort(&mut inner, open);
                Err(Failure::Aborted(format!("injected at {step:?}")))
            }
            Some(Fault::Delay(_)) | None => run(&mut inner),
        }
    }

    fn abort(&self, inner: &mut Inner, open: Option<TransactionNumber>) {
        if let Some(transaction) = open {
            inner.end(transaction, Outcome::Aborted);
            if let Some(id) = inner.transactional_ids.get_mut(&self.transactional_id) {
                id.open = None;
            }
        }
    }

    fn run(&self, transaction: Transaction<Membership>) -> Result<(), Failure> {
        let number = self.step(Step::Begin, None, |inner| {
            let number = TransactionNumber::try_from(inner.transactions.len()).expect("fewer than 2^64 transactions");
            inner.transactions.push(Outcome::Open);
            let id = inner.transactional_ids.entry(self.transactional_id.clone()).or_default();
            id.open = Some(number);
            Ok(number)
        })?;
        let mut outputs = transaction.outputs;
        let second_half = outputs.split_off(outputs.len() / 2);
        for half in [outputs, second_half] {
            self.step(Step::Send, Some(number), |inner| {
                let is_too_large = |output: &&OutputRecord| {
                    inner.largest.get(&output.topic).is_some_and(|largest| output.bytes() > *largest)
                };
                let refused: Vec<RefusedOutput> = half
                    .iter()
                    .filter(is_too_large)
                    .map(|output| RefusedOutput::of(output, "it is larger than its topic takes".to_owned()))
                    .collect();
                if !refused.is_empty() {
                    self.abort(inner, Some(number));
                    let reason = "records are larger than their topics take".to_owned();
                    return Err(Failure::Refused { reason, outputs: refused });
                }
                let is_closed = |output: &OutputRecord| {
                    inner
                        .closed
                        .as_ref()
                        .is_some_and(|(topic, number)| *topic == output.topic && *number == output.partition)
                };
                if half.iter().any(is_closed) {
                    self.abort(inner, Some(number));
                    return Err(Failure::Aborted("the partition takes nothing".to_owned()));
                }
                for output in half {
                    let (topic, partition) = (output.topic.clone(), output.partition);
                    inner.partition_mut(&topic, partition).append(output, Some(number));
                }
                Ok(())
            })?;
        }
        self.step(Step::SendOffsets, Some(number), |inner| {
            let group = inner.groups.entry(self.group.clone()).or_default();
            if !group.is_valid(transaction.membership) {
                self.abort(inner, Some(number));
                return Err(Failure::Aborted("the group has a new generation".to_owned()));
            }
            group.hold_offsets(number, &transaction.offsets);
            Ok(())
        })?;
        self.step(Step::Commit, Some(number), |inner| {
            inner.end(number, Outcome::Committed);
            if let Some(id) = inner.transactional_ids.get_mut(&self.transactional_id) {
                id.open = None;
            }
            Ok(())
        })?;
        let planned = self.log.lock().injector.strike(Step::Committed);
        match planned {
            Some(Fault::Fatal | Fault::Abort) => Err(Failure::Fatal("injected after the commit".to_owned())),
            Some(Fault::Delay(delay)) => {
                std::thread::sleep(delay);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl LogProducer for MemoryProducer {
    type Membership = Membership;

    fn commit(&mut self, transaction: Transaction<Membership>) -> Result<(), Failure> {
        let outcome = self.run(transaction);
        self.log.notify();
        outcome
    }
}
