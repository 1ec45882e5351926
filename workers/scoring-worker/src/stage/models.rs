//! Applies changes of models between two batches.

use std::sync::Arc;

use auscult_runtime::record::Record;

use super::ScoringStage;
use crate::ModelsConfig;
use crate::event::ScoringEvent;
use crate::library::{Entry, LoadedModel, Owner};
use crate::reload::{Change, ModelWatcher};

impl ScoringStage {
    pub(crate) fn model_watcher(&self, config: &ModelsConfig) -> ModelWatcher {
        ModelWatcher::new(config, &self.library, self.device.clone(), self.scoring_metrics.clone())
    }

    pub(super) fn count_models(&self) {
        let usable = self.library.entries().values().filter(|entry| entry.model.is_ok()).count();
        self.scoring_metrics.models.set(i64::try_from(usable).unwrap_or(i64::MAX));
    }

    /// Changes are applied only here, so that no batch uses two versions of one model. After a panic, the runner
    /// processes the records of the batch one by one: they still belong to that batch.
    pub(super) fn begin_batch(&mut self, records: &[Record]) {
        let position = |record: &Record| (record.coordinates.partition, record.coordinates.offset);
        let goes_on =
            !self.unfinished.is_empty() && records.iter().all(|record| self.unfinished.contains(&position(record)));
        if goes_on {
            return;
        }
        self.unfinished.clear();
        self.unfinished.extend(records.iter().map(position));
        let changes: Vec<Change> = self.reload.iter().flat_map(|reload| reload.changes.try_iter()).collect();
        if !changes.is_empty() {
            changes.into_iter().for_each(|change| self.apply_change(change));
            self.count_models();
        }
    }

    fn apply_change(&mut self, change: Change) {
        let replaced = match change {
            Change::Usable { owner, name, model } => {
                ScoringEvent::ModelServes { file: &name, model: &model.model, owner: &owner }
                    .report(&self.scoring_metrics);
                self.library.put(owner, Entry { name, model: Ok(model) })
            }
            Change::Unusable { owner, name, reason } => self.put_unusable(owner, Entry { name, model: Err(reason) }),
            Change::Removed(owner) => {
                ScoringEvent::ModelGone(&owner).report(&self.scoring_metrics);
                self.library.remove(&owner)
            }
        };
        if let Some(replaced) = replaced {
            self.device.discard(replaced.slot);
        }
    }

    /// A machine that uses the default model keeps it until its own file is valid; the file may be incomplete.
    fn put_unusable(&mut self, owner: Owner, entry: Entry) -> Option<Arc<LoadedModel>> {
        let default = self.library.entries().get(&Owner::Everyone);
        let is_served =
            !self.library.entries().contains_key(&owner) && default.is_some_and(|entry| entry.model.is_ok());
        if is_served { None } else { self.library.put(owner, entry) }
    }
}
