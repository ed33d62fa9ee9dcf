//! The identity of a run.

use crosswalk_function_kit::Entropy;
use sha2::{Digest, Sha256};

/// The id of the run that an S3 event stands for: `import-` and 32 hex digits.
///
/// `sequencer` is the event's: S3 gives duplicates of one event the same, and each put of the key a new one, so the same
/// event is the same run, and dropping the file again is a new one. `key` is the object's key, decoded; `version` its
/// versionId, if the bucket keeps versions.
pub fn for_object(bucket: &str, key: &str, version: Option<&str>, sequencer: &str) -> String {
    let mut hash = Sha256::new();
    for part in [Some(bucket), Some(key), version, Some(sequencer)] {
        // Each part with its length: no two different events make the same bytes.
        match part {
            Some(part) => {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            None => hash.update(u64::MAX.to_be_bytes()),
        }
    }
    let digest = hash.finalize();
    format!("import-{}", hex::encode(&digest[..16]))
}

/// The id of the run that a schedule's event stands for: `<way>-` and 32 hex digits.
///
/// `schedule` is the schedule's ARN or name, `scheduled_at` the time for which it was planned: the Scheduler delivers one
/// event several times under the same two. (Its execution id is a new one at each attempt.)
pub fn for_schedule(way: &str, schedule: &str, scheduled_at: jiff::Timestamp) -> String {
    let mut hash = Sha256::new();
    for part in [schedule, &crosswalk_identity::times::text(scheduled_at)] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    format!("{way}-{}", hex::encode(&digest[..16]))
}

/// The id of a run that a person starts: `<way>-` and 32 hex digits, new each time.
pub fn random(way: &str, entropy: &Entropy) -> String {
    format!("{way}-{}", entropy.uuid().simple())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_event_is_the_same_run() {
        let id = for_object("bucket", "imports/employers/a.csv", Some("v1"), "0055AED6DCD90281E5");
        assert_eq!(id, for_object("bucket", "imports/employers/a.csv", Some("v1"), "0055AED6DCD90281E5"));
        // Pinned: ids of stored runs must not change with a release.
        assert_eq!(for_object("b", "k", None, "1"), "import-55dbae6098589d72a1be565b0ae7fc7e");
        assert_eq!(id.len(), "import-".len() + 32);
    }

    #[test]
    fn the_same_time_of_a_schedule_is_the_same_run() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let arn = "arn:aws:scheduler:eu-central-1:123456789012:schedule/default/people-export";
        let id = for_schedule("people-export", arn, at("2026-11-22T10:00:00Z"));
        // Pinned: ids of stored runs must not change with a release.
        assert_eq!(id, "people-export-dbd1c8557f038d608082e25dc1724ebc");
        // The same moment, however it was written.
        assert_eq!(id, for_schedule("people-export", arn, at("2026-11-22T11:00:00.000+01:00")));
        let others = [
            for_schedule("people-export", arn, at("2026-11-22T11:00:00Z")),
            for_schedule("people-export", arn, at("2026-11-22T10:00:00.001Z")),
            for_schedule("people-export", "people-export", at("2026-11-22T10:00:00Z")),
            for_schedule("directory-sync", arn, at("2026-11-22T10:00:00Z")),
        ];
        let distinct: HashSet<_> = others.iter().chain([&id]).collect();
        assert_eq!(distinct.len(), 5, "{others:?}");
    }

    #[test]
    fn each_part_counts() {
        let events = [
            ("bucket", "key", None, "1"),
            ("bucket", "key", None, "2"),
            ("bucket", "key", Some(""), "1"),
            ("bucket", "key", Some("1"), "1"),
            ("bucket", "key1", None, ""),
            ("bucketk", "ey", None, "1"),
        ];
        let ids: HashSet<_> = events.iter().map(|(b, k, v, s)| for_object(b, k, *v, s)).collect();
        assert_eq!(ids.len(), events.len());
    }

    #[test]
    fn a_command_is_a_new_run_each_time() {
        let entropy = Entropy::seeded(1);
        let (first, second) = (random("import", &entropy), random("import", &entropy));
        assert_ne!(first, second);
        assert!(first.starts_with("import-") && first.len() == "import-".len() + 32, "{first}");
    }
}
