use std::sync::Mutex;
use std::time::Duration;

use crosswalk_function_kit::secrets::SecretSource;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::fake_realm::{Answer, FakeRealm, Model, Request, ok, user};
use super::proof::READS;
use super::*;
use crate::realm::{Group, User};

const RETRIES: Retries = Retries { first: Duration::from_millis(1), longest: Duration::from_millis(2), times: 3 };

fn settings(root: &str, connections: usize, page_size: usize) -> KeycloakSettings {
    KeycloakSettings {
        base_url: root.parse().unwrap(),
        realm: "staff".to_owned(),
        client_id: "exporter".to_owned(),
        client_secret: SecretSource::Value(SecretString::from("hunter2")),
        timeout: Duration::from_secs(60),
        connections,
        page_size,
    }
}

fn secrets(root: &str) -> Secrets {
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
    let credentials = Credentials::new("key", "secret", None, None, "test");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(root)
        .build();
    Secrets::new(&config)
}

fn keycloak(settings: KeycloakSettings) -> Keycloak {
    let secrets = secrets(settings.base_url.as_str());
    Keycloak::with_retries(settings, secrets, RETRIES).unwrap()
}

fn wanted() -> Wanted {
    Wanted { user_attributes: ["department", "title"].map(Into::into).into(), group_attributes: ["lead".into()].into() }
}

/// Reads with pages of ten over this many connections.
async fn read_over(connections: usize, realm: &FakeRealm) -> Result<Realm, ReadError> {
    keycloak(settings(&realm.root, connections, 10)).read(&wanted(), &|_| ()).await
}

async fn read(realm: &FakeRealm) -> Result<Realm, ReadError> {
    read_over(4, realm).await
}

/// The error, in which no secret, token or person may stand.
async fn problem(realm: &FakeRealm) -> ReadError {
    let error = read(realm).await.unwrap_err();
    for private in ["hunter", "token-", "person0", "Kim"] {
        assert!(!format!("{error} {error:?}").contains(private), "{private}: {error}");
    }
    error
}

async fn start(users: usize, change: impl FnOnce(&mut Model)) -> FakeRealm {
    let mut model = Model::with_users(users);
    change(&mut model);
    FakeRealm::start(model).await
}

/// A realm that answers this to each request that `which` picks.
async fn answering(which: impl Fn(&Request) -> bool + Send + 'static, answer: Answer) -> FakeRealm {
    start(35, |model| {
        model.group("/a", 0..3);
        model.hook(move |request, _| which(request).then(|| answer.clone()));
    })
    .await
}

fn ids(realm: &Realm) -> Vec<String> {
    realm.users.items().iter().map(|user| user.id.to_string()).collect()
}

fn ids_of(model: &Model) -> Vec<String> {
    model.users.iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect()
}

fn is_page(request: &Request) -> bool {
    request.is("GET users")
}

#[tokio::test]
async fn a_realm_is_read_whole() {
    let realm = start(35, |model| {
        model.users[3]["serviceAccountClientId"] = "robot".into();
        for absent in ["email", "firstName", "attributes", "createdTimestamp"] {
            model.users[4].as_object_mut().unwrap().remove(absent);
        }
        model.users[4]["lastName"] = " ".into();
        model.group("/a", [1, 2]);
        model.group("/b", 0..35);
        model.group("/a/c", [2]);
    })
    .await;
    let watched = Mutex::new(Vec::new());
    let keycloak = keycloak(settings(&realm.root, 4, 10));
    let read = keycloak.read(&wanted(), &|reading| watched.lock().unwrap().push(reading)).await.unwrap();

    assert_eq!(ids(&read), ids_of(&realm.model()));
    let users = read.users.items();
    let expected = User {
        id: "user-000000".into(),
        username: "person000000".to_owned(),
        email: Some("person000000@example.org".to_owned()),
        first_name: Some("Kim".to_owned()),
        last_name: Some("Park 0".to_owned()),
        enabled: true,
        service_account: false,
        created_at: Some("2023-11-14T22:13:20Z".parse().unwrap()),
        attributes: [("department", "Research"), ("title", "Engineer")]
            .map(|(name, value)| (name.into(), value.into()))
            .into_iter()
            .collect(),
    };
    assert!(users[0] == expected);
    assert!(users[3].service_account && !users[9].enabled);
    let bare = &users[4];
    assert!(bare.email.is_none() && bare.first_name.is_none() && bare.last_name.is_none());
    assert!(bare.created_at.is_none() && bare.attributes.pairs().next().is_none());

    let groups = read.groups.items();
    assert_eq!(groups.iter().map(|group| group.path.as_str()).collect::<Vec<_>>(), ["/a", "/b", "/a/c"]);
    let expected = Group {
        id: "group-2".into(),
        name: "c".to_owned(),
        path: "/a/c".to_owned(),
        parent: Some("group-0".into()),
        attributes: [("lead".into(), "Zoe".into())].into_iter().collect(),
        members: vec!["user-000002".into()],
    };
    assert!(groups[2] == expected);
    assert!(groups[0].parent.is_none());
    assert_eq!(groups[1].members.len(), 35);

    let last = *watched.lock().unwrap().last().unwrap();
    assert_eq!(last, Reading { users: 35, users_expected: 35, groups: 3, groups_expected: 3 });
    let requests = realm.model().log.len() as u64;
    assert_eq!(keycloak.traffic(), Traffic { requests, ..Traffic::default() });
    assert_eq!(keycloak.source(), "keycloak:staff");
}

#[tokio::test]
async fn a_realm_without_groups_is_whole() {
    let realm = start(20, |_| ()).await;
    let read = read(&realm).await.unwrap();
    assert_eq!((read.users.items().len(), read.groups.items().len()), (20, 0));
    // Two pages that the count tells of, and the empty one.
    assert_eq!(realm.model().asked("GET users first="), 3);
}

#[tokio::test]
async fn a_read_can_be_spawned() {
    let realm = start(5, |_| ()).await;
    let keycloak = keycloak(settings(&realm.root, 4, 10));
    let read = tokio::spawn(async move { keycloak.read(&Wanted::default(), &|_| ()).await.map(|read| ids(&read)) });
    assert_eq!(read.await.unwrap().unwrap().len(), 5);
}

#[tokio::test]
async fn pages_of_one_are_pages() {
    let realm = start(3, |model| model.group("/a", 0..3)).await;
    let read = keycloak(settings(&realm.root, 2, 1)).read(&wanted(), &|_| ()).await.unwrap();
    assert_eq!(ids(&read), ids_of(&realm.model()));
    assert_eq!(read.groups.items()[0].members.len(), 3);
}

/// Keycloak leaves out after it has paged; the count knows nothing of those either.
#[tokio::test]
async fn a_short_page_is_no_end() {
    let hidden = |user: &Value| user["id"].as_str().unwrap().ends_with('7');
    let realm = start(50, |model| {
        model.group("/a", 0..50);
        model.hook(move |request, model| {
            let (first, max) = (request.number("first", 0), request.number("max", 100));
            if is_page(request) {
                let rows = model.users.iter().skip(first).take(max);
                return Some(ok(rows.filter(|user| !hidden(user)).cloned().collect::<Vec<_>>()));
            }
            if request.is("GET groups/group-0/members") {
                let rows = model.users.iter().skip(first).take(max).filter(|user| !hidden(user));
                return Some(ok(rows.cloned().collect::<Vec<_>>()));
            }
            request.is("GET users/count").then(|| ok(45))
        });
    })
    .await;
    let read = read(&realm).await.unwrap();
    assert_eq!((read.users.items().len(), read.groups.items()[0].members.len()), (45, 45));
    assert_eq!(realm.model().asked("GET users/count"), 2, "one read was enough");
}

#[tokio::test]
async fn more_users_than_were_counted_are_read() {
    let mut counts = [21, 45].into_iter();
    let realm = start(45, |model| {
        model.hook(move |request, _| request.is("GET users/count").then(|| ok(counts.next().unwrap())));
    })
    .await;
    assert_eq!(read(&realm).await.unwrap().users.items().len(), 45);
}

#[tokio::test]
async fn a_number_between_the_counts_is_whole() {
    let mut counts = [34, 36].into_iter();
    let realm = start(35, |model| {
        model.hook(move |request, _| request.is("GET users/count").then(|| ok(counts.next().unwrap())));
    })
    .await;
    assert_eq!(read(&realm).await.unwrap().users.items().len(), 35);
}

#[tokio::test]
async fn a_number_that_differs_three_times_is_not_whole() {
    let realm = answering(|request| request.is("GET users/count"), ok(36)).await;
    let error = problem(&realm).await;
    let differs = Incomplete::Differs { read: 35, before: 36, after: 36 };
    assert!(matches!(error, ReadError::Incomplete { what: "users", why } if why == differs), "{error}");
    assert_eq!(realm.model().asked("GET users/count"), 2 * READS);

    let realm = answering(|request| request.is("GET groups/count"), ok(json!({ "count": 2 }))).await;
    let error = problem(&realm).await;
    let differs = Incomplete::Differs { read: 1, before: 2, after: 2 };
    assert!(matches!(error, ReadError::Incomplete { what: "groups", why } if why == differs), "{error}");
    assert_eq!(realm.model().asked("GET groups/count"), 2 * READS);
}

#[tokio::test]
async fn what_differs_once_is_read_again() {
    let mut counts = 0;
    let realm = start(35, |model| {
        model.hook(move |request, _| {
            counts += usize::from(request.is("GET users/count"));
            (request.is("GET users/count") && counts <= 2).then(|| ok(99))
        });
    })
    .await;
    assert_eq!(read(&realm).await.unwrap().users.items().len(), 35);
    assert_eq!(realm.model().asked("GET users/count"), 4);
}

#[tokio::test]
async fn a_page_that_comes_again_is_not_whole() {
    let page: Vec<Value> = (0..10).map(user).collect();
    let realm = answering(is_page, ok(page)).await;
    let error = problem(&realm).await;
    assert!(
        matches!(error, ReadError::Incomplete { what: "users", why: Incomplete::Repeated { items: 10 } }),
        "{error}"
    );

    let members: Vec<Value> = (0..3).map(user).collect();
    let realm = answering(|request| request.line.ends_with("/members"), ok(members)).await;
    let error = problem(&realm).await;
    assert!(matches!(error, ReadError::Incomplete { what: "groups", why: Incomplete::Repeated { .. } }), "{error}");
}

/// Two leave and one comes while the pages are read: the counts agree, and somebody stands on no page.
#[tokio::test]
async fn users_who_slip_between_pages_are_found_by_another_read() {
    let mut pages = 0;
    let realm = start(35, |model| {
        model.hook(move |request, model| {
            pages += usize::from(is_page(request));
            if is_page(request) && pages == 2 {
                model.users.drain(..2);
                model.users.push(user(99));
            }
            None
        });
    })
    .await;
    let read = read_over(1, &realm).await.unwrap();
    assert_eq!(ids(&read), ids_of(&realm.model()));
    assert_eq!(realm.model().asked("GET users/count"), 4);
}

#[tokio::test]
async fn a_realm_that_is_never_at_rest_is_left_to_the_counts() {
    let realm = start(35, |model| {
        let mut next = 100;
        model.hook(move |request, model| {
            if is_page(request) && request.number("first", 0) == 9 {
                model.users.drain(..2);
                model.users.push(user(next));
                next += 1;
            }
            None
        });
    })
    .await;
    assert_eq!(read_over(1, &realm).await.unwrap().users.items().len(), 33);
    assert_eq!(realm.model().asked("GET users/count"), 2 * READS);
}

#[tokio::test]
async fn pages_that_overlap_hold_nobody_twice() {
    let mut pages = 0;
    let realm = start(35, |model| {
        model.group("/a", 0..35);
        model.hook(move |request, model| {
            pages += usize::from(is_page(request));
            if is_page(request) && pages == 2 {
                model.users.insert(0, user(99));
            }
            if request.is("GET groups/group-0/members") && request.number("first", 0) == 10 {
                model.groups[0].members.insert(0, "user-000099".to_owned());
            }
            None
        });
    })
    .await;
    let read = read_over(1, &realm).await.unwrap();
    assert_eq!(ids(&read), (0..35).map(|n| format!("user-{n:06}")).collect::<Vec<_>>());
    assert_eq!(read.groups.items()[0].members.len(), 35);
    assert_eq!(realm.model().asked("GET users/count"), 2, "nobody was lost");
}

#[tokio::test]
async fn an_error_on_one_page_is_an_error() {
    let is_third = |request: &Request| is_page(request) && request.number("first", 0) == 19;
    let realm = answering(is_third, Answer::Json(400, json!({ "error": "person000001" }))).await;
    let error = problem(&realm).await;
    assert!(matches!(&error, ReadError::Refused(text) if text.contains("400")), "{error}");

    let realm = answering(is_third, Answer::Json(500, json!({ "error": "person000001" }))).await;
    let error = problem(&realm).await;
    let told = "Keycloak answered 500 to a request for users; it was asked 4 times";
    assert!(matches!(&error, ReadError::Unreachable(text) if text == told), "{error}");
    assert_eq!(realm.model().asked("GET users first=19"), 4);
}

#[tokio::test]
async fn a_page_that_breaks_off_is_asked_for_again() {
    let page = || json!((19..30).map(user).collect::<Vec<_>>());
    let half = page().to_string()[..2_000].to_owned();
    for answer in [Answer::Cut(page()), Answer::Text(200, half)] {
        let is_third = |request: &Request| is_page(request) && request.number("first", 0) == 19;
        let mut left = 2;
        let once = answer.clone();
        let realm = start(35, |model| {
            model.hook(move |request, _| {
                let cut = is_third(request) && left > 0;
                left -= usize::from(cut);
                cut.then(|| once.clone())
            });
        })
        .await;
        let keycloak = keycloak(settings(&realm.root, 4, 10));
        assert_eq!(keycloak.read(&wanted(), &|_| ()).await.unwrap().users.items().len(), 35);
        assert_eq!(keycloak.traffic().retries, 2);

        let realm = answering(is_third, answer).await;
        let error = problem(&realm).await;
        assert!(matches!(error, ReadError::Unreachable(_)), "{error}");
    }
}

#[tokio::test]
async fn a_realm_that_seems_empty_is_not_believed() {
    let realm = start(0, |_| ()).await;
    let error = problem(&realm).await;
    assert!(matches!(&error, ReadError::Refused(text) if text.contains("role view-users")), "{error}");
    assert!(error.to_string().contains("realm-management") && error.to_string().contains("`staff`"), "{error}");

    // What Keycloak does for a token without view-users.
    let realm = answering(is_page, ok(json!([]))).await;
    let error = problem(&realm).await;
    assert!(error.to_string().contains("counts 35 users and shows none"), "{error}");
    assert!(matches!(&error, ReadError::Refused(text) if text.contains("role view-users")), "{error}");
    assert_eq!(realm.model().asked("GET users/count"), 2 * READS);
    let realm = answering(|request| request.is("GET groups"), ok(json!([]))).await;
    let error = problem(&realm).await;
    assert!(matches!(&error, ReadError::Refused(text) if text.contains("role view-users")), "{error}");
}

#[tokio::test]
async fn one_token_does_for_many_requests() {
    let realm = start(200, |model| model.group("/a", 0..3)).await;
    read(&realm).await.unwrap();
    assert_eq!(realm.model().tokens, 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    // It has ended when it comes, so none is used twice.
    let realm = start(35, |model| model.expires_in = 0).await;
    read_over(1, &realm).await.unwrap();
    let model = realm.model();
    assert_eq!(model.tokens, model.asked("GET"));
}

#[tokio::test]
async fn a_token_that_ends_early_is_replaced_once_for_all() {
    let mut pages = 0;
    let realm = start(100, |model| {
        model.gated = 4;
        model.hook(move |request, model| {
            pages += usize::from(is_page(request));
            if is_page(request) && pages == 1 {
                model.oldest_token = 2;
            }
            None
        });
    })
    .await;
    let keycloak = keycloak(settings(&realm.root, 4, 10));
    assert_eq!(keycloak.read(&wanted(), &|_| ()).await.unwrap().users.items().len(), 100);
    assert_eq!(realm.model().tokens, 2);
    // The four that waited for each other were all refused.
    assert_eq!(
        keycloak.traffic(),
        Traffic { requests: realm.model().log.len() as u64, retries: 4, ..Traffic::default() }
    );
}

#[tokio::test]
async fn a_token_that_is_always_refused_ends_the_read() {
    let realm = answering(|request| request.token.is_some(), Answer::Json(401, json!({ "error": "token-1" }))).await;
    let error = problem(&realm).await;
    assert!(matches!(&error, ReadError::Refused(text) if text.contains("just given out")), "{error}");
    assert!(realm.model().tokens <= 3, "{}", realm.model().tokens);
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let forbidden = Answer::Json(403, json!({ "error": "unknown_error" }));
    let not_found = Answer::Json(404, json!({ "error": "Realm not found." }));
    let moved = Answer::Text(302, String::new());
    let page = Answer::Text(200, "<html>person000001</html>".to_owned());
    let other = ok(json!({ "person000001@example.org": "person000001" }));
    type Which = fn(&Request) -> bool;
    let cases: Vec<(Which, Answer, &[&str])> = vec![
        (is_page, forbidden.clone(), &["403", "users", "view-users", "realm-management", "`staff`"]),
        (|request| request.is("GET groups"), forbidden.clone(), &["403", "groups", "view-users"]),
        (|request| request.line.ends_with("/members"), forbidden.clone(), &["403", "members", "view-users"]),
        (|request| request.is("GET users/count"), not_found.clone(), &["404", "`staff`", "KEYCLOAK_REALM", "/auth"]),
        (|request| request.is("POST token"), not_found, &["404", "`staff`", "KEYCLOAK_REALM", "KEYCLOAK_BASE_URL"]),
        (|request| request.is("POST token"), forbidden, &["403", "KEYCLOAK_BASE_URL"]),
        (|request| request.is("POST token"), moved.clone(), &["302", "KEYCLOAK_BASE_URL"]),
        (|request| request.is("POST token"), page.clone(), &["200", "KEYCLOAK_BASE_URL"]),
        (is_page, moved, &["302", "KEYCLOAK_BASE_URL"]),
        (is_page, page, &["users", "KEYCLOAK_BASE_URL"]),
        (is_page, other.clone(), &["users", "KEYCLOAK_BASE_URL"]),
        (is_page, ok(json!([{ "username": "person000001" }])), &["users", "ids"]),
        (is_page, ok(json!([{ "id": "person000001", "username": 7 }])), &["users", "line 1"]),
        (|request| request.is("GET groups/count"), ok(json!({})), &["groups", "count"]),
    ];
    for (which, answer, told) in cases {
        let realm = answering(which, answer).await;
        let error = problem(&realm).await;
        assert!(matches!(error, ReadError::Refused(_)), "{error:?}");
        for part in told {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        assert_eq!(realm.model().asked("POST token"), 1, "{error}");
    }
}

#[tokio::test]
async fn wrong_credentials_say_what_to_check() {
    let realm = start(35, |model| model.client_secret = "another".to_owned()).await;
    let error = problem(&realm).await;
    assert!(matches!(error, ReadError::Refused(_)), "{error:?}");
    for part in ["401, unauthorized_client", "KEYCLOAK_CLIENT_ID", "KEYCLOAK_CLIENT_SECRET", "`staff`"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    // Of a code that is none, nothing is repeated.
    let refusal = Answer::Json(400, json!({ "error": "hunter2", "error_description": "hunter2" }));
    let error = problem(&answering(|request| request.is("POST token"), refusal).await).await;
    assert!(error.to_string().contains("(400)"), "{error}");
}

#[tokio::test]
async fn a_secret_that_was_changed_is_fetched_again() {
    let by_id = |realm: &FakeRealm| {
        let client_secret = SecretSource::Id("keycloak".to_owned());
        keycloak(KeycloakSettings { client_secret, ..settings(&realm.root, 1, 10) })
    };
    let realm = start(5, |model| model.secrets = ["hunter1", "hunter2"].map(str::to_owned).into()).await;
    let keycloak = by_id(&realm);
    assert!(keycloak.read(&wanted(), &|_| ()).await.is_ok());
    assert_eq!(realm.model().asked("POST aws"), 2);
    assert_eq!(realm.model().asked("POST token"), 2);
    assert_eq!(keycloak.traffic().retries, 1);

    // One that was not changed is not sent a second time.
    let realm = start(5, |model| model.secrets = vec!["hunter1".to_owned()]).await;
    let error = by_id(&realm).read(&wanted(), &|_| ()).await.unwrap_err().to_string();
    assert!(error.contains("KEYCLOAK_CLIENT_SECRET") && !error.contains("hunter"), "{error}");
    assert_eq!(realm.model().asked("POST aws"), 2);
    assert_eq!(realm.model().asked("POST token"), 1);
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    for status in [408, 429, 500, 502, 503, 504] {
        let mut seen = BTreeSet::new();
        let realm = start(35, |model| {
            model.group("/a", 0..35);
            // Each request fails the first time, the token's too.
            model.hook(move |request, _| {
                let first = seen.insert(format!("{}{:?}", request.line, request.query));
                first.then(|| Answer::Text(status, "person000001".to_owned()))
            });
        })
        .await;
        let keycloak = keycloak(settings(&realm.root, 4, 10));
        let read = keycloak.read(&wanted(), &|_| ()).await.unwrap();
        assert_eq!((read.users.items().len(), read.groups.items()[0].members.len()), (35, 35));
        let traffic = keycloak.traffic();
        assert_eq!(traffic.requests, realm.model().log.len() as u64);
        assert!(traffic.retries >= traffic.requests / 3, "{traffic:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let realm = start(1, |_| ()).await;
    let root = realm.root.clone();
    // A port that nobody listens to any more.
    realm.stop().await;
    let error = keycloak(settings(&root, 4, 10)).read(&wanted(), &|_| ()).await.unwrap_err();
    assert!(matches!(&error, ReadError::Unreachable(text) if text.contains("KEYCLOAK_BASE_URL")), "{error}");
    assert!(error.to_string().contains(&root) && error.to_string().contains("4 times"), "{error}");
}

fn paths(realm: &Realm) -> Vec<&str> {
    realm.groups.items().iter().map(|group| group.path.as_str()).collect()
}

/// Twelve children a parent (more than the default page), four levels deep on one side.
fn tree(model: &mut Model) {
    for a in 0..12 {
        model.group(&format!("/a{a}"), [a]);
    }
    for path in ["/a3", "/a3/b5", "/a3/b5/b7"] {
        for b in 0..12 {
            model.group(&format!("{path}/b{b}"), [b, b + 1]);
        }
    }
}

fn assert_tree(read: &Realm, model: &Model) {
    let mut found = paths(read);
    let mut seen = BTreeSet::new();
    for group in read.groups.items() {
        assert!(group.parent.as_ref().is_none_or(|parent| seen.contains(parent)), "{}", group.path);
        seen.insert(group.id.clone());
        let fake = model.groups.iter().find(|fake| *fake.id == *group.id).unwrap();
        assert_eq!((Some(&*group.path), group.parent.as_deref()), (Some(&*fake.path), fake.parent.as_deref()));
        assert_eq!(group.members.iter().map(|id| id.to_string()).collect::<Vec<_>>(), fake.members);
    }
    let mut expected: Vec<_> = model.groups.iter().map(|group| group.path.as_str()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_tree_is_read_to_its_leaves() {
    let realm = start(20, tree).await;
    let read = read(&realm).await.unwrap();
    assert_tree(&read, &realm.model());
    let children = realm.model().log.iter().filter(|line| line.contains("/children")).count();
    assert_eq!(children, 3 * 3, "three parents, of two pages and the empty one each");
}

#[tokio::test]
async fn groups_that_do_not_tell_their_count_are_asked() {
    let realm = start(20, |model| {
        tree(model);
        model.tells_counts = false;
    })
    .await;
    let read = read(&realm).await.unwrap();
    assert_tree(&read, &realm.model());
}

/// Before 23 the whole tree came at once, and there was no listing of children.
#[tokio::test]
async fn a_tree_that_comes_at_once_is_taken() {
    let group = |id: &str, path: Option<&str>, groups: Value| {
        let mut group = json!({ "id": id, "name": id, "subGroups": groups });
        if let Some(path) = path {
            group["path"] = path.into();
        }
        group
    };
    let realm = start(20, |model| {
        for path in ["/a", "/a/b", "/a/b/c"] {
            model.group(path, [1]);
        }
        let c = group("group-2", None, json!([]));
        let tree = group("group-0", Some("/a"), json!([group("group-1", Some("/a/b"), json!([c]))]));
        model.hook(move |request, _| match request.line.as_str() {
            "GET groups" if request.number("first", 0) == 0 => Some(ok(json!([tree]))),
            line if line.ends_with("/children") => Some(Answer::Json(405, json!({}))),
            _ => None,
        });
    })
    .await;
    let read = read(&realm).await.unwrap();
    assert_eq!(paths(&read), ["/a", "/a/b", "/a/b/group-2"]);
    assert_eq!(read.groups.items()[2].parent.as_deref(), Some("group-1"));
}

#[tokio::test]
async fn a_group_that_is_deleted_meanwhile_starts_the_groups_over() {
    for asked in ["GET groups/group-1/members", "GET groups/group-3/children"] {
        let realm = start(20, |model| {
            tree(model);
            model.hook(move |request, model| {
                if request.is(asked) {
                    let id = request.line.split('/').nth(1).unwrap();
                    let path = model.groups.iter().find(|group| group.id == id).map(|group| group.path.clone());
                    model.groups.retain(|group| !path.as_ref().is_some_and(|path| group.path.starts_with(path)));
                }
                None
            });
        })
        .await;
        let read = read(&realm).await.unwrap();
        assert!(realm.model().groups.len() < 48);
        assert_tree(&read, &realm.model());
        assert_eq!(realm.model().asked("GET users/count"), 2, "the users were read once");
    }
    let gone = Answer::Json(404, json!({ "error": "Could not find group by id" }));
    let realm = answering(|request| request.line.ends_with("/members"), gone).await;
    let error = problem(&realm).await;
    assert!(matches!(&error, ReadError::Refused(text) if text.contains("a group was deleted")), "{error}");
    assert_eq!(realm.model().asked("GET groups/count"), READS);
}

#[tokio::test]
async fn no_more_connections_than_allowed_are_used_and_no_fewer() {
    let realm = start(200, |model| {
        tree(model);
        // Each of the twenty pages waits until four are there: fewer connections would never end.
        model.gated = 20;
    })
    .await;
    read(&realm).await.unwrap();
    assert_eq!(realm.model().most_in_flight, 4);

    let realm = start(200, tree).await;
    read_over(1, &realm).await.unwrap();
    assert_eq!(realm.model().most_in_flight, 1);
}

/// 10,000 people in 500 groups (50 of them with nine children each) with 30,000 memberships.
fn company(model: &mut Model) {
    for a in 0..50 {
        model.group(&format!("/a{a}"), (0..60).map(|n| (a * 60 + n) % 10_000));
        for b in 0..9 {
            model.group(&format!("/a{a}/b{b}"), (0..60).map(|n| (a * 600 + b * 60 + n) % 10_000));
        }
    }
}

#[tokio::test]
async fn the_number_of_requests_follows_pages_and_groups() {
    let realm = start(10_000, company).await;
    let keycloak = keycloak(settings(&realm.root, 4, 500));
    let read = keycloak.read(&wanted(), &|_| ()).await.unwrap();
    assert_eq!(read.users.items().len(), 10_000);
    assert_eq!(read.groups.items().iter().map(|group| group.members.len()).sum::<usize>(), 30_000);

    let (groups, member_pages, parents) = (500, 500, 50);
    let users = 10_000 / 500 + 1;
    let listings = 2 + 2 * parents;
    let (counts, token) = (4, 1);
    assert_eq!(keycloak.traffic().requests, users + groups + member_pages + listings + counts + token);
    assert_eq!(keycloak.traffic().retries, 0);
}
