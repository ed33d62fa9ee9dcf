//! A page of the rows of an audit's `missing.csv`, read by its bytes.

use std::ops::Range;

use crosswalk_identity::System;
use crosswalk_runs::audit_index::{ALSO_BETWEEN, AuditIndex, MISSING_COLUMNS};
use crosswalk_runs::files::{Files, FilesError, Part};
use crosswalk_runs::spreadsheet::unguard;

use crate::wire::Lacking;

/// A row takes about as many bytes: two addresses and a system's name. Where rows are longer, more is read.
const ROW: u64 = 96;

/// Some of the rows.
pub(super) struct Page {
    pub(super) items: Vec<Lacking>,
    /// The first byte of the row after them, if there is one.
    pub(super) next: Option<u64>,
}

/// What was found.
pub(super) enum Rows {
    Page(Page),
    /// The file is another one by now.
    Changed,
    /// No rows of this system begin there.
    Others,
}

/// Reads at most `limit` rows from these bytes of the file, which begin with a row and end after one.
///
/// # Errors
/// The file cannot be read.
pub(super) async fn read(
    files: &Files,
    index: &AuditIndex,
    system: &System,
    bytes: Range<u64>,
    limit: usize,
) -> Result<Rows, FilesError> {
    let wanted = u64::try_from(limit).unwrap_or(u64::MAX).saturating_mul(ROW);
    read_by(files, index, system, bytes, limit, wanted).await
}

async fn read_by(
    files: &Files,
    index: &AuditIndex,
    system: &System,
    Range { start: mut at, end }: Range<u64>,
    limit: usize,
    mut size: u64,
) -> Result<Rows, FilesError> {
    let mut items = Vec::new();
    while items.len() < limit && at < end {
        let until = end.min(at.saturating_add(size));
        let part = files.get_part(&index.missing_key, at..until, index.etag.as_deref()).await?;
        let Part::Bytes(bytes) = part else { return Ok(Rows::Changed) };
        if bytes.len() as u64 != until - at {
            return Ok(Rows::Changed);
        }
        let before = items.len();
        let Some(read) = whole_rows(&bytes, until == end, system, limit, &mut items) else { return Ok(Rows::Others) };
        at += read;
        if items.len() == before {
            if until == end {
                return Ok(Rows::Others);
            }
            // Not even one row is as short.
            size = size.saturating_mul(2);
        }
    }
    Ok(Rows::Page(Page { items, next: (at < end).then_some(at) }))
}

/// Takes the rows that are whole, until there are `limit`; how many bytes they were. None if they are no rows of this system.
fn whole_rows(bytes: &[u8], is_last: bool, system: &System, limit: usize, items: &mut Vec<Lacking>) -> Option<u64> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    let mut row = csv::StringRecord::new();
    let mut read = 0;
    while items.len() < limit {
        // The part may end within a character.
        let is_row = match reader.read_record(&mut row) {
            Ok(is_row) => is_row,
            Err(_) if !is_last && reader.position().byte() == bytes.len() as u64 => false,
            Err(_) => return None,
        };
        let at = reader.position().byte();
        // What reaches the part's end may go on after it, as a line's end may stand within quotes.
        if !is_row || (at == bytes.len() as u64 && !is_last) {
            break;
        }
        items.push(lacking(&row, system)?);
        read = at;
    }
    Some(read)
}

fn lacking(row: &csv::StringRecord, system: &System) -> Option<Lacking> {
    const COLUMNS: usize = MISSING_COLUMNS.len();
    let cells: Vec<_> = row.iter().map(unguard).collect();
    let [username, email, of, also] = <[&str; COLUMNS]>::try_from(cells).ok()?;
    (of == system.as_str()).then(|| Lacking {
        username: username.to_owned(),
        email: (!email.is_empty()).then(|| email.to_owned()),
        also: also.split(ALSO_BETWEEN).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use crosswalk_runs::spreadsheet::guard;
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "missing.csv";

    fn system(name: &str) -> System {
        System::parse(name).unwrap()
    }

    fn index() -> AuditIndex {
        AuditIndex {
            run: "run".into(),
            date: "2026-11-22".parse().unwrap(),
            at: "2026-11-22T04:00:00Z".parse().unwrap(),
            required: vec![system("nemo")],
            missing_key: KEY.into(),
            etag: None,
            systems: [].into(),
            stale: 0,
            broken: 0,
        }
    }

    /// The rows as the audit writes them.
    fn written(people: &[Lacking], of: &str) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for Lacking { username, email, also } in people {
            let also = also.join(ALSO_BETWEEN);
            let cells = [username, email.as_deref().unwrap_or_default(), of, &also].map(guard);
            writer.write_record(cells.iter().map(|cell| cell.as_bytes())).unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn person() -> impl Strategy<Value = Lacking> {
        let cell = "[ab\u{eb}\u{1f642} '=@,\"\n\r-]{0,9}x";
        (cell, proptest::option::of(cell), proptest::collection::vec("[a-z][a-z'=,\" ]{0,3}", 0..3))
            .prop_map(|(username, email, also)| Lacking { username, email, also })
    }

    proptest! {
        /// Wherever the parts end: within a row, a cell, a pair of quotes or a character.
        #[test]
        fn pages_give_back_what_was_written(
            people in proptest::collection::vec(person(), 0..9),
            limit in 1_usize..5,
            size in 1_u64..40,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let files = Files::Folder(folder.path().to_owned());
            let (before, nemo, after) = (written(&people, "cdcs"), written(&people, "nemo"), written(&people, "z"));
            let (first, end) = (before.len() as u64, (before.len() + nemo.len()) as u64);
            runtime.block_on(async {
                files.put(KEY, Bytes::from([before, nemo, after].concat()), "text/csv").await.unwrap();
                let mut found = Vec::new();
                let mut at = first;
                loop {
                    let read = read_by(&files, &index(), &system("nemo"), at..end, limit, size).await.unwrap();
                    let Rows::Page(page) = read else { panic!("no rows at {at}") };
                    assert!(page.items.len() == limit || page.next.is_none());
                    found.extend(page.items);
                    let Some(next) = page.next else { break };
                    at = next;
                }
                assert_eq!(found, people);
            });
        }
    }

    #[tokio::test]
    async fn what_is_no_row_of_the_system_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        files.put(KEY, Bytes::from_static(b"ada,,nemo,\nbob,,nemo,\n"), "text/csv").await.unwrap();
        let nemo = system("nemo");
        let read = async |bytes, system: &System| read_by(&files, &index(), system, bytes, 9, 9).await.unwrap();
        assert!(matches!(read(0..22, &nemo).await, Rows::Page(page) if page.items.len() == 2 && page.next.is_none()));
        assert!(matches!(read(0..22, &system("cdcs")).await, Rows::Others));
        assert!(matches!(read(5..22, &nemo).await, Rows::Others));
        assert!(matches!(read(0..23, &nemo).await, Rows::Changed));
        assert!(matches!(read(22..30, &nemo).await, Rows::Changed));
        assert!(matches!(read(22..22, &nemo).await, Rows::Page(page) if page.items.is_empty()));
    }
}
