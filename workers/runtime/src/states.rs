//! The states of all machines: committed states, and states staged by uncommitted batches.

use std::collections::{HashMap, VecDeque};

use crate::core::BatchId;
use crate::processor::{Memory, StateKey};

/// Committed states, with one layer per batch in flight on top, oldest first.
#[derive(Debug)]
pub struct States<S> {
    committed: HashMap<StateKey, S>,
    staged: VecDeque<(BatchId, HashMap<StateKey, S>)>,
    /// Raised by whatever changes a batch's view other than the batches themselves.
    generation: u64,
}

impl<S> Default for States<S> {
    fn default() -> Self {
        Self { committed: HashMap::new(), staged: VecDeque::new(), generation: 0 }
    }
}

impl<S: Clone> States<S> {
    /// A batch's view: the newest staged layer first, the committed states last.
    #[must_use]
    pub fn memory(&self) -> Memory<'_, S> {
        let staged = self.staged.iter().rev().map(|(_, layer)| layer);
        let layers = staged.chain([&self.committed]).collect();
        Memory { layers, written: HashMap::new(), generation: self.generation }
    }

    /// Installs restored states as a partition's committed states.
    pub fn install(&mut self, states: impl IntoIterator<Item = (StateKey, S)>) {
        self.generation += 1;
        self.committed.extend(states);
    }

    /// Adds a batch's writes as a new layer.
    pub fn stage(&mut self, batch: BatchId, written: HashMap<StateKey, S>) {
        debug_assert!(self.staged.back().is_none_or(|(last, _)| *last < batch), "batches are staged in their order");
        self.staged.push_back((batch, written));
    }

    /// Makes the layers up to a committed batch part of the committed states.
    pub fn swap(&mut self, batch: BatchId) {
        while let Some((staged, _)) = self.staged.front()
            && *staged <= batch
        {
            let (staged, layer) = self.staged.pop_front().expect("the front was just seen");
            if staged == batch {
                self.committed.extend(layer);
            } else {
                // Layers below a committed batch were committed before it, or dropped.
                self.generation += 1;
            }
        }
    }

    /// Drops the layer of a batch that will not be committed.
    pub fn drop_batch(&mut self, batch: BatchId) {
        self.generation += 1;
        self.staged.retain(|(staged, _)| *staged != batch);
    }

    /// Discards all staged states.
    pub fn discard(&mut self) {
        self.generation += 1;
        self.staged.clear();
    }

    /// Removes all states of a partition, committed or staged.
    pub fn forget(&mut self, partition: i32) {
        self.generation += 1;
        self.committed.retain(|(owner, _), _| *owner != partition);
        for (_, layer) in &mut self.staged {
            layer.retain(|(owner, _), _| *owner != partition);
        }
    }

    /// The committed states.
    #[must_use]
    pub fn committed(&self) -> &HashMap<StateKey, S> {
        &self.committed
    }
}
