use std::borrow::Cow;
use std::str;

/// What a row has in a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'r> {
    Null,
    /// A text, or the text form of a number, a UUID, a date, …
    Text(Cow<'r, str>),
    /// Bytes of a column that is not declared to be text.
    Bytes(Cow<'r, [u8]>),
    /// What is declared to be text and is not UTF-8.
    NotText,
}

/// The longest text that is kept: no key, name or e-mail is longer, and rows of a column that was named by mistake should
/// not fill the memory.
const LONGEST: usize = 4_096;

impl<'r> Cell<'r> {
    /// A column's text, as the database sent it.
    pub(super) fn of_text(bytes: &'r [u8]) -> Self {
        str::from_utf8(bytes).map_or(Self::NotText, |text| Self::Text(Cow::Borrowed(text)))
    }

    /// Its text, trimmed (a CHAR is padded); none where nothing is left. An error says what is wrong with it.
    pub(super) fn text(&self) -> Result<Option<Box<str>>, &'static str> {
        let owned;
        let text = match self {
            Self::Null => return Ok(None),
            Self::Text(text) => text,
            Self::Bytes(bytes) => {
                owned = text_of_bytes(bytes);
                &owned
            }
            Self::NotText => return Err("holds no UTF-8 text"),
        };
        match text.trim() {
            "" => Ok(None),
            text if text.len() > LONGEST => Err("holds more than 4,096 bytes"),
            text => Ok(Some(text.into())),
        }
    }

    /// Whether it says that a person may log in: what is not said counts as yes.
    pub(super) fn enabled(&self) -> Result<bool, &'static str> {
        let Some(word) = self.text()? else { return Ok(true) };
        match word.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" | "active" | "enabled" => Ok(true),
            "false" | "f" | "no" | "n" | "off" | "0" | "inactive" | "disabled" => Ok(false),
            _ => Err("says neither yes nor no (true, yes, 1, active, enabled, or their opposites)"),
        }
    }
}

/// Bytes are texts in some tables (VARBINARY, BLOB, bytea); what has an unprintable character in it is taken for an id.
fn text_of_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => Cow::Borrowed(text),
        _ => Cow::Owned(text_of_id(bytes)),
    }
}

/// Sixteen bytes in the form of a UUID, others in hexadecimal digits.
pub(super) fn text_of_id(bytes: &[u8]) -> String {
    let mut text = hex::encode(bytes);
    if bytes.len() == 16 {
        for at in [20, 16, 12, 8] {
            text.insert(at, '-');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Cell<'_> {
        Cell::Text(Cow::Borrowed(text))
    }

    #[test]
    fn texts_are_trimmed_and_an_empty_one_is_none() {
        assert_eq!(text(" Ana\u{a0} ").text(), Ok(Some("Ana".into())));
        for none in [Cell::Null, text(""), text(" \t"), Cell::Bytes(Cow::Borrowed(b""))] {
            assert_eq!(none.text(), Ok(None), "{none:?}");
        }
        let long = "x".repeat(LONGEST + 1);
        assert!(text(&long).text().is_err() && text(&long[1..]).text().is_ok());
        assert!(Cell::of_text(b"Ren\xe9").text().unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn bytes_are_text_or_an_id() {
        let told = |bytes: &[u8]| Cell::Bytes(bytes.to_vec().into()).text().unwrap().unwrap();
        assert_eq!(&*told("René".as_bytes()), "René");
        assert_eq!(&*told(&[0, 1, 254]), "0001fe");
        let uuid = hex::decode("0190163d8694739b8bb4dd6ab5a0b0ff").unwrap();
        assert_eq!(&*told(&uuid), "0190163d-8694-739b-8bb4-dd6ab5a0b0ff");
        assert_eq!(text_of_id(b"0123456789abcdef"), "30313233-3435-3637-3839-616263646566");
    }

    #[test]
    fn words_say_whether_somebody_is_enabled() {
        for yes in ["true", "TRUE", "t", "Yes", "y", "on", "1", " active ", "Enabled", ""] {
            assert_eq!(text(yes).enabled(), Ok(true), "{yes:?}");
        }
        for no in ["false", "F", "no", "N", "off", "0", "inactive", "DISABLED"] {
            assert_eq!(text(no).enabled(), Ok(false), "{no:?}");
        }
        assert_eq!(Cell::Null.enabled(), Ok(true));
        for other in ["2", "-1", "ja", "true?", "0.0"] {
            let told = text(other).enabled().unwrap_err();
            assert!(!told.contains("ja"), "{other:?}: {told}");
        }
    }
}
