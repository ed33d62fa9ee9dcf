//! Stands between the export and Keycloak, and spoils what it is told to.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use futures::stream;
use tokio::task::JoinHandle;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This page of users, from 1, breaks off in the middle of its body, each time.
    CutPage(usize),
    /// This page of users, from 1, is empty, each time.
    EmptyPage(usize),
    /// The realm counts so many users more than it lists.
    CountMore(u64),
    /// The next request for this page of users, from 1, goes on with a token that is none.
    SpoilToken(usize),
}

/// A proxy on loopback. Dropping it stops it.
pub(crate) struct Proxy {
    pub(crate) url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    target: String,
    page_size: usize,
    http: reqwest::Client,
    fault: Mutex<Option<Fault>>,
    /// Method and path of each request.
    seen: Mutex<Vec<String>>,
}

impl Proxy {
    /// Before the server at `target`; pages of users have `page_size`.
    pub(crate) async fn start(target: &str, page_size: usize) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            page_size,
            http: reqwest::Client::new(),
            fault: Mutex::default(),
            seen: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the proxy stopped: {error}");
            }
        });
        Ok(Self { url, shared, task })
    }

    pub(crate) fn set(&self, fault: Option<Fault>) {
        *self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// What was asked for: method, path and query of each request.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    match forward(&shared, &parts.method, &parts.uri, &parts.headers, body).await {
        Ok(answer) => answer,
        Err(error) => answer(StatusCode::BAD_GATEWAY, None, Body::from(error.to_string())),
    }
}

async fn forward(
    shared: &Shared,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> reqwest::Result<Response> {
    let asked = uri.path_and_query().map_or("/", |asked| asked.as_str());
    shared.seen.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{method} {asked}"));
    let page = uri.path().ends_with("/users").then(|| shared.page(uri.query().unwrap_or_default()));
    let fault = shared.take_fault(page);

    let mut request = shared.http.request(method.clone(), format!("{}{asked}", shared.target)).body(body);
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        request = request.header(CONTENT_TYPE, kind);
    }
    if matches!(fault, Some(Fault::SpoilToken(_))) {
        request = request.bearer_auth("spoilt");
    } else if let Some(token) = headers.get(AUTHORIZATION) {
        request = request.header(AUTHORIZATION, token);
    }
    let got = request.send().await?;
    let (status, kind) = (got.status(), got.headers().get(CONTENT_TYPE).cloned());
    let body = got.bytes().await?;
    Ok(match fault {
        Some(Fault::CutPage(_)) => {
            let half = body.slice(..body.len() / 2);
            let broken = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
            let mut cut = answer(status, kind, Body::from_stream(stream::iter([Ok(half), broken])));
            cut.headers_mut().insert(CONTENT_LENGTH, body.len().into());
            cut
        }
        Some(Fault::EmptyPage(_)) => answer(status, kind, Body::from("[]")),
        Some(Fault::CountMore(more)) if uri.path().ends_with("/users/count") => {
            let count: u64 = std::str::from_utf8(&body).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
            answer(status, kind, Body::from((count + more).to_string()))
        }
        _ => answer(status, kind, Body::from(body)),
    })
}

impl Shared {
    /// Which page of users a query asks for; pages may begin with the last user of the one before.
    fn page(&self, query: &str) -> usize {
        let first = query.split('&').find_map(|part| part.strip_prefix("first=")).and_then(|first| first.parse().ok());
        (first.unwrap_or(0) + 1) / self.page_size + 1
    }

    /// The fault, if it concerns this request; one that strikes once is gone then.
    fn take_fault(&self, page: Option<usize>) -> Option<Fault> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match *fault {
            Some(Fault::CutPage(at) | Fault::EmptyPage(at)) if page == Some(at) => *fault,
            Some(Fault::SpoilToken(at)) if page == Some(at) => fault.take(),
            Some(Fault::CountMore(_)) => *fault,
            _ => None,
        }
    }
}

fn answer(status: StatusCode, kind: Option<axum::http::HeaderValue>, body: Body) -> Response {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    if let Some(kind) = kind {
        answer.headers_mut().insert(CONTENT_TYPE, kind);
    }
    answer
}
