//! A row's text becomes values, or reasons why not.

use crosswalk_identifier_store::MAX_NOTES_BYTES;
use crosswalk_identity::{Checked, Email, ExternalId, Fein, Username};

use crate::Kind;
use crate::csv_file::{Layout, Record};

/// The most bytes of an employer's name or FINEOS id.
const LONGEST_NAME: usize = 1_000;

/// A row whose values do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    LeaveAdmin(LeaveAdminRow),
    Mapping(MappingRow),
    Employer(EmployerRow),
}

/// A person who acts for an employer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaveAdminRow {
    pub(crate) fein: Fein,
    pub(crate) email: Email,
    /// The e-mail, as the person's canonical name.
    pub(crate) username: Username,
}

/// What a system calls a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappingRow {
    pub(crate) username: Username,
    pub(crate) external_id: ExternalId,
    pub(crate) email: Option<Email>,
    pub(crate) notes: Option<String>,
}

/// An employer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EmployerRow {
    pub(crate) fein: Fein,
    pub(crate) name: String,
    pub(crate) fineos_employer_id: Option<String>,
}

/// A row whose text does, still borrowed from its record: all that a look at the file needs, and what an import keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RowText<'a> {
    LeaveAdmin {
        fein: Checked<'a, Fein>,
        email: Checked<'a, Email>,
        username: Checked<'a, Username>,
    },
    Mapping {
        username: Checked<'a, Username>,
        external_id: Checked<'a, ExternalId>,
        email: Option<Checked<'a, Email>>,
        notes: Option<&'a str>,
    },
    Employer {
        fein: Checked<'a, Fein>,
        name: &'a str,
        fineos_employer_id: Option<&'a str>,
    },
}

/// Collects what is wrong with a row, so that all of it can be mended at once.
#[derive(Default)]
struct Problems(String);

impl Problems {
    fn note(&mut self, problem: &str) {
        if !self.0.is_empty() {
            self.0.push_str("; ");
        }
        self.0.push_str(problem);
    }

    fn keep<T, E: std::fmt::Display>(&mut self, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.note(&error.to_string())).ok()
    }
}

impl<'a> RowText<'a> {
    /// Reads a row of a kind. Copies nothing of a row that does and is ASCII.
    ///
    /// # Errors
    /// What is wrong with it, without the values: the text goes into the run's record.
    pub(crate) fn read(kind: &Kind, layout: &Layout, record: &'a Record) -> Result<Self, String> {
        check_shape(layout, record)?;
        let value = |column: usize| layout.value(record, column);
        let given = |column: usize| Some(value(column).trim()).filter(|text| !text.is_empty());
        let mut problems = Problems::default();
        let row = match kind {
            Kind::LeaveAdmins => {
                let fein = problems.keep(Fein::check(value(0)));
                let email = problems.keep(Email::check(value(1)));
                // An address that is none is told once.
                let username = email.and_then(|email| problems.keep(Username::check(email.as_str())));
                (|| Some(Self::LeaveAdmin { fein: fein?, email: email?, username: username? }))()
            }
            Kind::Mappings(system) => {
                if layout.exported_system(record).is_some_and(|given| given != system.as_str()) {
                    problems.note("the row is of another system than the one that the file is imported for");
                }
                let username = problems.keep(Username::check(value(0)));
                let external_id = problems.keep(ExternalId::check(value(1)));
                let email = given(2).and_then(|text| problems.keep(Email::check(text)));
                let notes = given(3).and_then(|text| problems.keep(within("notes", text, MAX_NOTES_BYTES)));
                (|| Some(Self::Mapping { username: username?, external_id: external_id?, email, notes }))()
            }
            Kind::Employers => {
                let fein = problems.keep(Fein::check(value(0)));
                let name = problems.keep(line_of_text("name", value(1)));
                let id = given(2).and_then(|text| problems.keep(line_of_text("fineos_employer_id", text)));
                (|| Some(Self::Employer { fein: fein?, name: name?, fineos_employer_id: id }))()
            }
        };
        match row {
            Some(row) if problems.0.is_empty() => Ok(row),
            _ => Err(problems.0),
        }
    }

    /// The row's values, which own their text.
    pub(crate) fn keep(self) -> Row {
        match self {
            Self::LeaveAdmin { fein, email, username } => {
                Row::LeaveAdmin(LeaveAdminRow { fein: fein.keep(), email: email.keep(), username: username.keep() })
            }
            Self::Mapping { username, external_id, email, notes } => Row::Mapping(MappingRow {
                username: username.keep(),
                external_id: external_id.keep(),
                email: email.map(Checked::keep),
                notes: notes.map(str::to_owned),
            }),
            Self::Employer { fein, name, fineos_employer_id } => Row::Employer(EmployerRow {
                fein: fein.keep(),
                name: name.to_owned(),
                fineos_employer_id: fineos_employer_id.map(str::to_owned),
            }),
        }
    }
}

impl Row {
    /// Reads a row of a kind, to keep it.
    ///
    /// # Errors
    /// As [`RowText::read`].
    pub(crate) fn read(kind: &Kind, layout: &Layout, record: &Record) -> Result<Self, String> {
        RowText::read(kind, layout, record).map(RowText::keep)
    }

    /// What this row shares with others that must take effect in file order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (KeyKind, &str)> {
        let keys = match self {
            Self::LeaveAdmin(row) => [
                Some((KeyKind::Username, row.username.key())),
                Some((KeyKind::Email, row.email.key())),
                Some((KeyKind::Fein, row.fein.as_str())),
            ],
            Self::Mapping(row) => [
                Some((KeyKind::Username, row.username.key())),
                Some((KeyKind::ExternalId, row.external_id.as_str())),
                row.email.as_ref().map(|email| (KeyKind::Email, email.key())),
            ],
            Self::Employer(row) => [Some((KeyKind::Fein, row.fein.as_str())), None, None],
        };
        keys.into_iter().flatten()
    }
}

/// What kind of value a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum KeyKind {
    Username,
    ExternalId,
    Email,
    Fein,
}

fn check_shape(layout: &Layout, record: &Record) -> Result<(), String> {
    if !record.is_text() {
        return Err("the row holds bytes that are not UTF-8; save the file again as UTF-8".to_owned());
    }
    if record.has_open_quote() {
        return Err("a quote (\") that opens in this row is never closed, so the rest of the file was taken for this \
                    one row; close it and drop the file in again"
            .to_owned());
    }
    if record.len() != layout.width() {
        let (cells, columns) = (record.len(), layout.width());
        let mend = if cells < columns {
            "write a delimiter for each cell that is left empty"
        } else {
            "put a value that holds the delimiter in quotes"
        };
        return Err(format!("the row's number of cells is {cells} and the header's {columns}; {mend}"));
    }
    if !record.text().is_ascii() && record.text().contains('\u{fffd}') {
        return Err(
            "the row holds the character U+FFFD, which stands where another was lost; write that one again, and \
                    save as UTF-8"
                .to_owned(),
        );
    }
    Ok(())
}

fn within<'a>(what: &str, text: &'a str, limit: usize) -> Result<&'a str, String> {
    if text.len() > limit {
        return Err(format!("the {what} column has {} bytes; at most {limit} are allowed", text.len()));
    }
    Ok(text)
}

fn line_of_text<'a>(what: &str, text: &'a str) -> Result<&'a str, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("the {what} is empty"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("the {what} holds a line break, tab or other control character; remove it"));
    }
    within(what, text, LONGEST_NAME)
}

#[cfg(test)]
mod tests {
    use crosswalk_identity::System;

    use super::*;
    use crate::csv_file::CsvFile;

    fn rows(kind: &Kind, text: impl AsRef<[u8]>) -> Vec<Result<Row, String>> {
        let mut file = CsvFile::open(text.as_ref(), kind).unwrap();
        let mut record = Record::default();
        let mut all = Vec::new();
        while file.read(&mut record).unwrap() {
            all.push(Row::read(kind, file.layout(), &record));
        }
        all
    }

    fn mappings() -> Kind {
        Kind::Mappings(System::parse("nemo").unwrap())
    }

    #[test]
    fn leave_admins() {
        let read = rows(&Kind::LeaveAdmins, "email,fein\nA@Example.org,04-2127847\n,\nx,1\na/b@example.org,1\n");
        let Ok(Row::LeaveAdmin(row)) = &read[0] else { panic!("{read:?}") };
        assert_eq!(
            (row.fein.as_str(), row.email.key(), row.username.as_str()),
            ("042127847", "a@example.org", "A@Example.org")
        );
        assert_eq!(read[1].as_ref().unwrap_err(), "the FEIN is empty; the e-mail is empty");
        assert!(read[2].as_ref().unwrap_err().starts_with("the e-mail is not a valid address"));
        assert!(read[3].as_ref().unwrap_err().contains("cannot stand in a path"));
    }

    #[test]
    fn mappings_and_their_optional_columns() {
        let read = rows(&mappings(), "username,external_id,email,notes\n zo\u{eb} ,12, ,\"two\nlines\"\nx,,y,\n");
        let Ok(Row::Mapping(row)) = &read[0] else { panic!("{read:?}") };
        assert_eq!((row.username.as_str(), row.external_id.as_str(), &row.email), ("zo\u{eb}", "12", &None));
        assert_eq!(row.notes.as_deref(), Some("two\nlines"));
        let problem = read[1].as_ref().unwrap_err();
        assert!(problem.contains("the external id is empty; the e-mail is not"), "{problem}");
    }

    #[test]
    fn employers() {
        let read = rows(&Kind::Employers, "fein,name,fineos_employer_id\n1,Acme,77\n2,,\n3,\"a\nb\",\n4,Dunk,\n");
        let Ok(Row::Employer(row)) = &read[0] else { panic!("{read:?}") };
        assert_eq!(
            (row.fein.as_str(), row.name.as_str(), row.fineos_employer_id.as_deref()),
            ("000000001", "Acme", Some("77"))
        );
        assert_eq!(read[1].as_ref().unwrap_err(), "the name is empty");
        assert!(read[2].as_ref().unwrap_err().contains("control character"));
        assert!(read[3].is_ok());
    }

    #[test]
    fn shapes_that_do_not_fit_reject_the_row_alone() {
        let read = rows(&mappings(), "username,external_id\na,1,2\nb\nc,3\n\u{fffd},4\n");
        assert!(
            read[0].as_ref().unwrap_err().starts_with("the row's number of cells is 3 and the header's 2; put a value")
        );
        assert!(
            read[1]
                .as_ref()
                .unwrap_err()
                .starts_with("the row's number of cells is 1 and the header's 2; write a delimiter")
        );
        assert!(read[2].is_ok());
        assert!(read[3].as_ref().unwrap_err().contains("U+FFFD"));

        let read = rows(&mappings(), "username,external_id\na,1\nb,\"2\nc,3\n");
        assert!(read[1].as_ref().unwrap_err().contains("never closed"));

        let late =
            [format!("username,external_id\n{}", "a,1\n".repeat(20_000)).into_bytes(), b"zo\xeb,2\nb,3\n".to_vec()]
                .concat();
        let read = rows(&mappings(), late);
        assert!(read[20_000].as_ref().unwrap_err().contains("not UTF-8"));
        assert!(read[20_001].is_ok());
    }

    #[test]
    fn keys_go_by_the_key_form() {
        let read = rows(&mappings(), "username,external_id,email\nAlice,Ab,X@example.org\n");
        let keys: Vec<_> = read[0].as_ref().unwrap().keys().collect();
        assert_eq!(
            keys,
            [(KeyKind::Username, "alice"), (KeyKind::ExternalId, "Ab"), (KeyKind::Email, "x@example.org")]
        );
    }
}
