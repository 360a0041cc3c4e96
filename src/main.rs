//! The operator's program: see `idp-operator --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    idp_operator::cli::main(std::env::args_os())
}
