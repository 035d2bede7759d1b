//! Experiments and checks.
fn main() {}
