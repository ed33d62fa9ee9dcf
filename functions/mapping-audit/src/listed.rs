//! The people of a list: a CSV file whose header names `username` and perhaps `email`, or a username a line.
//!
//! A line that does not read is told and passed over, and never taken for somebody: a person who is looked for under a
//! header's name, or under half of their own, would lack everything and be written to.

use crosswalk_identity::{Email, Username};
use crosswalk_runs::spreadsheet::unguard;

/// Somebody who stands on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The username.
    pub username: Username,
    /// The address, if the list has it.
    pub email: Option<Email>,
}

/// A line that does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its number, as an editor counts.
    pub line: u64,
    /// Why, and what to do; without anything that stands there, but for single characters.
    pub reason: String,
}

/// What a list says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// Who stands on it.
    pub people: Vec<Listed>,
    /// What does not read.
    pub rejected: Vec<Rejected>,
}

/// Reads a list. Other columns are passed over, and so are lines of empty cells; who stands on it twice is audited once.
///
/// # Errors
/// Its header does not do, or nobody can be read.
pub fn read(text: &str) -> Result<List, String> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let (text, above, delimiters) = match separator(&text) {
        Some((delimiter, rest)) => (rest, 1, vec![delimiter]),
        None => (&*text, 0, DELIMITERS.to_vec()),
    };
    let headers: Vec<(u8, Vec<String>)> =
        delimiters.iter().map(|delimiter| (*delimiter, header(text, *delimiter))).collect();
    let named = headers.iter().find(|(_, cells)| cells.iter().any(|cell| cell.eq_ignore_ascii_case(USERNAME)));
    let mut list = match named {
        Some((delimiter, header)) => csv(text, *delimiter, header),
        None if headers.iter().any(|(_, cells)| cells.iter().any(|cell| names_a_column(cell))) => {
            return Err(
                "its first line is a header without a column `username`: give that name to the column with the \
                        usernames, or put a first line `username` above a list that begins with such a name"
                    .to_owned(),
            );
        }
        None => lines(text, &delimiters),
    };
    list.rejected.iter_mut().for_each(|rejected| rejected.line += above);
    match &*list.rejected {
        _ if !list.people.is_empty() => Ok(list),
        [] => Err("nobody stands on the list".to_owned()),
        [Rejected { line, reason }] => Err(format!("nobody on the list can be read: line {line}: {reason}")),
        [Rejected { line, reason }, rest @ ..] => {
            Err(format!("nobody on the list can be read: line {line}: {reason} (and {} more lines)", rest.len()))
        }
    }
}

const USERNAME: &str = "username";
/// What spreadsheets write between cells.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The names of columns by which a header is known that names no `username`: in lower case, letters alone.
const COLUMNS: [&str; 26] = [
    "account",
    "accountname",
    "displayname",
    "email",
    "emailaddress",
    "employeeid",
    "firstname",
    "fullname",
    "givenname",
    "id",
    "lastname",
    "login",
    "loginname",
    "mail",
    "mailaddress",
    "name",
    "person",
    "samaccountname",
    "sn",
    "surname",
    "uid",
    "upn",
    "user",
    "userid",
    "username",
    "userprincipalname",
];

fn names_a_column(cell: &str) -> bool {
    COLUMNS.contains(&&*letters(cell))
}

fn letters(cell: &str) -> String {
    cell.chars().filter(|character| character.is_alphabetic()).flat_map(char::to_lowercase).collect()
}

/// What Excel takes, and some programs write, as a first line: `sep=;`.
fn separator(text: &str) -> Option<(u8, &str)> {
    let (first, rest) = text.split_once('\n')?;
    let first = first.strip_prefix('"').and_then(|first| first.strip_suffix('"')).unwrap_or(first);
    let (word, delimiter) = first.split_at_checked(4)?;
    match delimiter.as_bytes() {
        [delimiter] if word.eq_ignore_ascii_case("sep=") && delimiter.is_ascii() => Some((*delimiter, rest)),
        _ => None,
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    let mut reader = csv::ReaderBuilder::new();
    reader.delimiter(delimiter).trim(csv::Trim::All).flexible(true).has_headers(false).from_reader(text.as_bytes())
}

/// The cells of the first line that holds any.
fn header(text: &str, delimiter: u8) -> Vec<String> {
    let records = reader(text, delimiter).into_records().map_while(Result::ok);
    let header = records.into_iter().find(|record| !is_blank(record)).unwrap_or_default();
    header.iter().map(str::to_owned).collect()
}

fn is_blank(record: &csv::StringRecord) -> bool {
    record.iter().all(str::is_empty)
}

fn lines(text: &str, delimiters: &[u8]) -> List {
    let mut list = List::default();
    for (line, given) in (1..).zip(text.split('\n')) {
        if given.chars().all(|character| character.is_whitespace() || of(delimiters, character)) {
            continue;
        }
        match alone(given.trim(), delimiters) {
            Ok(person) => list.people.push(person),
            Err(reason) => list.rejected.push(Rejected { line, reason }),
        }
    }
    list
}

fn of(delimiters: &[u8], character: char) -> bool {
    delimiters.iter().any(|delimiter| char::from(*delimiter) == character)
}

/// A username may hold a comma, but a line that holds one may as well be two cells.
fn alone(line: &str, delimiters: &[u8]) -> Result<Listed, String> {
    let bare = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(line);
    if bare.starts_with('"') || bare.chars().any(|character| of(delimiters, character)) {
        return Err("it holds more than a username: give a first line that names the columns, such as \
                    `username,email`, and put a name that holds a comma in quotes"
            .to_owned());
    }
    listed(bare, None)
}

fn csv(text: &str, delimiter: u8, header: &[String]) -> List {
    let place = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
    let username = place(USERNAME);
    // As `E-Mail` it is no other column.
    let email = place("email").or_else(|| header.iter().position(|column| letters(column) == "email"));
    let mut list = List::default();
    let mut reader = reader(text, delimiter);
    let (mut record, mut lines) = (csv::StringRecord::new(), Lines { text, at: 0, line: 1 });
    let mut is_header = true;
    loop {
        // Where the reader stands is the end of the row before, of whose line end it has read a part.
        let begin = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let line = lines.of_row(begin);
        let read = reader.read_record(&mut record).map_err(|_| "it is no row of a CSV file".to_owned());
        if matches!(read, Ok(false)) {
            return list;
        }
        let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        if read.is_ok() && is_blank(&record) || std::mem::take(&mut is_header) {
            continue;
        }
        let person = read.and_then(|_| {
            if end >= text.len() && is_open(text.get(begin..).unwrap_or_default()) {
                return Err("a quote (\") that opens here is never closed: nothing below is read".to_owned());
            }
            if record.iter().skip(header.len()).any(|cell| !cell.is_empty()) {
                return Err(
                    "it has more cells than the first line: put a cell that holds the separator in quotes".to_owned()
                );
            }
            // A report of an audit may be given back as it is.
            let cell = |at: Option<usize>| unguard(at.and_then(|at| record.get(at)).unwrap_or_default());
            listed(cell(username), Some(cell(email)).filter(|email| !email.is_empty()))
        });
        match person {
            Ok(person) => list.people.push(person),
            Err(reason) => list.rejected.push(Rejected { line, reason }),
        }
    }
}

/// Whether the last row goes over several lines because a quote in it has no other.
fn is_open(row: &str) -> bool {
    row.trim().contains('\n') && row.matches('"').count() % 2 == 1
}

/// Counts lines. The reader's own count is of where the row before ended, and empty lines are passed over after that.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first row that begins at or behind this place.
    fn of_row(&mut self, begin: usize) -> u64 {
        let rest = self.text.as_bytes().get(begin..).unwrap_or_default();
        let begin = begin + rest.iter().take_while(|byte| **byte == b'\n').count();
        let passed = self.text.as_bytes().get(self.at..begin).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').map(|_| 1).sum::<u64>();
        self.at = begin.max(self.at);
        self.line
    }
}

fn listed(username: &str, email: Option<&str>) -> Result<Listed, String> {
    let username = Username::parse(username).map_err(|refusal| refusal.to_string())?;
    let email = email.map(Email::parse).transpose().map_err(|refusal| refusal.to_string())?;
    Ok(Listed { username, email })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> Vec<(String, Option<String>)> {
        let told = |listed: Listed| (listed.username.to_string(), listed.email.map(|email| email.to_string()));
        let List { people, rejected } = read(text).unwrap();
        assert!(rejected.is_empty(), "{text:?}: {rejected:?}");
        people.into_iter().map(told).collect()
    }

    fn of(username: &str, email: Option<&str>) -> (String, Option<String>) {
        (username.to_owned(), email.map(str::to_owned))
    }

    /// Who is read, and the lines that are not.
    fn in_part(text: &str) -> (Vec<String>, Vec<u64>) {
        let List { people, rejected } = read(text).unwrap();
        let people = people.into_iter().map(|listed| listed.username.to_string()).collect();
        (people, rejected.into_iter().map(|rejected| rejected.line).collect())
    }

    #[test]
    fn a_username_a_line() {
        assert_eq!(told("ada\r\n\n  zoe o \n\"bo\"\n"), ["ada", "zoe o", "bo"].map(|name| of(name, None)));
        assert_eq!(told("ada\rbo"), ["ada", "bo"].map(|name| of(name, None)));
    }

    #[test]
    fn a_csv_with_a_header() {
        let text = "\u{feff}Name,Email,\"Username\"\n\"O, Z\",zoe@example.org,zoe\nAda,,ada\n\n";
        assert_eq!(told(text), [of("zoe", Some("zoe@example.org")), of("ada", None)]);
        assert_eq!(told("username,email\nada\n"), [of("ada", None)]);
        assert_eq!(told("E-Mail;Username\r\nzoe@example.org;zoe\r\n"), [of("zoe", Some("zoe@example.org"))]);
        assert_eq!(told("username\temail\nada\tada@example.org\n"), [of("ada", Some("ada@example.org"))]);
        assert_eq!(told("username,email\n'=ada,'+a@example.org\n"), [of("=ada", Some("+a@example.org"))]);
        assert_eq!(told("\nusername\n\"Lovelace, Ada\"\n"), [of("Lovelace, Ada", None)]);
        assert_eq!(told("username,email\nada,,\n , ,\n,\n"), [of("ada", None)]);
    }

    #[test]
    fn a_line_of_excels_names_the_separator() {
        for first in ["sep=;", "SEP=;", "\"sep=;\""] {
            let text = format!("\u{feff}{first}\r\nusername;email\r\nada;ada@example.org\r\n");
            assert_eq!(told(&text), [of("ada", Some("ada@example.org"))]);
        }
        assert_eq!(told("sep=|\nemail|username\n|ada, or bo\n"), [of("ada, or bo", None)]);
        assert_eq!(told("sep=\t\nusername\temail\nada\t\n"), [of("ada", None)]);
        assert_eq!(in_part("sep=;\r\nusername;email\r\nada;\r\na/b;\r\n"), (vec!["ada".to_owned()], vec![4]));
    }

    #[test]
    fn a_header_without_usernames_is_nobody() {
        for header in ["email", "E-Mail", "User Name", "user_name", "LOGIN", "\"Id\"", "uid", "UPN", "name,email"] {
            for text in [format!("{header}\nada\n"), format!("{header};Room\r\nada;1\r\n"), format!("\n{header}")] {
                let problem = read(&text).unwrap_err();
                assert!(problem.contains("a header without a column `username`"), "{text:?}: {problem}");
            }
        }
        assert!(read("sep=;\nname;mail\nada;a@example.org\n").unwrap_err().contains("a header"));
        assert_eq!(told("username\nuser\n"), [of("user", None)]);
    }

    #[test]
    fn what_does_not_read_stops_nothing_else() {
        let ada = || vec!["ada".to_owned()];
        for (text, lines) in [
            ("ada\nbo,bo@example.org\nLovelace, Ada\na/b\n", vec![2, 3, 4]),
            ("ada\nLovelace; Ada\nLovelace\tAda\n;;\n\"Lovelace, A\"\n\"Love\n", vec![2, 3, 5, 6]),
            ("username,email\n,bo@example.org\nada,\nbo,no address\n", vec![2, 4]),
            ("username\r\nada\r\n\r\n\r\na/b\r\nLovelace, Ada\r\n", vec![5, 6]),
            ("name,username\r\n\"A\r\nL\",ada\r\nB,a/b\r\n,,\r\nC,c%\r\n", vec![4, 6]),
            ("username,name\nada,A\nbo,\"B\ncy,C\n", vec![3]),
        ] {
            assert_eq!(in_part(text), (ada(), lines.clone()), "{text:?}");
            assert_eq!(in_part(&text.replace("\r\n", "\r")), (ada(), lines), "{text:?}");
        }
    }

    #[test]
    fn a_list_of_nobody_is_an_error() {
        for (text, expected) in [
            ("", "nobody stands on the list"),
            ("username,email\n,\n", "nobody stands on the list"),
            ("a/b\n", "line 1: the username holds"),
            ("ada; ada@example.org\nx;y\n", "line 1: it holds more than a username: give a first line"),
            ("ada; ada@example.org\nx;y\n", "in quotes (and 1 more lines)"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(expected), "{text:?}: {problem}");
        }
    }

    proptest! {
        /// Each bad row is told at the line where an editor shows it, whatever the line ends.
        #[test]
        fn lines_are_an_editors(
            rows in prop::collection::vec((0u8..5, 0usize..3), 1..30), ends in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        ) {
            let (mut text, mut bad, mut good) = (format!("name,username{ends}x,first{ends}"), Vec::new(), 1);
            for (kind, breaks) in rows {
                let line = 1 + text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() as u64;
                match kind {
                    0 => text.push_str(ends),
                    1 => text.push_str(&format!(" , {ends}")),
                    2 => { bad.push(line); text.push_str(&format!("\"{}\",a/b{ends}", ends.repeat(breaks))); }
                    _ => { good += 1; text.push_str(&format!("\"{}\",ada{ends}", ends.repeat(breaks))); }
                }
            }
            let list = read(&text).unwrap();
            prop_assert_eq!(list.people.len(), good);
            prop_assert_eq!(list.rejected.iter().map(|rejected| rejected.line).collect::<Vec<_>>(), bad);
        }
    }
}
