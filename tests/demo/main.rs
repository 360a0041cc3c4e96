//! idp-operator.
fn main() {}
