//! Whom the source told of, for the audit of mappings: written after each complete reading, whatever becomes of the plan.
//!
//! Somebody without a username, or whose username is none to us, cannot be told of. Whoever is gone from the source keeps
//! when they were last seen, and counts as inactive; they are forgotten after [`KEPT`].

use std::collections::HashSet;

use crosswalk_identity::{Email, Username};
use crosswalk_runs::files::{Files, FilesError};
use crosswalk_sightings::Sighting;
use jiff::{SignedDuration, Timestamp};

use crate::name_hash::name_hash;
use crate::people::People;

/// How long somebody who is gone is remembered: as long as runs are.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Puts whom the source told of at `now` in the place of whom it told of before.
///
/// # Errors
/// The file cannot be written.
pub(crate) async fn note(files: &Files, sync: &str, people: &People, now: Timestamp) -> Result<(), FilesError> {
    // There are as many people as anything holds here: of those who are there, no more than a hash is held beside them.
    let present: HashSet<u64> = people.people.iter().filter_map(username).map(|name| name_hash(name.key())).collect();
    // They are there, but cannot be understood.
    let unclear: HashSet<u64> =
        people.left_out.iter().flat_map(|left_out| &left_out.names).map(|name| name_hash(name)).collect();
    let mut earlier = Vec::new();
    let read = crosswalk_sightings::read_of(files, sync, |sighting| {
        let hash = name_hash(sighting.username.key());
        if present.contains(&hash) {
            return;
        }
        if unclear.contains(&hash) {
            earlier.push(Sighting { seen_at: now, ..sighting });
        } else if now.duration_since(sighting.seen_at) < KEPT {
            earlier.push(Sighting { active: false, ..sighting });
        }
    });
    if let Err(error) = read.await {
        // Nothing hangs on it but when those who are gone were last seen.
        tracing::warn!(%error, "whom earlier runs saw cannot be read; the file begins anew");
        earlier.clear();
    }
    let sightings = people.people.iter().filter_map(|person| seen(person, now)).chain(earlier);
    crosswalk_sightings::put(files, sync, sightings).await
}

fn username(person: &crate::Person) -> Option<Username> {
    Username::parse(person.username.as_deref()?).ok()
}

fn seen(person: &crate::Person, seen_at: Timestamp) -> Option<Sighting> {
    let username = username(person)?;
    let email = person.emails.first().and_then(|email| Email::parse(email).ok());
    Some(Sighting { username, email, seen_at, active: person.enabled })
}

#[cfg(test)]
mod tests {
    use crosswalk_reconcile::{Fingerprint, Outcome};

    use super::*;
    use crate::Person;
    use crate::people::LeftOut;

    fn person(username: &str, enabled: bool) -> Person {
        Person {
            key: username.into(),
            emails: [format!("{username}@example.org").to_lowercase().into()].into(),
            username: (!username.is_empty()).then(|| username.into()),
            first_name: None,
            last_name: None,
            enabled,
            external_ids: Box::default(),
            print: Fingerprint::UNKNOWN,
            mapped: Fingerprint::UNKNOWN,
        }
    }

    fn left_out(name: &str) -> LeftOut {
        LeftOut {
            key: None,
            name: name.into(),
            names: vec![name.into()],
            outcome: Outcome::Conflict,
            reason: "for a reason".into(),
            detail: None,
        }
    }

    /// `username days-since-the-first active`.
    async fn told(files: &Files) -> Vec<String> {
        let mut told = Vec::new();
        let tell = |sighting: Sighting| {
            let days = sighting.seen_at.duration_since(day(0)).as_hours() / 24;
            told.push(format!("{} {days} {}", sighting.username, sighting.active));
        };
        crosswalk_sightings::read(files, tell).await.unwrap();
        told
    }

    fn day(day: i64) -> Timestamp {
        "2026-11-22T02:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * day)
    }

    #[tokio::test]
    async fn who_is_gone_keeps_when_they_were_seen_until_they_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        let note = async |people: Vec<Person>, left: Vec<LeftOut>, at: i64| {
            note(&files, "staff", &People { people, left_out: left }, day(at)).await.unwrap();
        };
        note(vec![person("Ada", true), person("bo", true), person("cy", true), person("a/b", true)], vec![], 0).await;
        note(vec![], vec![], 0).await;
        assert_eq!(told(&files).await, ["Ada 0 false", "bo 0 false", "cy 0 false"]);
        note(vec![person("ADA", false), person("", true), person("cy", true)], vec![], 1).await;
        assert_eq!(told(&files).await, ["ADA 1 false", "cy 1 true", "bo 0 false"]);
        // Cy is there, but shares an address with another entry.
        note(vec![person("ada", true)], vec![left_out("cy"), left_out("new")], 2).await;
        assert_eq!(told(&files).await, ["ada 2 true", "cy 2 true", "bo 0 false"]);
        note(vec![person("ada", true)], vec![], 400).await;
        assert_eq!(told(&files).await, ["ada 400 true", "cy 2 false"]);
    }

    #[tokio::test]
    async fn a_damaged_file_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        files.put("state/sightings/staff.csv", "username\nada\n".into(), "text/csv").await.unwrap();
        let people = People { people: vec![person("bo", true)], left_out: Vec::new() };
        note(&files, "staff", &people, day(0)).await.unwrap();
        assert_eq!(told(&files).await, ["bo 0 true"]);
    }
}
