//! Which column stands where, and what is wrong with a header.

use crosswalk_identity::mask;

use super::unguard;
use super::{Column, FileError, Record};

/// The columns that a report adds around the input's.
pub(crate) const LINE: &str = "line";
/// How the row ended.
pub(crate) const OUTCOME: &str = "outcome";
/// Why.
pub(crate) const REASON: &str = "reason";

/// The columns by which a file is known for one that `crosswalk ids export` wrote, guarded as a report is.
const EXPORTED: [&str; 5] = ["username", "external_id", SYSTEM, "created_at", "last_verified_at"];
/// Whose mapping a row of an export is: it may hold those of several systems.
const SYSTEM: &str = "system";

/// The most columns of a file.
const MOST_COLUMNS: usize = 1_000;

/// The form by which a column's name is known: trimmed, lowercase.
pub(super) fn name_key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Where the columns of a file stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The input's columns, in order: where each stands in a row, and its name as given (trimmed).
    input: Vec<(usize, String)>,
    /// Where each column of the kind stands.
    places: Vec<Option<usize>>,
    /// How many cells a row has.
    width: usize,
    /// Whether the file is a report or an export that was dropped back in, whose cells are guarded.
    is_guarded: bool,
    /// Where an export says whose mapping the row is.
    system: Option<usize>,
}

impl Layout {
    /// Reads a header.
    pub(super) fn of(header: &Record, columns: &'static [Column]) -> Result<Self, FileError> {
        let Some(mut names) = (0..header.len()).map(|at| header.cell(at).map(str::trim)).collect::<Option<Vec<_>>>()
        else {
            return Err(FileError::NotUtf8 { line: header.line() });
        };
        if names.len() > MOST_COLUMNS {
            let problem = format!("the header has {} columns; at most {MOST_COLUMNS} are allowed", names.len());
            return Err(FileError::Header(problem));
        }
        let keys: Vec<String> = names.iter().map(|name| name_key(name)).collect();
        let last = |name: &str| keys.iter().rposition(|key| key == name);
        // The last `outcome` and `reason` are the report's: an input may have had columns of these names of its own.
        let added = match (keys.first().map(String::as_str), last(OUTCOME), last(REASON)) {
            (Some(LINE), Some(outcome), Some(reason)) => vec![0, outcome, reason],
            _ => Vec::new(),
        };
        let is_report = !added.is_empty();
        if is_report {
            names = names.into_iter().map(unguard).collect();
        }
        let input: Vec<(usize, String)> = names
            .iter()
            .enumerate()
            .filter(|(at, _)| !added.contains(at))
            .map(|(at, name)| (at, (*name).to_owned()))
            .collect();

        let is_export = EXPORTED.iter().all(|name| keys.iter().any(|key| key == name));
        let system = is_export.then(|| last(SYSTEM)).flatten();

        let places_of = |column: &Column| -> Vec<usize> {
            input.iter().filter(|(_, name)| name_key(name) == column.name).map(|(at, _)| *at).collect()
        };
        let places: Vec<Vec<usize>> = columns.iter().map(places_of).collect();
        if let Some(problem) = problem(columns, &places, &input) {
            return Err(FileError::Header(problem));
        }
        let places = places.into_iter().map(|places| places.first().copied()).collect();
        Ok(Self { input, places, width: names.len(), is_guarded: is_report || is_export, system })
    }

    /// The names of the input's columns, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.input.iter().map(|(_, name)| name.as_str())
    }

    /// How many cells a row should have.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The cell of the kind's column number `column`; empty where the file has no such column.
    pub(crate) fn value<'a>(&self, record: &'a Record, column: usize) -> &'a str {
        let place = self.places.get(column).copied().flatten();
        self.given(place.and_then(|at| record.cell(at)).unwrap_or_default())
    }

    /// Whose mapping the row is, where the file is an export of mappings.
    pub(crate) fn exported_system<'a>(&self, record: &'a Record) -> Option<&'a str> {
        self.system.map(|at| record.cell(at).unwrap_or_default().trim())
    }

    /// The row's cells under the input's columns, in order, and then those past the header's last.
    pub(crate) fn cells<'a>(&'a self, record: &'a Record) -> impl Iterator<Item = &'a [u8]> {
        let under = self.input.iter().map(|(at, _)| record.cell_bytes(*at).unwrap_or_default());
        under.map(|cell| std::str::from_utf8(cell).map_or(cell, |text| self.given(text).as_bytes()))
    }

    /// The cells past the header's last.
    pub(crate) fn surplus<'a>(&self, record: &'a Record) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        (self.width..record.len()).filter_map(|at| record.cell_bytes(at))
    }

    fn given<'a>(&self, cell: &'a str) -> &'a str {
        if self.is_guarded { unguard(cell) } else { cell }
    }
}

fn problem(columns: &[Column], places: &[Vec<usize>], input: &[(usize, String)]) -> Option<String> {
    for (column, places) in columns.iter().zip(places) {
        if places.len() > 1 {
            return Some(format!("the header has the column `{}` {} times; keep one", column.name, places.len()));
        }
    }
    let missing: Vec<&Column> = columns
        .iter()
        .zip(places)
        .filter(|(column, places)| column.required && places.is_empty())
        .map(|(c, _)| c)
        .collect();
    if missing.is_empty() {
        return None;
    }
    let mut told = format!(
        "the header lacks {}; it needs {} and has {}.",
        listed(missing.iter().map(|column| column.name.to_owned())),
        listed(columns.iter().filter(|column| column.required).map(|column| column.name.to_owned())),
        listed(input.iter().map(|(_, name)| shown(name))),
    );
    let unknown = |name: &str| !columns.iter().any(|column| column.name == name_key(name));
    for column in &missing {
        let nearest = input
            .iter()
            .map(|(_, name)| name)
            .filter(|name| unknown(name))
            .max_by(|a, b| likeness(a, column.name).total_cmp(&likeness(b, column.name)));
        if let Some(name) = nearest.filter(|name| likeness(name, column.name) >= 0.75) {
            told.push_str(&format!(" Did you mean `{}` by `{}`?", column.name, shown(name)));
        }
    }
    if input.iter().any(|(_, name)| looks_like_data(name)) {
        told.push_str(" The first line looks like data: put a header above it.");
    }
    Some(told)
}

fn likeness(found: &str, wanted: &str) -> f64 {
    let plain = |name: &str| name_key(name).replace([' ', '-', '_'], "");
    strsim::normalized_damerau_levenshtein(&plain(found), &plain(wanted))
        .max(strsim::jaro_winkler(&plain(found), &plain(wanted)) - 0.1)
}

/// A file without a header has a person's data where its header should be; and what is wrong with a header is logged.
fn looks_like_data(name: &str) -> bool {
    name.contains('@') || name.chars().filter(char::is_ascii_digit).count() >= 4
}

fn shown(name: &str) -> String {
    if looks_like_data(name) { mask(name) } else { name.chars().filter(|c| !c.is_control()).take(40).collect() }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    const MOST: usize = 20;
    let mut names: Vec<String> = names.take(MOST + 1).map(|name| format!("`{name}`")).collect();
    if names.len() > MOST {
        names[MOST] = "…".to_owned();
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::csv_file::CsvFile;
    use crosswalk_identity::System;

    fn layout(kind: &Kind, text: &str) -> Result<Layout, FileError> {
        CsvFile::open(text.as_bytes(), kind).map(|file| file.layout().clone())
    }

    fn refusal(kind: &Kind, text: &str) -> String {
        layout(kind, text).unwrap_err().to_string()
    }

    fn mappings() -> Kind {
        Kind::Mappings(System::parse("nemo").unwrap())
    }

    #[test]
    fn names_are_trimmed_and_case_insensitive_in_any_order() {
        for text in ["fein,email\n", " Email , name, FEIN\n", "\u{feff}\"FEIN\";\"E-Ma\";eMail\n", "\n\nfein\temail\n"]
        {
            assert!(layout(&Kind::LeaveAdmins, text).is_ok(), "{text}");
        }
        let layout = layout(&mappings(), "Other,External_ID,USERNAME\n").unwrap();
        assert_eq!(layout.names().collect::<Vec<_>>(), ["Other", "External_ID", "USERNAME"]);
    }

    #[test]
    fn a_wrong_header_is_named_with_what_was_meant() {
        insta::assert_snapshot!(refusal(&Kind::LeaveAdmins, "fien,email\n1,a\n"), @"the header lacks `fein`; it needs `fein`, `email` and has `fien`, `email`. Did you mean `fein` by `fien`?");
        insta::assert_snapshot!(refusal(&Kind::LeaveAdmins, "FEIN,E-Mail address\n1,a\n"), @"the header lacks `email`; it needs `fein`, `email` and has `FEIN`, `E-Mail address`. Did you mean `email` by `E-Mail address`?");
        insta::assert_snapshot!(refusal(&mappings(), "user name,external id\n"), @"the header lacks `username`, `external_id`; it needs `username`, `external_id` and has `user name`, `external id`. Did you mean `username` by `user name`? Did you mean `external_id` by `external id`?");
        insta::assert_snapshot!(refusal(&Kind::Employers, "fein,name,Name\n"), @"the header has the column `name` 2 times; keep one");
    }

    #[test]
    fn a_file_without_a_header_does_not_spill_its_first_row() {
        let told = refusal(&Kind::LeaveAdmins, "04-2127847,alice@example.org\n");
        assert!(!told.contains("2127847") && !told.contains("alice"), "{told}");
        assert!(told.contains("looks like data"), "{told}");
    }

    #[test]
    fn a_report_dropped_back_in() {
        let text = "line,username,outcome,external_id,outcome,reason,mine\n2,'=a,x,''+b,failed,because,'@c\n";
        let mut file = CsvFile::open(text.as_bytes(), &mappings()).unwrap();
        assert_eq!(file.layout().names().collect::<Vec<_>>(), ["username", "outcome", "external_id", "mine"]);
        let mut record = Record::default();
        assert!(file.read(&mut record).unwrap());
        let layout = file.layout();
        assert_eq!([layout.value(&record, 0), layout.value(&record, 1), layout.value(&record, 2)], ["=a", "'+b", ""]);
        assert_eq!(layout.cells(&record).collect::<Vec<_>>(), [b"=a".as_slice(), b"x", b"'+b", b"@c"]);
    }

    #[test]
    fn only_a_report_is_one() {
        for text in
            ["username,line,external_id,outcome,reason\n'=a,1,2,3,4\n", "line,username,external_id,reason\n1,'=a,2,3\n"]
        {
            let mut file = CsvFile::open(text.as_bytes(), &mappings()).unwrap();
            let mut record = Record::default();
            assert!(file.read(&mut record).unwrap());
            assert_eq!(file.layout().value(&record, 0), "'=a");
        }
    }
}
