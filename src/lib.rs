//! idp-operator.
