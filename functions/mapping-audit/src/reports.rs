//! What an audit leaves in the bucket.
//!
//! | file | of an audit of everybody | of a list, or of other systems |
//! |---|---|---|
//! | `missing.csv`, `stale.csv`, `broken.csv`, `summary.json` | `reports/audit/<date>/`: the day's, the last audit's of that day | `reports/<run>/` |
//! | `missing.csv` once more, the run's own | `reports/audit/<date>/<run>/` | – |
//! | [`AuditIndex`] | `state/mapping-audit/latest.json` | – |
//!
//! The index leads to the run's own file, since another audit of the same day may write the day's one at any moment. The
//! date is that of the run's start, in UTC.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosswalk_identity::{System, times};
use crosswalk_runs::RunRecord;
use crosswalk_runs::audit_index::{ALSO_BETWEEN, AuditIndex, MISSING_COLUMNS, RowsAt};
use crosswalk_runs::files::{Files, FilesError};
use crosswalk_runs::spreadsheet::guard;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::findings::{Findings, Stale};
use crate::notify::Lacking;

/// The file that names who lacks what.
pub const MISSING: &str = "missing.csv";
/// The file that names what is stale.
pub const STALE: &str = "stale.csv";
/// The file that names what is broken.
pub const BROKEN: &str = "broken.csv";
const SUMMARY: &str = "summary.json";
const CSV: &str = "text/csv; charset=utf-8";

/// Where an audit's reports stand; ends with a slash.
pub(crate) fn folder(record: &RunRecord, whole: bool) -> String {
    if whole { format!("reports/audit/{}/", date(record)) } else { format!("reports/{}/", record.id) }
}

fn date(record: &RunRecord) -> Date {
    record.started_at.to_zoned(TimeZone::UTC).date()
}

/// Writes the findings, and if it is a whole audit, the index last.
pub(crate) async fn write(
    files: &Files,
    record: &RunRecord,
    findings: &Findings,
    whole: bool,
) -> Result<(), FilesError> {
    let folder = folder(record, whole);
    let (text, systems) = made(MISSING, missing(findings))?;
    let text = Bytes::from(text);
    files.put(&format!("{folder}{MISSING}"), text.clone(), CSV).await?;
    files.put(&format!("{folder}{STALE}"), made(STALE, stale(&findings.stale))?.into(), CSV).await?;
    files.put(&format!("{folder}{BROKEN}"), made(BROKEN, broken(findings))?.into(), CSV).await?;
    if !whole {
        return Ok(());
    }
    let missing_key = format!("{folder}{}/{MISSING}", record.id);
    let etag = files.put_tagged(&missing_key, text, CSV).await?;
    let index = AuditIndex {
        run: record.id.clone(),
        date: date(record),
        at: record.started_at,
        required: findings.required.clone(),
        missing_key,
        etag,
        systems,
        stale: findings.stale.len() as u64,
        broken: findings.broken.len() as u64,
    };
    // Of two audits at once the one that began later is the last, whichever ends first.
    match AuditIndex::read(files).await {
        Ok(Some(standing)) if standing.at > index.at => Ok(()),
        // What does not read is replaced.
        _ => index.write(files).await,
    }
}

/// Writes the day's `summary.json`, which is the record; the run's own is written with its end.
pub(crate) async fn write_summary(files: &Files, record: &RunRecord) -> Result<(), FilesError> {
    let key = format!("{}{SUMMARY}", folder(record, true));
    let text = serde_json::to_vec_pretty(record)
        .map_err(|error| FilesError(format!("{key} could not be written: {error}")))?;
    files.put(&key, text.into(), "application/json").await
}

fn made<T>(name: &str, made: Result<T, String>) -> Result<T, FilesError> {
    made.map_err(|error| FilesError(format!("{name} could not be made: {error}")))
}

/// Who lacks what, by system and then by username; and where each system's rows stand.
fn missing(findings: &Findings) -> Result<(Vec<u8>, BTreeMap<System, RowsAt>), String> {
    let mut text = table(&[MISSING_COLUMNS.map(str::to_owned)])?;
    let mut systems = BTreeMap::new();
    let mut required: Vec<&System> = findings.required.iter().collect();
    required.sort();
    for system in required {
        let lacks = findings.missing.iter().filter(|lacking| lacking.systems.contains(system));
        let rows: Vec<[String; 4]> = lacks.map(|lacking| row(lacking, system)).collect();
        let first = text.len() as u64;
        text.extend(table(&rows)?);
        systems.insert(system.clone(), RowsAt { rows: rows.len() as u64, first, end: text.len() as u64 });
    }
    Ok((text, systems))
}

fn row(lacking: &Lacking, system: &System) -> [String; 4] {
    let mut names = lacking.usernames.iter().map(ToString::to_string);
    let username = names.next().unwrap_or_default();
    let email = lacking.email.as_ref().map(ToString::to_string).unwrap_or_default();
    [username, email, system.to_string(), names.collect::<Vec<_>>().join(ALSO_BETWEEN)]
}

fn stale(stale: &[Stale]) -> Result<Vec<u8>, String> {
    let header = ["username", "system", "last_verified_at", "last_seen"].map(str::to_owned);
    let rows = stale.iter().map(|Stale { username, system, last_verified_at, last_seen }| {
        let time = |at: &Option<jiff::Timestamp>| at.map(times::text).unwrap_or_default();
        [username.to_string(), system.to_string(), time(last_verified_at), time(last_seen)]
    });
    table(&std::iter::once(header).chain(rows).collect::<Vec<_>>())
}

fn broken(findings: &Findings) -> Result<Vec<u8>, String> {
    let header = ["key", "sort_key", "fault"].map(str::to_owned);
    let rows = findings.broken.iter().map(|item| [item.key.clone(), item.sort_key.clone(), item.fault.clone()]);
    table(&std::iter::once(header).chain(rows).collect::<Vec<_>>())
}

fn table<const N: usize>(rows: &[[String; N]]) -> Result<Vec<u8>, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|cell| guard(cell).into_owned())).map_err(|error| error.to_string())?;
    }
    writer.into_inner().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use crosswalk_identity::{Email, Username};

    use super::*;
    use crate::findings::Broken;

    fn system(name: &str) -> System {
        System::parse(name).unwrap()
    }

    fn lacking(usernames: &[&str], email: Option<&str>, systems: &[&str]) -> Lacking {
        Lacking {
            usernames: usernames.iter().map(|name| Username::parse(name).unwrap()).collect(),
            email: email.map(|email| Email::parse(email).unwrap()),
            systems: systems.iter().map(|name| system(name)).collect(),
            disabled: false,
        }
    }

    fn findings() -> Findings {
        Findings {
            required: vec![system("nemo"), system("cdcs"), system("sharepoint")],
            people: 9,
            complete: 7,
            missing: vec![
                lacking(&["=ada", "ada2", "ada3"], Some("+ada@example.org"), &["nemo", "cdcs"]),
                lacking(&["Lovelace, A\"da"], None, &["nemo"]),
            ],
            stale: vec![Stale {
                username: Username::parse("bo").unwrap(),
                system: system("nemo"),
                last_verified_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
                last_seen: None,
            }],
            broken: vec![Broken { key: "PERSON#cy".into(), sort_key: "MAPPING#nemo".into(), fault: "broken".into() }],
        }
    }

    fn record() -> RunRecord {
        let started_at = "2026-11-22T23:59:59.999Z".parse().unwrap();
        RunRecord::begin("mapping-audit-1", "mapping-audit", "the table t", started_at)
    }

    async fn text(files: &Files, key: &str) -> String {
        String::from_utf8(files.get(key).await.unwrap().unwrap_or_default().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn each_systems_rows_stand_together_and_the_index_leads_to_them() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        write(&files, &record(), &findings(), true).await.unwrap();
        let day = "reports/audit/2026-11-22/";
        let missing = text(&files, &format!("{day}missing.csv")).await;
        assert_eq!(
            missing,
            "username,email,system,also\n\
             '=ada,'+ada@example.org,cdcs,ada2 / ada3\n\
             '=ada,'+ada@example.org,nemo,ada2 / ada3\n\
             \"Lovelace, A\"\"da\",,nemo,\n"
        );
        assert_eq!(
            text(&files, &format!("{day}stale.csv")).await,
            "username,system,last_verified_at,last_seen\nbo,nemo,2026-01-01T00:00:00.000Z,\n"
        );
        assert_eq!(
            text(&files, &format!("{day}broken.csv")).await,
            "key,sort_key,fault\nPERSON#cy,MAPPING#nemo,broken\n"
        );
        let index = AuditIndex::read(&files).await.unwrap().unwrap();
        assert_eq!((index.stale, index.broken, index.date.to_string().as_str()), (1, 1, "2026-11-22"));
        assert_eq!(index.missing_key, format!("{day}mapping-audit-1/missing.csv"));
        assert_eq!(text(&files, &index.missing_key).await, missing);
        let rows = |name: &str| index.systems[&system(name)];
        let part = |at: RowsAt| &missing[usize::try_from(at.first).unwrap()..usize::try_from(at.end).unwrap()];
        assert_eq!((rows("cdcs").rows, rows("nemo").rows, rows("sharepoint").rows), (1, 2, 0));
        assert_eq!(part(rows("cdcs")), "'=ada,'+ada@example.org,cdcs,ada2 / ada3\n");
        assert!(part(rows("nemo")).starts_with("'=ada") && part(rows("nemo")).ends_with(",,nemo,\n"));
        assert_eq!(part(rows("sharepoint")), "");
    }

    #[tokio::test]
    async fn an_audit_of_some_takes_the_place_of_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        write(&files, &record(), &findings(), false).await.unwrap();
        assert_eq!(AuditIndex::read(&files).await.unwrap(), None);
        assert!(!folder.path().join("reports/audit").exists());
        assert!(text(&files, "reports/mapping-audit-1/missing.csv").await.contains("=ada"));
    }
}
