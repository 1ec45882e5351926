//! One set of clients and the threads that use two of them.

use crossbeam_channel::Sender;

use super::RunnerError;
use super::threads::{self, Commits, Completion, RestoreCommand};
use crate::core::{BatchId, Epoch};
use crate::ports::{ClientsOf, LogClients, Transaction};

/// Clients in use. Dropping it closes the consumer; the threads end as soon as their present call returns. A
/// commit that hangs there is fenced by the producer that comes after it.
pub(super) struct Session<C: LogClients> {
    pub consumer: C::Consumer,
    transactions: Commits<C::Membership>,
    restores: Sender<RestoreCommand>,
}

impl<C: LogClients> Session<C> {
    pub fn start(
        clients: ClientsOf<C>,
        changelog: Option<&'static str>,
        completed: &Sender<Completion>,
    ) -> Result<Self, RunnerError> {
        let transactions = threads::spawn_transactions(clients.producer, completed.clone())?;
        let restores = threads::spawn_restores(clients.restorer, changelog, completed.clone())?;
        Ok(Self { consumer: clients.consumer, transactions, restores })
    }

    pub fn restore(&self, partition: i32, epoch: Epoch) {
        // A closed channel shows as `ThreadEnded` among the completions.
        let _ = self.restores.send(RestoreCommand::Restore { partition, epoch });
    }

    /// Asks for the end of a partition that delivers nothing any more.
    pub fn check_end(&self, partition: i32, epoch: Epoch, from: i64) {
        let _ = self.restores.send(RestoreCommand::CheckEnd { partition, epoch, from });
    }

    pub fn commit(&self, batch: BatchId, transaction: Transaction<C::Membership>) {
        let _ = self.transactions.send((batch, transaction));
    }
}
