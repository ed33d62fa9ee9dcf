//! One module a command.

mod audit;
mod demo;
mod env;
mod export;
mod harvest;
mod ids;
mod ids_export;
mod import;
mod invite;
mod mails;
mod migrate;
mod reports;
mod runs;
pub(crate) mod settings;
mod sync;
mod up;

use clap::CommandFactory as _;
use crosswalk_function_kit::logs;
use crosswalk_function_kit::settings::Environment;

use crate::args::{Args, Command};
use crate::{Exit, show};

/// Runs the command that was typed.
///
/// # Errors
/// It could not run.
pub(crate) async fn run(args: Args, environment: Environment) -> anyhow::Result<Exit> {
    let json = args.json;
    let command = args.command.unwrap_or(Command::Demo);
    // What a command prints is its answer; `up` works unseen, so that its log is what there is to see.
    // Without the embedded DynamoDB's own log, which has a line for each refusal, expected ones too.
    let level = if matches!(command, Command::Up(_)) { "INFO,dynoxide=OFF" } else { "WARNING,dynoxide=OFF" };
    let level = environment.get("LOG_LEVEL").unwrap_or(level).to_owned();
    logs::init(&environment.clone().with("LOG_LEVEL", &level));
    match command {
        Command::Demo => demo::run(json).await,
        Command::Up(args) => up::run(&args, json, environment).await,
        Command::Env(args) => env::run(&args, json).await,
        Command::Migrate(args) => migrate::run(&args, json, environment).await,
        Command::Import(args) => import::run(&args, json, environment).await,
        Command::Export(args) => export::run(&args, json, environment).await,
        Command::Sync(args) => sync::run(&args, json, environment).await,
        Command::Harvest(args) => harvest::run(&args, json, environment).await,
        Command::Audit(args) => audit::run(&args, json, environment).await,
        Command::Ids(args) => ids::run(args, json, environment).await,
        Command::Runs(args) => runs::run(&args, json, environment).await,
        Command::Settings(args) => settings::run(&args, json),
        Command::Mails(args) => mails::run(&args, json, environment).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "crosswalk", &mut script);
            show::print(&String::from_utf8(script)?)?;
            Ok(Exit::Done)
        }
    }
}
