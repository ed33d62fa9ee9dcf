//! The whole sync: people of a real OpenLDAP get accounts in a user pool, and lose them only when they are proven gone.

use crate::Server;
use crate::directory::{Directory, Pool, change, person};
use crate::proxy::{Fault, Proxy};

/// Six whole pages of 50 and a part of a seventh.
const PEOPLE: usize = 320;
const PAGES: usize = 7;

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_an_account_over_starttls_and_a_second_run_writes_nothing() {
    let server = Server::of_environment();
    let directory = Directory::start(&server, PEOPLE).await;
    let pool = Pool::new(&server, &directory).await.with("LDAP_STARTTLS", "true");
    let pool = pool.with("LDAP_CA_PEM", &server.file("ca.pem"));
    let record = pool.sync().await;
    assert_eq!((record.counts.read, record.counts.created), (320, 320));
    let before = pool.everything().await;
    assert_eq!(before.1.len(), PEOPLE);
    assert_eq!(before.1["p007"].attributes["preferred_username"], "p007");

    let record = pool.sync().await;
    assert_eq!((record.counts.read, record.counts.unchanged), (320, 320));
    assert_eq!(record.traffic["cognito"].requests, 1 + 6, "the pool's description, and six pages of 60");
    assert_eq!(record.traffic["ldap"].requests, PAGES as u64);
    let after = pool.everything().await;
    assert!(after.1 == before.1);
    // The head tells which run counted absences last. Nothing else differs.
    let people = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert!(people(&after.0) == people(&before.0));

    let told = pool.fail(&[("LDAP_CA_PEM", &server.file("other-ca.pem"))], &|_| {}).await;
    assert!(told.contains("LDAP_CA_PEM"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_loses_an_account_by_a_read_that_is_not_whole() {
    let server = Server::of_environment();
    let directory = Directory::start(&server, PEOPLE).await;
    // So that only the missing proof stands between an absence and its account: the first run would deactivate it, and the
    // guard allows everything.
    let pool = Pool::new(&server, &directory).await.with("SYNC_ABSENT_RUNS", "1").with("SYNC_MAX_REMOVALS", "100%");
    pool.sync().await;

    for page in 1..=PAGES {
        let mut faults = vec![Fault::CutIn(page), Fault::CutResult(page)];
        // After the last page nothing is missing.
        faults.extend((page < PAGES).then_some(Fault::CutAfter(page)));
        for fault in faults {
            let proxy = Proxy::start(&directory.url, fault).await.unwrap();
            let told = pool.fail(&[("LDAP_SERVER", &proxy.url)], &|_| {}).await;
            assert!(told.contains("page "), "{fault:?}: {told}");
        }
    }
    for (name, value, word) in [
        // The third page is cut off at its twentieth entry.
        ("LDAP_BIND_USER_DN", "cn=few,dc=example,dc=org", "sizeLimitExceeded"),
        ("LDAP_BIND_USER_DN", "cn=nobody,dc=example,dc=org", "refuses LDAP_BIND_USER_DN"),
        ("LDAP_BASE_DN", "ou=absent,dc=example,dc=org", "LDAP_BASE_DN does not exist"),
        ("LDAP_BASE_DN", "ou=hidden,dc=example,dc=org", "LDAP_BASE_DN does not exist"),
        ("LDAP_BASE_DN", "ou=empty,dc=example,dc=org", "the source is empty"),
        ("LDAP_USER_FILTER", "(uid=nobody)", "the source is empty"),
        // Everybody is read, and nobody can be told apart.
        ("LDAP_FIELD_KEY", "employeeNumber", "none of the 320 entries has a value of the stable key"),
    ] {
        let told = pool.fail(&[(name, value)], &|_| {}).await;
        assert!(told.contains(word), "{name}={value}: {told}");
    }

    // Half of them are gone indeed, which is too many at once.
    let gone: Vec<_> = (0..PEOPLE / 2).map(|n| change(&format!("p{n:03}"), &["delete"])).collect();
    directory.change(&gone);
    let told = pool.fail(&[("SYNC_MAX_REMOVALS", "5%")], &|_| {}).await;
    assert!(told.contains("removes 160 of the 320 active accounts"), "{told}");
    // Where absences must last, they are counted, and what they lead to is stopped.
    let patient = [("SYNC_MAX_REMOVALS", "49%"), ("SYNC_ABSENT_RUNS", "2")];
    pool.sync_with(&patient, &|_| {}).await;
    for _ in 0..2 {
        pool.fail(&patient, &|_| {}).await;
    }
    assert_eq!(pool.disabled().await, Vec::<String>::new());

    let told = pool
        .fail(&[], &|people| {
            if people >= 100 {
                directory.kill()
            }
        })
        .await;
    assert!(told.contains("page 3 ") && told.contains("ended the connection"), "{told}");
    let told = pool.fail(&[], &|_| {}).await;
    assert!(told.contains("nothing listens there"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_keeps_the_account_whatever_they_are_called() {
    let server = Server::of_environment();
    let directory = Directory::start(&server, 5).await;
    let pool = Pool::new(&server, &directory).await;
    pool.sync().await;
    let first = pool.accounts().await;

    // A second e-mail, which sorts before the account's own; and case that is no difference.
    directory.change(&[
        change("p000", &["modify", "add: mail", "mail: a.first@example.org"]),
        change("p002", &["modify", "replace: mail", "mail: P002@Example.ORG"]),
        person("p005") + "mail: another@example.org\n",
    ]);
    let record = pool.sync().await;
    assert_eq!((record.counts.unchanged, record.counts.updated, record.counts.created), (5, 0, 1));
    let accounts = pool.accounts().await;
    assert!(first.iter().all(|(email, account)| accounts[email] == *account));
    assert_eq!(accounts["another"].attributes["preferred_username"], "p005", "the first in sorted order");

    // The account's own e-mail goes: the other one takes its place. A marriage, and a username's case.
    directory.change(&[
        change("p000", &["modify", "delete: mail", "mail: p000@example.org"]),
        change("p001", &["modify", "replace: sn", "sn: King"]),
        change("p001", &["modrdn", "newrdn: uid=king", "deleteoldrdn: 1"]),
        change("p003", &["modrdn", "newrdn: uid=P003", "deleteoldrdn: 1"]),
    ]);
    let record = pool.sync().await;
    assert_eq!((record.counts.unchanged, record.counts.updated), (3, 3));
    let accounts = pool.accounts().await;
    assert_eq!(accounts.len(), 6);
    assert_eq!(accounts["a.first"].id, first["p000"].id);
    assert_eq!(accounts["p001"].id, first["p001"].id);
    let named = |email: &str, name: &str| accounts[email].attributes[name].clone();
    assert_eq!((named("p001", "preferred_username"), named("p001", "family_name")), ("king".into(), "King".into()));
    assert_eq!(named("p003", "preferred_username"), "P003");
    assert_eq!(pool.sync().await.counts.unchanged, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_for_three_runs_is_deactivated_and_may_return() {
    let server = Server::of_environment();
    let directory = Directory::start(&server, 5).await;
    let pool = Pool::new(&server, &directory).await;
    pool.sync().await;
    let first = pool.accounts().await;

    // Out of the searched part of the directory and back: the entry stays itself.
    let left =
        change("p004", &["modrdn", "newrdn: uid=p004", "deleteoldrdn: 0", "newsuperior: ou=left,dc=example,dc=org"]);
    let returned = left.replace("ou=left", "ou=-").replace("ou=people", "ou=left").replace("ou=-", "ou=people");
    directory.change(&[left]);
    for _ in 0..2 {
        let record = pool.sync().await;
        assert_eq!((record.counts.read, record.counts.deactivated), (4, Some(0)));
        assert_eq!(pool.disabled().await, Vec::<String>::new());
    }
    // A run that cannot read to the end is no third one.
    pool.fail(&[("LDAP_USER_FILTER", "(uid=nobody)")], &|_| {}).await;
    assert_eq!(pool.sync().await.counts.deactivated, Some(1));
    assert_eq!(pool.disabled().await, ["p004"]);
    directory.change(&[returned]);
    let record = pool.sync().await;
    assert_eq!((record.counts.reactivated, record.counts.updated), (Some(1), 1));
    assert!(pool.accounts().await == first);

    // Deleted and made again: the entry is another one, with the e-mail and the username of the account.
    directory.change(&[change("p003", &["delete"])]);
    for _ in 0..3 {
        pool.sync().await;
    }
    assert_eq!(pool.disabled().await, ["p003"]);
    directory.change(&[person("p003")]);
    let record = pool.sync().await;
    assert_eq!((record.counts.reactivated, record.counts.updated, record.counts.created), (Some(1), 1, 0));
    assert!(pool.accounts().await == first);
    assert_eq!(pool.sync().await.counts.unchanged, 5);
}
