//! Reads from a server that answers by a script, and so in ways that real ones rarely do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::settings::Environment;
use crosswalk_reconcile::Incomplete;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// The answer to one search.
#[derive(Debug, Clone, Default)]
struct Answer {
    people: Vec<u32>,
    referrals: usize,
    /// None: the connection ends before the result.
    result: Option<u8>,
    /// None: the result is without the control.
    cookie: Option<Vec<u8>>,
}

/// A page with a result of success; an empty cookie says that it is the last.
fn page(people: impl IntoIterator<Item = u32>, cookie: &str) -> Answer {
    let cookie = Some(cookie.as_bytes().to_vec());
    Answer { people: people.into_iter().collect(), result: Some(0), cookie, ..Answer::default() }
}

/// A server on loopback. Dropping it stops it.
struct Scripted {
    url: String,
    /// The searches, as they came.
    searches: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// It takes a bind with this result, and then answers by the script, whose last answer it repeats.
    async fn start(bind: u8, script: Vec<Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("ldap://{}", listener.local_addr().unwrap());
        let searches: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let seen = Arc::clone(&searches);
        let task = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut script = VecDeque::from(script);
            while let Some(request) = request(&mut client).await {
                let id_end = 2 + usize::from(request[1]);
                let (id, operation) = request.split_at(id_end);
                let (mut answer, mut ends) = (Vec::new(), false);
                match operation[0] {
                    0x60 => answer = message(id, tlv(0x61, &result(bind)), &[]),
                    0x63 => {
                        seen.lock().unwrap().push(operation.to_vec());
                        let next = if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() };
                        for n in &next.people {
                            answer.extend(message(id, person(*n), &[]));
                        }
                        for _ in 0..next.referrals {
                            let uri = tlv(0x04, b"ldap://other.example.org/dc=example,dc=org");
                            answer.extend(message(id, tlv(0x73, &uri), &[]));
                        }
                        ends = next.result.is_none();
                        if let Some(code) = next.result {
                            let control = next.cookie.map(|cookie| control(&cookie)).unwrap_or_default();
                            answer.extend(message(id, tlv(0x65, &result(code)), &control));
                        }
                    }
                    _ => return,
                }
                client.write_all(&answer).await.unwrap();
                if ends {
                    return;
                }
            }
        });
        Self { url, searches, task }
    }

    async fn read(&self) -> Result<Read, ReadError> {
        read_of(&settings(&self.url)).await
    }

    /// What went wrong.
    async fn failure(&self) -> String {
        self.read().await.unwrap_err().to_string()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn settings(url: &str) -> LdapSettings {
    let environment = Environment::from_iter([
        ("LDAP_SERVER", url),
        ("LDAP_BIND_USER_DN", "cn=sync,dc=example,dc=org"),
        ("LDAP_BIND_PASSWORD", "hunter2"),
        ("LDAP_BASE_DN", "ou=people,dc=example,dc=org"),
    ]);
    LdapSettings::from_env(&environment, &[]).unwrap()
}

async fn read_of(settings: &LdapSettings) -> Result<Read, ReadError> {
    read(settings, &Secrets::new(&SdkConfig::builder().build()), Deadline::NONE, &|_| {}).await
}

/// A BER element.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut element = vec![tag];
    match u8::try_from(length) {
        Ok(short @ ..=0x7f) => element.push(short),
        _ => element.extend([&[0x82][..], &length.to_be_bytes()].concat()),
    }
    element.extend(content);
    element
}

fn message(id: &[u8], operation: Vec<u8>, control: &[u8]) -> Vec<u8> {
    let control = if control.is_empty() { Vec::new() } else { tlv(0xa0, control) };
    tlv(0x30, &[id, &operation, &control].concat())
}

/// Code, matched DN and diagnostic text.
fn result(code: u8) -> Vec<u8> {
    [tlv(0x0a, &[code]), tlv(0x04, b""), tlv(0x04, b"")].concat()
}

fn control(cookie: &[u8]) -> Vec<u8> {
    let value = tlv(0x30, &[tlv(0x02, &[0]), tlv(0x04, cookie)].concat());
    tlv(0x30, &[tlv(0x04, b"1.2.840.113556.1.4.319"), tlv(0x04, &value)].concat())
}

fn person(n: u32) -> Vec<u8> {
    let attribute = |name: &str, value: String| {
        tlv(0x30, &[tlv(0x04, name.as_bytes()), tlv(0x31, &tlv(0x04, value.as_bytes()))].concat())
    };
    let attributes = [attribute("uid", format!("p{n}")), attribute("entryUUID", n.to_string())].concat();
    let dn = format!("uid=p{n},ou=people,dc=example,dc=org");
    tlv(0x64, &[tlv(0x04, dn.as_bytes()), tlv(0x30, &attributes)].concat())
}

/// The next message without its header; none when the client has left.
async fn request(client: &mut TcpStream) -> Option<Vec<u8>> {
    client.read_u8().await.ok()?;
    let length = match client.read_u8().await.ok()? {
        short @ ..=0x7f => usize::from(short),
        0x81 => usize::from(client.read_u8().await.ok()?),
        _ => usize::from(client.read_u16().await.ok()?),
    };
    let mut content = vec![0; length];
    client.read_exact(&mut content).await.ok()?;
    Some(content)
}

#[tokio::test]
async fn pages_are_asked_for_by_their_cookies_until_there_is_none() {
    let script = vec![page(0..3, "one"), Answer { referrals: 2, ..page([], "two") }, page(3..5, "")];
    let server = Scripted::start(0, script).await;
    let read = server.read().await.unwrap();
    assert_eq!(read.snapshot.items().len(), 5);
    assert_eq!(read.requests, 3);
    assert!(read.warnings[0].starts_with("2 references"), "{:?}", read.warnings);
    // Those that nobody has; `mail`, `givenName`, `sn`.
    assert_eq!(read.warnings.len(), 4, "{:?}", read.warnings);
    let searches = server.searches.lock().unwrap().clone();
    let holds = |search: usize, text: &str| searches[search].windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!holds(0, "one") && holds(1, "one") && holds(2, "two"));
    // Operational attributes come only by name.
    assert!(holds(0, "entryUUID") && holds(2, "entryUUID"));
}

#[tokio::test]
async fn a_server_that_does_not_page_answers_with_everything() {
    let server = Scripted::start(0, vec![Answer { cookie: None, ..page(0..3, "") }]).await;
    let read = server.read().await.unwrap();
    assert_eq!((read.snapshot.items().len(), read.requests), (3, 1));
}

#[tokio::test]
async fn what_is_not_proven_to_be_all_is_no_snapshot() {
    let cut = Answer { result: None, ..page(2..4, "") };
    for (script, word) in [
        (vec![Answer { result: Some(4), ..page(0..2, "") }], "sizeLimitExceeded"),
        // With a cookie, so that one could go on.
        (vec![Answer { result: Some(3), ..page(0..2, "one") }, page(2..4, "")], "timeLimitExceeded"),
        (vec![page(0..2, "one"), Answer { cookie: None, ..page(2..4, "") }], "paged first, and then no more"),
        (vec![page(0..2, "one"), Answer { result: Some(10), ..page([], "") }], "name that one in LDAP_SERVER"),
        (vec![page(0..2, "one"), cut], "page 2 of the search, the server ended the connection"),
        (vec![page(0..2, "one"), page([], "again")], "one empty page after the other"),
    ] {
        let told = Scripted::start(0, script).await.failure().await;
        assert!(told.contains(word), "{told}");
    }
    for (script, why) in [
        (vec![page([], "")], Incomplete::Empty),
        (vec![page([], "one"), page([], "")], Incomplete::Empty),
        (vec![page(0..2, "again")], Incomplete::Repeated { items: 2 }),
    ] {
        let failed = Scripted::start(0, script).await.read().await.unwrap_err();
        assert!(matches!(failed, ReadError::Incomplete(told) if told == why), "{failed}");
    }
}

#[tokio::test]
async fn a_bind_that_is_refused_searches_nothing() {
    let server = Scripted::start(49, vec![page(0..3, "")]).await;
    let told = server.failure().await;
    assert!(told.contains("the server refuses LDAP_BIND_USER_DN and its password"), "{told}");
    assert!(!told.contains("cn=sync") && !told.contains("hunter2"), "{told}");
    assert_eq!(server.searches.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn an_anonymous_bind_is_refused_before_anything_is_sent() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let settings = settings(&format!("ldap://{}", listener.local_addr().unwrap()));
    let empty = SecretSource::Value(SecretString::from(""));
    for settings in
        [LdapSettings { bind_password: empty, ..settings.clone() }, LdapSettings { bind_dn: String::new(), ..settings }]
    {
        let told = read_of(&settings).await.unwrap_err().to_string();
        assert!(told.contains("anonymous bind"), "{told}");
    }
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "the server was connected to");
}

/// Pages of any size, result and cookie, or with none.
fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let result = prop_oneof![8 => Just(Some(0)), 1 => Just(Some(4)), 1 => Just(None)];
    let cookie = prop_oneof![6 => Just(Some(b"next".to_vec())), 2 => Just(Some(Vec::new())), 1 => Just(None)];
    prop::collection::vec((0_u32..4, result, cookie), 1..6).prop_map(|answers| {
        let mut people = 0;
        let numbered = answers.into_iter().map(|(count, result, cookie)| {
            people += count;
            Answer { people: (people - count..people).collect(), referrals: 0, result, cookie }
        });
        // Whoever asks for more than there is hears no result.
        numbered.chain([Answer::default()]).collect()
    })
}

proptest! {
    #[test]
    fn a_snapshot_is_everything_or_is_not(script in answers()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let read = runtime.block_on(async { Scripted::start(0, script.clone()).await.read().await });
        // The first answer after which nothing is asked for: it is the end only if it says so.
        let goes_on = |answer: &Answer| answer.result == Some(0) && answer.cookie.as_ref().is_some_and(|c| !c.is_empty());
        let last = script.iter().position(|answer| !goes_on(answer)).unwrap();
        let ends = script[last].result == Some(0) && (last == 0 || script[last].cookie.is_some());
        let people: Vec<_> = script[..=last].iter().flat_map(|answer| &answer.people).map(u32::to_string).collect();
        prop_assert_eq!(read.is_ok(), ends && !people.is_empty());
        if let Ok(read) = read {
            let keys: Vec<_> = read.snapshot.items().iter().map(|entry| entry.key.as_deref().unwrap()).collect();
            prop_assert_eq!(keys, people);
        }
    }
}
