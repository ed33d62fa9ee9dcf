//! The rows of a file, read on a thread that may block, no further ahead of the work than the window allows.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::Kind;
use crate::csv_file::{CsvFile, FileError, Layout, Record};
use crate::order::{Key, key_of};
use crate::row::Row;

/// The most rows that are read and not yet written to a report.
pub(crate) const WINDOW: u32 = 10_000;
/// A row that is longer than this counts for several, so that the window's memory is bounded as well.
const BYTES_A_ROW: usize = 4 * 1024;
/// Units that wait for the scheduler.
const AHEAD: usize = 16;

/// A row as read. Its place in the window is free again when it is dropped.
pub(crate) struct ReadRow {
    pub(crate) record: Record,
    /// Bytes of the file up to its end.
    pub(crate) offset: u64,
    _place: OwnedSemaphorePermit,
}

/// Rows that are worked on together.
pub(crate) struct Unit {
    pub(crate) rows: Vec<(ReadRow, Result<Row, String>)>,
    /// What its rows share with others that must take effect in file order.
    pub(crate) keys: HashSet<Key>,
}

/// What the thread sends.
pub(crate) enum Fed {
    /// First, if the header does.
    Layout(Arc<Layout>),
    /// The next rows of the file.
    Unit(Unit),
    /// Last: the bytes that were read, or why no more are.
    End(Result<u64, FileError>),
}

/// Starts to read; the rows come in units of at most `unit`. Dropping the receiver ends the reading.
pub(crate) fn feed(source: Box<dyn Read + Send>, kind: Kind, unit: usize) -> mpsc::Receiver<Fed> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let window = Arc::new(Semaphore::new(WINDOW as usize));
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let end = read(source, &kind, unit, &sender, &window, &runtime);
        // The receiver may be gone: then nobody asks.
        let _unheard = sender.blocking_send(Fed::End(end));
    });
    receiver
}

fn read(
    source: Box<dyn Read + Send>,
    kind: &Kind,
    most: usize,
    sender: &mpsc::Sender<Fed>,
    window: &Arc<Semaphore>,
    runtime: &Handle,
) -> Result<u64, FileError> {
    let mut file = CsvFile::open(source, kind)?;
    let layout = Arc::new(file.layout().clone());
    if sender.blocking_send(Fed::Layout(Arc::clone(&layout))).is_err() {
        return Ok(file.bytes());
    }
    let mut record = Record::default();
    let mut unit = Unit::new(most);
    let mut end = Ok(());
    loop {
        match file.read(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            // The rows before are good: they are sent first.
            Err(error) => {
                end = Err(error);
                break;
            }
        }
        let places = u32::try_from(record.size() / BYTES_A_ROW).unwrap_or(WINDOW).clamp(1, WINDOW);
        let Ok(place) = take_places(window, places, sender, runtime) else { break };
        let row = Row::read(kind, &layout, &record);
        unit.add(ReadRow { record: record.compact(), offset: file.bytes(), _place: place }, row);
        if unit.rows.len() >= most {
            let full = std::mem::replace(&mut unit, Unit::new(most));
            if sender.blocking_send(Fed::Unit(full)).is_err() {
                break;
            }
        }
    }
    if !unit.rows.is_empty() {
        let _unheard = sender.blocking_send(Fed::Unit(unit));
    }
    end.map(|()| file.bytes())
}

/// Nobody receives any more.
struct Unheard;

fn take_places(
    window: &Arc<Semaphore>,
    places: u32,
    sender: &mpsc::Sender<Fed>,
    runtime: &Handle,
) -> Result<OwnedSemaphorePermit, Unheard> {
    if let Ok(place) = Arc::clone(window).try_acquire_many_owned(places) {
        return Ok(place);
    }
    runtime.block_on(async {
        tokio::select! {
            place = Arc::clone(window).acquire_many_owned(places) => place.map_err(|_| Unheard),
            () = sender.closed() => Err(Unheard),
        }
    })
}

impl Unit {
    fn new(most: usize) -> Self {
        Self { rows: Vec::with_capacity(most), keys: HashSet::new() }
    }

    fn add(&mut self, read: ReadRow, row: Result<Row, String>) {
        if let Ok(row) = &row {
            self.keys.extend(row.keys().map(key_of));
        }
        self.rows.push((read, row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reading_stops_at_the_window_until_rows_are_let_go() {
        let rows: String = (0..25_000).map(|n| format!("{},Name {n}\n", n + 1)).collect();
        let text = format!("fein,name\n{rows}");
        let size = text.len() as u64;
        let mut fed = feed(Box::new(std::io::Cursor::new(text)), Kind::Employers, 100);
        assert!(matches!(fed.recv().await, Some(Fed::Layout(_))));
        let mut held = std::collections::VecDeque::new();
        let mut lines = 0;
        loop {
            let wait = std::time::Duration::from_millis(300);
            match tokio::time::timeout(wait, fed.recv()).await {
                Ok(Some(Fed::Unit(unit))) => {
                    lines += unit.rows.len();
                    held.push_back(unit);
                    assert!(held.iter().map(|unit| unit.rows.len()).sum::<usize>() <= WINDOW as usize);
                }
                Ok(Some(Fed::End(end))) => {
                    assert_eq!(end.unwrap(), size);
                    break;
                }
                Ok(other) => panic!("{}", other.is_some()),
                // Held back: the window is full.
                Err(_) => {
                    assert_eq!(held.iter().map(|unit| unit.rows.len()).sum::<usize>(), WINDOW as usize);
                    held.clear();
                }
            }
        }
        assert_eq!(lines, 25_000);
    }

    #[tokio::test]
    async fn the_rows_before_an_error_come_first() {
        let text = format!("fein,name\n1,a\n2,\"{}", "x".repeat(2 * 1024 * 1024));
        let mut fed = feed(Box::new(std::io::Cursor::new(text)), Kind::Employers, 10);
        assert!(matches!(fed.recv().await, Some(Fed::Layout(_))));
        let Some(Fed::Unit(unit)) = fed.recv().await else { panic!() };
        assert_eq!(unit.rows.len(), 1);
        assert!(matches!(fed.recv().await, Some(Fed::End(Err(FileError::RowTooLong { line: 3, .. })))));
    }
}
