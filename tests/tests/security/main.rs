//! Clients that prove who they are, to a Kafka that asks: every mechanism at work, what is refused and how it is said,
//! and secrets that appear nowhere.

mod mechanisms;
mod refusals;
mod rights;
mod scene;
