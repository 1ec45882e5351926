//! Traces: the path of a chunk from its gateway to its alert, as spans with a common trace id.
//!
//! ```text
//!   traceparent of the record ─┐                                  ┌─► traceparent of its results: this stage's span
//!   (or a new one)             ├─► TraceRule ─► TraceContext ─────┤
//!                                                                 └─► SpanRecorder, once the batch is committed ─► OTLP ─► collector
//! ```
//!
//! Ids are derived from the record: a batch that is processed again gives the same spans, and its results have the same
//! headers. A span is recorded only after the commit, like results. Without a collector nothing is recorded, and the
//! trace context is passed on unchanged.

mod otlp;
mod rule;
mod spans;

pub use rule::TraceRule;
pub use spans::SpanRecorder;
pub(crate) use spans::{BatchTimes, TracedRecord};

pub use crate::config::TracesConfig;

/// Why traces cannot be recorded.
#[derive(Debug, thiserror::Error)]
#[error("cannot record traces: {0}; see traces.otlp_endpoint")]
pub struct TraceError(String);
