//! The rdkafka adapter against a real Kafka, whose address is `AUSCULT_TEST_KAFKA`. Without it the tests say so and
//! pass.
//!
//! Every test makes topics of its own. Those that concern the group run under both group protocols.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod arrivals;
mod copying;
mod group;
mod refusals;
mod restoring;
mod support;
mod topics_and_plain_clients;
mod transactions;
mod unlike_groups;
