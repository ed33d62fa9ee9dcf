//! What a run sends, by target.

use std::collections::BTreeMap;

use crosswalk_function_kit::traffic::Counter;
use crosswalk_runs::Traffic;

/// A run's counters. Clones count together.
///
/// DynamoDB and S3 are counted by clients of the run's own, which share the connections of the process. Cognito's paces
/// belong to the process, and so does its client, which counts for the task that asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunTraffic {
    pub(crate) cognito: Counter,
    pub(crate) dynamodb: Counter,
    pub(crate) fineos: Counter,
    pub(crate) s3: Counter,
}

impl RunTraffic {
    /// As a record has it: the targets that something was sent to.
    pub(crate) fn by_target(&self) -> BTreeMap<String, Traffic> {
        let Self { cognito, dynamodb, fineos, s3 } = self;
        let targets = [("cognito", cognito), ("dynamodb", dynamodb), ("fineos", fineos), ("s3", s3)];
        targets
            .into_iter()
            .filter(|(_, counter)| counter.requests() > 0)
            .map(|(target, counter)| (target.to_owned(), counter.into()))
            .collect()
    }
}
