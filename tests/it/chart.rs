//! The chart on the real API server.
