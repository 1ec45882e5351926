//! What the changelog says of machines at one moment.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use auscult_schemas::topics::SCORER_STATE;
use serde_json::Value;

use crate::Kcat;

/// The last word on each machine, as JSON: written by whichever build.
#[derive(Debug, Default)]
pub(super) struct Remembered(BTreeMap<String, Value>);

impl Remembered {
    pub(super) fn now(kcat: &Kcat) -> Result<Self> {
        let mut last = BTreeMap::new();
        for record in kcat.consume(SCORER_STATE)? {
            let state = record.json()?;
            last.insert(state["machine"].as_str().unwrap_or_default().to_owned(), state);
        }
        Ok(Self(last))
    }

    fn count(&self, holds: impl Fn(&Value) -> bool) -> usize {
        self.0.values().filter(|state| holds(state)).count()
    }

    /// How many machines somebody has set a threshold for, or muted.
    pub(super) fn touched_by_people(&self) -> usize {
        self.count(|state| {
            ["threshold", "mute", "maintenance", "acknowledged"].iter().any(|name| state.get(name).is_some())
        })
    }

    /// How many are in warning or alarm.
    pub(super) fn deviating(&self) -> usize {
        self.count(|state| matches!(state["alert"]["state"].as_str(), Some("warning" | "alarm" | "acknowledged")))
    }
}

impl fmt::Display for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunks: u64 = self.0.values().filter_map(|state| state["chunks"].as_u64()).sum();
        let (machines, touched, deviating) = (self.0.len(), self.touched_by_people(), self.deviating());
        write!(
            f,
            "{machines} machines, {chunks} chunks heard; {touched} with what people have set, {deviating} in warning or alarm"
        )
    }
}

/// Machines of which a later record counts fewer chunks than an earlier one: whoever wrote it has begun anew.
pub(super) fn forgotten(kcat: &Kcat) -> Result<Vec<String>> {
    let mut latest: BTreeMap<String, u64> = BTreeMap::new();
    let mut found = Vec::new();
    for record in kcat.consume(SCORER_STATE)? {
        let state = record.json()?;
        let machine = state["machine"].as_str().unwrap_or_default().to_owned();
        let chunks = state["chunks"].as_u64().unwrap_or_default();
        let before = latest.insert(machine.clone(), chunks).unwrap_or_default();
        if chunks < before {
            found.push(format!("{machine} counts {chunks} chunks after {before}"));
        }
    }
    Ok(found)
}
