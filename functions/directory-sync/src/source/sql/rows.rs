use crosswalk_reconcile::{Incomplete, Open, Snapshot};

use super::Statement;
use super::cells::Cell;
use super::statement::Role;
use crate::Entry;

/// How many rows are taken together.
pub(super) const PAGE: usize = 1_000;

/// Makes entries of rows, page by page.
pub(super) struct Rows<'s> {
    statement: &'s Statement<'s>,
    /// Where each column of the statement stands in a row.
    positions: Vec<usize>,
    snapshot: Snapshot<Open, Entry>,
    page: Vec<Entry>,
    taken: u64,
    read: &'s (dyn Fn(u64) + Send + Sync),
}

impl<'s> Rows<'s> {
    pub(super) fn new(
        statement: &'s Statement<'s>,
        positions: Vec<usize>,
        read: &'s (dyn Fn(u64) + Send + Sync),
    ) -> Self {
        Self { statement, positions, snapshot: Snapshot::default(), page: Vec::new(), taken: 0, read }
    }

    /// Takes a row; `cell` gives what stands at a position of it.
    pub(super) fn take<'r>(&mut self, cell: impl Fn(usize) -> Cell<'r>) -> Result<(), Incomplete> {
        self.taken += 1;
        let mut entry = Entry {
            place: format!("row {}", self.taken).into(),
            key: None,
            emails: Vec::new(),
            username: None,
            first_name: None,
            last_name: None,
            enabled: true,
            external_ids: Box::default(),
            fault: None,
        };
        let mut external_ids = Vec::new();
        for ((role, name), position) in self.statement.columns.iter().zip(&self.positions) {
            let cell = cell(*position);
            let mut told = |wrong: &str| {
                entry.fault.get_or_insert_with(|| format!("its column {name} {wrong}"));
            };
            if *role == Role::Enabled {
                match cell.enabled() {
                    Ok(enabled) => entry.enabled = enabled,
                    Err(wrong) => told(wrong),
                }
                continue;
            }
            let text = cell.text().unwrap_or_else(|wrong| {
                told(wrong);
                None
            });
            match role {
                Role::Key => entry.key = text,
                Role::Email => entry.emails.extend(text),
                Role::Username => entry.username = text,
                Role::FirstName => entry.first_name = text,
                Role::LastName => entry.last_name = text,
                Role::ExternalId => external_ids.push(text),
                Role::Enabled => {}
            }
        }
        entry.external_ids = external_ids.into();
        self.page.push(entry);
        if self.page.len() == PAGE { self.turn() } else { Ok(()) }
    }

    /// How many rows were taken.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// All rows.
    pub(super) fn end(mut self) -> Result<Snapshot<Open, Entry>, Incomplete> {
        self.turn()?;
        Ok(self.snapshot)
    }

    fn turn(&mut self) -> Result<(), Incomplete> {
        self.snapshot.page(std::mem::take(&mut self.page))?;
        (self.read)(self.taken);
        Ok(())
    }
}
