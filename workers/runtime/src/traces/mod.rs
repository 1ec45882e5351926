//! Traces: the way of a chunk from its gateway to its alert, as spans that share an id.
//!
//! ```text
//!   traceparent of the record ─┐                                  ┌─► traceparent of its results: this stage's span
//!   (or one begun for it)      ├─► TraceRule ─► TraceContext ─────┤
//!                                                                 └─► SpanRecorder, once the batch is committed ─► OTLP ─► collector
//! ```
//!
//! Ids follow from the record: a batch that is done again gives the same spans, and its results the same headers. A
//! span is recorded only with the commit, as results count only with it. Without a collector nothing is recorded, and a
//! context is carried on untouched.

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
