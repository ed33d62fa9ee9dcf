//! The paths, and what stands before them: the log, the token, faults, holds.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Given};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};

use super::bodies::{self, DeletePerson, DeleteTeam, IndexPerson, IndexTeam, PeoplePage, TeamsPage};
use super::faults::{Fault, When};
use super::types::{Person, Team};
use super::uploads::{Page, Refusal, Stale};
use super::{Logged, Shared, State};
use crate::server;

/// More than any page may have; only so that a broken client cannot fill the memory.
const MOST_BYTES: usize = 64 * 1024 * 1024;

const PATHS: [&str; 7] = [
    "bulkindexemployees",
    "bulkindexteams",
    "indexemployee",
    "deleteemployee",
    "indexteam",
    "deleteteam",
    "processallemployeesandteams",
];

/// What a body asks for.
enum Asked {
    People(Page<Person>),
    Teams(Page<Team>),
    IndexPerson(Box<Person>),
    DeletePerson(String),
    IndexTeam(Box<Team>),
    DeleteTeam(String),
    ProcessAll,
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for path in PATHS {
        let take = move |Given(shared): Given<Arc<Shared>>, request: Request| async move {
            serve(&shared, path, request).await
        };
        router = router.route(&format!("/api/index/v1/{path}"), post(take));
    }
    router.fallback(unknown).method_not_allowed_fallback(unknown).with_state(shared)
}

async fn unknown(Given(shared): Given<Arc<Shared>>, request: Request) -> Response {
    let text = format!("{} {}: there is no such endpoint", request.method(), request.uri().path());
    shared.state().violations.push(text.clone());
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn serve(shared: &Shared, path: &'static str, request: Request<Body>) -> Response {
    let _gauge = shared.gauge.enter();
    let _pages = path.starts_with("bulk").then(|| shared.pages.enter());
    let (head, body) = request.into_parts();
    // A client that breaks off in the middle gets no answer anyway.
    let Ok(body) = axum::body::to_bytes(body, MOST_BYTES).await else { return server::broken() };
    let header = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let is_json = header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
    let authorised = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")) == Some(&shared.token);

    let asked = read(path, &body);
    let request = logged(shared, path, &asked, body.len());
    let (number, latency) = {
        let mut state = shared.state();
        state.log.push(request.clone());
        (state.forgotten + state.log.len() - 1, state.faults.latency)
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    held(shared, &request, When::BeforeTaken).await;
    let (fault, answer) = {
        let mut state = shared.state();
        let fault = state.faults.strike(&request);
        let deprecated = state.faults.deprecated.filter(|_| path == "bulkindexemployees");
        let mut answer = match (fault, &asked) {
            (Some(Fault::BreakBefore), _) => server::broken(),
            (Some(Fault::Throttle(after)), _) => throttled(after),
            (Some(Fault::Status(status)), _) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, "as the stand-in was told to").into_response()
            }
            _ if !authorised => (StatusCode::UNAUTHORIZED, "Not Authorized").into_response(),
            _ if !is_json && path != "processallemployeesandteams" => {
                let text = "the content type is not application/json";
                state.violations.push(format!("{path}: {text}"));
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response()
            }
            _ => match asked.and_then(|asked| state.take(asked)) {
                Ok(()) if fault == Some(Fault::Warn) => (StatusCode::BAD_REQUEST, warning(path)).into_response(),
                Ok(()) => StatusCode::OK.into_response(),
                Err(refusal) => {
                    if refusal.violation {
                        state.violations.push(format!("{path}: {}", refusal.text));
                    }
                    (refusal.status, refusal.text).into_response()
                }
            },
        };
        if let Some(value) = deprecated {
            answer.headers_mut().insert("X-Glean-Deprecated", HeaderValue::from_static(value));
        }
        (fault, answer)
    };
    held(shared, &request, When::BeforeAnswered).await;
    let is_broken = matches!(fault, Some(Fault::BreakBefore | Fault::BreakAfter));
    if is_broken {
        return server::broken();
    }
    let mut state = shared.state();
    let place = number.checked_sub(state.forgotten);
    if let Some(entry) = place.and_then(|place| state.log.get_mut(place)) {
        entry.status = Some(answer.status().as_u16());
    }
    answer
}

async fn held(shared: &Shared, request: &Logged, when: When) {
    let hold = shared.state().holds.iter().find(|hold| hold.fits(request, when)).cloned();
    if let Some(hold) = hold {
        hold.wait().await;
    }
}

fn throttled(after: Option<u32>) -> Response {
    let mut answer = (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests").into_response();
    if let Some(seconds) = after {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

fn warning(path: &str) -> &'static str {
    if path == "bulkindexemployees" {
        "Employees uploaded successfully. Warnings: some managers are not known"
    } else {
        "uploaded successfully. Warnings: some fields are not known"
    }
}

fn logged(shared: &Shared, path: &str, asked: &Result<Asked, Refusal>, bytes: usize) -> Logged {
    let mut entry = Logged {
        path: path.to_owned(),
        at: shared.started.elapsed(),
        upload_id: None,
        first: false,
        last: false,
        restart: false,
        force_stale_deletion: false,
        items: 0,
        bytes,
        status: None,
    };
    fn page<T>(entry: &mut Logged, page: &Page<T>) {
        entry.upload_id = Some(page.upload_id.clone());
        entry.first = page.first;
        entry.last = page.last;
        entry.restart = page.restart;
        entry.force_stale_deletion = page.force_stale_deletion;
        entry.items = page.items.len();
    }
    match asked {
        Ok(Asked::People(of)) => page(&mut entry, of),
        Ok(Asked::Teams(of)) => page(&mut entry, of),
        Ok(Asked::ProcessAll) | Err(_) => {}
        Ok(_) => entry.items = 1,
    }
    entry
}

fn read(path: &str, body: &Bytes) -> Result<Asked, Refusal> {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let hash = hasher.finish();
    let asked = match path {
        "bulkindexemployees" => bodies::read(body).map(|page: PeoplePage| {
            let key = |person: Person| (person.email.as_str().to_lowercase(), person);
            Asked::People(Page {
                upload_id: page.upload_id.to_string(),
                first: page.is_first_page,
                last: page.is_last_page,
                restart: page.force_restart_upload,
                force_stale_deletion: page.disable_stale_data_deletion_check,
                items: page.employees.into_iter().map(key).collect(),
                hash,
            })
        }),
        "bulkindexteams" => bodies::read(body).and_then(|page: TeamsPage| {
            page.teams.iter().try_for_each(bodies::check_team)?;
            let key = |team: Team| (team.id.to_string(), team);
            Ok(Asked::Teams(Page {
                upload_id: page.upload_id.to_string(),
                first: page.is_first_page,
                last: page.is_last_page,
                restart: page.force_restart_upload,
                force_stale_deletion: false,
                items: page.teams.into_iter().map(key).collect(),
                hash,
            }))
        }),
        "indexemployee" => bodies::read(body).map(|index: IndexPerson| Asked::IndexPerson(Box::new(index.employee))),
        "deleteemployee" => bodies::read(body)
            .map(|delete: DeletePerson| Asked::DeletePerson(delete.employee_email.as_str().to_lowercase())),
        "indexteam" => bodies::read(body).and_then(|index: IndexTeam| {
            bodies::check_team(&index.team)?;
            Ok(Asked::IndexTeam(Box::new(index.team)))
        }),
        "deleteteam" => bodies::read(body).map(|delete: DeleteTeam| Asked::DeleteTeam(delete.id.to_string())),
        _ if body.is_empty() => Ok(Asked::ProcessAll),
        _ => Err("it takes no body".to_owned()),
    };
    asked.map_err(Refusal::violation)
}

impl State {
    fn take(&mut self, asked: Asked) -> Result<(), Refusal> {
        match asked {
            Asked::People(page) => return self.people.take(page, Stale::UnderAFifth),
            Asked::Teams(page) => return self.teams.take(page, Stale::Always),
            Asked::IndexPerson(person) => self.people.put(person.email.as_str().to_lowercase(), *person),
            Asked::DeletePerson(email) => self.people.delete(&email),
            Asked::IndexTeam(team) => self.teams.put(team.id.to_string(), *team),
            Asked::DeleteTeam(id) => self.teams.delete(&id),
            Asked::ProcessAll => self.processed += 1,
        }
        Ok(())
    }
}
