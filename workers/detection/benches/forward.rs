//! Placeholder until the measured version lands in this branch's next commit.
fn main() {}
