//! A table with people and mappings, whom syncs saw, and an audit of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::{Change, IdentifierStore, StoreRequest, Table};
use crosswalk_identity::{Email, ExternalId, Mark, System, Username};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_mapping_audit::event::WAY;
use crosswalk_mapping_audit::{AuditRequest, AuditSettings, Audited, Auditor, DryRun, Ran, Whom, listed};
use crosswalk_people::People;
use crosswalk_runs::files::Files;
use crosswalk_runs::{Place, RunRecord, RunState, run_id};
use crosswalk_sightings::Sighting;
use jiff::{SignedDuration, Timestamp};

pub(crate) struct Bed {
    pub(crate) aws: Testbed,
    environment: Environment,
    /// Days that have passed.
    days: Arc<AtomicI64>,
}

impl Bed {
    /// NEMO and CDCS are to know everybody.
    pub(crate) async fn new() -> Self {
        let aws = Testbed::start().await;
        let environment = Environment::from_iter([
            ("CROSSWALK_TABLE", aws.names.table.as_str()),
            ("CROSSWALK_BUCKET", aws.names.bucket.as_str()),
            ("AUDIT_REQUIRED_SYSTEMS", "nemo,cdcs"),
        ]);
        Self { aws, environment, days: Arc::default() }
    }

    pub(crate) fn clock(&self) -> Clock {
        let days = self.days.clone();
        Clock::from_fn(move || Clock::system().now() + SignedDuration::from_hours(24 * days.load(Ordering::Relaxed)))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock().now()
    }

    pub(crate) fn forward(&self, days: i64) {
        self.days.fetch_add(days, Ordering::Relaxed);
    }

    pub(crate) fn auditor(&self) -> Auditor {
        let settings = AuditSettings::from_env(&self.environment).unwrap();
        let (config, clock, entropy) = (&self.aws.config, self.clock(), Entropy::system());
        let place = Place::new(&settings.kept, config, &clock, &entropy);
        Auditor::new(settings, place, config, clock, entropy)
    }

    pub(crate) async fn audit_as(&self, request: &AuditRequest) -> (RunRecord, Option<Audited>) {
        match self.auditor().audit(request, Deadline::NONE, &|_| {}).await.unwrap() {
            (Ran::Ended(record), audited) => (record, audited),
            (Ran::Busy { run, .. }, _) => panic!("the run {run} is under way"),
        }
    }

    /// Audits everybody in a new run, and all is well.
    pub(crate) async fn audit(&self) -> (RunRecord, Audited) {
        let (record, audited) = self.audit_as(&everybody()).await;
        assert_eq!(record.state, RunState::Succeeded, "{:?}", record.reasons);
        (record, audited.unwrap())
    }

    /// The same of a list.
    pub(crate) async fn audit_list(&self, list: &str) -> (RunRecord, Audited) {
        let listed::List { people, rejected } = listed::read(list).unwrap();
        let whom = Whom::Listed { people, rejected, systems: None };
        let (record, audited) = self.audit_as(&AuditRequest { whom, ..everybody() }).await;
        (record, audited.unwrap())
    }

    pub(crate) async fn dry_run(&self) -> DryRun {
        self.auditor().dry_run(&everybody(), Deadline::NONE, &|_| {}).await.unwrap()
    }

    fn table(&self) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.aws.config), &self.aws.names.table)
    }

    pub(crate) fn files(&self) -> Files {
        Files::Bucket { client: crosswalk_tests::s3_client(&self.aws), bucket: self.aws.names.bucket.clone() }
    }

    /// Stores a mapping; its id is the username's.
    pub(crate) async fn map(&self, username: &str, system: &str, email: Option<&str>) {
        let request = StoreRequest {
            username: name(username),
            system: System::parse(system).unwrap(),
            external_id: ExternalId::parse(username).unwrap(),
            email: email.map_or(Change::Keep, |email| Change::Set(Email::parse(email).unwrap())),
            notes: Change::Keep,
            mark: Mark::request(run_id::random("by-hand", &Entropy::system())),
        };
        let store = IdentifierStore::new(self.table(), self.clock(), Entropy::system());
        store.store(request).await.unwrap();
    }

    /// Stores a person.
    pub(crate) async fn person(&self, username: &str, email: &str) {
        let people = People::new(self.table(), self.clock(), Entropy::system());
        let mark = Mark::request(run_id::random("by-hand", &Entropy::system()));
        people.ensure_person(&name(username), &Email::parse(email).unwrap(), "STAFF", &mark).await.unwrap();
    }

    /// What a sync saw: username, e-mail, days ago, active.
    pub(crate) async fn seen(&self, sync: &str, people: &[(&str, Option<&str>, i64, bool)]) {
        let sightings: Vec<Sighting> = people
            .iter()
            .map(|(username, email, days, active)| Sighting {
                username: name(username),
                email: email.map(|email| Email::parse(email).unwrap()),
                seen_at: self.now() - SignedDuration::from_hours(24 * days),
                active: *active,
            })
            .collect();
        crosswalk_sightings::put(&self.files(), sync, sightings).await.unwrap();
    }

    pub(crate) async fn put_raw(&self, attributes: &[(&str, &str)]) {
        let put = self.table().client.put_item().table_name(&self.aws.names.table);
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let item = attributes.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
        put.set_item(Some(item)).send().await.unwrap();
    }

    pub(crate) async fn delete_raw(&self, pk: &str, sk: &str) {
        let delete = self.table().client.delete_item().table_name(&self.aws.names.table);
        let text = |text: &str| AttributeValue::S(text.to_owned());
        delete.key("pk", text(pk)).key("sk", text(sk)).send().await.unwrap();
    }

    /// A file's text; none if there is none.
    pub(crate) async fn text(&self, key: &str) -> Option<String> {
        let text = self.files().get(key).await.unwrap()?;
        Some(String::from_utf8(text.to_vec()).unwrap())
    }
}

pub(crate) fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

/// A new run by hand.
pub(crate) fn everybody() -> AuditRequest {
    AuditRequest { run_id: run_id::random(WAY, &Entropy::system()), delivery: "test".to_owned(), whom: Whom::Everybody }
}

/// `username: systems` of everybody who lacks something.
pub(crate) fn lacks(audited: &Audited) -> Vec<String> {
    let told = |lacking: &crosswalk_mapping_audit::notify::Lacking| {
        let systems: Vec<&str> = lacking.systems.iter().map(System::as_str).collect();
        format!("{}: {}", lacking.usernames[0], systems.join(" "))
    };
    audited.findings.missing.iter().map(told).collect()
}
