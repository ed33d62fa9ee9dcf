//! For this module's tests: a realm behind a server of a few lines, which can break off, stall and change while it is read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

/// What the realm holds, and how it behaves.
pub(super) struct Model {
    pub(super) users: Vec<Value>,
    pub(super) groups: Vec<FakeGroup>,
    /// Whether groups tell `subGroupCount` (since Keycloak 23).
    pub(super) tells_counts: bool,
    pub(super) client_secret: String,
    pub(super) expires_in: u64,
    /// Tokens given out so far: `token-1`, `token-2`, …
    pub(super) tokens: usize,
    /// Tokens before this one are refused.
    pub(super) oldest_token: usize,
    /// What Secrets Manager holds: each question takes the first, the last stays.
    pub(super) secrets: Vec<String>,
    /// Each request, such as `GET users first=0 max=10`.
    pub(super) log: Vec<String>,
    pub(super) in_flight: usize,
    pub(super) most_in_flight: usize,
    /// So many pages of users wait for each other in groups of four.
    pub(super) gated: usize,
    hook: Option<Hook>,
}

type Hook = Box<dyn FnMut(&Request, &mut Model) -> Option<Answer> + Send>;

#[derive(Clone)]
pub(super) struct FakeGroup {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) path: String,
    pub(super) attributes: Value,
    pub(super) members: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Request {
    /// `GET` or `POST`, and what stands behind the realm.
    pub(super) line: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) token: Option<String>,
    body: String,
}

impl Request {
    pub(super) fn is(&self, line: &str) -> bool {
        self.line == line
    }

    pub(super) fn number(&self, name: &str, default: usize) -> usize {
        self.query.get(name).map_or(default, |number| number.parse().unwrap())
    }

    /// The page of it that is asked for.
    fn page<T: Clone>(&self, all: &[T], default: usize) -> Vec<T> {
        all.iter().skip(self.number("first", 0)).take(self.number("max", default)).cloned().collect()
    }
}

#[derive(Debug, Clone)]
pub(super) enum Answer {
    Json(u16, Value),
    Text(u16, String),
    /// The connection ends in the middle of the body.
    Cut(Value),
}

pub(super) fn ok(value: impl Into<Value>) -> Answer {
    Answer::Json(200, value.into())
}

pub(super) fn user(n: usize) -> Value {
    json!({
        "id": format!("user-{n:06}"),
        "username": format!("person{n:06}"),
        "email": format!("person{n:06}@example.org"),
        "firstName": "Kim",
        "lastName": format!("Park {n}"),
        "enabled": n % 10 != 9,
        "emailVerified": true,
        "totp": false,
        "createdTimestamp": 1_700_000_000_000_i64 + n as i64,
        "attributes": { "department": ["Research"], "title": ["Engineer"], "shoeSize": ["42"], "locale": ["en"] },
        "disableableCredentialTypes": [],
        "requiredActions": [],
        "notBefore": 0,
        "access": { "manage": false, "view": true },
    })
}

impl Model {
    pub(super) fn with_users(users: usize) -> Self {
        Self {
            users: (0..users).map(user).collect(),
            groups: Vec::new(),
            tells_counts: true,
            client_secret: "hunter2".to_owned(),
            expires_in: 300,
            tokens: 0,
            oldest_token: 1,
            secrets: Vec::new(),
            log: Vec::new(),
            in_flight: 0,
            most_in_flight: 0,
            gated: 0,
            hook: None,
        }
    }

    /// A group at this path, whose parent stands already, with these users as members.
    pub(super) fn group(&mut self, path: &str, members: impl IntoIterator<Item = usize>) {
        let (above, _) = path.rsplit_once('/').unwrap();
        let parent = self.groups.iter().find(|group| group.path == above).map(|group| group.id.clone());
        assert_eq!(parent.is_none(), above.is_empty(), "{path}");
        self.groups.push(FakeGroup {
            id: format!("group-{}", self.groups.len()),
            parent,
            path: path.to_owned(),
            attributes: json!({ "lead": ["Zoe"], "colour": ["red"] }),
            members: members.into_iter().map(|n| format!("user-{n:06}")).collect(),
        });
    }

    /// What each request is told first; a request that it answers goes no further.
    pub(super) fn hook(&mut self, hook: impl FnMut(&Request, &mut Model) -> Option<Answer> + Send + 'static) {
        self.hook = Some(Box::new(hook));
    }

    pub(super) fn asked(&self, start: &str) -> usize {
        self.log.iter().filter(|line| line.starts_with(start)).count()
    }

    fn of(&self, group: &FakeGroup) -> Value {
        let mut value = json!({
            "id": group.id,
            "name": group.path.rsplit_once('/').unwrap().1,
            "path": group.path,
            "attributes": group.attributes,
            "subGroups": [],
            "access": { "view": true },
        });
        if self.tells_counts {
            value["subGroupCount"] = self.under(Some(&group.id)).len().into();
        }
        value
    }

    fn under(&self, parent: Option<&str>) -> Vec<&FakeGroup> {
        self.groups.iter().filter(|group| group.parent.as_deref() == parent).collect()
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if let Some(mut hook) = self.hook.take() {
            let answer = hook(request, self);
            self.hook = Some(hook);
            if let Some(answer) = answer {
                return answer;
            }
        }
        let not_found = || Answer::Json(404, json!({ "error": "Could not find group by id" }));
        let parts: Vec<&str> = request.line.split([' ', '/']).collect();
        match *parts {
            ["POST", "token"] => {
                let form: BTreeMap<_, _> = url::form_urlencoded::parse(request.body.as_bytes()).collect();
                assert_eq!((&*form["grant_type"], &*form["client_id"]), ("client_credentials", "exporter"));
                if *form["client_secret"] != self.client_secret {
                    let told = "Invalid client or Invalid client credentials";
                    return Answer::Json(401, json!({ "error": "unauthorized_client", "error_description": told }));
                }
                self.tokens += 1;
                let token = format!("token-{}", self.tokens);
                ok(json!({ "access_token": token, "expires_in": self.expires_in, "token_type": "Bearer" }))
            }
            ["POST", "aws"] => {
                let secret = if self.secrets.len() > 1 { self.secrets.remove(0) } else { self.secrets[0].clone() };
                ok(json!({ "SecretString": secret }))
            }
            _ if !self.knows(request.token.as_deref()) => {
                Answer::Json(401, json!({ "error": "HTTP 401 Unauthorized" }))
            }
            ["GET", "users", "count"] => ok(self.users.len()),
            ["GET", "users"] => {
                assert_eq!(request.query["briefRepresentation"], "false");
                ok(request.page(&self.users, 100))
            }
            ["GET", "groups", "count"] => ok(json!({ "count": self.groups.len() })),
            ["GET", "groups"] => {
                assert_eq!(request.query["briefRepresentation"], "false");
                ok(request.page(&self.under(None).into_iter().map(|group| self.of(group)).collect::<Vec<_>>(), 100))
            }
            ["GET", "groups", id, "children"] => {
                assert_eq!(request.query["briefRepresentation"], "false");
                if !self.groups.iter().any(|group| group.id == id) {
                    return not_found();
                }
                ok(request.page(&self.under(Some(id)).into_iter().map(|group| self.of(group)).collect::<Vec<_>>(), 10))
            }
            ["GET", "groups", id, "members"] => {
                let Some(group) = self.groups.iter().find(|group| group.id == id) else { return not_found() };
                let members = request.page(&group.members, 100).into_iter();
                ok(members.map(|id| json!({ "username": format!("p{id}"), "id": id })).collect::<Vec<_>>())
            }
            _ => Answer::Json(404, json!({ "error": "HTTP 404 Not Found" })),
        }
    }

    fn knows(&self, token: Option<&str>) -> bool {
        let number = token.and_then(|token| token.strip_prefix("token-")).and_then(|number| number.parse().ok());
        number.is_some_and(|number: usize| (self.oldest_token..=self.tokens).contains(&number))
    }
}

/// A realm that answers until it is dropped.
pub(super) struct FakeRealm {
    pub(super) root: String,
    model: Arc<Mutex<Model>>,
    server: JoinHandle<()>,
}

impl FakeRealm {
    pub(super) async fn start(model: Model) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let model = Arc::new(Mutex::new(model));
        let gate = Arc::new(Barrier::new(4));
        let shared = model.clone();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, shared.clone(), gate.clone()));
            }
        });
        Self { root, model, server }
    }

    /// Stops; nobody listens when this returns.
    pub(super) async fn stop(mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }

    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }
}

impl Drop for FakeRealm {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(stream: TcpStream, model: Arc<Mutex<Model>>, gate: Arc<Barrier>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = receive(&mut stream).await {
        let gated = {
            let mut model = model.lock().unwrap();
            let numbers = ["first", "max"].into_iter().filter_map(|name| request.query.get_key_value(name));
            let line = numbers.fold(request.line.clone(), |line, (name, value)| format!("{line} {name}={value}"));
            model.log.push(line);
            model.in_flight += 1;
            model.most_in_flight = model.most_in_flight.max(model.in_flight);
            let gated = request.is("GET users") && model.gated > 0;
            model.gated -= usize::from(gated);
            gated
        };
        if gated {
            gate.wait().await;
        }
        // Others that are on their way arrive meanwhile.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let answer = {
            let mut model = model.lock().unwrap();
            // Before the answer: once it is there, the next request may come.
            model.in_flight -= 1;
            model.answer(&request)
        };
        let (status, body, sent) = match answer {
            Answer::Json(status, value) => (status, value.to_string(), usize::MAX),
            Answer::Text(status, text) => (status, text, usize::MAX),
            Answer::Cut(value) => {
                let body = value.to_string();
                let half = body.len() / 2;
                (200, body, half)
            }
        };
        let head = format!("HTTP/1.1 {status} Told\r\nContent-Length: {}\r\n\r\n", body.len());
        let written = stream.write_all(&[head.as_bytes(), &body.as_bytes()[..sent.min(body.len())]].concat()).await;
        if written.is_err() || sent < body.len() {
            return;
        }
    }
}

async fn receive(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut first = String::new();
    stream.read_line(&mut first).await.ok().filter(|read| *read > 0)?;
    let (mut length, mut token, mut is_secrets_manager) = (0, None, false);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => token = value.strip_prefix("Bearer ").map(str::to_owned),
            "x-amz-target" => is_secrets_manager = true,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let url = url::Url::parse("http://localhost").unwrap().join(target).unwrap();
    let line = match url.path().strip_prefix("/admin/realms/staff/") {
        _ if is_secrets_manager => "POST aws".to_owned(),
        Some(path) => format!("{method} {path}"),
        None if url.path() == "/realms/staff/protocol/openid-connect/token" => format!("{method} token"),
        None => format!("{method} {}", url.path()),
    };
    Some(Request {
        line,
        query: url.query_pairs().into_owned().collect(),
        token,
        body: String::from_utf8(body).unwrap(),
    })
}
