//! A NEMO, and a Crosswalk that harvests it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::{Change, IdentifierStore, StoreRequest, Table};
use crosswalk_identity::{ExternalId, Mapping, Mark, System, Username};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_nemo_harvest::event::WAY;
use crosswalk_nemo_harvest::{DryRun, HarvestRequest, HarvestSettings, Harvester, Ran};
use crosswalk_people::People;
use crosswalk_runs::{Place, RunRecord, RunState, run_id};
use crosswalk_stand_ins::nemo::{EventSpec, NemoStandIn, UserSpec};
use crosswalk_tests::everything;
use jiff::{SignedDuration, Timestamp};

pub(crate) struct Bed {
    pub(crate) aws: Testbed,
    pub(crate) nemo: NemoStandIn,
    environment: Environment,
    /// Hours that have passed.
    hours: Arc<AtomicI64>,
    began: Timestamp,
}

impl Bed {
    pub(crate) async fn with_users(users: &[UserSpec]) -> Self {
        let aws = Testbed::start().await;
        let nemo = NemoStandIn::start(users.to_vec()).unwrap();
        let environment = Environment::from_iter([
            ("CROSSWALK_TABLE", aws.names.table.as_str()),
            ("CROSSWALK_BUCKET", aws.names.bucket.as_str()),
            ("NEMO_PAGE_SIZE", "10"),
        ]);
        let environment =
            nemo.settings().into_iter().fold(environment, |environment, (name, value)| environment.with(name, &value));
        // Whole seconds, so that the texts of times are the same everywhere.
        let began = Timestamp::from_second(Clock::system().now().as_second()).unwrap();
        Self { aws, nemo, environment, hours: Arc::default(), began }
    }

    /// With a setting more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment = self.environment.with(name, value);
        self
    }

    pub(crate) fn clock(&self) -> Clock {
        let hours = self.hours.clone();
        Clock::from_fn(move || Clock::system().now() + SignedDuration::from_hours(hours.load(Ordering::Relaxed)))
    }

    pub(crate) fn forward(&self, hours: i64) {
        self.hours.fetch_add(hours, Ordering::Relaxed);
    }

    /// So long before the test began, or before what has passed since.
    pub(crate) fn hours_ago(&self, hours: i64) -> Timestamp {
        self.began + SignedDuration::from_hours(self.hours.load(Ordering::Relaxed) - hours)
    }

    pub(crate) fn harvester_with(&self, settings: &[(&str, &str)]) -> Harvester {
        let environment =
            settings.iter().fold(self.environment.clone(), |environment, (name, value)| environment.with(name, value));
        let settings = HarvestSettings::from_env(&environment).unwrap();
        let (config, clock, entropy) = (&self.aws.config, self.clock(), Entropy::system());
        let place = Place::new(&settings.kept, config, &clock, &entropy);
        Harvester::new(settings, place, config, Secrets::new(config), clock, entropy).unwrap()
    }

    pub(crate) fn harvester(&self) -> Harvester {
        self.harvester_with(&[])
    }

    /// Harvests; the run's record.
    pub(crate) async fn harvest_as(&self, request: &HarvestRequest) -> RunRecord {
        ended(self.harvester().harvest(request, Deadline::NONE, &|_| {}).await.unwrap())
    }

    /// Harvests in a new run.
    pub(crate) async fn harvest(&self) -> RunRecord {
        self.harvest_as(&request()).await
    }

    /// The same, and all is well.
    pub(crate) async fn harvest_all(&self) -> RunRecord {
        let record = self.harvest().await;
        assert_eq!(record.state, RunState::Succeeded, "{:?}", record.reasons);
        record
    }

    /// The same, and the run fails; why.
    pub(crate) async fn harvest_fails(&self) -> String {
        let record = self.harvest().await;
        assert_eq!((record.state, record.counts.read), (RunState::Failed, 0));
        record.reasons[0].reason.clone()
    }

    pub(crate) async fn dry_run(&self) -> DryRun {
        self.harvester().dry_run(&request(), Deadline::NONE, &|_| {}).await.unwrap()
    }

    pub(crate) fn store(&self) -> IdentifierStore {
        IdentifierStore::new(self.table(), self.clock(), Entropy::system())
    }

    pub(crate) fn people(&self) -> People {
        People::new(self.table(), self.clock(), Entropy::system())
    }

    fn table(&self) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.aws.config), &self.aws.names.table)
    }

    /// The mapping of a person, in the system `nemo`.
    pub(crate) async fn mapping(&self, username: &str) -> Option<Mapping> {
        self.store().get(&Username::parse(username).unwrap(), &nemo()).await.unwrap()
    }

    /// `username = id` of everybody, sorted.
    pub(crate) async fn mappings(&self) -> Vec<String> {
        let page = self.store().list_system(&nemo(), None, 1000).await.unwrap();
        let mut told: Vec<String> =
            page.items.iter().map(|mapping| format!("{} = {}", mapping.username, mapping.external_id)).collect();
        told.sort();
        told
    }

    /// Stores a mapping by hand.
    pub(crate) async fn set(&self, username: &str, id: &str) {
        let request = StoreRequest {
            username: Username::parse(username).unwrap(),
            system: nemo(),
            external_id: ExternalId::parse(id).unwrap(),
            email: Change::Keep,
            notes: Change::Set("by hand".to_owned()),
            mark: Mark::request("by-hand"),
        };
        self.store().store(request).await.unwrap();
    }

    /// Uses of tools: id, user, hours ago.
    pub(crate) fn used(&self, events: &[(u64, u64, i64)]) {
        let specs: Vec<EventSpec> = events
            .iter()
            .map(|(id, user, hours)| EventSpec { id: *id, start: self.hours_ago(*hours), user: *user, operator: *user })
            .collect();
        self.nemo.change(|_, events| events.extend(specs));
    }

    /// The run's report of whose mapping is not stored, a line each.
    pub(crate) async fn failed(&self, record: &RunRecord) -> Vec<String> {
        let kept = everything::in_aws(&self.aws).await;
        let report = String::from_utf8(kept[record.reports.failed.as_ref().unwrap()].clone()).unwrap();
        report.lines().skip(1).map(|line| line.replace('"', "")).collect()
    }

    /// What stands in table and bucket, but for runs and their reports.
    pub(crate) async fn everything_but_runs(&self) -> BTreeMap<String, Vec<u8>> {
        let mut kept = everything::in_aws(&self.aws).await;
        let items = String::from_utf8(kept.remove("the table").unwrap()).unwrap();
        let items: Vec<&str> = items.lines().filter(|item| !item.contains("RUN#") && !item.contains("TURN#")).collect();
        kept.insert("the table".to_owned(), items.join("\n").into_bytes());
        kept.retain(|key, _| !key.starts_with("reports/"));
        kept
    }
}

pub(crate) fn ended(harvested: Ran) -> RunRecord {
    match harvested {
        Ran::Ended(record) => record,
        Ran::Busy { run, .. } => panic!("the run {run} is under way"),
    }
}

pub(crate) fn nemo() -> System {
    System::parse("nemo").unwrap()
}

/// A new run by hand.
pub(crate) fn request() -> HarvestRequest {
    HarvestRequest { run_id: run_id::random(WAY, &Entropy::system()), delivery: "test".to_owned() }
}

/// So many users, `user1` with the id 1 and so on.
pub(crate) fn users(to: u64) -> Vec<UserSpec> {
    (1..=to).map(|id| UserSpec::new(id, &format!("user{id}"))).collect()
}
