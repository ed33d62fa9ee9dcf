//! The client against a server on loopback that answers as each test scripts it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crosswalk_function_kit::retry::Retries;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::types::{Employee, Team, TeamMember};
use super::*;

mod answers;
mod bulk;
mod individual;
mod shape;
mod token;

/// Waits that a test does not notice.
const QUICK: Retries = Retries { first: Duration::from_millis(1), longest: Duration::from_millis(2), times: 8 };

fn settings(origin: &str, more: &[(&str, &str)]) -> GleanSettings {
    let least = [("GLEAN_API_URL", origin), ("GLEAN_API_TOKEN", "hunter2"), ("GLEAN_RPS", "100")];
    let environment: Environment = least.into_iter().chain(more.iter().copied()).collect();
    GleanSettings { retries: QUICK, ..GleanSettings::from_env(&environment).unwrap() }
}

fn client(origin: &str, more: &[(&str, &str)]) -> Glean {
    let config = aws_config::SdkConfig::builder().build();
    Glean::new(settings(origin, more), Secrets::new(&config), Entropy::seeded(7)).unwrap()
}

/// What a scripted server answers with; 200 after the last.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<VecDeque<ResponseTemplate>>>);

impl Respond for Script {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        self.0.lock().unwrap().pop_front().unwrap_or_else(|| ResponseTemplate::new(200))
    }
}

/// A server and a client of it.
struct Stage {
    server: MockServer,
    glean: Glean,
}

impl Stage {
    async fn answering(answers: impl Respond + 'static, more: &[(&str, &str)]) -> Self {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answers).mount(&server).await;
        let glean = client(&server.uri(), more);
        Self { server, glean }
    }

    /// One answer a request, then 200.
    async fn scripted(answers: Vec<ResponseTemplate>, more: &[(&str, &str)]) -> Self {
        Self::answering(Script(Arc::new(Mutex::new(answers.into()))), more).await
    }

    /// One status a request, then 200.
    async fn statuses(statuses: &[u16], more: &[(&str, &str)]) -> Self {
        Self::scripted(statuses.iter().map(|status| ResponseTemplate::new(*status)).collect(), more).await
    }

    async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }

    async fn bodies(&self) -> Vec<Value> {
        self.requests().await.iter().map(|request| request.body_json().unwrap()).collect()
    }

    async fn upload_people(&self, people: &[Employee]) -> Result<(), SendError> {
        self.glean.upload(Upload::People(people), UploadOptions::default(), &Turn::kept(), &|_| ()).await
    }
}

/// Says yes so many times, then no; and counts.
struct Turn {
    yes: usize,
    asked: AtomicUsize,
}

impl Turn {
    fn kept() -> Self {
        Self::lost_after(usize::MAX)
    }

    fn lost_after(yes: usize) -> Self {
        Self { yes, asked: AtomicUsize::new(0) }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Confirm for Turn {
    async fn confirm(&self) -> Result<(), String> {
        if self.asked.fetch_add(1, Ordering::SeqCst) < self.yes {
            Ok(())
        } else {
            Err("the lease has lapsed".to_owned())
        }
    }
}

fn person(number: usize) -> Employee {
    Employee {
        email: format!("person{number}@example.org"),
        department: "Research".to_owned(),
        first_name: Some("Ada".to_owned()),
        last_name: Some("Lovelace".to_owned()),
        ..Employee::default()
    }
}

fn people(count: usize) -> Vec<Employee> {
    (0..count).map(person).collect()
}

fn team(number: usize) -> Team {
    let member = TeamMember { email: "person1@example.org".to_owned(), relationship: types::Relationship::Member };
    Team { id: format!("team-{number}"), name: "Engines".to_owned(), members: vec![member], ..Team::default() }
}

/// The e-mails of a page, in order.
fn emails(page: &Value) -> Vec<String> {
    let employees = page["employees"].as_array().unwrap();
    employees.iter().map(|employee| employee["email"].as_str().unwrap().to_owned()).collect()
}

/// A server that reads whole requests and breaks the connection instead of answering the first `broken` of them; then it
/// answers 200. It gives its origin and how many requests it has read.
async fn breaking(broken: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            if read_request(&mut connection).await && counted.fetch_add(1, Ordering::SeqCst) >= broken {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                connection.write_all(answer).await.unwrap();
            }
        }
    });
    (origin, read)
}

/// Reads a request to its end; false if there is none.
async fn read_request(connection: &mut TcpStream) -> bool {
    let head = read_head(connection).await;
    let mut body = vec![0; content_length(&head)];
    !head.is_empty() && connection.read_exact(&mut body).await.is_ok()
}

/// Reads a request up to its body; empty if there is none.
async fn read_head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

fn content_length(head: &str) -> usize {
    let mut lines = head.lines();
    lines.find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap())
}
