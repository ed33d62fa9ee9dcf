//! Logs: JSON on Lambda, text on a terminal.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::settings::{Environment, Setting};

/// What is read here.
pub const SETTINGS: &[Setting] = &[LOG_LEVEL];

const LOG_LEVEL: Setting = Setting::with_default(
    "LOG_LEVEL",
    "INFO",
    "how much is logged: OFF, ERROR (or CRITICAL), WARN (or WARNING), INFO, DEBUG, TRACE (or NOTSET), or directives \
     such as `info,crosswalk_csv_import=debug`",
);

/// The crates below ours, whose names begin so. They stay at WARN, as they would drown the rest (and log requests, bodies
/// included, at TRACE), unless a directive names them.
const NOISY: &[&str] = &[
    "aws_config",
    "aws_credential_types",
    "aws_runtime",
    "aws_sdk_",
    "aws_sigv4",
    "aws_smithy_",
    "h2",
    "hyper",
    "hyper_util",
    "lambda_http",
    "lambda_runtime",
    "reqwest",
    "rustls",
    "s3s",
    "tower",
    "tower_http",
];

/// Sets up logging once for the process: JSON to standard output on Lambda, text to standard error elsewhere, as
/// standard output is for what a command prints. What is set up already stays.
pub fn init(environment: &Environment) {
    let (filter, complaint) = filter(environment.get(LOG_LEVEL.name));
    let set_up = if environment.is_lambda() {
        json(filter, std::io::stdout).try_init()
    } else {
        text(filter, std::io::stderr, std::io::stderr().is_terminal()).try_init()
    };
    if let (Ok(()), Some(complaint)) = (set_up, complaint) {
        tracing::warn!("{complaint}");
    }
}

/// One JSON object a line, with the event's fields beside `timestamp`, `level`, `target` and `message`.
fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    Registry::default().with(fmt::layer().json().flatten_event(true).with_writer(writer).with_filter(filter))
}

fn text<W>(filter: EnvFilter, writer: W, colours: bool) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    Registry::default().with(fmt::layer().with_ansi(colours).with_writer(writer).with_filter(filter))
}

/// What `LOG_LEVEL` asks for, and what to say when it does not read.
fn filter(asked: Option<&str>) -> (EnvFilter, Option<String>) {
    let asked = asked.unwrap_or("INFO");
    match directives(asked) {
        Ok(filter) => (filter, None),
        Err(problem) => {
            let complaint =
                format!("LOG_LEVEL does not read ({problem}), so INFO holds. It takes {}", LOG_LEVEL.meaning);
            (quiet(LevelFilter::INFO), Some(complaint))
        }
    }
}

fn directives(asked: &str) -> Result<EnvFilter, String> {
    if let Some(level) = level(asked) {
        return Ok(quiet(level));
    }
    let mut filter = EnvFilter::new("");
    let mut general = LevelFilter::INFO;
    let mut named = Vec::new();
    for part in asked.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if let Some(level) = level(part) {
            general = level;
            continue;
        }
        // A word alone would read as a target at TRACE; it is far more often a misspelt level.
        if !part.contains(['=', ':', '[', '_']) {
            return Err(format!("`{part}` is no level"));
        }
        let directive: Directive = match part.rsplit_once('=') {
            Some((target, name)) => match level(name) {
                Some(level) => format!("{target}={level}").parse(),
                None => part.parse(),
            },
            None => part.parse(),
        }
        .map_err(|error: tracing_subscriber::filter::ParseError| error.to_string())?;
        named.push(part);
        filter = filter.add_directive(directive);
    }
    let quiet: Vec<_> = NOISY.iter().filter(|noisy| !named.iter().any(|part| part.starts_with(**noisy))).collect();
    for target in quiet {
        filter = filter.add_directive(at_most_warn(target, general));
    }
    Ok(filter.add_directive(general.into()))
}

/// Everything at one level, and what is noisy at WARN or less.
fn quiet(level: LevelFilter) -> EnvFilter {
    NOISY.iter().fold(EnvFilter::new("").add_directive(level.into()), |filter, target| {
        filter.add_directive(at_most_warn(target, level))
    })
}

fn at_most_warn(target: &str, level: LevelFilter) -> Directive {
    let level = level.min(LevelFilter::WARN);
    format!("{target}={level}").parse().unwrap_or_else(|_| level.into())
}

/// Tracing's names and Python's, whatever the case.
fn level(name: &str) -> Option<LevelFilter> {
    Some(match name.trim().to_ascii_uppercase().as_str() {
        "OFF" => LevelFilter::OFF,
        "ERROR" | "CRITICAL" | "FATAL" => LevelFilter::ERROR,
        "WARN" | "WARNING" => LevelFilter::WARN,
        "INFO" => LevelFilter::INFO,
        "DEBUG" => LevelFilter::DEBUG,
        "TRACE" | "NOTSET" => LevelFilter::TRACE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;
    use tracing::{debug, error, info, trace, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Buffer {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// What of our own and of a noisy crate's events passes, as the levels' first letters.
    fn passes(asked: Option<&str>) -> (String, String) {
        let letters = |buffer: &Buffer| buffer.text().lines().filter_map(|line| line.chars().last()).collect();
        let (own, noisy) = (Buffer::default(), Buffer::default());
        let writer = own.clone();
        with_default(text(filter(asked).0, move || writer.clone(), false), || {
            error!("e");
            warn!("w");
            info!("i");
            debug!("d");
            trace!("t");
        });
        let writer = noisy.clone();
        with_default(text(filter(asked).0, move || writer.clone(), false), || {
            error!(target: "aws_smithy_runtime::client", "e");
            warn!(target: "aws_smithy_runtime::client", "w");
            info!(target: "aws_smithy_runtime::client", "i");
            trace!(target: "aws_smithy_runtime::client", "t");
        });
        (letters(&own), letters(&noisy))
    }

    #[test]
    fn the_level_holds_and_noisy_crates_stay_at_warn() {
        for (asked, own, noisy) in [
            (None, "ewi", "ew"),
            (Some("info"), "ewi", "ew"),
            (Some("CRITICAL"), "e", "e"),
            (Some("Error"), "e", "e"),
            (Some("WARNING"), "ew", "ew"),
            (Some("Warn"), "ew", "ew"),
            (Some("debug"), "ewid", "ew"),
            (Some("NOTSET"), "ewidt", "ew"),
            (Some("trace"), "ewidt", "ew"),
            (Some("off"), "", ""),
            (Some("warning,crosswalk_function_kit=debug"), "ewid", "ew"),
            (Some("crosswalk_function_kit=CRITICAL"), "e", "ew"),
            (Some("warn,aws_smithy_runtime=TRACE"), "ew", "ewit"),
        ] {
            assert_eq!(passes(asked), (own.to_owned(), noisy.to_owned()), "{asked:?}");
            assert_eq!(filter(asked).1, None, "{asked:?}");
        }
    }

    #[test]
    fn a_value_that_does_not_read_is_info_and_is_said() {
        for asked in ["loud", "crosswalk=loud", "[", "info,verbose"] {
            assert_eq!(passes(Some(asked)), ("ewi".to_owned(), "ew".to_owned()), "{asked}");
            let complaint = filter(Some(asked)).1.unwrap();
            assert!(complaint.starts_with("LOG_LEVEL does not read"), "{complaint}");
        }
    }

    #[test]
    fn json_has_its_fields_at_the_top() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        with_default(json(filter(None).0, move || writer.clone()), || info!(run = "r1", rows = 3, "imported"));
        let line: serde_json::Value = serde_json::from_str(&buffer.text()).unwrap();
        assert_eq!((&line["message"], &line["run"], &line["rows"]), (&"imported".into(), &"r1".into(), &3.into()));
        assert_eq!(line["level"], "INFO");
    }
}
