//! The stand-in for Keycloak, asked over HTTP.
#![allow(clippy::unwrap_used, reason = "integration tests")]

use std::time::Duration;

use crosswalk_stand_ins::keycloak::{
    Between, Cut, Every, Faults, GroupSpec, KeycloakStandIn, Kind, RealmSpec, UserSpec,
};
use serde_json::{Value, json};

struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    async fn new(keycloak: &KeycloakStandIn) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut client = Self { http, url: keycloak.url().to_owned(), token: String::new() };
        let (status, answer) = client.token("stand-in-secret").await;
        assert_eq!(status, 200);
        client.token = answer["access_token"].as_str().unwrap().to_owned();
        client
    }

    async fn token(&self, secret: &str) -> (u16, Value) {
        let url = format!("{}/realms/r/protocol/openid-connect/token", self.url);
        let form = [("grant_type", "client_credentials"), ("client_id", "crosswalk"), ("client_secret", secret)];
        let answer = self.http.post(url).form(&form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn send(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        self.http.get(format!("{}/admin/realms/r/{path}", self.url)).bearer_auth(&self.token).send().await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.send(path).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer.json().await.unwrap()
    }

    async fn status(&self, path: &str) -> u16 {
        self.send(path).await.unwrap().status().as_u16()
    }

    async fn usernames(&self, path: &str) -> Vec<String> {
        names(&self.get(path).await, "username")
    }
}

fn names(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

/// Twelve users, a service account, and groups two deep.
fn realm() -> RealmSpec {
    let mut realm = RealmSpec::new("r").user(UserSpec::service_account("robot"));
    for n in (0..12).rev() {
        realm =
            realm.user(UserSpec::new(&format!("U{n:02}")).email(&format!("u{n:02}@example.org")).attribute("a", "1"));
    }
    let mut parent = GroupSpec::new("parent").members(["u03", "u01", "service-account-robot", "nobody"]);
    for n in 0..12 {
        parent = parent.child(GroupSpec::new(&format!("child{n:02}")).attribute("b", "2").members(["u05"]));
    }
    realm.group(parent).group(GroupSpec::new("alone"))
}

fn start() -> KeycloakStandIn {
    KeycloakStandIn::start(realm()).unwrap()
}

#[tokio::test]
async fn tokens_are_given_for_the_secret_and_end() {
    let keycloak = KeycloakStandIn::start(realm().token_seconds(0)).unwrap();
    let client = Client::new(&keycloak).await;
    assert_eq!(client.token("wrong").await.0, 401);
    assert_eq!(client.status("users").await, 401, "it has ended");
    keycloak.change(|realm| realm.token_seconds = 300);
    let client = Client::new(&keycloak).await;
    assert_eq!(client.status("users").await, 200);
    keycloak.forget_tokens();
    assert_eq!(client.status("users").await, 401);
    let client = Client::new(&keycloak).await;
    keycloak.fail(Faults { unauthorized: 1, ..Faults::default() });
    assert_eq!(client.status("users").await, 401);
    assert_eq!(client.status("users").await, 401, "the token is gone");
    assert_eq!(Client::new(&keycloak).await.status("users").await, 200);
    keycloak.fail(Faults { token_uses: Some(2), ..Faults::default() });
    let client = Client::new(&keycloak).await;
    for expected in [200, 200, 401] {
        assert_eq!(client.status("users").await, expected);
    }
}

#[tokio::test]
async fn users_are_paged_by_username_without_service_accounts() {
    let keycloak = start();
    let client = Client::new(&keycloak).await;
    assert_eq!(client.get("users/count").await, json!(12));
    assert_eq!(client.usernames("users?first=2&max=3").await, ["u02", "u03", "u04"]);
    assert_eq!(client.usernames("users?first=11&max=3").await, ["u11"]);
    assert!(client.usernames("users?first=12&max=3").await.is_empty());
    let user = &client.get("users?max=1").await[0];
    assert_eq!((&user["attributes"], &user["enabled"]), (&json!({ "a": ["1"] }), &json!(true)));
    assert_eq!(user["createdTimestamp"], 1_709_280_000_000_i64);
    assert!(user.get("firstName").is_none(), "what is not set is absent");
    assert!(client.get("users?max=1&briefRepresentation=true").await[0].get("attributes").is_none());
    for path in ["users?search=u", "users?frist=1", "groups?q=a:1", "groups/count?max=1"] {
        assert_eq!(client.status(path).await, 400, "{path}");
    }
    keycloak.change(|realm| {
        for n in 0..200 {
            realm.users.push(UserSpec::new(&format!("v{n}")));
        }
    });
    assert_eq!(client.usernames("users").await.len(), 100, "the default");
    assert_eq!(client.usernames("users?max=-1").await.len(), 212);
}

#[tokio::test]
async fn groups_are_a_tree_with_short_defaults() {
    let keycloak = start();
    let client = Client::new(&keycloak).await;
    let top = client.get("groups").await;
    assert_eq!(names(&top, "path"), ["/alone", "/parent"]);
    assert_eq!((&top[1]["subGroupCount"], &top[1]["subGroups"]), (&json!(12), &json!([])));
    assert!(top[1].get("attributes").is_none(), "brief by default");
    assert!(client.get("groups?subGroupsCount=false").await[1].get("subGroupCount").is_none());
    assert_eq!(client.get("groups/count").await, json!({ "count": 14 }));
    let id = top[1]["id"].as_str().unwrap();
    let children = client.get(&format!("groups/{id}/children")).await;
    assert_eq!(children.as_array().unwrap().len(), 10, "the default");
    assert_eq!((&children[0]["parentId"], &children[0]["path"]), (&json!(id), &json!("/parent/child00")));
    assert_eq!(children[0]["attributes"], json!({ "b": ["2"] }));
    let rest = client.get(&format!("groups/{id}/children?first=10&max=10&briefRepresentation=true")).await;
    assert_eq!(names(&rest, "name"), ["child10", "child11"]);
    let members = client.usernames(&format!("groups/{id}/members")).await;
    assert_eq!(members, ["service-account-robot", "u01", "u03"], "direct ones only, service accounts too");
    assert_eq!(client.status("groups/none/members").await, 404);
    let requests = keycloak.requests();
    assert_eq!((requests.of(Kind::Groups), requests.of(Kind::Children), requests.of(Kind::Members)), (2, 2, 2));
    keycloak.forget_requests();
    assert_eq!(keycloak.requests().total(), 0);
}

#[tokio::test]
async fn short_pages_lose_nobody() {
    let keycloak = start();
    let client = Client::new(&keycloak).await;
    keycloak.fail(Faults { short_pages: Some(3), ..Faults::default() });
    let (mut read, mut pages, mut short) = (Vec::new(), 0, 0);
    loop {
        let page = client.usernames(&format!("users?first={}&max=4", pages * 4)).await;
        if page.is_empty() {
            break;
        }
        short += usize::from(page.len() < 4);
        pages += 1;
        read.extend(page);
    }
    assert_eq!(read, (0..12).map(|n| format!("u{n:02}")).collect::<Vec<_>>());
    assert!(short > 1, "{short} of {pages}");
}

#[tokio::test]
async fn a_page_that_is_cut_breaks_off() {
    let keycloak = start();
    let client = Client::new(&keycloak).await;
    let cut = |times| Faults { cut: Some(Cut { kind: Kind::Users, place: 6, times }), ..Faults::default() };
    keycloak.fail(cut(Some(1)));
    assert_eq!(client.usernames("users?first=0&max=4").await.len(), 4);
    let answer = client.send("users?first=4&max=4").await;
    assert!(match answer {
        Ok(answer) => answer.bytes().await.is_err(),
        Err(_) => true,
    });
    assert_eq!(client.usernames("users?first=4&max=4").await.len(), 4, "once");
    keycloak.fail(cut(None));
    for _ in 0..3 {
        let answer = client.send("users?first=4&max=4").await;
        assert!(match answer {
            Ok(answer) => answer.text().await.is_err(),
            Err(_) => true,
        });
    }
}

#[tokio::test]
async fn other_faults_come_on_demand() {
    let keycloak = start();
    let client = Client::new(&keycloak).await;
    keycloak.fail(Faults { repeat_first_page: true, count_off_by: 3, ..Faults::default() });
    assert_eq!(client.usernames("users?first=8&max=2").await, ["u00", "u01"]);
    assert_eq!(client.get("users/count").await, json!(15));
    keycloak.fail(Faults { blind: true, ..Faults::default() });
    assert_eq!(client.get("users").await, json!([]));
    assert_eq!((client.get("users/count").await, client.get("groups").await), (json!(12), json!([])));
    keycloak.fail(Faults { forbidden: true, ..Faults::default() });
    assert_eq!(client.status("users").await, 403);
    keycloak.forget_requests();
    let every = Some(Every { kth: 2, status: 429, retry_after: Some(1) });
    keycloak.fail(Faults { every, ..Faults::default() });
    assert_eq!(client.status("users").await, 200);
    let throttled = client.send("users").await.unwrap();
    assert_eq!((throttled.status().as_u16(), &throttled.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(client.status("users").await, 200);
}

#[tokio::test]
async fn the_realm_changes_between_pages() {
    let keycloak = start();
    let client = Client::new(&keycloak).await;
    let between = Between::new(2, |realm| realm.remove_user("u00"));
    keycloak.fail(Faults { between_pages: vec![between], ..Faults::default() });
    assert_eq!(client.usernames("users?first=0&max=3").await, ["u00", "u01", "u02"]);
    assert_eq!(client.usernames("users?first=3&max=3").await, ["u04", "u05", "u06"], "u03 moved to the first page");
    assert_eq!(client.get("users/count").await, json!(11));
}

#[tokio::test]
async fn the_most_requests_at_once_are_counted() {
    let keycloak = start();
    let client = Client::new(&keycloak).await;
    // A busy machine may need longer until all three are there.
    for latency in [100, 1_000, 10_000] {
        keycloak.fail(Faults { latency: Duration::from_millis(latency), ..Faults::default() });
        let (a, b, c) = tokio::join!(client.status("users"), client.status("groups"), client.status("users/count"));
        assert_eq!((a, b, c), (200, 200, 200));
        if keycloak.most_at_once() == 3 {
            return;
        }
    }
    panic!("at most {} at once", keycloak.most_at_once());
}

#[tokio::test]
async fn it_stops_when_it_is_dropped() {
    let keycloak = start();
    let client = Client::new(&keycloak).await;
    keycloak.stop();
    assert!(client.send("users").await.is_err());
}

#[test]
fn a_sample_holds_what_was_asked_for() {
    let realm = RealmSpec::sample(1000, 50, 3000);
    let groups = realm.all_groups();
    assert_eq!((realm.users.len(), groups.len(), realm.groups.len()), (1000, 50, 5));
    assert_eq!(groups.iter().map(|group| group.group.members.len()).sum::<usize>(), 3000);
    let mut ids: Vec<_> = realm.users.iter().map(|user| &user.id).collect();
    ids.extend(groups.iter().map(|group| &group.id));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1050, "ids differ");
    assert_eq!(realm, RealmSpec::sample(1000, 50, 3000));
}
