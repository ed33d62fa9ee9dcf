//! A LabArchives, a Crosswalk that serves its registration pages, and browsers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Change, IdentifierStore, StoreRequest, Table};
use crosswalk_identity::{ExternalId, Mapping, Mark, System, Username};
use crosswalk_invitations::{Invitation, Invitations, InvitedBy, Pages, Token};
use crosswalk_labarchives_registration::{Registration, RegistrationSettings, router};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_stand_ins::labarchives::{AccountSpec, LabArchivesStandIn};
use crosswalk_tests::everything;
use jiff::SignedDuration;
use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, Url};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use crate::logged;

/// The name of the browser's cookie.
pub(crate) const COOKIE_NAME: &str = "__Host-crosswalk-registration";

pub(crate) struct Bed {
    pub(crate) aws: Testbed,
    pub(crate) labarchives: LabArchivesStandIn,
    /// `http://127.0.0.1:<port>`, without a slash.
    pub(crate) url: String,
    /// The function's routes, as Lambda has them.
    pub(crate) router: Router,
    environment: Environment,
    table: Table,
    http: reqwest::Client,
    /// Minutes that have passed.
    minutes: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

/// An answer of ours.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A browser: it keeps our cookie, and follows nothing by itself.
pub(crate) struct Browser<'a> {
    bed: &'a Bed,
    /// What the cookie holds.
    pub(crate) cookie: Option<String>,
}

impl Bed {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With settings more.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        logged::begin();
        let aws = Testbed::start().await;
        let labarchives = LabArchivesStandIn::start(["ann", "ben", "cleo"].map(AccountSpec::new).to_vec()).unwrap();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let environment = Environment::from_iter([
            ("CROSSWALK_TABLE", aws.names.table.as_str()),
            ("REGISTRATION_URL", &url),
            ("LABARCHIVES_TIMEOUT", "2"),
        ]);
        let with = |environment: Environment, (name, value): (&str, &str)| environment.with(name, value);
        let environment =
            labarchives.settings().iter().map(|(name, value)| (*name, value.as_str())).fold(environment, with);
        let environment = settings.iter().copied().fold(environment, with);
        let minutes = Arc::<AtomicI64>::default();
        let router = router_of(&aws, &environment, clock(&minutes));
        let served = router.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, served).await {
                eprintln!("the pages stopped: {error}");
            }
        });
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let table = Table::new(aws_sdk_dynamodb::Client::new(&aws.config), &aws.names.table);
        Self { aws, labarchives, url, router, environment, table, http, minutes, task }
    }

    /// The pages with another setting, over the same table.
    pub(crate) fn router_with(&self, name: &str, value: &str) -> Router {
        router_of(&self.aws, &self.environment.clone().with(name, value), self.clock())
    }

    fn clock(&self) -> Clock {
        clock(&self.minutes)
    }

    /// Lets time pass, at LabArchives too.
    pub(crate) fn forward(&self, minutes: i64) {
        self.minutes.fetch_add(minutes, Ordering::SeqCst);
        self.labarchives.forward(SignedDuration::from_mins(minutes));
    }

    pub(crate) fn store(&self) -> IdentifierStore {
        IdentifierStore::new(self.table.clone(), self.clock(), Entropy::system())
    }

    pub(crate) fn invitations(&self) -> Invitations {
        Invitations::new(self.table.clone(), self.clock(), Entropy::system())
    }

    /// A personal link's token, for seven days.
    pub(crate) async fn invite(&self, username: &str) -> Token {
        self.invite_to(username, "labarchives_eln").await
    }

    pub(crate) async fn invite_to(&self, username: &str, system: &str) -> Token {
        let (username, system) = (Username::parse(username).unwrap(), System::parse(system).unwrap());
        let lasts = SignedDuration::from_hours(7 * 24);
        self.invitations().invite(&username, &system, lasts, InvitedBy::Administrator).await.unwrap().0
    }

    pub(crate) async fn invitation(&self, token: &Token) -> Invitation {
        self.invitations().find(&token.hash()).await.unwrap().unwrap()
    }

    pub(crate) async fn is_spent(&self, token: &Token) -> bool {
        self.invitation(token).await.spent_at.is_some()
    }

    pub(crate) async fn mapping(&self, username: &str) -> Option<Mapping> {
        self.store().get(&Username::parse(username).unwrap(), &eln()).await.unwrap()
    }

    /// The LabArchives id of everybody who has one.
    pub(crate) async fn mappings(&self) -> BTreeMap<String, String> {
        let page = self.store().list_system(&eln(), None, 1000).await.unwrap();
        page.items.into_iter().map(|mapping| (mapping.username.to_string(), mapping.external_id.to_string())).collect()
    }

    /// Stores a mapping by hand.
    pub(crate) async fn set(&self, username: &str, uid: &str) {
        let request = StoreRequest {
            username: Username::parse(username).unwrap(),
            system: eln(),
            external_id: ExternalId::parse(uid).unwrap(),
            email: Change::Keep,
            notes: Change::Set("by hand".to_owned()),
            mark: Mark::request("by-hand"),
        };
        self.store().store(request).await.unwrap();
    }

    /// The items of the table, a line each.
    pub(crate) async fn items(&self) -> String {
        let mut kept = everything::in_aws(&self.aws).await;
        String::from_utf8(kept.remove("the table").unwrap()).unwrap()
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { bed: self, cookie: None }
    }

    /// Asks for a path, with headers.
    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: answer.text().await.unwrap() }
    }

    /// Sends bytes that no client would, and reads what comes until the connection ends.
    pub(crate) async fn send_raw(&self, bytes: &[u8]) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses may close without an answer.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Signs in at LabArchives: where it sends the browser to.
    pub(crate) async fn sign_in(&self, at: &Url, name: &str) -> Url {
        let account = AccountSpec::new(name);
        self.post_sign_in(at, &[("email", &account.email), ("password", &account.password), ("do", "sign-in")]).await
    }

    /// Does not sign in there.
    pub(crate) async fn cancel(&self, at: &Url) -> Url {
        self.post_sign_in(at, &[("do", "cancel")]).await
    }

    async fn post_sign_in(&self, at: &Url, fields: &[(&str, &str)]) -> Url {
        let page = self.http.get(at.clone()).send().await.unwrap();
        assert_eq!(page.status().as_u16(), 200, "{}", page.text().await.unwrap());
        let mut form: Vec<(String, String)> = at.query_pairs().into_owned().collect();
        form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let answer = self.http.post(at.join("/api_user_login").unwrap()).form(&form).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 302);
        Url::parse(answer.headers()[LOCATION].to_str().unwrap()).unwrap()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Browser<'_> {
    pub(crate) async fn ask(&mut self, method: Method, path: &str) -> Answer {
        let cookie = self.cookie.as_ref().map(|value| format!("{COOKIE_NAME}={value}"));
        let headers: Vec<_> = cookie.iter().map(|cookie| (COOKIE.as_str(), cookie.as_str())).collect();
        let answer = self.bed.ask(method, path, &headers).await;
        for set in answer.cookies() {
            let (name, rest) = set.split_once('=').unwrap();
            assert_eq!(name, COOKIE_NAME);
            let value = rest.split(';').next().unwrap();
            self.cookie = (!value.is_empty() && !rest.contains("Max-Age=0")).then(|| value.to_owned());
        }
        answer
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    /// Presses the page's button: where the browser is sent to.
    pub(crate) async fn press(&mut self, token: &Token) -> Url {
        let answer = self.ask(Method::POST, &path(token)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        Url::parse(answer.header("location")).unwrap()
    }

    /// Opens an address of ours that LabArchives has sent us to.
    pub(crate) async fn come_back(&mut self, to: &Url) -> Answer {
        assert!(to.as_str().starts_with(&format!("{}/", self.bed.url)), "{to}");
        self.get(&to.as_str()[self.bed.url.len()..]).await
    }

    /// Everything from the button on, with the LabArchives account of this name.
    pub(crate) async fn register(&mut self, token: &Token, name: &str) -> Answer {
        let at = self.press(token).await;
        let back = self.bed.sign_in(&at, name).await;
        self.come_back(&back).await
    }
}

impl Answer {
    /// A header's text; nothing of one that is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// All cookies that it sets.
    pub(crate) fn cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The text of the one h1.
    pub(crate) fn heading(&self) -> &str {
        let mut parts = self.body.split("<h1").skip(1);
        let heading = parts.next().unwrap_or_else(|| panic!("no h1: {self:?}"));
        assert!(parts.next().is_none(), "more than one h1");
        heading.split_once('>').unwrap().1.split("</h1>").next().unwrap().trim()
    }

    /// Asserts status and heading.
    #[track_caller]
    pub(crate) fn says(&self, status: u16, heading: &str) {
        assert_eq!((self.status, self.heading()), (status, heading), "{}", self.body);
    }
}

fn clock(minutes: &Arc<AtomicI64>) -> Clock {
    let minutes = Arc::clone(minutes);
    Clock::from_fn(move || Clock::system().now() + SignedDuration::from_mins(minutes.load(Ordering::SeqCst)))
}

fn router_of(aws: &Testbed, environment: &Environment, clock: Clock) -> Router {
    let settings = RegistrationSettings::from_env(environment).unwrap();
    router(Registration::new(&aws.config, settings, clock, Entropy::system()).unwrap())
}

pub(crate) fn eln() -> System {
    System::parse("labarchives_eln").unwrap()
}

/// The path of a personal link.
pub(crate) fn path(token: &Token) -> String {
    format!("/registrations/{}", token.expose())
}

/// What the path of the way back holds.
pub(crate) fn state_of(back: &Url) -> String {
    back.path().strip_prefix("/registrations/callback/").unwrap().to_owned()
}

/// The id of an account of the stand-in.
pub(crate) fn uid(name: &str) -> String {
    AccountSpec::new(name).uid
}

/// An address with another value in its query; without it where there is none.
pub(crate) fn with_query(url: &Url, name: &str, value: Option<&str>) -> Url {
    let mut changed = url.clone();
    let pairs: Vec<_> = url.query_pairs().into_owned().filter(|(given, _)| given != name).collect();
    changed.query_pairs_mut().clear().extend_pairs(pairs).extend_pairs(value.map(|value| (name, value)));
    changed
}

/// Checks that [`Pages`] are what the pages are told to be at.
pub(crate) fn link(bed: &Bed, token: &Token) -> Url {
    Pages::parse(&bed.url).unwrap().link(token)
}
