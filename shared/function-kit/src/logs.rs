//! Logs: JSON on Lambda, text on a terminal.

/// Sets up logging once for the process. `LOG_LEVEL` takes tracing's names and Python's (WARNING, CRITICAL …), or an
/// `EnvFilter` directive; default INFO.
pub fn init() {
    todo!()
}
