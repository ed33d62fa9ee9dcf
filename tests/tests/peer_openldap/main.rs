//! People are read from a real OpenLDAP (`tests/peers/run openldap`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod directory;
mod proxy;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use crosswalk_directory_sync::Entry;
use crosswalk_directory_sync::source::ldap::{self, LdapSettings};
use crosswalk_directory_sync::source::{Read, ReadError};
use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use directory::Slapd;
use proxy::{Fault, Proxy};
use serde_json::Value;
use tokio::time::Instant;

/// The server, and what is in it.
struct Server {
    ldap: String,
    ldaps: String,
    password: String,
    /// Holds `ca.pem`, `other-ca.pem`, `people.json`, `second.conf`, `own.conf` and `own.ldif`.
    folder: PathBuf,
}

impl Server {
    fn of_environment() -> Self {
        let environment = Environment::of_process();
        let named = |name: &str| match environment.get(name) {
            Some(value) => value.to_owned(),
            None => panic!("{name} is not set: start this test by `tests/peers/run openldap`"),
        };
        Self {
            ldap: named("CROSSWALK_TEST_LDAP"),
            ldaps: named("CROSSWALK_TEST_LDAPS"),
            password: named("CROSSWALK_TEST_LDAP_PASSWORD"),
            folder: named("CROSSWALK_TEST_LDAP_FOLDER").into(),
        }
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// What is to be read, by its place.
    fn people(&self) -> BTreeMap<String, Value> {
        let people: Vec<Value> = serde_json::from_str(&self.file("people.json")).unwrap();
        people.into_iter().map(|person| (person["place"].as_str().unwrap().to_owned(), person)).collect()
    }

    fn environment(&self, more: &[(&str, &str)]) -> Environment {
        let least = Environment::from_iter([
            ("LDAP_SERVER", self.ldap.as_str()),
            ("LDAP_BIND_USER_DN", "cn=sync,dc=example,dc=org"),
            ("LDAP_BIND_PASSWORD", &self.password),
            ("LDAP_BASE_DN", "ou=people,dc=example,dc=org"),
        ]);
        more.iter().fold(least, |environment, (name, value)| environment.with(name, value))
    }

    async fn read(&self, more: &[(&str, &str)]) -> Result<Read, ReadError> {
        read(&LdapSettings::from_env(&self.environment(more), &[]).unwrap(), Deadline::NONE, &|_| {}).await
    }

    /// What went wrong; it must not tell a password.
    async fn failure(&self, more: &[(&str, &str)]) -> String {
        let told = self.read(more).await.unwrap_err().to_string();
        assert!(!told.contains(&self.password), "{told}");
        told
    }
}

async fn read(
    settings: &LdapSettings,
    deadline: Deadline,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Read, ReadError> {
    let secrets = Secrets::new(&aws_config::SdkConfig::builder().build());
    ldap::read(settings, &secrets, deadline, progress).await
}

fn text(person: &Value, name: &str) -> Option<String> {
    person[name].as_str().map(str::to_owned)
}

/// Whether an entry is what it is to be, but for its key, its fault, and whether it is enabled.
fn assert_is(entry: &Entry, person: &Value) {
    let emails: Vec<_> = person["emails"].as_array().unwrap().iter().map(|email| email.as_str().unwrap()).collect();
    assert_eq!(entry.emails.iter().map(|email| &**email).collect::<Vec<_>>(), emails, "{person}");
    assert_eq!(entry.username.as_deref().map(str::to_owned), text(person, "username"), "{person}");
    assert_eq!(entry.first_name.as_deref().map(str::to_owned), text(person, "first_name"), "{person}");
    assert_eq!(entry.last_name.as_deref().map(str::to_owned), text(person, "last_name"), "{person}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_comes_in_pages() {
    let server = Server::of_environment();
    let people = server.people();
    let more = [("LDAP_FIELD_ENABLED", "userAccountControl")];
    let settings = LdapSettings::from_env(&server.environment(&more), &["departmentNumber"]).unwrap();
    let progress = Mutex::new(Vec::new());
    let began = Instant::now();
    let read = read(&settings, Deadline::NONE, &|count| progress.lock().unwrap().push(count)).await.unwrap();
    println!("the source took {:.2} s for all of them", began.elapsed().as_secs_f64());

    let entries = read.snapshot.items();
    assert_eq!(entries.len(), people.len());
    let keys: BTreeSet<_> = entries.iter().map(|entry| entry.key.clone().unwrap()).collect();
    assert_eq!(keys.len(), people.len());
    for entry in entries {
        let person = &people[&*entry.place];
        assert_is(entry, person);
        assert_eq!(Some(entry.enabled), person["account_control"].as_bool(), "{person}");
        assert_eq!(entry.external_ids[0].as_deref().map(str::to_owned), text(person, "number"), "{person}");
        assert_eq!(entry.fault.is_some(), person["number"].is_null(), "{person}");
    }
    assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
    assert!(read.warnings[0].starts_with("3 references to other servers"), "{:?}", read.warnings);
    let progress = progress.into_inner().unwrap();
    assert!(progress.is_sorted() && progress.last() == Some(&(people.len() as u64)), "{progress:?}");
    assert!(progress.len() as u64 == read.requests && progress.len() >= people.len() / 500);

    // Pages that do not come out even, and the same places in the same order.
    let uneven = server.read(&[("LDAP_PAGE_SIZE", "333")]).await.unwrap();
    let places = |entries: &[Entry]| entries.iter().map(|entry| entry.place.clone()).collect::<Vec<_>>();
    assert!(uneven.requests > read.requests);
    assert_eq!(places(uneven.snapshot.items()), places(entries));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_may_be_binary_and_enabled_may_be_words() {
    let server = Server::of_environment();
    let people = server.people();
    let guids = [("LDAP_FIELD_KEY", "objectguid"), ("LDAP_FIELD_ENABLED", "employeeType")];
    for entry in server.read(&guids).await.unwrap().snapshot.into_items() {
        let person = &people[&*entry.place];
        assert_eq!(entry.key.as_deref().map(str::to_owned), text(person, "guid"), "{person}");
        assert_eq!(entry.enabled, person["word"].as_bool().unwrap_or(true), "{person}");
        assert_eq!(entry.fault.is_some(), person["word"].is_null(), "{person}");
    }
    // By another name than the one that the server answers with.
    let locks = [("LDAP_FIELD_ENABLED", "nsAccountLock"), ("LDAP_FIELD_LAST_NAME", "surname")];
    let read = server.read(&locks).await.unwrap();
    assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
    for entry in read.snapshot.items() {
        let person = &people[&*entry.place];
        assert_is(entry, person);
        assert_eq!((Some(entry.enabled), &entry.fault), (person["lock"].as_bool(), &None), "{person}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_that_nobody_has_is_told() {
    let server = Server::of_environment();
    for more in [[("LDAP_FIELD_KEY", "employeeNumber")], [("LDAP_BIND_USER_DN", "cn=blind,dc=example,dc=org")]] {
        let read = server.read(&more).await.unwrap();
        assert!(read.warnings.iter().any(|warning| warning.contains("LDAP_FIELD_KEY")), "{:?}", read.warnings);
        assert!(read.snapshot.items().iter().all(|entry| entry.key.is_none()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_cuts_off_is_no_end() {
    let server = Server::of_environment();
    let short = ("LDAP_BIND_USER_DN", "cn=short,dc=example,dc=org");
    // The last page has entries and no cookie, or is empty.
    for (size, page) in [("500", "page 3"), ("400", "page 4")] {
        let told = server.failure(&[short, ("LDAP_PAGE_SIZE", size)]).await;
        assert!(told.contains("sizeLimitExceeded") && told.contains(page), "{told}");
    }
    let told = server.failure(&[("LDAP_BIND_USER_DN", "cn=whole,dc=example,dc=org")]).await;
    assert!(told.contains("LimitExceeded"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_where_it_is_named() {
    let server = Server::of_environment();
    let (ca, other) = (server.file("ca.pem"), server.file("other-ca.pem"));
    let on_one_line = ca.replace('\n', "\\n");
    let (starttls, ldaps) = (("LDAP_STARTTLS", "true"), ("LDAP_SERVER", server.ldaps.as_str()));
    for way in [starttls, ldaps] {
        for pem in [ca.clone(), on_one_line.clone(), format!("{other}{ca}")] {
            let read = server.read(&[way, ("LDAP_CA_PEM", &pem)]).await.unwrap();
            assert_eq!(read.snapshot.items().len(), server.people().len());
        }
        for trust in [&[way][..], &[way, ("LDAP_CA_PEM", &other)]] {
            let told = server.failure(trust).await;
            assert!(told.contains("when connecting") && told.contains("LDAP_CA_PEM"), "{told}");
        }
    }
    let by_name = server.ldaps.replace("127.0.0.1", "localhost");
    let told = server.failure(&[("LDAP_SERVER", &by_name), ("LDAP_CA_PEM", &ca)]).await;
    assert!(told.contains("not for the name in LDAP_SERVER"), "{told}");
    let wrong_port = server.ldap.replace("ldap://", "ldaps://");
    let told = server.failure(&[("LDAP_SERVER", &wrong_port), ("LDAP_CA_PEM", &ca), ("LDAP_TIMEOUT", "2")]).await;
    assert!(told.contains("when connecting") && told.contains("636"), "{told}");
    // What travels in the clear must be said; the settings refuse it before anything is sent.
    let elsewhere = server.environment(&[("LDAP_SERVER", "ldap://ldap.example.org")]);
    assert!(LdapSettings::from_env(&elsewhere, &[]).unwrap_err().to_string().contains("in the clear"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_tell_what_to_do() {
    let server = Server::of_environment();
    for (more, word) in [
        (("LDAP_BIND_PASSWORD", "wrong"), "the server refuses LDAP_BIND_USER_DN and its password"),
        (("LDAP_BIND_USER_DN", "cn=nobody,dc=example,dc=org"), "the server refuses LDAP_BIND_USER_DN and its password"),
        (("LDAP_BIND_USER_DN", "nobody"), "LDAP_BIND_USER_DN is no DN"),
        (("LDAP_BASE_DN", "ou=absent,dc=example,dc=org"), "LDAP_BASE_DN does not exist"),
        (("LDAP_BASE_DN", "ou=hidden,dc=example,dc=org"), "LDAP_BASE_DN does not exist"),
        (("LDAP_BASE_DN", "a=b=c"), "LDAP_BASE_DN is no DN"),
        (("LDAP_BASE_DN", "ou=empty,dc=example,dc=org"), "the source is empty"),
        (("LDAP_USER_FILTER", "(uid=nobody)"), "the source is empty"),
        (("LDAP_SERVER", "ldap://127.0.0.1:1"), "nothing listens there"),
        (("LDAP_SERVER", "ldaps://ldap.invalid"), "cannot be resolved"),
    ] {
        let told = server.failure(&[more]).await;
        assert!(told.contains(word), "{more:?}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_anywhere_gives_no_snapshot() {
    let server = Server::of_environment();
    let pages = usize::try_from(server.read(&[]).await.unwrap().requests).unwrap();
    // The last page has the fewest entries, so that it is cut at its result only.
    let mut faults = vec![Fault::CutResult(pages)];
    for page in [1, 2, pages / 2, pages - 2] {
        faults.extend([Fault::CutIn(page), Fault::CutResult(page), Fault::CutAfter(page)]);
    }
    for fault in faults {
        let proxy = Proxy::start(&server.ldap, fault).await.unwrap();
        let told = server.failure(&[("LDAP_SERVER", &proxy.url)]).await;
        let (Fault::CutIn(page) | Fault::CutResult(page)) = fault else {
            let Fault::CutAfter(page) = fault else { panic!("{fault:?} is not of this test") };
            assert!(told.contains(&format!("page {} ", page + 1)) && proxy.results() == page, "{fault:?}: {told}");
            continue;
        };
        assert!(told.contains(&format!("page {page} ")) && proxy.results() == page - 1, "{fault:?}: {told}");
    }
    // Nothing is lost where it is cut after the end.
    let proxy = Proxy::start(&server.ldap, Fault::CutAfter(pages)).await.unwrap();
    let read = server.read(&[("LDAP_SERVER", &proxy.url)]).await.unwrap();
    assert_eq!(read.snapshot.items().len(), server.people().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_with_the_timeout_or_the_deadline() {
    let server = Server::of_environment();
    let proxy = Proxy::start(&server.ldap, Fault::Silence(2)).await.unwrap();
    let silent = ("LDAP_SERVER", proxy.url.as_str());
    let told = server.failure(&[silent, ("LDAP_TIMEOUT", "1")]).await;
    assert!(told.contains("page 2") && told.contains("within LDAP_TIMEOUT"), "{told}");

    let settings = LdapSettings::from_env(&server.environment(&[silent]), &[]).unwrap();
    let deadline = Deadline::within(Duration::from_secs(1));
    let told = read(&settings, deadline, &|_| {}).await.unwrap_err().to_string();
    assert!(told.contains("before the invocation's time was up"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_gives_no_snapshot() {
    let server = Server::of_environment();
    let (slapd, url) = Slapd::start(server.folder.join("second.conf")).await;
    let second = Mutex::new(slapd);

    let (ca, at) = (server.file("ca.pem"), ("LDAP_SERVER", url.as_str()));
    let told = server.failure(&[at, ("LDAP_STARTTLS", "true"), ("LDAP_CA_PEM", &ca)]).await;
    assert!(told.contains("the server refuses StartTLS"), "{told}");

    let settings = LdapSettings::from_env(&server.environment(&[at]), &[]).unwrap();
    let told = read(&settings, Deadline::NONE, &|count| {
        if count >= 1_500 {
            second.lock().unwrap().kill();
        }
    })
    .await
    .unwrap_err()
    .to_string();
    assert!(told.contains("page 4 ") && told.contains("ended the connection"), "{told}");
}
