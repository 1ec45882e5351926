//! Reads a partition's committed position and its changelog.

use std::time::{Duration, Instant};

use super::{Fault, Inner, MemoryLog, MemoryWorker, Step};
use crate::ports::{Failure, LogRestorer, Restored};

/// Restorer of one worker.
#[derive(Debug)]
pub struct MemoryRestorer {
    log: MemoryLog,
    worker: MemoryWorker,
}

impl MemoryRestorer {
    pub(crate) fn new(log: MemoryLog, worker: MemoryWorker) -> Self {
        Self { log, worker }
    }

    /// Restores immediately, or returns `None` while an open transaction holds an offset of the partition.
    ///
    /// # Errors
    /// [`Failure::Fatal`] if one is injected.
    pub fn try_restore(&mut self, partition: i32, changelog: Option<&str>) -> Result<Option<Restored>, Failure> {
        let mut inner = self.log.lock();
        if !is_stable(&inner, &self.worker.group, partition) {
            return Ok(None);
        }
        let planned = inner.injector.strike(Step::Restore);
        match planned {
            Some(Fault::Fatal | Fault::Abort) => return Err(Failure::Fatal("injected while restoring".to_owned())),
            Some(Fault::Delay(delay)) => {
                drop(inner);
                std::thread::sleep(delay);
                inner = self.log.lock();
            }
            None => {}
        }
        let committed = inner.groups.get(&self.worker.group).and_then(|group| group.committed(partition));
        let first = inner.partition(&self.worker.topic, partition).first_offset();
        let known = committed.unwrap_or(first);
        let expired_offsets = u64::try_from(first - known).unwrap_or(0);
        let mut restored = Restored { position: known.max(first), expired_offsets, ..Restored::default() };
        let Some(changelog) = changelog else { return Ok(Some(restored)) };
        let log = inner.partition(changelog, partition);
        let mut position = log.first_offset();
        while let Some((offset, record)) = log.next_committed(position, &inner.transactions) {
            position = offset + 1;
            let Some(key) = record.key.clone() else { continue };
            restored.bytes_read += u64::try_from(record.bytes()).unwrap_or(u64::MAX);
            match record.value.clone() {
                Some(value) => restored.entries.insert(key, value),
                None => restored.entries.remove(&key),
            };
        }
        Ok(Some(restored))
    }

    fn abort_holders(&self, partition: i32) {
        let mut inner = self.log.lock();
        let holders: Vec<String> = inner
            .transactional_ids
            .iter()
            .filter(|(_, id)| id.open.is_some())
            .map(|(transactional_id, _)| transactional_id.clone())
            .collect();
        if !is_stable(&inner, &self.worker.group, partition) {
            for holder in holders {
                inner.fence(&holder);
            }
        }
        drop(inner);
        self.log.notify();
    }
}

fn is_stable(inner: &Inner, group: &str, partition: i32) -> bool {
    inner.groups.get(group).is_none_or(|group| group.is_stable(partition))
}

impl LogRestorer for MemoryRestorer {
    fn restore(&mut self, partition: i32, changelog: Option<&str>) -> Result<Restored, Failure> {
        let deadline = Instant::now() + self.worker.transaction_timeout;
        loop {
            if let Some(restored) = self.try_restore(partition, changelog)? {
                return Ok(restored);
            }
            if Instant::now() >= deadline {
                self.abort_holders(partition);
            }
            let log = self.log.clone();
            drop(log.wait(log.lock(), Duration::from_millis(5)));
        }
    }

    fn undelivered_end(&mut self, partition: i32, from: i64) -> Result<Option<i64>, Failure> {
        let inner = self.log.lock();
        let log = inner.partition(&self.worker.topic, partition);
        let end = log.last_stable_offset();
        let is_empty = log.next_committed(from, &inner.transactions).is_none();
        Ok((is_empty && end > from).then_some(end))
    }
}
