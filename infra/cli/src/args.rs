//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use crosswalk_identity::{ExternalId, Username};

const EXAMPLES: &str = "\
Begin here:
  crosswalk                         the demo: everything once, in memory; leaves nothing behind
  crosswalk up                      an AWS of your own in ./.crosswalk, with the API, until Ctrl-C
  eval \"$(crosswalk env)\"           in a second shell: point the AWS CLI and every SDK at it

Bring data in:
  crosswalk migrate nexuslims nexuslims.sqlite --dry-run         what would be moved here
  crosswalk import employers.csv --kind employers
  crosswalk import admins.csv --kind leave-admins --check        look at the file alone
  crosswalk import admins.csv --kind leave-admins --dry-run      what each row would do
  crosswalk import nemo.csv --kind mappings --system nemo

Pass people on, from Keycloak to Glean; no AWS is needed:
  crosswalk settings people-export --env > export.env    fill it in
  set -a; . ./export.env; set +a
  crosswalk export --dry-run        the plan; changes nothing
  crosswalk export

Keep accounts in step with a directory or a database; with Invenio no AWS is needed:
  crosswalk settings directory-sync --env > sync.env     fill it in
  set -a; . ./sync.env; set +a
  crosswalk sync --dry-run          the plan; changes nothing
  crosswalk sync

Harvest the ids of NEMO's users, and when they were last seen:
  crosswalk settings nemo-harvest --env > harvest.env    fill it in
  set -a; . ./harvest.env; set +a
  crosswalk harvest --dry-run       the plan; changes nothing
  crosswalk harvest

Look who lacks a mapping, which are stale, and what is broken:
  crosswalk audit --system nemo --dry-run           who has no id in NEMO
  AUDIT_REQUIRED_SYSTEMS=nemo,labarchives_eln crosswalk audit

Ask:
  crosswalk ids find nemo 12345     who is NEMO user 12345?
  crosswalk ids export > ids.csv    all mappings
  crosswalk ids list alice          under which ids is alice known?
  crosswalk runs                    the latest imports, exports, syncs, harvests and audits

Exit codes: 0 all is as wanted; 1 it ran, and something is not (rows that were not imported,
people who were not exported or synced, a conflict, nothing found); 2 it could not run.";

/// One literal, for `concat!`. Not broken into lines: the help wraps it.
macro_rules! which_aws {
    () => {
        "Which AWS: with --aws your real account (the usual credentials and AWS_REGION; CROSSWALK_TABLE and the other \
         settings from the environment); else the endpoint in AWS_ENDPOINT_URL; else the `crosswalk up` that runs on \
         --dir; else the folder --dir itself, which no other process may use meanwhile."
    };
}

const IMPORT_HELP: &str = concat!(
    "\
Examples:
  crosswalk import employers.csv --kind employers
  crosswalk import monday.csv tuesday.csv --kind leave-admins --dry-run
  crosswalk import nemo.csv --kind mappings --system nemo
  crosswalk import s3://bucket/imports/nemo.csv --kind mappings --system nemo --aws

Every row ends with an outcome and a reason; `crosswalk runs ID --report failed` prints those that were not \
imported, to correct and import again. Exit code 0: all rows stand as the files say; 1: some do not; 2: it \
could not run.

",
    which_aws!()
);

/// One literal, for `concat!`.
macro_rules! where_kept {
    () => {
        "Runs, the state (what the last good run left in the target) and reports are kept with --aws in your account's \
         table and bucket; else in the folder --state or CROSSWALK_STATE_DIR; else in the AWS of AWS_ENDPOINT_URL; else \
         in a folder named after the function (people-export, directory-sync) inside --dir. A running `crosswalk up` is \
         not looked for: the state must not depend on it."
    };
}

const EXPORT_HELP: &str = concat!(
    "\
Examples:
  crosswalk settings people-export --env > export.env    fill it in, and chmod 600 it
  set -a; . ./export.env; set +a
  crosswalk export --dry-run             the plan, and what the guard says; writes nothing
  crosswalk export --dry-run --json      each person and team as it would be sent
  crosswalk export
  crosswalk export --allow-removals      once, where the guard has stopped a run that is right
  crosswalk runs ID --report failed      who was not exported, and why

Nothing is sent before the realm was read to its proven end and the guard has passed. Ctrl-C and TERM end it at once: an \
upload that is under way stays unfinished, by which nobody is deleted, and the next run begins it anew.

Exit code 0: done (who is left out by policy, such as service accounts, counts as done); 1: it ended, and some people or \
teams were rejected, in conflict or failed, or with --dry-run the guard would stop the run; 2: it could not run, it \
failed, or another run has the turn.

",
    where_kept!()
);

const SYNC_HELP: &str = concat!(
    "\
Examples:
  crosswalk settings directory-sync --env > sync.env     fill it in, and chmod 600 it
  set -a; . ./sync.env; set +a
  crosswalk sync --dry-run               the plan, and what the guard says; writes nothing
  crosswalk sync --plan-hash H           just the plan that a dry run printed, or nothing
  crosswalk sync
  crosswalk sync --allow-removals        once, where the guard has stopped a run that is right
  crosswalk runs ID --report failed      who is not as the source has them, and why

Nothing is changed before both sides were read to their proven end and the guard has passed. Who is absent from the source \
is deactivated after SYNC_ABSENT_RUNS complete runs. Ctrl-C and TERM end it at once: what was done stands, and the next \
run goes on.

Exit code 0: everybody is as the source has them (who is left out by policy counts as that); 1: it ended, and some were \
rejected, in conflict or failed, or with --dry-run something would stop the run; 2: it could not run, it failed, or \
another run has the turn.

",
    where_kept!()
);

const MIGRATE_HELP: &str = concat!(
    "\
Examples:
  crosswalk migrate nexuslims nexuslims.sqlite --dry-run
  crosswalk migrate nexuslims nexuslims.sqlite --timezone America/New_York
  crosswalk runs ID --report failed      the rows that are not here, and why

Reads the table external_user_identifiers, and changes nothing in the file. Each row ends as created, unchanged (the same \
mapping stands here; what stands is kept), rejected, conflict or failed; each mapping is read back after it was written. Run it \
as often as you like. Exit code 0: all rows stand here; 1: some do not; 2: it could not run, or broke off.

",
    which_aws!()
);

const AUDIT_HELP: &str = concat!(
    "\
Examples:
  crosswalk audit --system nemo --dry-run            who has no id in NEMO; writes nothing
  AUDIT_REQUIRED_SYSTEMS=nemo,labarchives_eln crosswalk audit
  crosswalk audit --people new-starters.csv --json   the people of a list; those who share an e-mail are one
  crosswalk audit --fail-on-missing                  for a script
  crosswalk settings mapping-audit                   what else can be set: AUDIT_NOTIFY=true sends mails

Who is known: whoever has a person's item or a mapping (an import, a harvest or a person stored it), or was seen by a sync \
of late. A line of a list that does not read is told and passed over. The report of everybody stands in \
reports/audit/DATE/ in the bucket, and the API tells of it; one of a list, or of other systems than the settings name, in \
reports/RUN/ alone. Exit codes: 0 it could look, whatever it found; 1 with --fail-on-missing, somebody lacks a mapping; 2 it \
could not look.

",
    which_aws!()
);

const HARVEST_HELP: &str = concat!(
    "\
Examples:
  crosswalk settings nemo-harvest --env > harvest.env    fill it in, and chmod 600 it
  set -a; . ./harvest.env; set +a
  crosswalk harvest --dry-run            the plan; writes nothing
  crosswalk harvest --dry-run --json     each mapping as it would be stored
  crosswalk harvest
  crosswalk runs ID --report failed      whose mapping is not stored, and why

Nothing is stored before NEMO's users were read to their proven end. No mapping that stands is changed or deleted: an id \
that belongs to another username, and a username that has another id, are conflicts, which `crosswalk ids move` and \
`crosswalk ids set` settle. Runs, state and reports are kept beside the mappings, in table and bucket. Ctrl-C and TERM end it \
at once: what was stored stands, and the next run goes on.

Exit code 0: everybody's mapping stands (who is skipped by policy, such as inactive users, counts as that); 1: it ended, \
and some were rejected, in conflict or failed; 2: it could not run, it failed, or another run has the turn.

",
    which_aws!()
);

const IDS_EXPORT_HELP: &str = "\
Examples:
  crosswalk ids export --system nemo > nemo.csv
  crosswalk import nemo.csv --kind mappings --system nemo
  crosswalk ids export --format json --output ids.json
  crosswalk ids export --format sqlite --output nexuslims.sqlite

A file that exists is never overwritten. csv: username, external_id, email and notes, as `crosswalk import` takes them; with \
system, created_at and last_verified_at behind them. Cells that a spreadsheet would run as formulas begin with a `'`, which the \
import takes off again. sqlite: NexusLIMS's table, whose systems are nemo, labarchives_eln, labarchives_scheduler, cdcs and \
sharepoint; times in UTC without a zone. Exit code 0: all is written; 1: some items do not read, or a system has no mapping; 2: \
it could not run.";

const INVITE_HELP: &str = "\
Examples:
  crosswalk ids invite zoe@example.org labarchives_eln
  crosswalk ids invite zoe labarchives_eln --json

The link is printed to standard output, and until when it holds to standard error. It is a secret of that person's: it works \
once, for REGISTRATION_DAYS, and Crosswalk keeps only a hash of it. REGISTRATION_URL says where the pages stand; a running \
`crosswalk up` serves them beside its API if it was started with LABARCHIVES_AKID and LABARCHIVES_ACCESS_PASSWORD.";

const IDS_HELP: &str = concat!(
    "\
Examples:
  crosswalk ids set alice nemo 12345 --email alice@example.org
  crosswalk ids find nemo 12345
  crosswalk ids list --system nemo --json
  crosswalk ids move nemo 12345 --from alice --to bob
  crosswalk ids export --system nemo --output nemo.csv
  crosswalk ids invite zoe labarchives_eln       a personal link, by which Zoe registers her own id

Exit code 0: done or found; 1: not found, a conflict (nothing was changed), or broken items; 2: it could not run.

",
    which_aws!()
);

const RUNS_HELP: &str = concat!(
    "\
Examples:
  crosswalk runs --kind mappings
  crosswalk runs ID --report failed > failed.csv
  crosswalk runs --state /var/lib/crosswalk

",
    which_aws!(),
    " The folder --state or CROSSWALK_STATE_DIR holds the runs of exports and syncs that were made without an AWS; without these, \
     and without --aws and AWS_ENDPOINT_URL, those in the folders people-export and directory-sync inside --dir are shown with the others."
);

/// Keeps people's identifiers in step: CSV files become accounts, employer links and mappings, and an API answers who is
/// who. Without a command: the demo.
#[derive(Debug, Parser)]
#[command(name = "crosswalk", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Print JSON, in the API's forms, instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole way once, on an AWS in memory, and check that all is as expected
    Demo,
    /// Run an AWS of your own on a folder, with the imports and the API, until Ctrl-C or TERM
    Up(UpArgs),
    /// Print the `export` lines that point a shell at the running `up`
    Env(DirArgs),
    /// Import CSV files; each file is a run of its own
    Import(ImportArgs),
    /// Move mappings in from another system's database, with their times
    Migrate(MigrateArgs),
    /// Export a Keycloak realm's users and groups to Glean, as people and teams
    Export(ExportArgs),
    /// Bring the people of an LDAP directory or a users' table to Cognito or Invenio, as accounts
    Sync(SyncArgs),
    /// Harvest the ids of NEMO's users as mappings, and when they were last seen
    Harvest(HarvestArgs),
    /// Look who lacks a mapping, which are stale, and what is broken
    Audit(AuditArgs),
    /// Look up and change mappings: under which id a system knows a person
    Ids(IdsArgs),
    /// List the latest runs, or show one
    Runs(RunsArgs),
    /// Print every setting with its default and meaning
    Settings(SettingsArgs),
    /// Print the mails that the local AWS took instead of sending them
    Mails(MailsArgs),
    /// Print a script that completes this command line in your shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The folder of a local AWS, unless another is named.
pub const DEFAULT_DIR: &str = ".crosswalk";

/// The folder of a local AWS.
#[derive(Debug, Clone, clap::Args)]
pub struct DirArgs {
    /// The folder of the local AWS
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR, global = true)]
    pub dir: PathBuf,
}

/// Which AWS to talk to.
#[derive(Debug, Clone, clap::Args)]
pub struct Where {
    /// Talk to your real AWS account, with the usual credentials
    #[arg(long, global = true)]
    pub aws: bool,
    /// Otherwise, unless AWS_ENDPOINT_URL is set.
    #[command(flatten)]
    pub folder: DirArgs,
}

/// `crosswalk up`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Objects put under imports/employers/, imports/leave-admins/ and imports/mappings/<system>/ are imported, whoever puts them:
  crosswalk up &
  eval \"$(crosswalk env)\"
  aws s3 cp nemo.csv s3://$CROSSWALK_BUCKET/imports/mappings/nemo/
  curl \"$CROSSWALK_API_URL/systems/nemo/identifiers?external_id=12345\"

Everything stays in the folder; a later `up` goes on from there. Delete the folder to begin anew.")]
pub struct UpArgs {
    /// Where it is kept.
    #[command(flatten)]
    pub folder: DirArgs,
    /// The port of the AWS endpoint on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 4566)]
    pub port: u16,
    /// The port of the API on 127.0.0.1; 0 takes any free one
    #[arg(long, default_value_t = 8080)]
    pub api_port: u16,
}

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// `fein,email`: accounts, people and their links to employers
    LeaveAdmins,
    /// `username,external_id[,email,notes]`: who is known to --system under which id
    Mappings,
    /// `fein,name[,fineos_employer_id]`: the employers that leave administrators act for
    Employers,
}

/// `crosswalk import`.
#[derive(Debug, clap::Args)]
#[command(after_help = IMPORT_HELP)]
pub struct ImportArgs {
    /// CSV files, or objects as s3://bucket/key
    #[arg(required = true, value_name = "FILE|s3://BUCKET/KEY")]
    pub files: Vec<String>,
    /// What the rows are
    #[arg(long, value_enum)]
    pub kind: KindArg,
    /// The system that gave the external ids, such as nemo; with --kind mappings only
    #[arg(long, required_if_eq("kind", "mappings"))]
    pub system: Option<String>,
    /// Look at the files alone: needs no AWS and no settings, and writes nothing
    #[arg(long, conflicts_with_all = ["dry_run", "force_registration"])]
    pub check: bool,
    /// Read store and accounts too, and print what each row would do; writes nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Register at FINEOS again where a registration is stored already
    #[arg(long)]
    pub force_registration: bool,
    /// Which AWS.
    #[command(flatten)]
    pub place: Where,
}

/// `crosswalk migrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = MIGRATE_HELP)]
pub struct MigrateArgs {
    /// From where.
    #[command(subcommand)]
    pub command: MigrateCommand,
    /// Which AWS.
    #[command(flatten)]
    pub place: Where,
}

/// From where mappings can be moved in.
#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// The table external_user_identifiers of NexusLIMS's SQLite file
    #[command(after_help = MIGRATE_HELP)]
    Nexuslims {
        /// The SQLite file; it is only read
        #[arg(value_name = "FILE.sqlite")]
        file: PathBuf,
        /// The zone of times that name none, such as Europe/Vienna; without it they are UTC
        #[arg(long, value_name = "ZONE")]
        timezone: Option<String>,
        /// Read file and store, and print what would become of each row; writes nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// The ways of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Everybody, in pages; who is not among them is deleted by Glean
    Bulk,
    /// Only what changed since the last good run, one by one
    Individual,
}

/// `crosswalk export`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXPORT_HELP)]
pub struct ExportArgs {
    /// Read everything and print the plan that a run would apply; writes nothing anywhere
    #[arg(long)]
    pub dry_run: bool,
    /// Let this run delete more than EXPORT_MAX_REMOVALS allows
    #[arg(long)]
    pub allow_removals: bool,
    /// How to send, whatever GLEAN_USE_BULK_INDEX says
    #[arg(long, value_enum)]
    pub mode: Option<ModeArg>,
    /// Export only the first N people, and no teams; not in bulk, unless with --dry-run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_users: Option<u32>,
    /// The folder that keeps runs, state and reports, in the place of an AWS
    #[arg(long, value_name = "DIR", conflicts_with = "aws")]
    pub state: Option<PathBuf>,
    /// Which AWS.
    #[command(flatten)]
    pub place: Where,
}

/// `crosswalk sync`.
#[derive(Debug, clap::Args)]
#[command(after_help = SYNC_HELP)]
pub struct SyncArgs {
    /// Read everything and print the plan that a run would apply; writes nothing anywhere
    #[arg(long)]
    pub dry_run: bool,
    /// Apply no other plan than the one with this hash, which a dry run printed
    #[arg(long, value_name = "HASH")]
    pub plan_hash: Option<String>,
    /// Let this run deactivate or delete more than SYNC_MAX_REMOVALS allows
    #[arg(long)]
    pub allow_removals: bool,
    /// The folder that keeps runs, state and reports, in the place of an AWS
    #[arg(long, value_name = "DIR", conflicts_with = "aws")]
    pub state: Option<PathBuf>,
    /// Which AWS.
    #[command(flatten)]
    pub place: Where,
}

/// `crosswalk harvest`.
#[derive(Debug, clap::Args)]
#[command(after_help = HARVEST_HELP)]
pub struct HarvestArgs {
    /// Read everything and print the plan that a run would apply; writes nothing anywhere
    #[arg(long)]
    pub dry_run: bool,
    /// Which AWS.
    #[command(flatten)]
    pub place: Where,
}

/// `crosswalk audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = AUDIT_HELP)]
pub struct AuditArgs {
    /// Only the people of this list: a CSV file with a column `username` and perhaps `email`, or a username a line
    #[arg(long, value_name = "FILE")]
    pub people: Option<PathBuf>,
    /// The system that everybody is to have a mapping in, in the place of AUDIT_REQUIRED_SYSTEMS; may be repeated
    #[arg(long, value_name = "SYSTEM", value_delimiter = ',')]
    pub system: Vec<String>,
    /// Look, and say who would get a mail; writes nothing anywhere
    #[arg(long)]
    pub dry_run: bool,
    /// End with code 1 if anybody lacks a mapping
    #[arg(long)]
    pub fail_on_missing: bool,
    /// Which AWS.
    #[command(flatten)]
    pub place: Where,
}

/// `crosswalk ids`.
#[derive(Debug, clap::Args)]
#[command(after_help = IDS_HELP)]
pub struct IdsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: IdsCommand,
    /// Which AWS.
    #[command(flatten)]
    pub place: Where,
}

/// What can be done with mappings.
#[derive(Debug, Subcommand)]
pub enum IdsCommand {
    /// Under which id does this system know this person?
    Get {
        /// The person
        username: Username,
        /// The system, such as nemo
        system: String,
    },
    /// Which person has this id in this system?
    Find {
        /// The system, such as nemo
        system: String,
        /// The system's id of the person, exact
        #[arg(allow_negative_numbers = true)]
        external_id: ExternalId,
    },
    /// All mappings of a person, or of a system
    List {
        /// The person
        #[arg(required_unless_present = "system")]
        username: Option<Username>,
        /// All mappings of this system instead
        #[arg(long, conflicts_with = "username")]
        system: Option<String>,
    },
    /// Store a mapping: created, updated, verified or conflict
    Set {
        /// The person
        username: Username,
        /// The system, such as nemo
        system: String,
        /// The system's id of the person, exact
        #[arg(allow_negative_numbers = true)]
        external_id: ExternalId,
        /// The address under which the system knows the person; '' removes a stored one
        #[arg(long)]
        email: Option<String>,
        /// Free text; '' removes a stored one
        #[arg(long)]
        notes: Option<String>,
    },
    /// Pass an external id from one person to another
    Move {
        /// The system, such as nemo
        system: String,
        /// The id to pass on
        #[arg(allow_negative_numbers = true)]
        external_id: ExternalId,
        /// Who holds it
        #[arg(long)]
        from: Username,
        /// Who shall hold it
        #[arg(long)]
        to: Username,
    },
    /// Exchange the external ids of two people
    Swap {
        /// The system, such as nemo
        system: String,
        /// One person
        a: Username,
        /// The other
        b: Username,
    },
    /// Delete a mapping
    Rm {
        /// The person
        username: Username,
        /// The system, such as nemo
        system: String,
    },
    /// Scan the whole table for mappings that are not whole, and name them
    Check,
    /// Write out all mappings, or those of some systems
    #[command(after_help = IDS_EXPORT_HELP)]
    Export {
        /// Only this system's; may be repeated
        #[arg(long, value_name = "SYSTEM", value_delimiter = ',')]
        system: Vec<String>,
        /// In which form; csv unless --json is given
        #[arg(long, value_enum)]
        format: Option<FormatArg>,
        /// A new file, for its owner alone; without it standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make a personal link, by which a person registers their own id; prints it
    #[command(after_help = INVITE_HELP)]
    Invite {
        /// The person
        username: Username,
        /// The system: labarchives_eln, unless LABARCHIVES_SYSTEM names another one
        system: String,
    },
}

/// The forms of an export of mappings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// As `crosswalk import --kind mappings` takes it
    Csv,
    /// An array, in the API's form
    Json,
    /// NexusLIMS's table; needs --output
    Sqlite,
}

/// A run's reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportArg {
    /// The rows that are as the file wants them
    Succeeded,
    /// The rows that are not, with the reasons: to correct and import again. Of an export, who is not in Glean
    Failed,
    /// The run's record, as JSON
    Summary,
}

/// `crosswalk runs`.
#[derive(Debug, clap::Args)]
#[command(after_help = RUNS_HELP)]
pub struct RunsArgs {
    /// One run; without it the latest ones
    pub id: Option<String>,
    /// Print one of the run's reports, as it was written
    #[arg(long, value_enum, requires = "id", conflicts_with = "json")]
    pub report: Option<ReportArg>,
    /// Only runs of this kind: leave-admins, mappings, employers, people-export, directory-sync, migration, nemo-harvest
    #[arg(long, conflicts_with = "id")]
    pub kind: Option<String>,
    /// How many, at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Only the runs of exports that are kept in this folder
    #[arg(long, value_name = "DIR", conflicts_with = "aws")]
    pub state: Option<PathBuf>,
    /// Which AWS.
    #[command(flatten)]
    pub place: Where,
}

/// Whose settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FunctionArg {
    /// The function that imports CSV files
    CsvImport,
    /// The HTTP API
    MappingApi,
    /// The export from Keycloak to Glean
    PeopleExport,
    /// The sync from a directory or a database to Cognito or Invenio
    DirectorySync,
    /// The harvest of NEMO's users
    NemoHarvest,
    /// The pages by which people link their LabArchives accounts
    LabarchivesRegistration,
    /// The audit of mappings
    MappingAudit,
    /// This command line
    Crosswalk,
}

/// `crosswalk settings`.
#[derive(Debug, clap::Args)]
pub struct SettingsArgs {
    /// Whose; without it all
    #[arg(value_enum)]
    pub function: Option<FunctionArg>,
    /// As a file of environment variables to fill in, which a shell reads: `set -a; . FILE; set +a`
    #[arg(long, conflicts_with = "markdown")]
    pub env: bool,
    /// As Markdown tables
    #[arg(long)]
    pub markdown: bool,
}

/// `crosswalk mails`.
#[derive(Debug, clap::Args)]
pub struct MailsArgs {
    /// Whose mails.
    #[command(flatten)]
    pub folder: DirArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_holds() {
        Args::command().debug_assert();
    }

    #[test]
    fn no_command_is_the_demo() {
        assert!(Args::try_parse_from(["crosswalk"]).unwrap().command.is_none());
    }

    #[test]
    fn mappings_need_a_system() {
        let error = Args::try_parse_from(["crosswalk", "import", "a.csv", "--kind", "mappings"]).unwrap_err();
        assert!(error.to_string().contains("--system"), "{error}");
        assert_eq!(error.exit_code(), 2);
        assert!(Args::try_parse_from(["crosswalk", "import", "a.csv", "--kind", "employers"]).is_ok());
    }

    #[test]
    fn an_export_has_one_place() {
        let read = |args: &[&str]| Args::try_parse_from([&["crosswalk", "export"], args].concat());
        assert!(read(&["--state", "s", "--dry-run", "--mode", "individual", "--max-users", "5"]).is_ok());
        for bad in [&["--state", "s", "--aws"][..], &["--max-users", "0"], &["--mode", "both"]] {
            assert_eq!(read(bad).unwrap_err().exit_code(), 2, "{bad:?}");
        }
    }

    #[test]
    fn refusals_of_identifiers_are_shown() {
        let error = Args::try_parse_from(["crosswalk", "ids", "get", "a/b", "nemo"]).unwrap_err();
        assert!(error.to_string().contains("cannot stand in a path"), "{error}");
        assert!(Args::try_parse_from(["crosswalk", "ids", "find", "nemo", "-12"]).is_ok());
    }
}
