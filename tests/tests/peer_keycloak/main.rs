//! The export of a realm to a stand-in for Glean: what Glean holds at the end is what the realm holds.
//!
//! The realm is a real Keycloak's where `CROSSWALK_TEST_KEYCLOAK` names one (`tests/peers/run keycloak`), else the stand-in's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod company;
mod proxy;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use company::{Held, Members};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_people_export::glean::Mode;
use crosswalk_people_export::{ExportRequest, ExportSettings, Exporter, Ran};
use crosswalk_runs::Place;
use crosswalk_runs::{RunRecord, RunState};
use crosswalk_stand_ins::glean::GleanStandIn;
use crosswalk_stand_ins::keycloak::KeycloakStandIn;
use proxy::{Fault, Proxy};
use serde_json::Value;
use source::{Client, Source, ask};
use tempfile::TempDir;

/// A Glean, and a folder that keeps the state of the exports to it.
struct Target {
    glean: GleanStandIn,
    folder: TempDir,
}

impl Target {
    fn new() -> Self {
        Self { glean: GleanStandIn::start("stand-in-token").unwrap(), folder: TempDir::new().unwrap() }
    }

    /// Exports what `client` may see of the realm at `keycloak`.
    async fn export(
        &self,
        source: &Source,
        keycloak: &str,
        client: Client,
        mode: Mode,
        more: &[(&str, &str)],
    ) -> RunRecord {
        let (client_id, client_secret) = source.client(client);
        let mut environment: Environment = [
            ("KEYCLOAK_BASE_URL", keycloak),
            ("KEYCLOAK_REALM", "example"),
            ("KEYCLOAK_CLIENT_ID", client_id),
            ("KEYCLOAK_CLIENT_SECRET", client_secret),
            ("KEYCLOAK_PAGE_SIZE", &source.page_size.to_string()),
            ("GLEAN_DATASOURCE", "keycloak"),
            // As fast as it can be set; the stand-in does not mind.
            ("GLEAN_RPS", "100"),
            ("EXPORT_ATTRIBUTES", r#"{"costcentre": "costCentre"}"#),
            ("CROSSWALK_STATE_DIR", self.folder.path().to_str().unwrap()),
        ]
        .into_iter()
        .collect();
        for (name, value) in self.glean.settings() {
            environment = environment.with(name, &value);
        }
        for (name, value) in more {
            environment = environment.with(name, value);
        }
        let settings = ExportSettings::from_env(&environment).unwrap();
        let (clock, entropy) = (Clock::system(), Entropy::system());
        let config = aws_config::SdkConfig::builder().build();
        let place = Place::new(&settings.kept, &config, &clock, &entropy);
        let request = ExportRequest {
            run_id: format!("people-export-{}", entropy.uuid()),
            delivery: "test".to_owned(),
            mode: Some(mode),
            max_users: None,
            allow_removals: false,
        };
        let exporter = Exporter::new(settings, place, Secrets::new(&config), clock, entropy);
        match exporter.export(&request, Deadline::NONE, &|_| {}).await.unwrap() {
            Ran::Ended(record) => record,
            Ran::Busy { run, .. } => panic!("{run} has the turn"),
        }
    }

    /// What Glean holds, in the form of what it is to hold.
    fn held(&self) -> Held {
        assert_eq!(self.glean.violations(), Vec::<String>::new());
        assert_eq!(self.glean.disagreements(), Vec::<String>::new());
        Held {
            people: self
                .glean
                .people()
                .iter()
                .map(|(email, person)| (email.clone(), company::held_person(person)))
                .collect(),
            teams: self.glean.teams().iter().map(|(id, team)| (id.clone(), company::held_team(team))).collect(),
        }
    }

    /// How many requests of each kind came since this was last asked.
    fn requests(&self) -> BTreeMap<String, usize> {
        let mut requests = BTreeMap::new();
        for logged in self.glean.log() {
            *requests.entry(logged.path).or_default() += 1;
        }
        self.glean.forget_log();
        requests
    }
}

/// The same, with a difference that can be read: a realm is long.
fn assert_same(found: &Held, expected: &Held) {
    for (found, expected) in [(&found.people, &expected.people), (&found.teams, &expected.teams)] {
        let keys: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
        for key in keys {
            assert_eq!(found.get(key), expected.get(key), "of {key}");
        }
    }
}

/// The keys of what is in both and differs, or is in the second only; and of what is in the first only.
fn difference(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> (usize, usize) {
    let changed = after.iter().filter(|(key, value)| before.get(*key) != Some(value)).count();
    (changed, before.keys().filter(|key| !after.contains_key(*key)).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_glean_holds_is_what_the_realm_holds() {
    let mut source = Source::take().await;
    let target = Target::new();
    let (people, groups) = (source.company.listed().count(), source.company.groups.len());

    // A token that is refused half way costs one call more.
    let proxy = Proxy::start(source.url(), source.page_size).await.unwrap();
    proxy.set(Some(Fault::SpoilToken(2)));
    let record = target.export(&source, &proxy.url, Client::Export, Mode::Bulk, &[]).await;
    let expected = source.company.expected(Members::Direct);
    assert!(expected.people.len() > people * 9 / 10 && expected.teams.len() == groups - 2);
    assert_same(&target.held(), &expected);
    assert_eq!(record.state, RunState::Partly, "{:?}", record.reasons);
    assert_eq!(record.counts.read, (people + groups) as u64);
    assert_eq!(record.counts.created, (expected.people.len() + expected.teams.len()) as u64);
    assert_eq!(record.counts.unsuccessful() + record.counts.created, record.counts.read);
    let seen = proxy.seen();
    assert_eq!(seen.iter().filter(|seen| seen.ends_with("/token")).count(), 2, "{seen:?}");
    assert_eq!(record.traffic["keycloak"].requests, seen.len() as u64);
    // The last one is empty.
    let pages = |members: usize| members.div_ceil(source.page_size) + 1;
    let member_pages: usize = source.company.groups.iter().map(|group| pages(group.members.len())).sum();
    // Beside the pages: counts before and after, tokens, the repeated page, children of groups that have some.
    let parents: BTreeSet<_> = source.company.groups.iter().filter_map(|group| group.parent.as_ref()).collect();
    let most = pages(people) + member_pages + 2 * parents.len() + 10;
    assert!(seen.len() <= most, "{} calls, at most {most} are needed: {seen:?}", seen.len());
    target.requests();

    let url = source.url().to_owned();
    let record = target.export(&source, &url, Client::Export, Mode::Individual, &[]).await;
    assert_eq!((record.counts.created, record.counts.updated, record.counts.deleted.unwrap_or(0)), (0, 0, 0));
    assert_eq!(record.counts.unchanged, (expected.people.len() + expected.teams.len()) as u64);
    assert_eq!(target.requests().values().sum::<usize>(), 0);

    // Disabled, deleted, in another group; and a group of another name.
    let ordinary = source.company.listed().filter(|(_, person)| {
        let has = |name| person.attributes.contains_key(name);
        // Nobody's manager: those have none themselves.
        person.enabled && person.email.is_some() && has("department") && has("managerEmail")
    });
    let mut ordinary: Vec<String> = ordinary.map(|(username, _)| username.clone()).collect();
    let mut next = || ordinary.pop().unwrap();
    let (disabled, deleted, transferred) = (next(), next(), next());
    let is_in = |username: &str, path: &str| {
        source.company.groups.iter().any(|group| group.path == path && group.members.contains(username))
    };
    let from =
        source.company.groups.iter().find(|group| group.path != "/empty" && group.members.contains(&transferred));
    let from = from.unwrap().path.clone();
    assert!(!is_in(&transferred, "/empty"));
    source.disable(&disabled).await.unwrap();
    source.delete(&deleted).await.unwrap();
    source.transfer(&transferred, &from, "/empty").await.unwrap();
    source.rename("/wide/part 04", "part four").await.unwrap();

    let record = target.export(&source, &url, Client::Export, Mode::Individual, &[]).await;
    let after = source.company.expected(Members::Direct);
    assert_same(&target.held(), &after);
    let (people, people_gone) = difference(&expected.people, &after.people);
    let (teams, teams_gone) = difference(&expected.teams, &after.teams);
    assert!(people > 2 && people_gone == 1 && teams > 2 && teams_gone == 0);
    let requests = target.requests();
    let expected_requests = [
        ("deleteemployee", people_gone),
        ("indexemployee", people),
        ("indexteam", teams),
        ("processallemployeesandteams", 1),
    ];
    assert_eq!(requests, expected_requests.map(|(path, times)| (path.to_owned(), times)).into());
    assert_eq!(record.counts.created + record.counts.updated, (people + teams) as u64);
    assert_eq!(record.counts.deleted, Some(people_gone as u64));

    // Whoever begins with bulk, and with the members of the groups below, ends where the realm is too.
    let other = Target::new();
    other.export(&source, &url, Client::Export, Mode::Bulk, &[("EXPORT_TEAM_MEMBERS", "nested")]).await;
    let nested = source.company.expected(Members::Nested);
    assert_ne!(nested, after);
    assert_same(&other.held(), &nested);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_not_see_users_sends_nothing() {
    let source = Source::take().await;
    let target = Target::new();
    for client in [Client::Stranger, Client::Blind] {
        for mode in [Mode::Bulk, Mode::Individual] {
            let record = target.export(&source, source.url(), client, mode, &[]).await;
            assert_eq!(record.state, RunState::Failed, "{client:?}");
            assert!(record.reasons[0].reason.contains("view-users"), "{client:?}: {:?}", record.reasons);
            assert_eq!(target.requests(), BTreeMap::new(), "{client:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_read_sends_nothing_and_deletes_nobody() {
    let source = Source::take().await;
    let target = Target::new();
    let proxy = Proxy::start(source.url(), source.page_size).await.unwrap();
    target.export(&source, &proxy.url, Client::Export, Mode::Bulk, &[]).await;
    let held = target.held();
    assert_same(&held, &source.company.expected(Members::Direct));
    target.requests();
    for fault in [Fault::CutPage(3), Fault::EmptyPage(3), Fault::CountMore(1)] {
        proxy.set(Some(fault));
        let record = target.export(&source, &proxy.url, Client::Export, Mode::Bulk, &[]).await;
        assert_eq!(record.state, RunState::Failed, "{fault:?}");
        assert_eq!(target.requests(), BTreeMap::new(), "{fault:?}");
    }
    assert_same(&target.held(), &held);

    // The next run that reads the whole realm goes on as if nothing had been.
    proxy.set(None);
    let record = target.export(&source, &proxy.url, Client::Export, Mode::Individual, &[]).await;
    assert_eq!(record.counts.unchanged, (held.people.len() + held.teams.len()) as u64);
    assert_eq!(target.requests(), BTreeMap::new());
}

/// What the other tests rest on where no real Keycloak is: that the stand-in answers as the real one does.
#[tokio::test(flavor = "multi_thread")]
async fn the_stand_in_answers_as_keycloak_does() {
    let source = Source::take().await;
    let http = reqwest::Client::new();
    let stand_in = KeycloakStandIn::start(source.company.to_spec()).unwrap();
    let wide = source.company.groups.iter().find(|group| group.path == "/wide").unwrap();
    let everyone = source.company.groups.iter().find(|group| group.path == "/everyone").unwrap();
    let company = source.company.groups.iter().find(|group| group.path == "/company").unwrap();
    let questions = [
        "users/count".to_owned(),
        "groups/count".to_owned(),
        "groups/count?top=true".to_owned(),
        "users".to_owned(),
        "users?first=0&max=5".to_owned(),
        "users?first=7&max=50&briefRepresentation=true".to_owned(),
        format!("users?first={}&max=10", source.company.listed().count() - 3),
        "users?first=100000&max=10".to_owned(),
        "users?max=-1".to_owned(),
        "groups".to_owned(),
        "groups?briefRepresentation=false&subGroupsCount=false&first=1&max=3".to_owned(),
        format!("groups/{}/children", wide.id),
        format!("groups/{}/children?first=10&max=100&briefRepresentation=false", wide.id),
        format!("groups/{}/children?max=100&briefRepresentation=true&subGroupsCount=false", wide.id),
        format!("groups/{}/members", everyone.id),
        format!("groups/{}/members?first=5&max=40&briefRepresentation=true", everyone.id),
        format!("groups/{}/members?max=1000", company.id),
    ];
    for question in questions {
        let mut theirs = source.get(&http, &question).await.unwrap();
        let export = ("export", "export-secret");
        let mut ours = ask(&http, stand_in.url(), export, reqwest::Method::GET, &question, None).await.unwrap();
        if source.is_real() {
            for answer in [&mut theirs, &mut ours] {
                comparable(answer);
            }
        }
        match (&ours, &theirs) {
            (Value::Array(ours), Value::Array(theirs)) => {
                for (our, their) in ours.iter().zip(theirs) {
                    assert_eq!(our, their, "{question}");
                }
                assert_eq!(ours.len(), theirs.len(), "{question}");
            }
            _ => assert_eq!(ours, theirs, "{question}"),
        }
    }
}

/// Without what the two need not have in common: what a client may do with a record, a service account's id, which
/// Keycloak chooses, and when the account was made.
fn comparable(answer: &mut Value) {
    for record in answer.as_array_mut().into_iter().flatten() {
        let Some(fields) = record.as_object_mut() else { continue };
        fields.remove("access");
        let is_account =
            fields.get("username").and_then(Value::as_str).is_some_and(|name| name.starts_with("service-"));
        if is_account {
            fields.retain(|name, _| name == "username" || name == "enabled");
        }
    }
}
