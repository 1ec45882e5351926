//! Since when a machine has deviated, and in which bands: what is remembered of its unbroken run of anomalous chunks.

use auscult_schemas::{BandMemory, DeviatingBand, DeviationMemory};
use jiff::Timestamp;

/// Two bands are one and the same where they share so much of the narrower one: a fault that grows widens its band, and
/// neighbours that merely touch are two faults.
const SAME_SHARE: f64 = 0.5;

/// Takes one chunk into the run, and gives its bands with the time since which each has deviated. A normal chunk ends
/// the run.
pub(crate) fn advance(
    memory: &mut Option<DeviationMemory>,
    is_anomalous: bool,
    bands: &[DeviatingBand],
    time: Timestamp,
) -> Vec<DeviatingBand> {
    if !is_anomalous {
        *memory = None;
        return bands.to_vec();
    }
    let run = memory.get_or_insert_with(|| DeviationMemory { since: time, bands: Vec::new() });
    let mut dated = |band: &DeviatingBand| {
        let same = run.bands.iter().filter(|known| is_same(known, band));
        let since = same.map(|known| known.since).min();
        if since.is_none() && run.bands.len() < DeviationMemory::BANDS {
            run.bands.push(BandMemory { hz_low: band.hz_low, hz_high: band.hz_high, since: time });
        }
        DeviatingBand { since: Some(since.unwrap_or(time)), ..*band }
    };
    bands.iter().map(&mut dated).collect()
}

fn is_same(known: &BandMemory, band: &DeviatingBand) -> bool {
    let shared = known.hz_high.min(band.hz_high) - known.hz_low.max(band.hz_low);
    let narrower = (known.hz_high - known.hz_low).min(band.hz_high - band.hz_low);
    shared > 0.0 && shared >= SAME_SHARE * narrower
}
