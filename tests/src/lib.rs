//! End-to-end and fault suites.
