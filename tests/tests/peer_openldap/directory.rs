//! A directory of a test's own, and the whole sync from it into a user pool.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_cognitoidentityprovider::Client;
use crosswalk_directory_sync::event::WAY;
use crosswalk_directory_sync::{Ran, SyncRequest, SyncSettings, Syncer, Watched};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_runs::{Place, RunRecord, RunState, run_id};
use tempfile::TempDir;

use crate::Server;

/// A server with people of its own, which a test changes. It offers StartTLS, with the certificates of the main one.
pub(crate) struct Directory {
    pub(crate) url: String,
    slapd: Mutex<Slapd>,
    password: String,
    _folder: TempDir,
}

impl Directory {
    /// With so many people: named p000 and so on.
    pub(crate) async fn start(server: &Server, people: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let configuration = path("slapd.conf");
        let data = path("data");
        std::fs::create_dir(&data).unwrap();
        let text = server.file("own.conf").replace("@FOLDER@", data.to_str().unwrap());
        std::fs::write(&configuration, text).unwrap();
        let everybody: String = (0..people).map(|n| entry(&format!("p{n:03}"), &[]) + "\n").collect();
        std::fs::write(path("people.ldif"), server.file("own.ldif") + &everybody).unwrap();
        let mut add = Command::new("slapadd");
        let added = add.arg("-q").arg("-f").arg(&configuration).arg("-l").arg(path("people.ldif")).status().unwrap();
        assert!(added.success(), "slapadd ended with {added}");
        let (slapd, url) = Slapd::start(configuration).await;
        Self { url, slapd: Mutex::new(slapd), password: server.password.clone(), _folder: folder }
    }

    /// Changes entries, as their records in LDIF say.
    pub(crate) fn change(&self, records: &[String]) {
        let mut modify = Command::new("ldapmodify");
        let modify = modify.args(["-x", "-H", &self.url, "-D", "cn=root,dc=example,dc=org", "-w", &self.password]);
        let mut modify = modify.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        modify.stdin.take().unwrap().write_all(records.join("\n").as_bytes()).unwrap();
        let ended = modify.wait().unwrap();
        assert!(ended.success(), "ldapmodify ended with {ended}");
    }

    pub(crate) fn kill(&self) {
        self.slapd.lock().unwrap().kill();
    }
}

/// The entry of somebody named after the username, with more lines at its top.
fn entry(username: &str, more: &[&str]) -> String {
    let first: String = more.iter().map(|line| format!("{line}\n")).collect();
    format!(
        "dn: {}\n{first}objectClass: inetOrgPerson\nuid: {username}\ncn: {username}\ngivenName: Given\nsn: Family\n\
         mail: {username}@example.org\n",
        dn(username)
    )
}

/// A record that adds somebody.
pub(crate) fn person(username: &str) -> String {
    entry(username, &["changetype: add"])
}

fn dn(username: &str) -> String {
    format!("uid={username},ou=people,dc=example,dc=org")
}

/// A change of one entry, as its lines in LDIF say.
pub(crate) fn change(username: &str, lines: &[&str]) -> String {
    format!("dn: {}\nchangetype: {}\n", dn(username), lines.join("\n"))
}

/// The pool that the people get their accounts in, and a folder for state and runs.
pub(crate) struct Pool {
    aws: Testbed,
    state: TempDir,
    environment: Environment,
}

/// An account, as the pool tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Pool {
    /// For people of this directory, in pages of 50.
    pub(crate) async fn new(server: &Server, directory: &Directory) -> Self {
        let (aws, state) = (Testbed::start().await, TempDir::new().unwrap());
        let folder = state.path().to_str().unwrap();
        let environment = [
            ("SYNC_NAME", "staff"),
            ("SYNC_SOURCE", "ldap"),
            ("SYNC_TARGET", "cognito"),
            ("LDAP_SERVER", directory.url.as_str()),
            ("LDAP_PAGE_SIZE", "50"),
            ("COGNITO_IDENTITY_POOL_ID", &aws.names.pool_id),
            ("CROSSWALK_STATE_DIR", folder),
            // As fast as the emulator goes.
            ("CROSSWALK_COGNITO_RESERVE", "0"),
            ("CROSSWALK_COGNITO_SHARERS", "1"),
            ("CROSSWALK_COGNITO_USER_READ_RPS", "10000"),
            ("CROSSWALK_COGNITO_USER_CREATION_RPS", "10000"),
            ("CROSSWALK_COGNITO_SET_PASSWORD_RPS", "10000"),
            ("CROSSWALK_COGNITO_USER_LIST_RPS", "10000"),
            ("CROSSWALK_COGNITO_USER_UPDATE_RPS", "10000"),
        ];
        let environment = server.environment(&environment);
        Self { aws, state, environment }
    }

    /// With a setting more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment = self.environment.with(name, value);
        self
    }

    /// Syncs under other settings; `watch` is told how many people were read.
    pub(crate) async fn sync_with(&self, settings: &[(&str, &str)], watch: &(dyn Fn(u64) + Send + Sync)) -> RunRecord {
        let environment =
            settings.iter().fold(self.environment.clone(), |environment, (name, value)| environment.with(name, value));
        let settings = SyncSettings::from_env(&environment).unwrap();
        let (config, clock, entropy) = (self.aws.config.clone(), Clock::system(), Entropy::system());
        let place = Place::new(&settings.kept, &config, &clock, &entropy);
        let secrets = Secrets::new(&config);
        let request = SyncRequest {
            run_id: run_id::random(WAY, &entropy),
            delivery: "test".to_owned(),
            leg: 1,
            allow_removals: false,
            plan_hash: None,
        };
        let syncer = Syncer::new(settings, place, config, secrets, clock, entropy);
        let watch = |watched| {
            if let Watched::Reading { people, .. } = watched {
                watch(people);
            }
        };
        match Box::pin(syncer.sync(&request, Deadline::NONE, &watch)).await.unwrap() {
            Ran::Ended(record) => record,
            Ran::Busy { run, .. } => panic!("the run {run} is under way"),
        }
    }

    /// Syncs, and everybody is as the directory has them.
    pub(crate) async fn sync(&self) -> RunRecord {
        let record = self.sync_with(&[], &|_| {}).await;
        assert_eq!(record.state, RunState::Succeeded, "{:?}", record.reasons);
        record
    }

    /// Syncs, which must fail and change nothing, in the pool or in the state; why it failed.
    pub(crate) async fn fail(&self, settings: &[(&str, &str)], watch: &(dyn Fn(u64) + Send + Sync)) -> String {
        let before = self.everything().await;
        let record = self.sync_with(settings, watch).await;
        assert_eq!(record.state, RunState::Failed, "{settings:?}: {:?}", record.counts);
        assert!(self.everything().await == before, "{settings:?} changed something");
        record.reasons[0].reason.clone()
    }

    /// The state that is kept, byte for byte, and the pool's accounts.
    pub(crate) async fn everything(&self) -> (String, BTreeMap<String, Account>) {
        (self.state(), self.accounts().await)
    }

    pub(crate) fn state(&self) -> String {
        let path: PathBuf = self.state.path().join("state/directory-sync/staff.txt");
        std::fs::read_to_string(path).unwrap()
    }

    /// The pool's accounts, by the e-mail's local part.
    pub(crate) async fn accounts(&self) -> BTreeMap<String, Account> {
        let mut accounts = BTreeMap::new();
        let cognito = Client::new(&self.aws.config);
        let mut pages = cognito.list_users().user_pool_id(&self.aws.names.pool_id).into_paginator().items().send();
        while let Some(user) = pages.next().await {
            let user = user.unwrap();
            let attributes: BTreeMap<String, String> = user
                .attributes()
                .iter()
                .map(|attribute| (attribute.name().to_owned(), attribute.value().unwrap_or_default().to_owned()))
                .collect();
            let email = attributes["email"].replace("@example.org", "");
            let account = Account { id: user.username().unwrap().to_owned(), enabled: user.enabled(), attributes };
            accounts.insert(email, account);
        }
        accounts
    }

    /// Who may not log in, by the e-mails' local parts.
    pub(crate) async fn disabled(&self) -> Vec<String> {
        self.accounts().await.into_iter().filter(|(_, account)| !account.enabled).map(|(email, _)| email).collect()
    }
}

/// A server of a test's own; dropping it kills it.
pub(crate) struct Slapd(Child);

impl Slapd {
    /// On this configuration; and where it is.
    pub(crate) async fn start(configuration: PathBuf) -> (Self, String) {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let url = format!("ldap://127.0.0.1:{port}");
        let mut slapd =
            Self(Command::new("slapd").args(["-d", "0", "-h", &url, "-f"]).arg(configuration).spawn().unwrap());
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(slapd.0.try_wait().unwrap().is_none(), "the test's slapd ended before it served");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (slapd, url)
    }

    pub(crate) fn kill(&mut self) {
        // It may be dead already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.kill();
    }
}
