//! The function's settings: the sync's name, its source, its target, its rules, and where runs and state are kept.

use std::fmt;
use std::str::FromStr;

use crosswalk_accounts::AccountsSettings;
use crosswalk_function_kit::logs;
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError, merged};
use crosswalk_identity::{DEFAULT_SYSTEMS, System, Systems};
use crosswalk_reconcile::Limit;
use crosswalk_runs::place::{self, Kept};
use jiff::SignedDuration;

use crate::plan::{After, Policy};
use crate::source::Source;
use crate::source::ldap::{self, LdapSettings};
use crate::source::sql::{self, SqlSettings};
use crate::target::cognito::{self, CognitoSettings};
use crate::target::invenio::{self, InvenioSettings};

const NAME: Setting = Setting::with_default(
    "SYNC_NAME",
    "default",
    "the sync's name (lower-case letters, digits and hyphens, at most 40): its state and its turn are its own, so several \
     syncs stand side by side, each managing its own people",
);
const SOURCE: Setting = Setting::required("SYNC_SOURCE", "where people come from: `ldap` or `sql`");
const TARGET: Setting = Setting::required("SYNC_TARGET", "where their accounts stand: `cognito` or `invenio`");
const ADOPT: Setting = Setting::with_default(
    "SYNC_ADOPT",
    "true",
    "whether an account that stands already and has a person's e-mail is managed from then on; else that is a conflict",
);
const ABSENT_RUNS: Setting = Setting::with_default(
    "SYNC_ABSENT_RUNS",
    "3",
    "how many complete runs in a row must not find a person, 1 to 1,000, before their account is deactivated",
);
const ABSENT_HOURS: Setting = Setting::with_default(
    "SYNC_ABSENT_HOURS",
    "0",
    "and for how many hours, 0 to 8,760, they must have been absent by then",
);
const DELETE_RUNS: Setting = Setting::optional(
    "SYNC_DELETE_RUNS",
    "how many complete runs in a row must not find a person before their deactivated account is deleted; more than \
     SYNC_ABSENT_RUNS. Not set: accounts are never deleted",
);
const DELETE_HOURS: Setting = Setting::with_default(
    "SYNC_DELETE_HOURS",
    "0",
    "and for how many hours, 0 to 87,600, they must have been absent by then",
);
const MAX_REMOVALS: Setting = Setting::with_default(
    "SYNC_MAX_REMOVALS",
    "5%",
    "the most accounts that one run may deactivate or delete: a number, or a share of those that were active after the last \
     good run (rounded up, at least 1); a run that would remove more writes nothing",
);
const MAPPINGS: Setting = Setting::optional(
    "SYNC_MAPPINGS",
    "external ids to store as mappings: `system=attribute` or `system=column`, comma-separated, such as \
     `sharepoint=userPrincipalName`; needs CROSSWALK_TABLE",
);
const SYSTEMS: Setting = Setting::with_default(
    "CROSSWALK_SYSTEMS",
    DEFAULT_SYSTEMS,
    "the systems that mappings may name, comma-separated; replaces the default list",
);
const DRY_RUN: Setting = Setting::with_default(
    "DRY_RUN",
    "false",
    "whether runs only plan: nothing is changed in the target, and nothing is written anywhere",
);

const OWN: &[Setting] = &[
    NAME,
    SOURCE,
    TARGET,
    ADOPT,
    ABSENT_RUNS,
    ABSENT_HOURS,
    DELETE_RUNS,
    DELETE_HOURS,
    MAX_REMOVALS,
    MAPPINGS,
    SYSTEMS,
    DRY_RUN,
];

/// Every setting that the function reads, the log's included.
pub fn settings() -> Vec<Setting> {
    merged(&[
        OWN,
        ldap::SETTINGS,
        sql::SETTINGS,
        cognito::SETTINGS,
        crosswalk_accounts::SETTINGS,
        invenio::SETTINGS,
        place::SETTINGS,
        logs::SETTINGS,
    ])
}

/// The function's settings.
#[derive(Debug, Clone)]
pub struct SyncSettings {
    /// The sync's name.
    pub name: String,
    /// The source.
    pub source: Source,
    /// The target.
    pub target: TargetSettings,
    /// The rules.
    pub policy: Policy,
    /// The most that a run may remove.
    pub max_removals: Limit,
    /// Which external ids are stored as mappings, if any are.
    pub mappings: Option<MappingSettings>,
    /// Plan only, whatever the event says.
    pub dry_run: bool,
    /// Where runs, state and reports are kept.
    pub kept: Kept,
    /// Where the runs' metrics go.
    pub metrics: Metrics,
}

/// The target's settings.
#[derive(Debug, Clone)]
pub enum TargetSettings {
    /// A Cognito user pool.
    Cognito {
        /// The pool, and its quotas.
        accounts: AccountsSettings,
        /// How accounts are made.
        settings: CognitoSettings,
    },
    /// An Invenio instance.
    Invenio(InvenioSettings),
}

/// Which external ids are stored, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingSettings {
    /// The DynamoDB table.
    pub table: String,
    /// The systems, in the order of `Entry::external_ids`.
    pub systems: Vec<System>,
}

impl TargetSettings {
    /// The word of `SYNC_TARGET`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Cognito { .. } => "cognito",
            Self::Invenio(_) => "invenio",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SourceKind {
    Ldap,
    Sql,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TargetKind {
    Cognito,
    Invenio,
}

/// Neither of the two words.
struct Unknown(&'static str);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is {}", self.0)
    }
}

impl FromStr for SourceKind {
    type Err = Unknown;

    fn from_str(given: &str) -> Result<Self, Unknown> {
        match given {
            "ldap" => Ok(Self::Ldap),
            "sql" => Ok(Self::Sql),
            _ => Err(Unknown("neither `ldap` nor `sql`")),
        }
    }
}

impl FromStr for TargetKind {
    type Err = Unknown;

    fn from_str(given: &str) -> Result<Self, Unknown> {
        match given {
            "cognito" => Ok(Self::Cognito),
            "invenio" => Ok(Self::Invenio),
            _ => Err(Unknown("neither `cognito` nor `invenio`")),
        }
    }
}

impl SyncSettings {
    /// Reads the environment. Only what the source and the target in question need is asked for.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let name = reader.text(&NAME);
        if name.as_deref().is_some_and(|name| !is_name(name)) {
            reader.problem(format!("{} must be 1 to 40 lower-case letters, digits and hyphens", NAME.name));
        }
        let mappings = mappings(&mut reader, environment);
        let names: Vec<&str> = mappings.iter().flatten().map(|(_, name)| name.as_str()).collect();
        let source = reader.parsed::<SourceKind>(&SOURCE).and_then(|kind| {
            let read = match kind {
                SourceKind::Ldap => LdapSettings::from_env(environment, &names).map(Source::Ldap),
                SourceKind::Sql => SqlSettings::from_env(environment, &names).map(Source::Sql),
            };
            part(&mut reader, read)
        });
        let target = reader.parsed::<TargetKind>(&TARGET).and_then(|kind| match kind {
            TargetKind::Cognito => {
                let accounts = part(&mut reader, AccountsSettings::from_env(environment));
                let settings = part(&mut reader, CognitoSettings::from_env(environment));
                Some(TargetSettings::Cognito { accounts: accounts?, settings: settings? })
            }
            TargetKind::Invenio => {
                part(&mut reader, InvenioSettings::from_env(environment)).map(TargetSettings::Invenio)
            }
        });
        let policy = policy(&mut reader);
        let max_removals = reader.parsed(&MAX_REMOVALS);
        let dry_run = reader.flag(&DRY_RUN);
        let kept = Kept::read(&mut reader, environment);
        let build = || {
            let mappings = mappings.map(|mappings| MappingSettings {
                table: environment.get("CROSSWALK_TABLE").unwrap_or_default().to_owned(),
                systems: mappings.into_iter().map(|(system, _)| system).collect(),
            });
            Some(Self {
                name: name?,
                source: source?,
                target: target?,
                policy: policy?,
                max_removals: max_removals?,
                mappings,
                dry_run,
                kept: kept?,
                metrics: Metrics::of(environment),
            })
        };
        reader.finish(build())
    }

    /// The secrets that a run needs.
    pub fn secrets(&self) -> Vec<&SecretSource> {
        let source = match &self.source {
            Source::Ldap(settings) => [Some(&settings.bind_password), settings.ca_pem.as_ref()],
            Source::Sql(settings) => [Some(&settings.uri), None],
        };
        let target = match &self.target {
            TargetSettings::Cognito { .. } => None,
            TargetSettings::Invenio(settings) => Some(&settings.db_uri),
        };
        source.into_iter().flatten().chain(target).collect()
    }

    /// Whether a run writes to an AWS beside its place: to a user pool, or mappings.
    pub fn writes_to_aws(&self) -> bool {
        matches!(self.target, TargetSettings::Cognito { .. }) || self.mappings.is_some()
    }

    /// Whether a run needs an AWS beside its place: to write to it, or for a secret.
    pub fn needs_aws(&self) -> bool {
        self.writes_to_aws() || self.secrets().iter().any(|secret| matches!(secret, SecretSource::Id(_)))
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=40).contains(&name.len()) && name.bytes().all(allowed)
}

fn part<T>(reader: &mut Reader<'_>, read: Result<T, SettingsError>) -> Option<T> {
    read.map_err(|SettingsError(problems)| problems.into_iter().for_each(|problem| reader.problem(problem))).ok()
}

fn policy(reader: &mut Reader<'_>) -> Option<Policy> {
    let adopt = reader.flag(&ADOPT);
    let absent_runs = reader.within(&ABSENT_RUNS, 1..=1_000_u32, "1 to 1,000");
    let absent_hours = reader.within(&ABSENT_HOURS, 0..=8_760_i64, "0 to 8,760");
    let delete_hours = reader.within(&DELETE_HOURS, 0..=87_600_i64, "0 to 87,600");
    let deletes = reader.text(&DELETE_RUNS).is_some();
    let delete_runs = reader.within(&DELETE_RUNS, 2..=100_000_u32, "2 to 100,000");
    if let (Some(delete), Some(absent)) = (delete_runs, absent_runs)
        && delete <= absent
    {
        reader.problem(format!("{} must be more than {} ({absent})", DELETE_RUNS.name, ABSENT_RUNS.name));
    }
    if let (true, Some(delete), Some(absent)) = (deletes, delete_hours, absent_hours)
        && delete < absent
    {
        reader.problem(format!("{} must be at least {} ({absent})", DELETE_HOURS.name, ABSENT_HOURS.name));
    }
    let delete = match (delete_runs, delete_hours) {
        (Some(runs), Some(hours)) => Some(After { runs, time: SignedDuration::from_hours(hours) }),
        _ => None,
    };
    Some(Policy {
        adopt,
        deactivate: After { runs: absent_runs?, time: SignedDuration::from_hours(absent_hours?) },
        delete,
    })
}

/// `system=attribute,…`
fn mappings(reader: &mut Reader<'_>, environment: &Environment) -> Option<Vec<(System, String)>> {
    let given = reader.text(&MAPPINGS)?;
    let systems = reader.parsed::<Systems>(&SYSTEMS)?;
    let mut mappings: Vec<(System, String)> = Vec::new();
    for pair in given.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((system, name)) = pair.split_once('=').map(|(system, name)| (system.trim(), name.trim())) else {
            reader.problem(format!("{} must be `system=attribute`, comma-separated", MAPPINGS.name));
            continue;
        };
        match systems.get(system) {
            Ok(_) if name.is_empty() => {
                reader.problem(format!("{} names no attribute or column for {system}", MAPPINGS.name));
            }
            Ok(system) if mappings.iter().any(|(known, _)| *known == system) => {
                reader.problem(format!("{} names {system} twice", MAPPINGS.name));
            }
            Ok(system) => mappings.push((system, name.to_owned())),
            Err(refusal) => reader.problem(format!("{}: {refusal}", MAPPINGS.name)),
        }
    }
    if environment.get("CROSSWALK_TABLE").is_none() {
        reader.problem(format!("{} is set, so CROSSWALK_TABLE must name the table that takes mappings", MAPPINGS.name));
    }
    Some(mappings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least() -> Environment {
        Environment::from_iter([
            ("SYNC_SOURCE", "sql"),
            ("SYNC_TARGET", "cognito"),
            ("CUSTOM_DB_URI", "sqlite://users.sqlite"),
            ("COGNITO_IDENTITY_POOL_ID", "us-east-1_AbCdEfGhI"),
            ("CROSSWALK_STATE_DIR", "/var/lib/crosswalk"),
        ])
    }

    fn problems(environment: &Environment) -> String {
        SyncSettings::from_env(environment).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_careful() {
        let settings = SyncSettings::from_env(&least()).unwrap();
        let deactivate = After { runs: 3, time: SignedDuration::ZERO };
        assert_eq!(settings.policy, Policy { adopt: true, deactivate, delete: None });
        assert_eq!((settings.name.as_str(), settings.max_removals), ("default", Limit::Share(500)));
        assert!(settings.mappings.is_none() && settings.writes_to_aws() && !settings.dry_run);
    }

    #[test]
    fn only_what_source_and_target_need_is_asked_for() {
        let told = problems(&Environment::from_iter([("SYNC_SOURCE", "ldap"), ("SYNC_TARGET", "invenio")]));
        for name in ["LDAP_SERVER", "LDAP_BASE_DN", "INVENIO_DB_URI", "CROSSWALK_TABLE and CROSSWALK_BUCKET"] {
            assert!(told.contains(name), "{name}: {told}");
        }
        for name in ["CUSTOM_DB", "COGNITO"] {
            assert!(!told.contains(name), "{name}: {told}");
        }
        let told = problems(&least().with("SYNC_SOURCE", "csv").with("SYNC_TARGET", "ldap").with("SYNC_NAME", "Staff"));
        for part in ["SYNC_NAME", "neither `ldap` nor `sql`", "neither `cognito` nor `invenio`"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn deletion_takes_longer_than_deactivation() {
        let deletes = least().with("SYNC_DELETE_RUNS", "30").with("SYNC_DELETE_HOURS", "720");
        let after = After { runs: 30, time: SignedDuration::from_hours(720) };
        assert_eq!(SyncSettings::from_env(&deletes).unwrap().policy.delete, Some(after));
        let told = problems(&least().with("SYNC_DELETE_RUNS", "3").with("SYNC_ABSENT_HOURS", "48"));
        assert!(told.contains("SYNC_DELETE_RUNS must be more than SYNC_ABSENT_RUNS (3)"), "{told}");
        assert!(told.contains("SYNC_DELETE_HOURS must be at least SYNC_ABSENT_HOURS (48)"), "{told}");
    }

    #[test]
    fn mappings_name_systems_and_columns() {
        let with = |given: &str| least().with("CROSSWALK_TABLE", "t").with("SYNC_MAPPINGS", given);
        let mappings = SyncSettings::from_env(&with("sharepoint=upn, nemo = nemo_id")).unwrap().mappings.unwrap();
        assert_eq!(mappings.systems.iter().map(System::as_str).collect::<Vec<_>>(), ["sharepoint", "nemo"]);
        assert_eq!(mappings.table, "t");
        for (given, told) in [
            ("nemo", "system=attribute"),
            ("nemo=", "no attribute"),
            ("nemo=a,nemo=b", "twice"),
            ("nowhere=a", "not known"),
        ] {
            let problem = problems(&with(given));
            assert!(problem.contains(told), "{given}: {problem}");
        }
        assert!(problems(&least().with("SYNC_MAPPINGS", "nemo=a")).contains("CROSSWALK_TABLE must name"));
    }

    #[test]
    fn each_setting_is_listed_once_with_a_meaning_and_no_secret_is_told() {
        let settings = settings();
        for setting in &settings {
            assert_eq!(settings.iter().filter(|other| other.name == setting.name).count(), 1, "{}", setting.name);
            assert!(!setting.meaning.is_empty());
        }
        let told = problems(&least().with("CUSTOM_DB_URI", "nosql://u:hunter2@h/d").with("SYNC_NAME", ""));
        assert!(told.contains("CUSTOM_DB_URI") && !told.contains("hunter2"), "{told}");
    }
}
