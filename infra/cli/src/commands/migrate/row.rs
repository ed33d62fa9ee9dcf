//! A row of NexusLIMS's table becomes a mapping, or reasons why not.

use crosswalk_identity::{Email, ExternalId, Mapping, Systems, Username};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::source::{Cell, RawRow};

/// Told once for all rows that it is true of: it is a choice that the administrator should know of.
pub(super) const TAKEN_AS_UTC: &str =
    "a time names no zone and was read as UTC; if the file's times are local ones, give --timezone";
const TWICE: &str = "a local time comes twice (the clocks went back); the earlier one was taken";
/// Told in the row's own reason too, as a program that compares ids byte by byte takes such a row for another one.
pub(super) const ID_CUT: &str = "external_id has outer white space, which is cut";
/// The same of the username.
pub(super) const NAME_CUT: &str = "nexuslims_username has outer white space, which is cut";
const NEVER: &str = "a local time never was (the clocks went forward); the one after the gap was taken";

/// Reads rows.
pub(super) struct Reader {
    systems: Systems,
    /// Of times that name none; none: UTC, as the released NexusLIMS writes them.
    zone: Option<TimeZone>,
}

/// A mapping, and what should be known of how it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) mapping: Mapping,
    pub(super) warnings: Vec<&'static str>,
}

/// Collects what is wrong with a row, so that all of it can be mended at once.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn keep<T, E: ToString>(&mut self, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.0.push(error.to_string())).ok()
    }
}

impl Reader {
    pub(super) fn new(systems: Systems, zone: Option<TimeZone>) -> Self {
        Self { systems, zone }
    }

    /// Reads a row. Empty e-mails and notes are none; outer white space of names and ids is cut.
    ///
    /// # Errors
    /// What is wrong with it, without the values.
    pub(super) fn read(&self, raw: &RawRow) -> Result<Read, String> {
        let mut problems = Problems::default();
        let mut warnings = Vec::new();
        warnings.extend(has_outer_space(&raw.username).then_some(NAME_CUT));
        warnings.extend(has_outer_space(&raw.external_id).then_some(ID_CUT));
        let username = problems.keep(needed("nexuslims_username", &raw.username)).map(Username::parse);
        let username = username.and_then(|parsed| problems.keep(parsed));
        let system = problems.keep(needed("external_system", &raw.system)).map(|text| self.systems.get(text));
        let system = system.and_then(|known| problems.keep(known));
        let external_id = problems.keep(needed("external_id", &raw.external_id)).map(ExternalId::parse);
        let external_id = external_id.and_then(|parsed| problems.keep(parsed));
        let email = problems.keep(given("email", &raw.email)).flatten().map(Email::parse);
        let email = email.and_then(|parsed| problems.keep(parsed));
        let created_at = problems.keep(needed("created_at", &raw.created_at));
        let created_at = created_at.and_then(|text| problems.keep(self.time("created_at", text, &mut warnings)));
        let verified = problems.keep(given("last_verified_at", &raw.last_verified_at)).flatten();
        let last_verified_at =
            verified.and_then(|text| problems.keep(self.time("last_verified_at", text, &mut warnings)));
        let notes = problems.keep(given("notes", &raw.notes)).flatten().map(str::to_owned);
        let mapping = (|| {
            Some(Mapping {
                username: username?,
                system: system?,
                external_id: external_id?,
                email,
                created_at: created_at?,
                last_verified_at,
                last_seen: None,
                notes,
                stored_by: None,
            })
        })();
        match mapping {
            Some(mapping) if problems.0.is_empty() => {
                warnings.sort_unstable();
                warnings.dedup();
                Ok(Read { mapping, warnings })
            }
            _ => Err(problems.0.join("; ")),
        }
    }

    /// With a zone or without, with `T` or a space, with milliseconds, microseconds or neither. Kept to the millisecond.
    fn time(&self, column: &str, text: &str, warnings: &mut Vec<&'static str>) -> Result<Timestamp, String> {
        let text = text.trim();
        let time = match text.parse::<Timestamp>() {
            Ok(time) => Some(time),
            Err(_) => text.parse::<DateTime>().ok().and_then(|local| self.local(local, warnings)),
        };
        time.and_then(|time| Timestamp::from_millisecond(time.as_millisecond()).ok())
            .ok_or_else(|| format!("{column} is no time such as 2026-01-25T10:00:00.000 or 2026-01-25T10:00:00+00:00"))
    }

    fn local(&self, local: DateTime, warnings: &mut Vec<&'static str>) -> Option<Timestamp> {
        let Some(zone) = &self.zone else {
            warnings.push(TAKEN_AS_UTC);
            return TimeZone::UTC.to_timestamp(local).ok();
        };
        let time = zone.to_ambiguous_timestamp(local);
        match time.offset() {
            jiff::tz::AmbiguousOffset::Fold { .. } => warnings.push(TWICE),
            jiff::tz::AmbiguousOffset::Gap { .. } => warnings.push(NEVER),
            jiff::tz::AmbiguousOffset::Unambiguous { .. } => {}
        }
        time.compatible().ok()
    }
}

fn given<'a>(column: &str, cell: &'a Cell) -> Result<Option<&'a str>, String> {
    match cell {
        Cell::Text(text) if text.trim().is_empty() => Ok(None),
        Cell::Text(text) => Ok(Some(text)),
        Cell::Null => Ok(None),
        Cell::NotText => Err(format!("{column} is not text")),
    }
}

fn has_outer_space(cell: &Cell) -> bool {
    matches!(cell, Cell::Text(text) if text.trim().len() < text.len())
}

fn needed<'a>(column: &str, cell: &'a Cell) -> Result<&'a str, String> {
    given(column, cell)?.ok_or_else(|| format!("{column} is empty"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> RawRow {
        let text = |text: &str| Cell::Text(text.to_owned());
        RawRow {
            id: "7".to_owned(),
            username: text("ada"),
            system: text("nemo"),
            external_id: text("12345"),
            email: Cell::Null,
            created_at: text("2026-01-25T10:00:00.000"),
            last_verified_at: Cell::Null,
            notes: text(""),
        }
    }

    fn zoned(zone: Option<&str>) -> Reader {
        Reader::new(Systems::default(), zone.map(|zone| TimeZone::get(zone).unwrap()))
    }

    fn created(zone: Option<&str>, text: &str) -> (String, Vec<&'static str>) {
        let row = RawRow { created_at: Cell::Text(text.to_owned()), ..row() };
        let read = zoned(zone).read(&row).unwrap();
        (crosswalk_identity::times::text(read.mapping.created_at), read.warnings)
    }

    #[test]
    fn times_with_and_without_a_zone() {
        let vienna = Some("Europe/Vienna");
        for (zone, text, time, warning) in [
            (None, "2026-01-25T10:00:00.000", "2026-01-25T10:00:00.000Z", Some(TAKEN_AS_UTC)),
            (vienna, "2026-01-25T10:00:00.000", "2026-01-25T09:00:00.000Z", None),
            (vienna, "2026-07-25 10:00:00", "2026-07-25T08:00:00.000Z", None),
            (vienna, "2026-01-25T10:00:00.123Z", "2026-01-25T10:00:00.123Z", None),
            (None, "2026-01-25T10:00:00.123999+01:00", "2026-01-25T09:00:00.123Z", None),
            (None, "2026-01-25 10:00:00+00:00", "2026-01-25T10:00:00.000Z", None),
            (vienna, "2026-10-25T02:30:00.000", "2026-10-25T00:30:00.000Z", Some(TWICE)),
            (vienna, "2026-03-29T02:30:00.000", "2026-03-29T01:30:00.000Z", Some(NEVER)),
        ] {
            assert_eq!(created(zone, text), (time.to_owned(), warning.into_iter().collect()), "{text} {zone:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_without_the_values() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let bad = RawRow {
            username: text("a/b"),
            system: text("orcid"),
            external_id: text(&"x".repeat(1025)),
            email: text("nowhere"),
            created_at: text("yesterday"),
            last_verified_at: Cell::NotText,
            ..row()
        };
        let why = zoned(None).read(&bad).unwrap_err();
        for part in [
            "cannot stand in a path",
            "`orcid` is not known here; known are cdcs",
            "1025 bytes",
            "the e-mail is not a valid address",
            "created_at is no time such as",
            "last_verified_at is not text",
        ] {
            assert!(why.contains(part), "{part}: {why}");
        }
        assert!(!why.contains("nowhere") && !why.contains("yesterday"), "{why}");
        let empty = RawRow { username: text(" "), created_at: Cell::Null, ..row() };
        assert_eq!(zoned(None).read(&empty).unwrap_err(), "nexuslims_username is empty; created_at is empty");
    }

    #[test]
    fn outer_white_space_of_names_and_ids_is_cut_and_said() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let read = zoned(Some("UTC")).read(&RawRow { external_id: text("\t12 345"), ..row() }).unwrap();
        assert_eq!((read.mapping.external_id.as_str(), read.warnings), ("12 345", vec![ID_CUT]));
        let both = RawRow { username: text("ada\u{a0}"), external_id: text("x\n"), ..row() };
        let read = zoned(Some("UTC")).read(&both).unwrap();
        assert_eq!((read.mapping.username.as_str(), read.warnings), ("ada", vec![ID_CUT, NAME_CUT]));
        assert!(zoned(Some("UTC")).read(&row()).unwrap().warnings.is_empty());
    }

    #[test]
    fn what_is_not_given_is_none() {
        let read = zoned(None).read(&row()).unwrap();
        assert_eq!((read.mapping.email, read.mapping.notes, read.mapping.last_verified_at), (None, None, None));
        let noted = RawRow { notes: Cell::Text(" as it is\n".to_owned()), ..row() };
        assert_eq!(zoned(None).read(&noted).unwrap().mapping.notes.unwrap(), " as it is\n");
    }
}
