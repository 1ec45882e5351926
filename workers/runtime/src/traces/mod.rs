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

mod config;
mod otlp;
mod rule;
mod spans;

pub use config::TracesConfig;
pub use rule::TraceRule;
pub(crate) use spans::{BatchTimes, Traced};
pub use spans::{SpanRecorder, TraceError};
