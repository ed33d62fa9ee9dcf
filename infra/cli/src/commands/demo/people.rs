//! The demo's way of people and teams: a realm goes to Glean, and goes again. Keycloak and Glean are stand-ins.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_people_export::event::WAY;
use crosswalk_people_export::{ExportRequest, ExportSettings, Exporter, Ran};
use crosswalk_runs::Place;
use crosswalk_runs::files::Files;
use crosswalk_runs::{Counts, Ledger, RunRecord, RunState, Runs, run_id};
use crosswalk_stand_ins::glean::GleanStandIn;
use crosswalk_stand_ins::keycloak::{GroupSpec, KeycloakStandIn, RealmSpec, UserSpec};

use crate::ended::{Named, parts_table, read_report};
use crate::show;
use crate::stack::Stack;
use crate::target::{names, with};

/// Six people and three groups. Grace lacks the department that Glean requires, Ravi does not work here any more.
fn realm() -> RealmSpec {
    let person = |username: &str, first: &str, last: &str| {
        UserSpec::new(username).email(&format!("{username}@example.org")).name(first, last)
    };
    RealmSpec::new("staff")
        .user(person("ada", "Ada", "Okafor").attribute("department", "Microscopy").attribute("title", "Head"))
        .user(person("kim.park", "Kim", "Park").attribute("department", "Microscopy").attribute("manager", "ada"))
        .user(person("zoe.ferrari", "Zoë", "Ferrari").attribute("department", "Nanofabrication"))
        .user(person("omar.haddad", "Omar", "Haddad").attribute("department", "Nanofabrication"))
        .user(person("ravi", "Ravi", "Menon").attribute("department", "Microscopy").disabled())
        .user(person("grace", "Grace", "Lindqvist"))
        .group(
            GroupSpec::new("facilities")
                .members(["ada", "grace"])
                .child(GroupSpec::new("microscopes").members(["ada", "kim.park"]))
                .child(GroupSpec::new("clean-room").members(["omar.haddad", "zoe.ferrari"])),
        )
}

/// The teams that must stand in the end, by name, with their members' e-mails.
const TEAMS: [(&str, &[&str]); 3] = [
    ("clean-room", &["omar.haddad@example.org", "zoe.ferrari@example.org"]),
    ("facilities", &["ada@example.org"]),
    ("microscopes", &["ada@example.org", "kim.park@example.org"]),
];

/// The people who must stand in the end, and whether they work here.
const PEOPLE: [(&str, &str); 5] = [
    ("ada@example.org", "Current"),
    ("kim.park@example.org", "Current"),
    ("omar.haddad@example.org", "Current"),
    ("ravi@example.org", "Ex"),
    ("zoe.ferrari@example.org", "Current"),
];

/// What came of it.
pub(super) struct Exports {
    pub(super) first: RunRecord,
    pub(super) second: RunRecord,
    pub(super) not_exported: Vec<Named>,
    /// What the stand-in Glean holds: each person's status by e-mail.
    pub(super) people: BTreeMap<String, String>,
    /// And each team's members by its name.
    pub(super) teams: BTreeMap<String, Vec<String>>,
}

/// Exports twice, and notes what came out otherwise than expected.
pub(super) async fn export(stack: &Stack, differences: &mut Vec<String>) -> anyhow::Result<Exports> {
    let keycloak = KeycloakStandIn::start(realm())?;
    let glean = GleanStandIn::start("stand-in-token")?;
    let exporter = exporter(stack, &keycloak, &glean)?;
    let first = once(&exporter).await?;
    let second = once(&exporter).await?;

    let files = files(stack);
    let not_exported = match &first.reports.failed {
        Some(key) => read_report(&files.get(key).await?.with_context(|| format!("{files}/{key} is gone"))?)?,
        None => Vec::new(),
    };
    let people: BTreeMap<_, _> =
        glean.people().into_iter().map(|(email, person)| (email, format!("{:?}", person.status))).collect();
    let teams: BTreeMap<_, _> = glean
        .teams()
        .into_values()
        .map(|team| {
            let mut members: Vec<_> = team.members.iter().map(|member| member.email.as_str().to_owned()).collect();
            members.sort();
            (team.name.as_str().to_owned(), members)
        })
        .collect();
    let exports = Exports { first, second, not_exported, people, teams };
    exports.check(differences);
    differences.extend(glean.violations().into_iter().map(|violation| format!("Glean refused {violation}")));
    differences.extend(glean.disagreements());
    Ok(exports)
}

impl Exports {
    fn check(&self, differences: &mut Vec<String>) {
        let mut expect = |what: &str, expected: String, found: String| {
            if expected != found {
                differences.push(format!("people export: {what}: expected {expected}, found {found}"));
            }
        };
        let people = |created, unchanged| Counts {
            read: 6,
            created,
            unchanged,
            rejected: 1,
            deleted: Some(0),
            ..Counts::default()
        };
        let teams = |created, unchanged| Counts { read: 3, created, unchanged, deleted: Some(0), ..Counts::default() };
        let parts = |people, teams| BTreeMap::from([("people".to_owned(), people), ("teams".to_owned(), teams)]);
        for (what, run, expected) in [
            ("the first run", &self.first, parts(people(5, 0), teams(3, 0))),
            ("the second run", &self.second, parts(people(0, 5), teams(0, 3))),
        ] {
            expect(what, show::state(RunState::Partly).to_owned(), show::state(run.state).to_owned());
            expect(what, told(&expected), told(&run.parts));
            if run.state == RunState::Failed {
                let why: Vec<_> = run.reasons.iter().map(|reason| reason.reason.clone()).collect();
                expect(what, "no failure".to_owned(), why.join("; "));
            }
        }
        let rejected = |row: &Named| format!("{} {} {}", row.kind, row.name, row.outcome);
        let found: Vec<_> = self.not_exported.iter().map(rejected).collect();
        expect("not exported", "person grace rejected".to_owned(), found.join(", "));
        let statuses: BTreeMap<_, _> = PEOPLE.map(|(email, status)| (email.to_owned(), status.to_owned())).into();
        expect("people in Glean", format!("{statuses:?}"), format!("{:?}", self.people));
        let members: BTreeMap<_, Vec<_>> = TEAMS
            .map(|(team, members)| (team.to_owned(), members.iter().map(|&email| email.to_owned()).collect()))
            .into();
        expect("teams in Glean", format!("{members:?}"), format!("{:?}", self.teams));
    }
}

/// What the two exports did, and what the stand-in Glean holds then.
pub(super) fn tell(exports: &Exports) -> anyhow::Result<()> {
    show::say(&parts_table(&exports.first).to_string())?;
    let rows = exports
        .not_exported
        .iter()
        .map(|row| [row.kind.clone(), row.name.clone(), row.outcome.clone(), row.reason.clone()]);
    show::say(&format!("{}\n", show::table(["kind", "name", "outcome", "reason"], rows)))?;
    let former = exports.people.values().filter(|status| *status == "Ex").count();
    show::say(&format!(
        "The stand-in Glean now holds {} people, {former} of them former, and {} teams:\n{}\n",
        exports.people.len(),
        exports.teams.len(),
        show::table(
            ["team", "members"],
            exports.teams.iter().map(|(team, members)| [team.clone(), members.join(", ")])
        ),
    ))?;
    let count = |part: &str| exports.second.parts.get(part).copied().unwrap_or_default();
    let (people, teams) = (count("people"), count("teams"));
    show::say(&format!(
        "A second run finds nothing to do: {} people and {} teams are unchanged, and {} person is rejected again.\n",
        people.unchanged, teams.unchanged, people.rejected
    ))
}

/// `people: 5 rows: 5 created; teams: …`.
fn told(parts: &BTreeMap<String, Counts>) -> String {
    let parts: Vec<_> = parts.iter().map(|(part, counts)| format!("{part}: {}", show::counts(counts))).collect();
    parts.join("; ")
}

fn exporter(stack: &Stack, keycloak: &KeycloakStandIn, glean: &GleanStandIn) -> anyhow::Result<Exporter> {
    let made = &stack.made;
    let environment = names(stack.aws.endpoint(), &made.table, &made.bucket, &made.pool_id)
        .chain(keycloak.settings())
        .chain(glean.settings())
        .fold(Environment::default(), with);
    let settings = ExportSettings::from_env(&environment)?;
    let (clock, entropy, config) = (Clock::system(), Entropy::system(), stack.aws.sdk_config());
    let runs = Runs::new(stack.table(), clock.clone(), entropy.clone());
    let place = Place { ledger: Ledger::Table(runs), files: files(stack) };
    Ok(Exporter::new(settings, place, Secrets::new(&config), clock, entropy))
}

fn files(stack: &Stack) -> Files {
    Files::Bucket { client: aws_sdk_s3::Client::new(&stack.aws.sdk_config()), bucket: stack.made.bucket.clone() }
}

async fn once(exporter: &Exporter) -> anyhow::Result<RunRecord> {
    let request = ExportRequest {
        run_id: run_id::random(WAY, &Entropy::system()),
        delivery: "crosswalk demo".to_owned(),
        mode: None,
        max_users: None,
        allow_removals: false,
    };
    match exporter.export(&request, Deadline::NONE, &|_| {}).await? {
        Ran::Ended(record) => Ok(record),
        Ran::Busy { run, .. } => bail!("the run {run} is at work on a table that nobody else knows"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_what_the_realm_holds() {
        let realm = realm();
        assert_eq!(realm.users.len(), PEOPLE.len() + 1, "one is rejected");
        let groups = realm.all_groups();
        assert_eq!(groups.len(), TEAMS.len());
        for placed in groups {
            let (_, members) = TEAMS.iter().find(|(team, _)| *team == placed.group.name).unwrap();
            let of_realm = placed.group.members.iter().filter(|member| *member != "grace").count();
            assert_eq!(of_realm, members.len(), "{}", placed.path);
        }
    }
}
