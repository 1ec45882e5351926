//! W3C trace context: by what the spans of one chunk, from its gateway to its alert, are known to belong together.
//! <https://www.w3.org/TR/trace-context/>

use sha2::{Digest, Sha256};

use crate::{ChunkId, Headers};

/// What `traceparent` says: which trace, which span of it comes before, and whether somebody records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Of the whole trace; never zero.
    pub trace_id: [u8; 16],
    /// Of the span that comes before; never zero.
    pub span_id: [u8; 8],
    /// The flags as they came.
    pub flags: u8,
}

impl TraceContext {
    /// Name of the header that carries it.
    pub const HEADER: &str = "traceparent";
    /// Name of the header in which tracing systems keep what is their own; carried on untouched.
    pub const STATE_HEADER: &str = "tracestate";
    /// The same as CloudEvents' distributed tracing extension has it.
    pub const CLOUD_EVENTS_HEADER: &str = "ce_traceparent";
    const SAMPLED: u8 = 1;

    /// What a record's headers say; `None` where they say nothing, or nothing that is a trace context: the
    /// specification has such a trace begin anew.
    #[must_use]
    pub fn of(headers: &Headers) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value| std::str::from_utf8(value).ok());
        text(Self::HEADER).or_else(|| text(Self::CLOUD_EVENTS_HEADER)).and_then(Self::parse)
    }

    /// Reads `00-<32 hex digits>-<16 hex digits>-<2 hex digits>`; of versions to come, which may say more, the part
    /// that is known.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let [version] = bytes_of(parts.next()?)?;
        let context = Self {
            trace_id: bytes_of(parts.next()?)?,
            span_id: bytes_of(parts.next()?)?,
            flags: flags_of(parts.next()?)?,
        };
        let is_of_known_form = if version == 0 { parts.next().is_none() } else { version != 0xff };
        let is_named = context.trace_id != [0; 16] && context.span_id != [0; 8];
        (is_of_known_form && is_named).then_some(context)
    }

    /// The trace of a chunk for which nobody has begun one, recorded where its [`TraceContext::rank`] is below `share`.
    /// The same for whoever asks, however often: a repeated batch is no second trace, and each worker's log names the
    /// same one.
    #[must_use]
    pub fn started_for(chunk: &ChunkId, share: f64) -> Self {
        let digest = Sha256::digest([b"auscult trace ".as_slice(), chunk.0.as_bytes()].concat());
        let started = Self { trace_id: leading(&digest), span_id: leading(&digest[16..]), flags: 0 };
        Self { flags: if started.rank() < share { Self::SAMPLED } else { 0 }, ..started }
    }

    /// The context of what follows from this one in `stage`. Deterministic as [`TraceContext::started_for`] is.
    #[must_use]
    pub fn child(&self, stage: &str) -> Self {
        let digest = Sha256::digest([&self.trace_id, self.span_id.as_slice(), stage.as_bytes()].concat());
        Self { span_id: leading(&digest), ..*self }
    }

    /// Whether whoever came before records the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }

    /// Where the trace stands among all, evenly from 0 up to 1: the same for every span of it, so that whoever records
    /// a share of all traces records the same ones.
    #[must_use]
    pub fn rank(&self) -> f64 {
        let last: [u8; 8] = leading(&self.trace_id[8..]);
        // 53 bits are what a double holds exactly.
        (u64::from_be_bytes(last) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The trace's id as logs and tracing systems write it.
    #[must_use]
    pub fn trace_id_hex(&self) -> String {
        hex(&self.trace_id)
    }
}

impl std::fmt::Display for TraceContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "00-{}-{}-{:02x}", hex(&self.trace_id), hex(&self.span_id), self.flags)
    }
}

fn flags_of(text: &str) -> Option<u8> {
    bytes_of(text).map(|[flags]| flags)
}

/// Lower-case hexadecimal digits of exactly so many bytes; upper case is none, by the specification.
fn bytes_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = text.len() == 2 * N && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hex {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, position) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(position..position + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first `N` bytes, which a digest has; a zero id, which nobody may use, is one in 2⁶⁴.
fn leading<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut taken = [0; N];
    taken.copy_from_slice(&bytes[..N]);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_read_and_written_as_it_was() {
        let context = TraceContext::parse(TEXT).unwrap();
        assert!(context.is_sampled());
        assert_eq!(context.trace_id_hex(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.to_string(), TEXT);
    }

    #[test]
    fn what_the_specification_forbids_is_no_context() {
        let refused = [
            "",
            "00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b-01",
        ];
        for text in refused {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
        let of_a_later_version = TEXT.replacen("00", "01", 1) + "-more";
        assert_eq!(TraceContext::parse(&of_a_later_version), TraceContext::parse(TEXT));
    }

    #[test]
    fn a_child_belongs_to_the_same_trace_and_is_the_same_each_time() {
        let parent = TraceContext::parse(TEXT).unwrap();
        let child = parent.child("feature-worker");
        assert_eq!((child.trace_id, child.flags), (parent.trace_id, parent.flags));
        assert_ne!(child.span_id, parent.span_id);
        assert_eq!(child, parent.child("feature-worker"));
        assert_ne!(child, parent.child("scoring-worker"));
    }

    fn started(number: u32, share: f64) -> TraceContext {
        TraceContext::started_for(&ChunkId(format!("m/{number}")), share)
    }

    #[test]
    fn ranks_of_chunks_are_spread_evenly() {
        let ranks: Vec<f64> = (0..2_000).map(|number| started(number, 0.0).rank()).collect();
        assert!(ranks.iter().all(|rank| (0.0..1.0).contains(rank)));
        for share in [0.1, 0.5] {
            let recorded = (0..2_000).filter(|number| started(*number, share).is_sampled()).count() as f64 / 2_000.0;
            assert!((recorded - share).abs() < 0.04, "{recorded} of all are recorded, {share} were asked for");
        }
        assert!((0..2_000).all(|number| started(number, 1.0).is_sampled() && !started(number, 0.0).is_sampled()));
    }
}
