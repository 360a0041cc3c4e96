//! The program: flags, admin server, shutdown, start-up.
