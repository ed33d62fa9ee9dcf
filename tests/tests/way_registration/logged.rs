//! What all tests of this file log, caught once for the process: whether a place in the code logs at all is decided once, by
//! whichever test gets there first.

use std::sync::{Mutex, Once, PoisonError};

use tracing_subscriber::EnvFilter;

static BYTES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static BEGUN: Once = Once::new();

struct Caught;

impl std::io::Write for Caught {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        BYTES.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Begins to catch: everything of ours, and of others what `LOG_LEVEL=DEBUG` lets through.
pub(crate) fn begin() {
    BEGUN.call_once(|| {
        let filter =
            EnvFilter::new("warn,crosswalk=trace,crosswalk_labarchives_registration=trace,crosswalk_http_edge=trace");
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(|| Caught).init();
    });
}

/// Everything that was logged so far.
pub(crate) fn so_far() -> String {
    String::from_utf8(BYTES.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
}

/// Nothing of these stands in a log, whether as it is, percent-encoded, or as base64 has it.
#[track_caller]
pub(crate) fn assert_nothing_of<T: AsRef<str>>(secrets: impl IntoIterator<Item = T>) {
    let logged = so_far();
    for secret in secrets {
        let secret = secret.as_ref();
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for form in [secret, &encoded] {
            assert!(form.len() >= 3, "{form} could stand anywhere");
            let line = logged.lines().find(|line| line.contains(form));
            assert!(line.is_none(), "{form} in {}", line.unwrap_or_default());
        }
    }
}
