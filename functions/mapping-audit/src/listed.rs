//! The people of a list: a CSV file whose header names `username` and perhaps `email`, or a username a line.

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

/// Reads a list. Other columns are passed over, and so are empty lines; who stands on it twice is audited once.
///
/// # Errors
/// What does not read, by its line: nobody is left out silently.
pub fn read(text: &str) -> Result<Vec<Listed>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let names_columns = |delimiter: &u8| {
        let cells = header.split(char::from(*delimiter)).map(|cell| cell.trim().trim_matches('"'));
        cells.into_iter().any(|cell| cell.eq_ignore_ascii_case(USERNAME))
    };
    let delimiter = DELIMITERS.into_iter().find(names_columns);
    let all = match delimiter {
        Some(delimiter) => csv(text, delimiter),
        None => lines(text),
    }?;
    if all.is_empty() { Err("nobody stands on the list".to_owned()) } else { Ok(all) }
}

const USERNAME: &str = "username";
/// What spreadsheets write between cells.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

fn lines(text: &str) -> Result<Vec<Listed>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| alone(line).map_err(|problem| format!("line {}: {problem}", at + 1))).collect()
}

/// A username may hold a comma, but what follows it is no e-mail then.
fn alone(line: &str) -> Result<Listed, String> {
    let mut cells = line.split(DELIMITERS.map(char::from)).skip(1);
    if cells.any(|cell| Email::parse(cell.trim()).is_ok()) {
        return Err(
            "it holds more than a username: say in a first line what the columns are, such as `username,email`"
                .to_owned(),
        );
    }
    listed(line, None)
}

fn csv(text: &str, delimiter: u8) -> Result<Vec<Listed>, String> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.delimiter(delimiter).trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let place = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
    let (username, email) = (place(USERNAME), place("email"));
    let mut all = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        // A report of an audit may be given back as it is.
        let cell = |at: Option<usize>| unguard(at.and_then(|at| record.get(at)).unwrap_or_default());
        let line = record.position().map_or(0, csv::Position::line);
        let email = Some(cell(email)).filter(|email| !email.is_empty());
        all.push(listed(cell(username), email).map_err(|problem| format!("line {line}: {problem}"))?);
    }
    Ok(all)
}

fn listed(username: &str, email: Option<&str>) -> Result<Listed, String> {
    let username = Username::parse(username).map_err(|refusal| refusal.to_string())?;
    let email = email.map(Email::parse).transpose().map_err(|refusal| refusal.to_string())?;
    Ok(Listed { username, email })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, Option<String>)> {
        let told = |listed: Listed| (listed.username.to_string(), listed.email.map(|email| email.to_string()));
        read(text).unwrap().into_iter().map(told).collect()
    }

    fn of(username: &str, email: Option<&str>) -> (String, Option<String>) {
        (username.to_owned(), email.map(str::to_owned))
    }

    #[test]
    fn a_username_a_line() {
        assert_eq!(told("ada\r\n\n  zoe o \nLovelace, Ada\n"), ["ada", "zoe o", "Lovelace, Ada"].map(|n| of(n, None)));
    }

    #[test]
    fn a_csv_with_a_header() {
        let text = "\u{feff}Name,Email,\"Username\"\n\"O, Z\",zoe@example.org,zoe\nAda,,ada\n\n";
        assert_eq!(told(text), [of("zoe", Some("zoe@example.org")), of("ada", None)]);
        assert_eq!(told("username,email\nada\n"), [of("ada", None)]);
        assert_eq!(told("Email;Username\r\nzoe@example.org;zoe\r\n"), [of("zoe", Some("zoe@example.org"))]);
        assert_eq!(told("username\temail\nada\tada@example.org\n"), [of("ada", Some("ada@example.org"))]);
        assert_eq!(told("username,email\n'=ada,'+a@example.org\n"), [of("=ada", Some("+a@example.org"))]);
    }

    #[test]
    fn what_does_not_read_is_told_by_its_line() {
        for (text, expected) in [
            ("", "nobody stands on the list"),
            ("username,email\n", "nobody stands on the list"),
            ("ada\na/b\n", "line 2: "),
            ("ada\nbo,bo@example.org\n", "line 2: it holds more than a username"),
            ("ada; ada@example.org\n", "line 1: it holds more than a username"),
            ("username,email\nada,\nbo,no address\n", "line 3: "),
            ("username,email\nada,\n,bo@example.org\n", "line 3: "),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(expected), "{text:?}: {problem}");
        }
    }
}
