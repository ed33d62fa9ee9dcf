/// Why a text is not the identifier that it was given as. The message never repeats the text itself: it may be personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing, or nothing but white space.
    #[error("the {what} is empty")]
    Empty {
        /// Which identifier, in words.
        what: &'static str,
    },
    /// A control character, such as a tab or a line break inside the text.
    #[error("the {what} holds the control character U+{code:04X} at character {position}; remove it")]
    Control {
        /// Which identifier, in words.
        what: &'static str,
        /// The character's code point.
        code: u32,
        /// Its place, counted from 1 in characters.
        position: usize,
    },
    /// Longer than DynamoDB keys and paths allow.
    #[error("the {what} has {bytes} bytes; at most {limit} are allowed")]
    TooLong {
        /// Which identifier, in words.
        what: &'static str,
        /// Its length in bytes of UTF-8, in the form that is stored.
        bytes: usize,
        /// The most bytes allowed.
        limit: usize,
    },
    /// A character that cannot travel in the path of a URL.
    #[error("the username holds `{character}`, which cannot stand in a path; `/ ? # % \\` are not allowed")]
    NotInPath {
        /// The character.
        character: char,
    },
    /// `.` or `..`, which clients resolve away in a path.
    #[error("the username is `.` or `..`, which cannot stand in a path")]
    Dots,
    /// Not an address.
    #[error("the e-mail is not a valid address ({reason})")]
    Email {
        /// What is wrong with it, without the address.
        reason: String,
    },
    /// Not a Federal Employer Identification Number.
    #[error(
        "the FEIN must have 9 digits (dashes and leading zeros may be left out), and not be all zeros; this one {found}"
    )]
    Fein {
        /// What was found instead, without the digits.
        found: String,
    },
    /// Not a system's name.
    #[error("a system's name is 1 to 64 of a-z, 0-9 and _")]
    System,
}
