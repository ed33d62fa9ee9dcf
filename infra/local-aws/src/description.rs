//! What Crosswalk needs of AWS, as plain data: `provision` makes it so, and the deployment's template is held against it.
//! The table's keys are [`crosswalk_identifier_store::Table::DESCRIPTION`].

/// Objects under this prefix raise an event into the import queue.
pub const IMPORT_PREFIX: &str = "imports/";
/// The events that S3 raises for them: puts, posts, copies and completed multipart uploads.
pub const IMPORT_EVENTS: &str = "s3:ObjectCreated:*";

/// The import queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDescription {
    /// How long a received message stays hidden, in seconds. Lambda asks for at least the function's timeout.
    pub visibility_timeout: u32,
    /// After so many receives a message goes to the dead-letter queue.
    pub max_receive_count: u32,
    /// How long the dead-letter queue keeps a message, in seconds (14 days are the most that SQS allows).
    pub dead_letter_retention: u32,
}

/// The queue's settings.
pub const QUEUE: QueueDescription =
    QueueDescription { visibility_timeout: 900, max_receive_count: 5, dead_letter_retention: 1_209_600 };

/// The user pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolDescription {
    /// The attribute that people sign in with. The pool then makes up the username (a UUID).
    pub sign_in_attribute: &'static str,
    /// Whether `Zoe@example.org` and `zoe@example.org` are two people.
    pub case_sensitive: bool,
    /// The shortest password.
    pub password_length: i32,
    /// How long a temporary password holds, in days.
    pub temporary_password_days: i32,
}

/// The pool's settings. Passwords hold an upper and a lower case letter, a digit and a symbol.
pub const POOL: PoolDescription = PoolDescription {
    sign_in_attribute: "email",
    case_sensitive: false,
    password_length: 12,
    temporary_password_days: 7,
};
