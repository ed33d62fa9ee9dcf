//! The command line.

use std::process::ExitCode;

use clap::Parser as _;
use crosswalk::Args;
use crosswalk_function_kit::settings::Environment;

fn main() -> ExitCode {
    crosswalk::run(Args::parse(), Environment::of_process())
}
