//! docs/reasons.md lists exactly the reasons of the code.
