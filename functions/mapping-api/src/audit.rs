//! What the last audit found: how many people each system lacks, and who they are.
//!
//! The audit wrote it to the bucket, with an index of where each system's rows stand in its `missing.csv`; a page is read from
//! there by its bytes, so that a page of a long report costs no more than one of a short.

mod cursor;
mod rows;

use axum::Json;
use axum::extract::{RawQuery, State};
use crosswalk_identity::System;
use crosswalk_runs::audit_index::{AuditIndex, RowsAt};
use crosswalk_runs::files::{Files, FilesError};

use crate::api::Api;
use crate::audit::cursor::Cursor;
use crate::audit::rows::{Page, Rows};
use crate::problem::Problem;
use crate::query::Parameters;
use crate::wire;

/// A system's rows of the last audit, a page at a time; without `system` the numbers of all systems.
///
/// It tells what the last audit of everybody found, not what stands now: `at` says when that began.
#[utoipa::path(
    get,
    path = "/audit/missing",
    tag = "audit",
    params(
        ("system" = Option<String>, Query, description = "A system that the audit asks for; without it the answer is the numbers of all of them."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before. Only with `system`."),
        ("limit" = Option<u16>, Query, description = "The most items of the page; 100 if it is left out. Only with `system`.", minimum = 1, maximum = 1000)
    ),
    responses(
        (status = 200, description = "The page, or the numbers.", body = wire::Audited),
        (status = 404, description = "There was no audit yet, or it did not ask for this system; then those that it asked for are named.", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Another audit has ended since the page before; begin anew without `cursor`.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The API has no bucket to read audits from (`CROSSWALK_BUCKET`), or the audit's rows are not where its index says: an audit is being written, or its report was deleted.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn missing(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<wire::Audited>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["system", "cursor", "limit"])?;
    let limit = parameters.limit()?;
    let files = api.files().ok_or_else(Problem::no_bucket)?;
    let Some(system) = parameters.text("system") else {
        if parameters.text("cursor").or(parameters.text("limit")).is_some() {
            return Err(Problem::invalid(
                "`cursor` and `limit` go with `system`; leave them out for the numbers of all systems",
            ));
        }
        return Ok(Json(wire::Audited::Numbers(index(files).await?.into())));
    };
    let system = System::parse(system)?;
    let cursor = parameters.text("cursor").map(Cursor::open).transpose()?;
    // Between the reading of the index and that of the rows another attempt at the same run may have put other rows; then
    // its index follows, or is there by now.
    for _ in 0..2 {
        let index = index(files).await?;
        let rows = index.systems.get(&system).copied().ok_or_else(|| not_audited(&system, &index))?;
        let from = start(&index, rows, cursor.as_ref())?;
        match rows::read(files, &index, &system, from..rows.end, limit).await? {
            Rows::Page(page) => return Ok(Json(wire::Audited::Missing(shown(index, system, rows, page)))),
            Rows::Others if cursor.is_some() => return Err(Problem::no_cursor()),
            Rows::Others | Rows::Changed => {}
        }
    }
    Err(Problem::audit_changed())
}

async fn index(files: &Files) -> Result<AuditIndex, Problem> {
    AuditIndex::read(files).await?.ok_or_else(|| {
        Problem::not_found(
            "there was no audit of everybody yet; the schedule of mapping-audit runs one, or `crosswalk audit` does",
        )
    })
}

fn not_audited(system: &System, index: &AuditIndex) -> Problem {
    let audited: Vec<_> = index.systems.keys().map(System::as_str).collect();
    Problem::not_found(format!(
        "the audit does not ask for `{system}`; it asks for `{}` (AUDIT_REQUIRED_SYSTEMS)",
        audited.join("`, `")
    ))
}

/// Where the page begins.
fn start(index: &AuditIndex, rows: RowsAt, cursor: Option<&Cursor>) -> Result<u64, Problem> {
    let Some(cursor) = cursor else { return Ok(rows.first) };
    if (&cursor.run, &cursor.etag) != (&index.run, &index.etag) {
        return Err(Problem::outdated_cursor());
    }
    if (rows.first..rows.end).contains(&cursor.at) { Ok(cursor.at) } else { Err(Problem::no_cursor()) }
}

fn shown(index: AuditIndex, system: System, rows: RowsAt, page: Page) -> wire::MissingPage {
    let AuditIndex { run, date, at, etag, .. } = index;
    let next_cursor = page.next.map(|at| Cursor { run: run.clone(), etag, at }.seal());
    wire::MissingPage {
        run,
        date: date.to_string(),
        at,
        system: system.into(),
        total: rows.rows,
        items: page.items,
        next_cursor,
    }
}

/// The message says what failed and which permission it may take; it stays in the log.
impl From<FilesError> for Problem {
    fn from(error: FilesError) -> Self {
        tracing::error!(%error, "the bucket failed");
        Self::internal()
    }
}
