//! The function's settings: what everybody is to have, what is old, and where all is kept.

use crosswalk_function_kit::logs;
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError, merged};
use crosswalk_identity::{DEFAULT_SYSTEMS, System, Systems};
use crosswalk_runs::Kept;
use jiff::SignedDuration;

use crate::notify::{self, NotifySettings};

/// Which systems everybody is to be known to.
pub const REQUIRED: Setting = Setting::required(
    "AUDIT_REQUIRED_SYSTEMS",
    "the systems that everybody is to have a mapping in, comma-separated, at most 64, each one of CROSSWALK_SYSTEMS",
);
const SYSTEMS: Setting = Setting::with_default(
    "CROSSWALK_SYSTEMS",
    DEFAULT_SYSTEMS,
    "the systems that mappings may name, comma-separated; replaces the default list",
);
const SEEN: Setting = Setting::with_default(
    "AUDIT_SEEN_DAYS",
    "90",
    "who has neither a person's item nor a mapping is audited if a sync saw them in so many days, 0 to 400",
);
const STALE: Setting = Setting::with_default(
    "AUDIT_STALE_DAYS",
    "180",
    "a mapping that was neither stored nor verified for so many days, 1 to 3,660, is stale",
);
const DRY_RUN: Setting =
    Setting::with_default("DRY_RUN", "false", "whether runs only look: no report is written, and no mail is sent");
const TABLE: Setting =
    Setting::required("CROSSWALK_TABLE", "the DynamoDB table that all functions share: mappings, people and runs");
const BUCKET: Setting = Setting::required(
    "CROSSWALK_BUCKET",
    "the bucket that takes the reports, under reports/, and holds whom syncs saw, under state/",
);

const OWN: &[Setting] = &[REQUIRED, SYSTEMS, SEEN, STALE, DRY_RUN, TABLE, BUCKET];

/// A bit a system is held of everybody.
const MOST_REQUIRED: usize = 64;

/// Every setting that the function reads, those of its mails and its log included.
pub fn settings() -> Vec<Setting> {
    merged(&[OWN, &notify::settings(), logs::SETTINGS])
}

/// The function's settings.
#[derive(Debug, Clone)]
pub struct AuditSettings {
    /// The systems that everybody is to be known to, as the setting orders them.
    pub required: Vec<System>,
    /// How long ago a sync may have seen whom nothing else knows.
    pub seen_within: SignedDuration,
    /// After how long a mapping that nobody verifies is stale.
    pub stale_after: SignedDuration,
    /// Look only, whatever the event says.
    pub dry_run: bool,
    /// Whether and how people are told.
    pub notify: NotifySettings,
    /// The table that holds people and mappings.
    pub table: String,
    /// Where runs, state and reports are kept.
    pub kept: Kept,
    /// Where the runs' metrics go.
    pub metrics: Metrics,
}

impl AuditSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let systems = reader.parsed::<Systems>(&SYSTEMS);
        let required = reader.text(&REQUIRED).zip(systems).and_then(|(list, systems)| {
            required(&list, &systems).map_err(|problem| reader.problem(format!("{}: {problem}", REQUIRED.name))).ok()
        });
        let seen_within = reader.within(&SEEN, 0..=400, "0 to 400");
        let stale_after = reader.within(&STALE, 1..=3_660, "1 to 3,660");
        let dry_run = reader.flag(&DRY_RUN);
        let notify = NotifySettings::read(&mut reader, environment);
        let (table, bucket) = (reader.text(&TABLE), reader.text(&BUCKET));
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        let build = || {
            Some(Self {
                required: required?,
                seen_within: days(seen_within?),
                stale_after: days(stale_after?),
                dry_run,
                notify: notify?,
                table: table.clone()?,
                kept: Kept::Aws { table: table?, bucket: bucket? },
                metrics: Metrics::of(environment),
            })
        };
        reader.finish(build())
    }
}

/// The systems of a list, in its order, each once.
fn required(list: &str, systems: &Systems) -> Result<Vec<System>, String> {
    let mut required = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let system = systems.get(name).map_err(|error| error.to_string())?;
        if !required.contains(&system) {
            required.push(system);
        }
    }
    match required.len() {
        0 => Err(format!("names no system; known are {systems}")),
        1..=MOST_REQUIRED => Ok(required),
        more => Err(format!("names {more} systems, and at most {MOST_REQUIRED} can be audited together")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least() -> Environment {
        Environment::from_iter([
            ("AUDIT_REQUIRED_SYSTEMS", "nemo, labarchives_eln,nemo"),
            ("CROSSWALK_TABLE", "t"),
            ("CROSSWALK_BUCKET", "b"),
        ])
    }

    fn refusal(environment: &Environment) -> String {
        AuditSettings::from_env(environment).unwrap_err().to_string()
    }

    #[test]
    fn three_settings_are_enough() {
        let settings = AuditSettings::from_env(&least()).unwrap();
        assert_eq!(settings.required.iter().map(System::as_str).collect::<Vec<_>>(), ["nemo", "labarchives_eln"]);
        assert_eq!(settings.seen_within, SignedDuration::from_hours(24 * 90));
        assert_eq!(settings.stale_after, SignedDuration::from_hours(24 * 180));
        assert!(!settings.dry_run);
    }

    #[test]
    fn what_is_required_is_known_and_not_too_much() {
        let with = |list: &str| least().with("AUDIT_REQUIRED_SYSTEMS", list);
        assert!(refusal(&with("nemo,nemo_b")).contains("AUDIT_REQUIRED_SYSTEMS: the system `nemo_b` is not known"));
        assert!(refusal(&with(" , ")).contains("names no system"));
        let many: Vec<String> = (0..65).map(|number| format!("s{number}")).collect();
        let systems = |count: usize| with(&many[..count].join(",")).with("CROSSWALK_SYSTEMS", &many.join(","));
        assert_eq!(AuditSettings::from_env(&systems(64)).unwrap().required.len(), 64);
        assert!(refusal(&systems(65)).contains("names 65 systems"));
    }

    #[test]
    fn what_is_wrong_is_told_together() {
        let told = refusal(&Environment::from_iter([("AUDIT_SEEN_DAYS", "401"), ("AUDIT_STALE_DAYS", "0")]));
        for name in [
            "AUDIT_REQUIRED_SYSTEMS is not set",
            "AUDIT_SEEN_DAYS",
            "AUDIT_STALE_DAYS",
            "CROSSWALK_TABLE",
            "CROSSWALK_BUCKET",
        ] {
            assert!(told.contains(name), "{name}: {told}");
        }
    }
}
