//! Metrics as lines of the log, in CloudWatch's embedded metric format: CloudWatch makes metrics of such lines by itself, so
//! that a function neither calls it nor needs a permission for it.
//!
//! Few dimensions, as each combination of values is a metric that is paid for: the function, and at most one more.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::settings::Environment;

/// The namespace that our metrics stand in.
pub const NAMESPACE: &str = "Crosswalk";
/// The dimension that all of them have. The alarms of the deployment's template ask for it.
const FUNCTION: &str = "FunctionName";

/// What a metric counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Time.
    Milliseconds,
}

/// A metric's name, its unit and its value.
pub type Metric = (&'static str, Unit, u64);

/// Metrics that share their dimensions: the function alone, and the function with one more if that is given.
pub type Group<'a> = (Option<(&'static str, &'a str)>, &'a [Metric]);

/// Where metrics go. Clones share it.
#[derive(Debug, Clone)]
pub struct Metrics(Out);

#[derive(Debug, Clone)]
enum Out {
    Nowhere,
    Log { function: String },
    Kept { function: String, lines: Arc<Mutex<Vec<Value>>> },
}

impl Metrics {
    /// Into the log of a Lambda function, and nowhere in another process.
    pub fn of(environment: &Environment) -> Self {
        let function = environment.get("AWS_LAMBDA_FUNCTION_NAME").map(str::to_owned);
        Self(function.map_or(Out::Nowhere, |function| Out::Log { function }))
    }

    /// Nowhere.
    pub fn none() -> Self {
        Self(Out::Nowhere)
    }

    /// Into a list, for tests.
    pub fn kept(function: &str) -> (Self, Arc<Mutex<Vec<Value>>>) {
        let lines = Arc::default();
        (Self(Out::Kept { function: function.to_owned(), lines: Arc::clone(&lines) }), lines)
    }

    /// Tells metrics of one moment: by function, and by function and `dimension` if there is one.
    pub fn tell(&self, at: Timestamp, dimension: Option<(&'static str, &str)>, metrics: &[Metric]) {
        self.tell_together(at, &[(dimension, metrics)]);
    }

    /// The same for several groups, in one line of the log. No two of them have a metric or a dimension of the same name.
    pub fn tell_together(&self, at: Timestamp, groups: &[Group<'_>]) {
        match &self.0 {
            Out::Nowhere => {}
            Out::Log { function } => {
                // One write a line, as other threads log at the same time. A log that is gone is nobody's error.
                let line = format!("{}\n", line(function, at, groups));
                let _ = std::io::stdout().lock().write_all(line.as_bytes());
            }
            Out::Kept { function, lines } => {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push(line(function, at, groups));
            }
        }
    }
}

fn line(function: &str, at: Timestamp, groups: &[Group<'_>]) -> Value {
    let mut line = Map::new();
    let mut about = Vec::new();
    for (dimension, metrics) in groups {
        let mut sets = vec![vec![FUNCTION]];
        if let Some((name, value)) = dimension {
            sets.push(vec![FUNCTION, name]);
            line.insert((*name).to_owned(), (*value).into());
        }
        let described: Vec<Value> =
            metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": format!("{unit:?}") })).collect();
        about.push(json!({ "Namespace": NAMESPACE, "Dimensions": sets, "Metrics": described }));
        line.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), (*value).into())));
    }
    line.insert("_aws".to_owned(), json!({ "Timestamp": at.as_millisecond(), "CloudWatchMetrics": about }));
    line.insert(FUNCTION.to_owned(), function.into());
    // For who reads or filters the log as such.
    line.insert("level".to_owned(), "INFO".into());
    line.insert("message".to_owned(), "metrics".into());
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_cloudwatch_reads() {
        let (metrics, lines) = Metrics::kept("crosswalk-dev-csv-import");
        let at = Timestamp::from_millisecond(1_795_341_600_123).unwrap();
        metrics.tell(
            at,
            Some(("Kind", "mappings")),
            &[("RowsRead", Unit::Count, 7), ("RunTime", Unit::Milliseconds, 51)],
        );
        let expected = json!({
            "_aws": {
                "Timestamp": 1_795_341_600_123_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "Crosswalk",
                    "Dimensions": [["FunctionName"], ["FunctionName", "Kind"]],
                    "Metrics": [{ "Name": "RowsRead", "Unit": "Count" }, { "Name": "RunTime", "Unit": "Milliseconds" }],
                }],
            },
            "FunctionName": "crosswalk-dev-csv-import",
            "Kind": "mappings",
            "level": "INFO",
            "message": "metrics",
            "RowsRead": 7,
            "RunTime": 51,
        });
        assert_eq!(*lines.lock().unwrap(), [expected]);
    }

    #[test]
    fn without_a_dimension_there_is_the_function_alone() {
        let line = line("f", Timestamp::UNIX_EPOCH, &[(None, &[("GuardStops", Unit::Count, 1)])]);
        assert_eq!(line.pointer("/_aws/CloudWatchMetrics/0/Dimensions"), Some(&json!([["FunctionName"]])));
    }

    #[test]
    fn groups_with_dimensions_of_their_own_share_a_line() {
        let (metrics, lines) = Metrics::kept("f");
        let calls: Group<'_> = (Some(("Target", "dynamodb")), &[("Calls", Unit::Count, 2)]);
        metrics.tell_together(Timestamp::UNIX_EPOCH, &[(None, &[("Requests", Unit::Count, 1)]), calls]);
        let lines = lines.lock().unwrap();
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let dimensions = |group: usize| &line["_aws"]["CloudWatchMetrics"][group]["Dimensions"];
        assert_eq!(dimensions(0), &json!([["FunctionName"]]));
        assert_eq!(dimensions(1), &json!([["FunctionName"], ["FunctionName", "Target"]]));
        assert_eq!((&line["Requests"], &line["Calls"], &line["Target"]), (&json!(1), &json!(2), &json!("dynamodb")));
    }

    #[test]
    fn only_a_lambda_function_tells_metrics() {
        assert!(matches!(Metrics::of(&Environment::from_iter([("HOME", "/")])).0, Out::Nowhere));
        let environment = Environment::from_iter([("AWS_LAMBDA_FUNCTION_NAME", "f")]);
        assert!(matches!(Metrics::of(&environment).0, Out::Log { function } if function == "f"));
    }
}
