//! The realm that the tests export: a real Keycloak's with `CROSSWALK_TEST_KEYCLOAK` and `CROSSWALK_TEST_REALM`, else the
//! stand-in's.

use std::path::Path;
use std::sync::LazyLock;

use anyhow::Context as _;
use crosswalk_function_kit::settings::Environment;
use crosswalk_stand_ins::keycloak::{Faults, KeycloakStandIn};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::company::Company;

/// One realm for all tests, one test at a time: some change it.
static SOURCE: LazyLock<Mutex<Source>> = LazyLock::new(|| Mutex::new(Source::open().unwrap()));

/// A realm, and the people and groups that it is known to hold.
pub(crate) struct Source {
    pub(crate) company: Company,
    /// Users and members a page: the third page of users is not the last.
    pub(crate) page_size: usize,
    server: Server,
}

enum Server {
    Real { url: String, http: reqwest::Client },
    StandIn(KeycloakStandIn),
}

/// The clients of the realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// May read it.
    Export,
    /// Is shown an empty realm.
    Blind,
    /// Is forbidden everything.
    Stranger,
}

impl Source {
    /// The realm, when no other test has it.
    pub(crate) async fn take() -> MutexGuard<'static, Self> {
        SOURCE.lock().await
    }

    fn open() -> anyhow::Result<Self> {
        let environment = Environment::of_process();
        if let Some(url) = environment.get("CROSSWALK_TEST_KEYCLOAK").map(str::to_owned) {
            println!("the realm is a real Keycloak's, at {url}");
            let file =
                environment.get("CROSSWALK_TEST_REALM").context("CROSSWALK_TEST_REALM must name the realm's file")?;
            let company = Company::from_realm_file(Path::new(file))?;
            Ok(Self { company, page_size: 500, server: Server::Real { url, http: reqwest::Client::new() } })
        } else {
            println!("the realm is the stand-in's: CROSSWALK_TEST_KEYCLOAK names no real one");
            let company = Company::small();
            let server = Server::StandIn(KeycloakStandIn::start(company.to_spec())?);
            Ok(Self { company, page_size: 30, server })
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        match &self.server {
            Server::Real { url, .. } => url,
            Server::StandIn(keycloak) => keycloak.url(),
        }
    }

    /// Whether it is a real Keycloak's.
    pub(crate) fn is_real(&self) -> bool {
        matches!(self.server, Server::Real { .. })
    }

    /// Id and secret of a client. The stand-in has but one, and behaves from now on as if that were it.
    pub(crate) fn client(&self, client: Client) -> (&'static str, &'static str) {
        if let Server::StandIn(keycloak) = &self.server {
            let (blind, forbidden) = (client == Client::Blind, client == Client::Stranger);
            keycloak.fail(Faults { blind, forbidden, ..Faults::default() });
            return ("export", "export-secret");
        }
        match client {
            Client::Export => ("export", "export-secret"),
            Client::Blind => ("blind", "blind-secret"),
            Client::Stranger => ("stranger", "stranger-secret"),
        }
    }

    /// Disables a user.
    pub(crate) async fn disable(&mut self, username: &str) -> anyhow::Result<()> {
        let path = format!("users/{}", self.company.people[username].id);
        match &self.server {
            Server::Real { .. } => {
                // Keycloak replaces the whole user by what it is given.
                let mut user = self.ask(reqwest::Method::GET, &path, None).await?;
                user["enabled"] = json!(false);
                self.ask(reqwest::Method::PUT, &path, Some(user)).await?;
            }
            Server::StandIn(keycloak) => keycloak.change(|realm| {
                realm.user_mut(username).unwrap().enabled = false;
            }),
        }
        self.company.people.get_mut(username).unwrap().enabled = false;
        Ok(())
    }

    /// Deletes a user.
    pub(crate) async fn delete(&mut self, username: &str) -> anyhow::Result<()> {
        match &self.server {
            Server::Real { .. } => {
                let path = format!("users/{}", self.company.people[username].id);
                self.ask(reqwest::Method::DELETE, &path, None).await?;
            }
            Server::StandIn(keycloak) => keycloak.change(|realm| realm.remove_user(username)),
        }
        self.company.people.remove(username);
        for group in &mut self.company.groups {
            group.members.remove(username);
        }
        Ok(())
    }

    /// Takes a user out of one group and into another.
    pub(crate) async fn transfer(&mut self, username: &str, from: &str, to: &str) -> anyhow::Result<()> {
        let (from, to) = (self.company.group_mut(from).id.clone(), self.company.group_mut(to).id.clone());
        for group in &mut self.company.groups {
            if group.id == from {
                assert!(group.members.remove(username), "{username} is no member of {}", group.path);
            } else if group.id == to {
                assert!(group.members.insert(username.to_owned()), "{username} is a member of {}", group.path);
            }
        }
        match &self.server {
            Server::Real { .. } => {
                let groups = format!("users/{}/groups", self.company.people[username].id);
                self.ask(reqwest::Method::DELETE, &format!("{groups}/{from}"), None).await?;
                self.ask(reqwest::Method::PUT, &format!("{groups}/{to}"), None).await?;
            }
            Server::StandIn(keycloak) => {
                let groups = self.company.to_spec().groups;
                keycloak.change(|realm| realm.groups = groups);
            }
        }
        Ok(())
    }

    /// Gives a group another name. Its id stays.
    pub(crate) async fn rename(&mut self, path: &str, name: &str) -> anyhow::Result<()> {
        let group = self.company.group_mut(path);
        name.clone_into(&mut group.name);
        let group_path = format!("groups/{}", group.id);
        match &self.server {
            Server::Real { .. } => {
                let mut group = self.ask(reqwest::Method::GET, &group_path, None).await?;
                group["name"] = json!(name);
                self.ask(reqwest::Method::PUT, &group_path, Some(group)).await?;
            }
            Server::StandIn(keycloak) => {
                let groups = self.company.to_spec().groups;
                keycloak.change(|realm| realm.groups = groups);
            }
        }
        Ok(())
    }

    /// Asks the Admin API, as a client that may do everything here.
    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let Server::Real { url, http } = &self.server else { anyhow::bail!("the stand-in is changed in another way") };
        ask(http, url, ("admin", "admin-secret"), method, path, body).await
    }

    /// What a server answers to a client that may read the realm.
    pub(crate) async fn get(&self, http: &reqwest::Client, path: &str) -> anyhow::Result<Value> {
        ask(http, self.url(), self.client(Client::Export), reqwest::Method::GET, path, None).await
    }
}

/// Asks the Admin API at `url` with a token of its own.
pub(crate) async fn ask(
    http: &reqwest::Client,
    url: &str,
    (client_id, client_secret): (&str, &str),
    method: reqwest::Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<Value> {
    let form = [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", client_secret)];
    let token = http.post(format!("{url}/realms/example/protocol/openid-connect/token")).form(&form).send().await?;
    let token: Value = serde_json::from_str(&token.error_for_status()?.text().await?)?;
    let token = token["access_token"].as_str().context("no token")?;
    let mut request = http.request(method, format!("{url}/admin/realms/example/{path}")).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await?.error_for_status()?.text().await?;
    if answer.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&answer)?) }
}
