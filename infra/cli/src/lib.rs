//! The command line over the functions: `crosswalk demo`, `up`, `import`, `migrate`, `export`, `sync`, `ids`, `runs` and their kin.
//!
//! Nothing of a function's work is done here: a command chooses the AWS that it talks to (target.rs), calls the function's
//! own code, and shows what came of it (show.rs, ended.rs). Where an export or a sync keeps its runs is kept.rs's to say.
//!
//! Exit codes everywhere: 0 all is as wanted; 1 it ran, and something is not (rows that were not imported,
//! people who were not exported or synced, a conflict, a mapping that is not there); 2 it could not run.

pub mod args;
mod commands;
mod ended;
mod kept;
mod pages;
mod progress;
mod show;
mod stack;
mod stop;
mod target;

use std::process::ExitCode;

use crosswalk_function_kit::settings::Environment;

pub use args::Args;
pub use commands::settings::sections;

/// How a command ended that could run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is as wanted.
    Done,
    /// It ran, and something is not as wanted; what, was printed.
    NotAll,
}

/// Runs one command line to its end.
pub fn run(args: Args, environment: Environment) -> ExitCode {
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(commands::run(args, environment)));
    match ended {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::NotAll) => ExitCode::from(1),
        Err(error) => {
            show::complain(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}
