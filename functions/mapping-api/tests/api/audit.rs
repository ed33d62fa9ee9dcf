//! The last audit's findings, over an embedded S3 that heeds ranges and `If-Match`.

use axum::Router;
use axum::http::StatusCode;
use bytes::Bytes;
use crosswalk_identity::System;
use crosswalk_runs::audit_index::{ALSO_BETWEEN, AuditIndex, KEY, MISSING_COLUMNS, RowsAt};
use crosswalk_runs::files::Files;
use crosswalk_runs::spreadsheet::guard;
use serde_json::{Value, json};

use crate::world::{NOW, World, ask, system};

/// Who lacks a mapping: username, e-mail, other usernames.
pub(crate) type Person = (String, Option<String>, Vec<String>);

fn person(username: &str) -> Person {
    (username.to_owned(), None, Vec::new())
}

/// Writes an audit as the function does: the rows, then the index.
pub(crate) async fn audit(files: &Files, run: &str, systems: &[(&str, Vec<Person>)]) -> AuditIndex {
    let index = put_rows(files, run, systems).await;
    index.write(files).await.unwrap();
    index
}

async fn put_rows(files: &Files, run: &str, systems: &[(&str, Vec<Person>)]) -> AuditIndex {
    let mut text = format!("{}\n", MISSING_COLUMNS.join(",")).into_bytes();
    let mut at = std::collections::BTreeMap::new();
    for (name, people) in systems {
        let first = text.len() as u64;
        let mut writer = csv::Writer::from_writer(&mut text);
        for (username, email, also) in people {
            let cells =
                [username.clone(), email.clone().unwrap_or_default(), (*name).to_owned(), also.join(ALSO_BETWEEN)];
            writer.write_record(cells.iter().map(|cell| guard(cell).into_owned())).unwrap();
        }
        drop(writer);
        at.insert(system(name), RowsAt { rows: people.len() as u64, first, end: text.len() as u64 });
    }
    let missing_key = format!("reports/audit/2026-11-22/{run}/missing.csv");
    let etag = files.put_tagged(&missing_key, Bytes::from(text), "text/csv; charset=utf-8").await.unwrap();
    AuditIndex {
        run: run.to_owned(),
        date: "2026-11-22".parse().unwrap(),
        at: NOW.parse().unwrap(),
        required: at.keys().cloned().collect::<Vec<System>>(),
        missing_key,
        etag,
        systems: at,
        stale: 7,
        broken: 1,
    }
}

struct Audited {
    world: World,
    files: Files,
    router: Router,
}

impl Audited {
    async fn new() -> Self {
        let world = World::with_bucket().await;
        let (files, router) = (world.files(), world.router("none"));
        Self { world, files, router }
    }

    async fn get(&self, query: &str) -> crate::world::Answer {
        ask(&self.router, "GET", &format!("/audit/missing{query}"), None).await
    }

    /// Every item, read in pages of so many.
    async fn all(&self, of: &str, limit: usize) -> (Vec<Value>, usize) {
        let (mut items, mut pages) = (Vec::new(), 0);
        let mut query = format!("?system={of}&limit={limit}");
        loop {
            let answer = self.get(&query).await;
            let page = answer.ok();
            let of_page = page["items"].as_array().unwrap();
            let Some(cursor) = page["next_cursor"].as_str() else {
                items.extend(of_page.iter().cloned());
                return (items, pages + 1);
            };
            assert_eq!(of_page.len(), limit);
            items.extend(of_page.iter().cloned());
            pages += 1;
            query = format!("?system={of}&limit={limit}&cursor={cursor}");
        }
    }
}

#[tokio::test]
async fn three_thousand_rows_in_pages() {
    let audited = Audited::new().await;
    let people: Vec<_> = (0..3000).map(|n| person(&format!("user{n:04}@example.org"))).collect();
    let others: Vec<_> = (0..5).map(|n| person(&format!("other{n}"))).collect();
    audit(&audited.files, "run-1", &[("cdcs", others.clone()), ("nemo", people.clone()), ("sharepoint", others)]).await;
    for (limit, pages) in [(1000, 3), (100, 30), (7, 429)] {
        let (items, read) = audited.all("nemo", limit).await;
        assert_eq!(read, pages);
        let names: Vec<_> = items.iter().map(|item| item["username"].as_str().unwrap()).collect();
        let expected: Vec<_> = people.iter().map(|(username, ..)| username.as_str()).collect();
        assert!(names == expected, "pages of {limit}");
    }
    let first = audited.get("?system=nemo").await;
    let told = first.ok();
    assert_eq!(told["items"].as_array().unwrap().len(), 100);
    assert_eq!(
        (&told["run"], &told["date"], &told["at"], &told["system"], &told["total"]),
        (&json!("run-1"), &json!("2026-11-22"), &json!(NOW), &json!("nemo"), &json!(3000))
    );
}

#[tokio::test]
async fn the_numbers_of_all_systems() {
    let audited = Audited::new().await;
    audit(&audited.files, "run-1", &[("cdcs", vec![]), ("nemo", vec![person("ada"), person("bob")])]).await;
    let numbers = json!({
        "run": "run-1", "date": "2026-11-22", "at": NOW, "stale": 7, "broken": 1,
        "systems": {"cdcs": {"missing": 0}, "nemo": {"missing": 2}},
    });
    assert_eq!(*audited.get("").await.ok(), numbers);
    let none = audited.get("?system=cdcs").await;
    assert_eq!(
        (&none.ok()["total"], &none.ok()["items"], &none.ok()["next_cursor"]),
        (&json!(0), &json!([]), &Value::Null)
    );
    for query in ["?limit=5", "?cursor=x"] {
        assert!(audited.get(query).await.problem(StatusCode::BAD_REQUEST).contains("go with `system`"));
    }
}

/// Cells that CSV quotes, that a report disarms, and that do not fit into what is first asked for.
#[tokio::test]
async fn cells_come_as_they_were() {
    let audited = Audited::new().await;
    let long = format!("{}@example.org", "x".repeat(400));
    let people = vec![
        ("=SUM(A1)".to_owned(), Some("+1@example.org".to_owned()), vec![]),
        ("a \"quoted\", name".to_owned(), None, vec!["b,c".to_owned(), "-d".to_owned()]),
        ("'tis".to_owned(), Some("\"two words\"@example.org".to_owned()), vec!["'=x".to_owned()]),
        (long, None, vec![]),
        ("zo\u{eb}".to_owned(), None, vec![]),
    ];
    audit(&audited.files, "run-1", &[("nemo", people.clone())]).await;
    let expected: Vec<_> = people
        .iter()
        .map(|(username, email, also)| json!({"username": username, "email": email, "also": also}))
        .collect();
    for limit in 1..=people.len() {
        assert_eq!(audited.all("nemo", limit).await.0, expected, "pages of {limit}");
    }
}

#[tokio::test]
async fn an_audit_between_two_pages_is_told() {
    let audited = Audited::new().await;
    let people = |names: [&str; 3]| names.map(person).to_vec();
    audit(&audited.files, "run-1", &[("nemo", people(["ada", "bob", "cleo"]))]).await;
    let page = audited.get("?system=nemo&limit=1").await;
    let next = format!("?system=nemo&limit=1&cursor={}", page.ok()["next_cursor"].as_str().unwrap());
    assert_eq!(audited.get(&next).await.ok()["items"][0]["username"], "bob");

    // The same run once more, with other rows: a repeat of its event, say.
    audit(&audited.files, "run-1", &[("nemo", people(["abe", "bea", "cleo"]))]).await;
    assert!(audited.get(&next).await.problem(StatusCode::GONE).contains("begin anew"));
    audit(&audited.files, "run-2", &[("nemo", people(["ada", "bob", "cleo"]))]).await;
    let answer = audited.get(&next).await;
    answer.problem(StatusCode::GONE);
    assert_eq!(answer.body["type"], "urn:crosswalk:problem:outdated-cursor");
    assert_eq!(audited.get("?system=nemo&limit=1").await.ok()["run"], "run-2");
}

/// Readers while one run after the other puts its rows and then its index: every page is one audit's, whole.
#[tokio::test]
async fn pages_while_audits_are_written_are_of_one_audit() {
    let audited = Audited::new().await;
    let names = |n: usize| (0..40 + n).map(move |m| person(&format!("run{n}-user{m}"))).collect::<Vec<_>>();
    audit(&audited.files, "run", &[("nemo", names(0))]).await;
    let writes = async {
        for n in 1..12 {
            audit(&audited.files, "run", &[("nemo", names(n))]).await;
        }
    };
    let reads = async {
        let mut busy = 0;
        for _ in 0..40 {
            let answer = audited.get("?system=nemo&limit=60").await;
            if answer.status == 503 {
                busy += 1;
                continue;
            }
            let page = answer.ok();
            let items = page["items"].as_array().unwrap();
            let begin = items[0]["username"].as_str().unwrap().split_once('-').unwrap().0.to_owned();
            assert_eq!(page["total"], items.len(), "{page}");
            assert!(items.iter().all(|item| item["username"].as_str().unwrap().starts_with(&begin)), "{page}");
        }
        assert!(busy < 40);
    };
    tokio::join!(writes, reads);
    assert_eq!(audited.get("?system=nemo").await.ok()["total"], 51);
}

#[tokio::test]
async fn rows_that_are_not_where_the_index_says() {
    let audited = Audited::new().await;
    let index = audit(&audited.files, "run-1", &[("nemo", vec![person("ada")])]).await;
    put_rows(&audited.files, "run-1", &[("nemo", vec![person("bob")])]).await;
    let answer = audited.get("?system=nemo").await;
    assert!(answer.problem(StatusCode::SERVICE_UNAVAILABLE).contains("run an audit"));
    assert_eq!(answer.header("retry-after"), "60");

    let gone = AuditIndex { missing_key: "reports/audit/gone.csv".to_owned(), ..index };
    gone.write(&audited.files).await.unwrap();
    audited.get("?system=nemo").await.problem(StatusCode::SERVICE_UNAVAILABLE);

    audited.files.put(KEY, Bytes::from_static(b"{}"), "application/json").await.unwrap();
    audited.get("?system=nemo").await.problem(StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn what_cannot_be_answered_says_why() {
    let audited = Audited::new().await;
    for query in ["", "?system=nemo"] {
        assert!(audited.get(query).await.problem(StatusCode::NOT_FOUND).contains("no audit of everybody yet"));
    }
    let people = vec![person("ada"), person("bob")];
    audit(&audited.files, "run-1", &[("cdcs", people.clone()), ("nemo", people)]).await;
    let other = audited.get("?system=sharepoint").await;
    assert!(other.problem(StatusCode::NOT_FOUND).contains("`cdcs`, `nemo`"), "{other:?}");
    audited.get("?system=Nemo!").await.problem(StatusCode::BAD_REQUEST);
    audited.get("?system=nemo&limit=0").await.problem(StatusCode::BAD_REQUEST);
    audited.get("?system=nemo&page=2").await.problem(StatusCode::BAD_REQUEST);

    // Cursors of another system, and made-up ones.
    let page = audited.get("?system=cdcs&limit=1").await;
    let cursor = page.ok()["next_cursor"].as_str().unwrap();
    let answer = audited.get(&format!("?system=nemo&cursor={cursor}")).await;
    assert!(answer.problem(StatusCode::BAD_REQUEST).contains("`cursor`"));
    audited.get("?system=nemo&cursor=x").await.problem(StatusCode::BAD_REQUEST);

    let without = World::router_of(&audited.world.bed.config, &audited.world.bed.names.table, "none");
    let answer = ask(&without, "GET", "/audit/missing", None).await;
    assert!(answer.problem(StatusCode::SERVICE_UNAVAILABLE).contains("CROSSWALK_BUCKET"));
}
