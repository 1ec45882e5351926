//! Chunks in, log-mel features out.
