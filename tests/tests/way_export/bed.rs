//! A realm, a Glean, and a place for state and runs.

use std::collections::BTreeMap;
use std::time::Duration;

use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::retry::Retries;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_people_export::event::WAY;
use crosswalk_people_export::{DryRun, ExportError, ExportRequest, ExportSettings, Exporter, Ran};
use crosswalk_runs::Place;
use crosswalk_runs::{RunRecord, RunState, run_id};
use crosswalk_stand_ins::glean::{GleanStandIn, Logged};
use crosswalk_stand_ins::keycloak::{KeycloakStandIn, RealmSpec};
use crosswalk_tests::everything;
use tempfile::TempDir;

pub(crate) struct Bed {
    pub(crate) keycloak: KeycloakStandIn,
    pub(crate) glean: GleanStandIn,
    environment: Environment,
    kept: Kept,
    /// Where the runs' metrics go.
    pub(crate) metrics: Metrics,
}

/// Where state and runs are kept.
enum Kept {
    Folder(TempDir),
    Aws(Box<Testbed>),
}

impl Bed {
    pub(crate) fn in_folder(realm: RealmSpec) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        Self::new(realm, Kept::Folder(folder)).with("CROSSWALK_STATE_DIR", &path)
    }

    pub(crate) async fn on_aws(realm: RealmSpec) -> Self {
        let aws = Box::new(Testbed::start().await);
        let (table, bucket) = (aws.names.table.clone(), aws.names.bucket.clone());
        Self::new(realm, Kept::Aws(aws)).with("CROSSWALK_TABLE", &table).with("CROSSWALK_BUCKET", &bucket)
    }

    fn new(realm: RealmSpec, kept: Kept) -> Self {
        let keycloak = KeycloakStandIn::start(realm).unwrap();
        let glean = GleanStandIn::start("stand-in-token").unwrap();
        // As fast as it can be set: the stand-in does not mind.
        let mut environment = Environment::from_iter([("GLEAN_RPS", "100"), ("GLEAN_CONNECTIONS", "4")]);
        for (name, value) in keycloak.settings().into_iter().chain(glean.settings()) {
            environment = environment.with(name, &value);
        }
        Self { keycloak, glean, environment, kept, metrics: Metrics::none() }
    }

    /// With a setting more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment = self.environment.with(name, value);
        self
    }

    /// With pages of people and teams so small that there are several.
    pub(crate) fn with_small_pages(self) -> Self {
        self.with("GLEAN_PAGE_SIZE", "5").with("KEYCLOAK_PAGE_SIZE", "10")
    }

    pub(crate) fn exporter(&self) -> Exporter {
        self.exporter_at(Clock::system())
    }

    /// An exporter that tells the time by this clock.
    pub(crate) fn exporter_at(&self, clock: Clock) -> Exporter {
        let mut settings = ExportSettings::from_env(&self.environment).unwrap();
        // As often as the real ones or more, only sooner.
        let retries = Retries { first: Duration::from_millis(1), longest: Duration::from_millis(20), times: 12 };
        settings.glean.retries = retries;
        settings.metrics = self.metrics.clone();
        let config = match &self.kept {
            Kept::Aws(aws) => aws.config.clone(),
            // Nothing asks it: all secrets are in the environment.
            Kept::Folder(_) => crosswalk_local_aws::sdk_config_for("http://127.0.0.1:9"),
        };
        let entropy = Entropy::system();
        let place = Place::new(&settings.kept, &config, &clock, &entropy);
        Exporter::new(settings, place, Secrets::new(&config), clock, entropy)
    }

    /// Exports in a new run, whatever comes of it.
    pub(crate) async fn try_export(&self, request: &ExportRequest) -> Result<Ran, ExportError> {
        self.exporter().export(request, Deadline::NONE, &|_| {}).await
    }

    /// Exports; the run's record.
    pub(crate) async fn export_as(&self, request: &ExportRequest) -> RunRecord {
        match self.try_export(request).await.unwrap() {
            Ran::Ended(record) => record,
            Ran::Busy { run, .. } => panic!("the run {run} is under way"),
        }
    }

    /// Exports in a new run.
    pub(crate) async fn export(&self) -> RunRecord {
        self.export_as(&request()).await
    }

    /// The same, and everybody is in Glean as they should be.
    pub(crate) async fn export_all(&self) -> RunRecord {
        let record = self.export().await;
        assert_eq!(record.state, RunState::Succeeded, "{:?}", record.reasons);
        self.assert_whole();
        record
    }

    pub(crate) async fn dry_run(&self, request: &ExportRequest) -> DryRun {
        self.exporter().dry_run(request, &|_| {}).await.unwrap()
    }

    /// Glean holds what the realm holds, and nothing that was sent broke its rules.
    pub(crate) fn assert_whole(&self) {
        assert_eq!(self.glean.violations(), Vec::<String>::new());
        let realm = self.keycloak.realm();
        crate::company::assert_same(&realm, &self.glean.people(), &self.glean.teams());
        assert_eq!(self.glean.disagreements(), Vec::<String>::new());
        assert_eq!(self.glean.unfinished(), (None, None));
    }

    /// What Glean holds, in a form that can be compared.
    pub(crate) fn held(&self) -> String {
        format!("{:#?}\n{:#?}", self.glean.people(), self.glean.teams())
    }

    /// The paths of the requests to Glean since the log was last forgotten, each with how often.
    pub(crate) fn sent(&self) -> BTreeMap<String, usize> {
        let mut sent = BTreeMap::new();
        for Logged { path, .. } in self.glean.log() {
            *sent.entry(path).or_default() += 1;
        }
        sent
    }

    /// Every byte that is kept: files by their names, or the table's items and the bucket's objects.
    pub(crate) async fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        match &self.kept {
            Kept::Folder(folder) => everything::in_folder(folder.path()),
            Kept::Aws(aws) => everything::in_aws(aws).await,
        }
    }

    /// A report of a run.
    pub(crate) async fn report(&self, key: Option<&String>) -> String {
        let kept = self.kept().await;
        String::from_utf8(kept[key.unwrap()].clone()).unwrap()
    }
}

/// A new run by hand.
pub(crate) fn request() -> ExportRequest {
    ExportRequest {
        run_id: run_id::random(WAY, &Entropy::system()),
        delivery: "test".to_owned(),
        mode: None,
        max_users: None,
        allow_removals: false,
    }
}

/// The most frequent reason of a run, which is why it failed if it did.
pub(crate) fn reason(record: &RunRecord) -> &str {
    record.reasons.first().map_or("", |reason| &reason.reason)
}
