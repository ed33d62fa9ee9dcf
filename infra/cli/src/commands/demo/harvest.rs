//! The demo's harvest: who is known to NEMO under which id, and who used a tool when. NEMO is a stand-in.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::IdentifierStore;
use crosswalk_identity::{System, Username};
use crosswalk_nemo_harvest::event::WAY;
use crosswalk_nemo_harvest::{HarvestRequest, HarvestSettings, Harvester, Ran};
use crosswalk_runs::{Counts, Place, RunRecord, RunState, run_id};
use crosswalk_stand_ins::nemo::{EventSpec, NemoStandIn, UserSpec};
use jiff::{SignedDuration, Timestamp};

use crate::ended::{Named, parts_table, read_report};
use crate::show;
use crate::stack::Stack;
use crate::target::{names, with};

/// Three came by CSV before, of whom one was renamed in NEMO since; two are new; Ravi may not use NEMO any more.
fn users() -> Vec<UserSpec> {
    vec![
        UserSpec::new(12345, "kim.park@example.org").email("kim.park@example.org"),
        UserSpec::new(12346, "ada"),
        UserSpec::new(12347, "grace.lindqvist").email("grace@example.org"),
        UserSpec::new(12350, "omar.haddad@example.org").email("omar.haddad@example.org"),
        UserSpec::new(12351, "zoe.ferrari@example.org").email("zoe.ferrari@example.org"),
        UserSpec::new(12340, "ravi").inactive(),
    ]
}

/// Who used a tool, how many hours ago.
const USES: [(u64, i64); 3] = [(12346, 3), (12346, 70), (12350, 26)];

/// The part of the record that counts users.
const MAPPINGS: &str = "mappings";

/// What came of it.
pub(super) struct Harvests {
    pub(super) first: RunRecord,
    pub(super) second: RunRecord,
    pub(super) not_stored: Vec<Named>,
    /// When those who were seen were last seen.
    pub(super) seen: BTreeMap<String, Timestamp>,
}

/// Harvests twice, and notes what came out otherwise than expected.
pub(super) async fn harvest(stack: &Stack, differences: &mut Vec<String>) -> anyhow::Result<Harvests> {
    let nemo = NemoStandIn::start(users())?;
    let (clock, entropy, config) = (Clock::system(), Entropy::system(), stack.aws.sdk_config());
    // Mappings hold whole milliseconds; the numbers here are easier to compare in whole seconds.
    let now = Timestamp::from_second(clock.now().as_second())?;
    let uses = USES.map(|(user, hours)| (user, now - SignedDuration::from_hours(hours)));
    nemo.change(|_, events| {
        events.extend((1..).zip(uses).map(|(id, (user, start))| EventSpec { id, start, user, operator: user }));
    });

    let made = &stack.made;
    let environment = names(stack.aws.endpoint(), &made.table, &made.bucket, &made.pool_id)
        .chain(nemo.settings())
        .fold(Environment::default(), with);
    let settings = HarvestSettings::from_env(&environment)?;
    let place = Place::new(&settings.kept, &config, &clock, &entropy);
    let files = place.files.clone();
    let store = IdentifierStore::new(stack.table(), clock.clone(), entropy.clone());
    let harvester = Harvester::new(settings, place, &config, Secrets::new(&config), clock, entropy)?;
    let first = once(&harvester).await?;
    let second = once(&harvester).await?;
    let not_stored = match &first.reports.failed {
        Some(key) => read_report(&files.get(key).await?.with_context(|| format!("{files}/{key} is gone"))?)?,
        None => Vec::new(),
    };
    let system = System::parse("nemo")?;
    let mut seen = BTreeMap::new();
    for user in users() {
        let mapping = store.get(&Username::parse(&user.username)?, &system).await?;
        if let Some(last_seen) = mapping.and_then(|mapping| mapping.last_seen) {
            seen.insert(user.username, last_seen);
        }
    }
    let harvests = Harvests { first, second, not_stored, seen };
    let latest = [("ada", uses[0].1), ("omar.haddad@example.org", uses[2].1)];
    harvests.check(&latest.map(|(username, at)| (username.to_owned(), at)).into(), differences);
    Ok(harvests)
}

impl Harvests {
    fn check(&self, seen: &BTreeMap<String, Timestamp>, differences: &mut Vec<String>) {
        let both = Counts { read: 6, conflict: 1, skipped: 1, ..Counts::default() };
        for (what, run, expected) in [
            ("the first run", &self.first, Counts { created: 2, verified: 2, ..both }),
            ("the second run", &self.second, Counts { unchanged: 4, ..both }),
        ] {
            let found = run.parts.get(MAPPINGS).copied().unwrap_or_default();
            if (run.state, found) != (RunState::Partly, expected) {
                let (expected, found) = (show::counts(&expected), show::counts(&found));
                let why: Vec<_> = run.reasons.iter().map(|reason| reason.reason.as_str()).collect();
                differences.push(format!("harvest: {what}: expected {expected}, found {found} ({})", why.join("; ")));
            }
        }
        let ends: Vec<_> = self.not_stored.iter().map(|row| format!("{} {}", row.name, row.outcome)).collect();
        if ends != ["grace.lindqvist conflict", "ravi skipped"] {
            differences.push(format!("harvest: not stored: found {}", ends.join(", ")));
        }
        if self.seen != *seen {
            differences.push(format!("harvest: last seen: expected {seen:?}, found {:?}", self.seen));
        }
    }
}

/// Tells of it.
pub(super) fn tell(harvests: &Harvests) -> anyhow::Result<()> {
    show::say(&parts_table(&harvests.first).to_string())?;
    show::say(&crate::ended::named(&harvests.not_stored))?;
    let seen = harvests.seen.iter().map(|(username, at)| format!("{} {}", show::plain(username), show::time(*at)));
    let again = harvests.second.parts.get(MAPPINGS).copied().unwrap_or_default();
    show::say(&format!(
        "\nLast seen: {}.\nA second run finds nothing to do: {} mappings are unchanged.\n",
        seen.collect::<Vec<_>>().join(", "),
        again.unchanged
    ))
}

async fn once(harvester: &Harvester) -> anyhow::Result<RunRecord> {
    let run_id = run_id::random(WAY, &Entropy::system());
    let request = HarvestRequest { run_id, delivery: "crosswalk demo".to_owned() };
    match harvester.harvest(&request, Deadline::NONE, &|_| {}).await? {
        Ran::Ended(record) => Ok(record),
        Ran::Busy { run, .. } => bail!("the run {run} is at work on a table that nobody else knows"),
    }
}
