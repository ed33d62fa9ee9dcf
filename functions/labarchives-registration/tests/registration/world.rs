//! A table of a test's own, a stand-in LabArchives, and the ways to ask the pages.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_http_edge::Claims;
use crosswalk_identifier_store::{Change, IdentifierStore, StoreRequest, Table};
use crosswalk_identity::{ExternalId, Mapping, Mark, System, Username};
use crosswalk_invitations::{Invitations, InvitedBy, Token};
use crosswalk_labarchives_registration::{Registration, RegistrationSettings, router};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_stand_ins::labarchives::{AccountSpec, LabArchivesStandIn};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tower::ServiceExt;
use url::Url;

/// Where the pages stand for a browser.
pub(crate) const PAGES: &str = "https://crosswalk.example.org";
pub(crate) const SYSTEM: &str = "labarchives_eln";

pub(crate) struct World {
    pub(crate) bed: Testbed,
    pub(crate) labarchives: LabArchivesStandIn,
    pub(crate) lines: Arc<Mutex<Vec<Value>>>,
    pub(crate) router: Router,
    /// How far ahead of the machine's it is.
    ahead: Arc<Mutex<SignedDuration>>,
    clock: Clock,
}

/// What the pages answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    /// The cookie's name and value, as a browser sends it back.
    #[track_caller]
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    /// Insists on a page's status and heading.
    #[track_caller]
    pub(crate) fn page(self, status: u16, heading: &str) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.body.contains(&format!("<h1>{heading}")), "{heading}: {self:?}");
        assert_eq!(self.header("cache-control"), "no-store");
        self
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(Entropy::system()).await
    }

    pub(crate) async fn start_with(entropy: Entropy) -> Self {
        let bed = Testbed::start_table_only().await;
        let accounts = vec![AccountSpec::new("zoe"), AccountSpec::new("kim")];
        let labarchives = LabArchivesStandIn::start(accounts).unwrap();
        let ahead = Arc::new(Mutex::new(SignedDuration::ZERO));
        let (system, moved) = (Clock::system(), Arc::clone(&ahead));
        let clock = Clock::from_fn(move || system.now() + *moved.lock().unwrap());
        let (metrics, lines) = Metrics::kept("labarchives-registration");
        let environment = [("REGISTRATION_URL", PAGES), ("CROSSWALK_TABLE", bed.names.table.as_str())];
        let environment = environment.map(|(name, value)| (name, value.to_owned()));
        let environment = Environment::from_iter(environment.into_iter().chain(labarchives.settings()));
        let settings = RegistrationSettings::from_env(&environment).unwrap();
        let settings = RegistrationSettings { metrics, ..settings };
        let registration = Registration::new(&bed.config, settings, clock.clone(), entropy).unwrap();
        Self { router: router(registration), bed, labarchives, lines, ahead, clock }
    }

    pub(crate) fn table(&self) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.bed.config), &self.bed.names.table)
    }

    fn store(&self) -> IdentifierStore {
        IdentifierStore::new(self.table(), self.clock.clone(), Entropy::system())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass, here and not at LabArchives.
    pub(crate) fn forward(&self, by: SignedDuration) {
        *self.ahead.lock().unwrap() += by;
    }

    pub(crate) async fn invite(&self, name: &str) -> Token {
        self.invite_with(name, SYSTEM, Entropy::system()).await
    }

    pub(crate) async fn invite_with(&self, name: &str, system: &str, entropy: Entropy) -> Token {
        let (name, system) = (Username::parse(name).unwrap(), System::parse(system).unwrap());
        let invitations = Invitations::new(self.table(), self.clock.clone(), entropy);
        let week = SignedDuration::from_hours(7 * 24);
        invitations.invite(&name, &system, week, InvitedBy::Administrator).await.unwrap().0
    }

    pub(crate) async fn map(&self, name: &str, external_id: &str) {
        let request = StoreRequest {
            username: Username::parse(name).unwrap(),
            system: System::parse(SYSTEM).unwrap(),
            external_id: ExternalId::parse(external_id).unwrap(),
            email: Change::Keep,
            notes: Change::Keep,
            mark: Mark::line("seed", 1),
        };
        self.store().store(request).await.unwrap();
    }

    pub(crate) async fn mapping(&self, name: &str) -> Option<Mapping> {
        let (name, system) = (Username::parse(name).unwrap(), System::parse(SYSTEM).unwrap());
        self.store().get(&name, &system).await.unwrap()
    }

    pub(crate) async fn items(&self) -> usize {
        self.table().client.scan().table_name(&self.bed.names.table).send().await.unwrap().items().len()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body };
        assert!(
            answer.header("content-security-policy").starts_with("default-src 'none'; style-src 'self'; form-action")
        );
        for (name, value) in [("referrer-policy", "no-referrer"), ("x-content-type-options", "nosniff")] {
            assert_eq!(answer.header(name), value, "{answer:?}");
        }
        answer
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A request for a link by who has these claims.
    pub(crate) async fn post_with_claims(&self, claims: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::post("/registrations").body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(Claims::from_iter(claims.iter().copied()));
        self.send(request).await
    }

    /// Presses the button: the cookie, and where LabArchives is.
    pub(crate) async fn begin(&self, token: &Token) -> (String, String) {
        let answer = self.ask("POST", &link(token), &[("sec-fetch-site", "same-origin")]).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        (answer.cookie(), answer.header("location").to_owned())
    }

    /// Signs in at LabArchives, and gives the path and query by which it sends the browser back.
    pub(crate) async fn sign_in(&self, sign_in: &str, name: &str) -> String {
        self.at_labarchives(sign_in, name, "sign-in").await
    }

    /// Presses one of LabArchives' buttons.
    pub(crate) async fn at_labarchives(&self, sign_in: &str, name: &str, what: &str) -> String {
        let account = AccountSpec::new(name);
        let url = Url::parse(sign_in).unwrap();
        let mut form: Vec<_> = url.query_pairs().into_owned().collect();
        let given = [("email", account.email), ("password", account.password), ("do", what.to_owned())];
        form.extend(given.map(|(name, value)| (name.to_owned(), value)));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        assert_eq!(client.get(url.clone()).send().await.unwrap().status(), 200, "{sign_in}");
        let answer = client.post(url.join("/api_user_login").unwrap()).form(&form).send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        location.strip_prefix(PAGES).unwrap_or_else(|| panic!("{location}")).to_owned()
    }
}

/// The path of a personal link.
pub(crate) fn link(token: &Token) -> String {
    format!("/registrations/{}", token.expose())
}
