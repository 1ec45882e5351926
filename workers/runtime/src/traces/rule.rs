//! Determines the trace of a record, and the trace headers of its results.

use auscult_schemas::{ChunkId, Headers, TraceContext};

use crate::record::Record;

/// How a stage continues traces. The result for a record is deterministic.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceRule {
    /// Name of the stage, which distinguishes its spans from those of other stages.
    stage: String,
    /// Share of the chunks without a context for which a trace is started; `None`: nothing is recorded here.
    share: Option<f64>,
}

impl TraceRule {
    /// A stage that records spans; it starts a trace for this share of the records without one.
    #[must_use]
    pub fn recording(stage: &str, share: f64) -> Self {
        Self { stage: stage.to_owned(), share: Some(share) }
    }

    /// A stage that passes trace contexts on, and records nothing.
    #[must_use]
    pub fn carrying(stage: &str) -> Self {
        Self { stage: stage.to_owned(), share: None }
    }

    /// The trace of a record: its own, or a new one derived from its id, and therefore the same in every stage.
    #[must_use]
    pub fn context(&self, record: &Record) -> TraceContext {
        TraceContext::of(&record.headers).unwrap_or_else(|| {
            let id = record.headers.get("ce_id").filter(|id| !id.is_empty());
            let id = id.map_or_else(|| record.coordinates.to_string(), |id| String::from_utf8_lossy(id).into_owned());
            TraceContext::started_for(&ChunkId(id), self.share.unwrap_or(0.0))
        })
    }

    /// The record's trace and the context of this stage's span; `None` if the trace is not recorded. A replayed chunk
    /// is a different record.
    #[must_use]
    pub fn span(&self, record: &Record) -> Option<(TraceContext, TraceContext)> {
        self.share?;
        let context = self.context(record);
        context.is_sampled().then(|| (context, context.child(&format!("{} {}", self.stage, record.coordinates))))
    }

    /// The root context for a record that a gateway is about to send, if it has none and its trace is recorded; it is
    /// added to the headers.
    pub(crate) fn begin(&self, headers: &mut Headers) -> Option<TraceContext> {
        let share = self.share?;
        let id = headers.get("ce_id").filter(|_| TraceContext::of(headers).is_none())?;
        let root = TraceContext::started_for(&ChunkId(String::from_utf8_lossy(id).into_owned()), share);
        root.is_sampled().then(|| {
            headers.set(TraceContext::HEADER, root.to_string());
            root
        })
    }

    /// Has the results of a record belong to its trace.
    pub(crate) fn carry<'a>(&self, record: &Record, results: impl Iterator<Item = &'a mut Headers>) {
        let span = self.span(record).map(|(_, span)| span.to_string());
        let state = record.headers.get(TraceContext::STATE_HEADER);
        if span.is_none() && state.is_none() {
            return;
        }
        for headers in results {
            if let Some(span) = &span {
                headers.set(TraceContext::HEADER, span.clone());
            }
            if let Some(state) = state {
                headers.set(TraceContext::STATE_HEADER, state.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use auscult_schemas::RecordCoordinates;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn record(headers: &[(&str, &str)]) -> Record {
        Record {
            coordinates: RecordCoordinates { topic: "audio.chunks".to_owned(), partition: 1, offset: 2 },
            key: None,
            value: None,
            headers: Headers(
                headers.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned().into()))).collect(),
            ),
            timestamp_ms: None,
        }
    }

    fn carried(rule: &TraceRule, record: &Record) -> Headers {
        let mut result = Headers::default();
        // As an envelope carries it.
        if let Some(context) = record.headers.get("traceparent") {
            result.push("traceparent", context.clone());
        }
        rule.carry(record, std::iter::once(&mut result));
        result
    }

    #[test]
    fn a_recording_stage_stands_between_its_record_and_the_results() {
        let record = record(&[("traceparent", PARENT), ("tracestate", "vendor=1")]);
        let parent = TraceContext::parse(PARENT).unwrap();
        let headers = carried(&TraceRule::recording("scoring", 0.0), &record);
        let context = TraceContext::of(&headers).unwrap();
        assert_eq!(context.trace_id, parent.trace_id);
        assert_eq!(context, parent.child("scoring audio.chunks/1/2"));
        assert_eq!(headers.get("tracestate").unwrap(), "vendor=1");
        assert_eq!(headers.0.len(), 2);
    }

    #[test]
    fn a_stage_that_records_nothing_or_a_trace_that_nobody_records_goes_on_untouched() {
        let sampled = record(&[("traceparent", PARENT), ("tracestate", "vendor=1")]);
        let headers = carried(&TraceRule::carrying("scoring"), &sampled);
        assert_eq!(
            (headers.get("traceparent").unwrap(), headers.get("tracestate").unwrap()),
            (&PARENT.into(), &"vendor=1".into())
        );
        let unsampled = PARENT.replace("-01", "-00");
        let headers = carried(&TraceRule::recording("scoring", 1.0), &record(&[("traceparent", &unsampled)]));
        assert_eq!(headers.get("traceparent").unwrap(), unsampled.as_bytes());
    }

    #[test]
    fn a_gateway_s_trace_is_the_one_that_the_chunk_s_id_stands_for_and_goes_on_in_the_stages() {
        let chunk = record(&[("ce_id", "fan-07/17")]);
        let (gateway, features) = (TraceRule::recording("send", 1.0), TraceRule::recording("features", 0.0));
        let mut sent = chunk.clone();
        let root = gateway.begin(&mut sent.headers).unwrap();
        assert_eq!(gateway.begin(&mut sent.headers), None, "it is begun once");
        assert_eq!(TraceRule::recording("send", 0.0).begin(&mut chunk.headers.clone()), None);
        assert_eq!(root.trace_id, features.context(&chunk).trace_id);
        assert_eq!(TraceContext::of(&carried(&features, &sent)), Some(root.child("features audio.chunks/1/2")));
    }

    #[test]
    fn a_trace_is_started_for_the_share_asked_for_and_is_known_by_the_chunk_in_every_stage() {
        let chunk = record(&[("ce_id", "fan-07/17")]);
        assert!(carried(&TraceRule::recording("features", 0.0), &chunk).0.is_empty());
        assert!(carried(&TraceRule::carrying("features"), &chunk).0.is_empty());
        let features = TraceRule::recording("features", 1.0);
        let context = TraceContext::of(&carried(&features, &chunk)).unwrap();
        assert_eq!(context.trace_id, TraceRule::carrying("scoring").context(&chunk).trace_id);
        assert_ne!(context.trace_id, features.context(&record(&[])).trace_id);
    }
}
