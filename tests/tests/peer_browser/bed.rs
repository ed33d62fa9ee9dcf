//! The pages and LabArchives, each behind TLS on a site of its own, and a browser.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{IdentifierStore, Table};
use crosswalk_identity::{System, Username};
use crosswalk_invitations::{Invitations, InvitedBy, Pages};
use crosswalk_labarchives_registration::{Registration, RegistrationSettings, router};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_stand_ins::labarchives::{ACCESS_PASSWORD, AKID, AccountSpec, LabArchivesStandIn};
use jiff::SignedDuration;
use reqwest::Url;
use reqwest::header::LOCATION;

use crate::driver::{Browser, Page};
use crate::tls::{Port, Served};

/// Where the browser finds the pages.
const PAGES: &str = "https://crosswalk.example.org";

pub(crate) struct Bed {
    aws: Testbed,
    pub(crate) labarchives: LabArchivesStandIn,
    /// `https://127.0.0.1:<port>`.
    pub(crate) labarchives_url: String,
    pub(crate) browser: Browser,
    evil: Arc<Mutex<String>>,
    _served: [Served; 2],
}

/// What the peer's script has set.
fn told(name: &str) -> String {
    let environment = Environment::of_process();
    environment.get(name).unwrap_or_else(|| panic!("{name} is not set: run tests/peers/run browser")).to_owned()
}

impl Bed {
    pub(crate) async fn start() -> Self {
        crosswalk_function_kit::logs::init(&Environment::of_process());
        let folder = told("CROSSWALK_TEST_BROWSER_FOLDER");
        let (python, script) = (told("CROSSWALK_TEST_BROWSER"), told("CROSSWALK_TEST_BROWSER_DRIVER"));
        let (key, pictures) = (told("CROSSWALK_TEST_BROWSER_KEY"), told("CROSSWALK_TEST_BROWSER_PICTURES"));
        let aws = Testbed::start_table_only().await;
        let labarchives = LabArchivesStandIn::start(["ann", "ben", "cleo"].map(AccountSpec::new).to_vec()).unwrap();
        let evil = Arc::<Mutex<String>>::default();

        let (pages, there) = (Port::bind(&PathBuf::from(&folder)).await, Port::bind(&PathBuf::from(&folder)).await);
        let labarchives_url = format!("https://{}", there.address());
        let environment = Environment::from_iter([
            ("CROSSWALK_TABLE", aws.names.table.as_str()),
            ("REGISTRATION_URL", PAGES),
            ("REGISTRATION_CONTACT", "the helpdesk (help@example.org)"),
            ("LABARCHIVES_URL", &labarchives_url),
            ("LABARCHIVES_AKID", AKID),
            ("LABARCHIVES_ACCESS_PASSWORD", ACCESS_PASSWORD),
        ]);
        let settings = RegistrationSettings::from_env(&environment).unwrap();
        let registration = Registration::new(&aws.config, settings, Clock::system(), Entropy::system()).unwrap();
        let shown = Arc::clone(&evil);
        let evil_page = get(async move || Html(shown.lock().unwrap_or_else(PoisonError::into_inner).clone()));
        let there_router = Router::new().route("/evil", evil_page).fallback_service(labarchives.router());
        let served = [pages.serve(router(registration)), there.serve(there_router)];
        let browser = Browser::start(&python, &script, &served[0].address.to_string(), &key, &pictures, &folder).await;
        Self { aws, labarchives, labarchives_url, browser, evil, _served: served }
    }

    fn table(&self) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.aws.config), &self.aws.names.table)
    }

    pub(crate) fn store(&self) -> IdentifierStore {
        IdentifierStore::new(self.table(), Clock::system(), Entropy::system())
    }

    /// Who has which LabArchives id.
    pub(crate) async fn mappings(&self) -> Vec<(String, String)> {
        let page = self.store().list_system(&eln(), None, 100).await.unwrap();
        page.items.iter().map(|mapping| (mapping.username.to_string(), mapping.external_id.to_string())).collect()
    }

    /// A personal link.
    pub(crate) async fn invite(&self, username: &str) -> String {
        self.link(username, Clock::system()).await
    }

    /// One of last month.
    pub(crate) async fn ended_link(&self, username: &str) -> String {
        self.link(username, Clock::fixed(Clock::system().now() - SignedDuration::from_hours(30 * 24))).await
    }

    async fn link(&self, username: &str, clock: Clock) -> String {
        let invitations = Invitations::new(self.table(), clock, Entropy::system());
        let (username, lasts) = (Username::parse(username).unwrap(), SignedDuration::from_hours(7 * 24));
        let (token, _) = invitations.invite(&username, &eln(), lasts, InvitedBy::Administrator).await.unwrap();
        Pages::parse(PAGES).unwrap().link(&token).into()
    }

    /// Pictures of a page, on which everything is to be seen and read.
    pub(crate) async fn picture(&mut self, who: &str, name: &str) {
        for layout in self.browser.picture(who, name).await {
            let number = |field: &str| layout[field].as_f64().unwrap_or(99.0);
            assert!(number("overflow") == 0.0 && layout["wide"].as_array().unwrap().is_empty(), "{name}: {layout}");
            // WCAG 2: 1.4.3 for contrast; 2.5.8 asks for 24 pixels, 2.5.5 for the 44 that fingers hit.
            assert!(number("contrast") >= 4.5, "{name}: {layout}");
            assert!(number("smallest_target") >= 44.0 && number("smallest_text") >= 12.0, "{name}: {layout}");
        }
    }

    /// What LabArchives' page sends to whoever signs in there, without the browser: as somebody would who has seen the page.
    pub(crate) async fn sign_in_elsewhere(&self, page: &Page, name: &str) -> String {
        let account = AccountSpec::new(name);
        let mut form: Vec<(String, String)> = Url::parse(&page.url).unwrap().query_pairs().into_owned().collect();
        form.extend(
            [("email", account.email), ("password", account.password)].map(|(name, value)| (name.to_owned(), value)),
        );
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let answer = http.post(format!("{}/api_user_login", self.labarchives.url())).form(&form).send().await.unwrap();
        answer.headers()[LOCATION].to_str().unwrap().to_owned()
    }

    /// Makes a page of the other site whose button posts to a personal link.
    pub(crate) fn evil_form(&self, link: &str) {
        let page = format!(
            "<!doctype html><html lang=\"en\"><title>Win</title><h1>You have won</h1>\
             <form method=\"post\" action=\"{link}\"><button>Claim it</button></form></html>"
        );
        *self.evil.lock().unwrap_or_else(PoisonError::into_inner) = page;
    }

    /// Closes the browser.
    pub(crate) async fn end(self) {
        self.browser.end().await;
    }
}

pub(crate) fn eln() -> System {
    System::parse("labarchives_eln").unwrap()
}
