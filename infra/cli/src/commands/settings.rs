//! `crosswalk settings`: every setting, its default and its meaning, from the code that reads them.

use crosswalk_function_kit::settings::{Default, Setting, env_file, markdown_table};
use serde_json::json;

use crate::args::{FunctionArg, SettingsArgs};
use crate::{Exit, show};

/// What the command line itself reads. What it does with a function's code reads that function's settings too.
const CROSSWALK: &[Setting] = &[
    Setting::optional(
        "AWS_ENDPOINT_URL",
        "the AWS to talk to instead of the folder --dir; `crosswalk env` prints the one of a running `up`. Not read with --aws",
    ),
    Setting::optional("AWS_REGION", "the region; needed with --aws unless the AWS profile has one"),
    Setting::optional(
        "AWS_ACCESS_KEY_ID",
        "the access key; with --aws any of the usual ways to give credentials will do",
    ),
    Setting::optional("AWS_SECRET_ACCESS_KEY", "the secret key that belongs to it"),
    Setting::optional("CROSSWALK_TABLE", "the DynamoDB table; needed with --aws or AWS_ENDPOINT_URL, known otherwise"),
    Setting::optional("CROSSWALK_BUCKET", "the bucket; needed with --aws or AWS_ENDPOINT_URL, known otherwise"),
    Setting::optional(
        "COGNITO_IDENTITY_POOL_ID",
        "the user pool's id; needed with --aws or AWS_ENDPOINT_URL, known otherwise",
    ),
    Setting::optional(
        "CROSSWALK_STATE_DIR",
        "the folder that keeps the runs, state and reports of exports and syncs in the place of an AWS, as --state does; not read with --aws",
    ),
    Setting::with_default(
        "CROSSWALK_SYSTEMS",
        crosswalk_identity::DEFAULT_SYSTEMS,
        "the outside systems that have ids for people, comma-separated; replaces the default list",
    ),
    Setting::with_default(
        "LOG_LEVEL",
        "WARNING",
        "how much is logged, to standard error; Python's names are taken too",
    ),
];

/// The settings of each part: its name and what it reads.
pub fn sections() -> [(&'static str, Vec<Setting>); 8] {
    [
        ("csv-import", crosswalk_csv_import::settings()),
        ("mapping-api", crosswalk_mapping_api::settings()),
        ("people-export", crosswalk_people_export::settings()),
        ("directory-sync", crosswalk_directory_sync::settings()),
        ("nemo-harvest", crosswalk_nemo_harvest::settings()),
        ("labarchives-registration", crosswalk_labarchives_registration::settings()),
        ("mapping-audit", crosswalk_mapping_audit::settings()),
        ("crosswalk", CROSSWALK.to_vec()),
    ]
}

/// Prints them.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn run(args: &SettingsArgs, json: bool) -> anyhow::Result<Exit> {
    let wanted = args.function.map(|function| match function {
        FunctionArg::CsvImport => "csv-import",
        FunctionArg::MappingApi => "mapping-api",
        FunctionArg::PeopleExport => "people-export",
        FunctionArg::DirectorySync => "directory-sync",
        FunctionArg::NemoHarvest => "nemo-harvest",
        FunctionArg::LabarchivesRegistration => "labarchives-registration",
        FunctionArg::MappingAudit => "mapping-audit",
        FunctionArg::Crosswalk => "crosswalk",
    });
    let sections = sections().into_iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    if json {
        let all: serde_json::Map<_, _> =
            sections.map(|(name, settings)| (name.to_owned(), settings.iter().map(as_json).collect())).collect();
        show::json(&all)?;
        return Ok(Exit::Done);
    }
    let text: Vec<String> = sections
        .map(|(name, settings)| {
            if args.env {
                format!(
                    "# Settings of {name}, as a shell reads them: set -a; . ./FILE; set +a\n\
                     # A line that begins with # is left at its default. Put a value that holds more than letters,\n\
                     # digits and - _ . / : @ % + = , into single quotes: NAME='{{\"a\": \"b c\"}}'\n\n{}",
                    env_file(&settings)
                )
            } else if args.markdown {
                format!("### {name}\n\n{}", markdown_table(&settings))
            } else {
                table(name, &settings)
            }
        })
        .collect();
    show::print(&text.join("\n"))?;
    Ok(Exit::Done)
}

fn table(name: &str, settings: &[Setting]) -> String {
    let rows = settings.iter().map(|setting| [names(setting), default(setting), setting.meaning.to_owned()]);
    format!("{name}\n{}\n", show::table(["setting", "default", "meaning"], rows))
}

fn names(setting: &Setting) -> String {
    if setting.secret { format!("{0} or {0}_SECRET_ID", setting.name) } else { setting.name.to_owned() }
}

fn default(setting: &Setting) -> String {
    match setting.default {
        Default::Required => "must be set".to_owned(),
        Default::None => "–".to_owned(),
        Default::Value(value) => value.to_owned(),
    }
}

fn as_json(setting: &Setting) -> serde_json::Value {
    let default = match setting.default {
        Default::Value(value) => Some(value),
        Default::Required | Default::None => None,
    };
    json!({
        "name": setting.name,
        "required": setting.default == Default::Required,
        "default": default,
        "secret": setting.secret,
        "meaning": setting.meaning,
    })
}
