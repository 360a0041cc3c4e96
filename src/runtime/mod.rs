//! The program: flags, telemetry, admin server, leader election, shutdown.

pub mod admin;
pub mod catalogue;
pub mod exposition;
pub mod flags;
pub mod leader;
pub mod run;
pub mod scrape;
pub mod telemetry;
