//! Who is known, and what each has: read once, item by item, in memory that hardly grows with the people.
//!
//! Of those who lack nothing no name is kept: a hash and a bit a system is all that is held of them (see
//! [`crate::groups`]). Names are kept of those who may lack something, and of stale mappings.

use std::collections::HashMap;

use crosswalk_identity::{Email, Mapping, System, Username};
use crosswalk_people::Known;
use crosswalk_sightings::Sighting;
use jiff::Timestamp;

use crate::findings::Stale;
use crate::groups::{Group, Groups, Mask, Node};
use crate::listed::Listed;
use crate::notify::Lacking;

/// What makes somebody known, and something stale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds<'a> {
    /// The systems that everybody is to be known to, at most 64.
    pub(crate) required: &'a [System],
    /// Whom a sync saw since then is known.
    pub(crate) seen_since: Timestamp,
    /// What was verified last before then is stale.
    pub(crate) stale_before: Timestamp,
    /// All who are known are audited, or only those of a list.
    pub(crate) everybody: bool,
}

/// Takes in whatever tells of people: the table first, then sightings and the list.
#[derive(Debug)]
pub(crate) struct Gathering<'a> {
    bounds: Bounds<'a>,
    full: Mask,
    groups: Groups,
    candidates: HashMap<Node, Candidate>,
    stale: Vec<(Node, Stale)>,
    /// What the table has of the person whose items are being read.
    current: Option<Current>,
}

/// The items of one person, as far as they were read.
#[derive(Debug)]
struct Current {
    username: Username,
    node: Node,
    has: Mask,
    mappings: u32,
    email: Option<Email>,
    mapped_email: Option<Email>,
}

/// Somebody who may lack something.
#[derive(Debug)]
struct Candidate {
    username: Username,
    mappings: u32,
    email: Option<Email>,
    mapped_email: Option<Email>,
    sighting: Option<Sighting>,
    standing: Standing,
    listed: bool,
}

/// Whether the syncs' accounts of a username are in use. One that is inactive is enough: whom one directory has let go is not
/// written to because another was read an hour later. What was seen long ago counts for those whom no sync has seen since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Standing {
    #[default]
    Unseen,
    Before {
        inactive: bool,
    },
    OfLate {
        inactive: bool,
    },
}

impl Standing {
    fn note(&mut self, recent: bool, active: bool) {
        *self = match (*self, recent) {
            (Self::OfLate { inactive }, true) => Self::OfLate { inactive: inactive || !active },
            (_, true) => Self::OfLate { inactive: !active },
            (Self::OfLate { inactive }, false) => Self::OfLate { inactive },
            (Self::Before { inactive }, false) => Self::Before { inactive: inactive || !active },
            (Self::Unseen, false) => Self::Before { inactive: !active },
        };
    }

    /// None where no sync knows of one.
    fn is_inactive(self) -> Option<bool> {
        match self {
            Self::Unseen => None,
            Self::Before { inactive } | Self::OfLate { inactive } => Some(inactive),
        }
    }
}

/// Who was found to lack what.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) people: u64,
    pub(crate) complete: u64,
    pub(crate) missing: Vec<Lacking>,
    pub(crate) stale: Vec<Stale>,
}

impl<'a> Gathering<'a> {
    pub(crate) fn new(bounds: Bounds<'a>) -> Self {
        let full = (0..bounds.required.len()).fold(0, |full, bit| full | 1 << bit);
        Self { bounds, full, groups: Groups::default(), candidates: HashMap::new(), stale: Vec::new(), current: None }
    }

    /// An item of the table. Those of one person stand together there; if they ever come apart, that costs memory and
    /// nothing else.
    pub(crate) fn item(&mut self, known: Known) {
        match known {
            Known::Person(person) => {
                let current = self.current(&person.username);
                current.username = person.username;
                current.email.clone_from(&person.email);
                let node = current.node;
                self.reached_by(node, person.email.as_ref());
            }
            Known::Mapping(mapping) => self.mapping(mapping),
            // A mapping that is broken is not missing: who is asked to register anew would meet the broken one.
            Known::Unreadable { username: Some(username), system } => {
                let has = system.map_or(0, |system| self.bit(&system));
                let current = self.current(&username);
                current.has |= has;
            }
            Known::Unreadable { username: None, .. } => {}
        }
    }

    fn mapping(&mut self, mapping: Mapping) {
        let Mapping { username, system, email, created_at, last_verified_at, last_seen, .. } = mapping;
        let has = self.bit(&system);
        let current = self.current(&username);
        current.has |= has;
        current.mappings += 1;
        if current.mapped_email.is_none() {
            current.mapped_email.clone_from(&email);
        }
        let node = current.node;
        self.reached_by(node, email.as_ref());
        if last_verified_at.unwrap_or(created_at) < self.bounds.stale_before {
            self.stale.push((node, Stale { username, system, last_verified_at, last_seen }));
        }
    }

    /// Whom a sync saw. All items of the table are in by now.
    pub(crate) fn sighting(&mut self, sighting: Sighting) {
        let known = self.groups.find_username(&sighting.username);
        let recent = sighting.seen_at >= self.bounds.seen_since;
        if known.is_none() && !recent {
            return;
        }
        let node = known.unwrap_or_else(|| self.groups.username(&sighting.username));
        self.met(node, recent && self.bounds.everybody);
        self.reached_by(node, sighting.email.as_ref());
        let Some(candidate) = self.candidate(node, &sighting.username) else { return };
        candidate.standing.note(recent, sighting.active);
        // Of two syncs that know the same person, the address of the one that saw them last.
        if candidate.sighting.as_ref().is_none_or(|held| held.seen_at <= sighting.seen_at) {
            candidate.sighting = Some(sighting);
        }
    }

    /// Who stands on the list. All items of the table are in by now.
    pub(crate) fn listed(&mut self, listed: &Listed) {
        let node = self.groups.username(&listed.username);
        self.met(node, true);
        self.reached_by(node, listed.email.as_ref());
        if let Some(candidate) = self.candidate(node, &listed.username) {
            candidate.listed = true;
            if candidate.mapped_email.is_none() {
                candidate.mapped_email.clone_from(&listed.email);
            }
        }
    }

    /// All items of the table are in.
    pub(crate) fn table_ends(&mut self) {
        let Some(Current { username, node, has, mappings, email, mapped_email }) = self.current.take() else { return };
        self.groups.has(node, has);
        let Some(candidate) = self.candidate(node, &username) else { return };
        candidate.username = username;
        candidate.mappings += mappings;
        candidate.email = candidate.email.take().or(email);
        candidate.mapped_email = candidate.mapped_email.take().or(mapped_email);
    }

    /// The person whose items are being read; what was held of the one before is settled.
    fn current(&mut self, username: &Username) -> &mut Current {
        if self.current.as_ref().is_some_and(|current| current.username != *username) {
            self.table_ends();
        }
        let Self { bounds, groups, current, .. } = self;
        current.get_or_insert_with(|| {
            let node = groups.username(username);
            if bounds.everybody {
                groups.want(node);
            }
            let username = username.clone();
            Current { username, node, has: 0, mappings: 0, email: None, mapped_email: None }
        })
    }

    fn met(&mut self, node: Node, wanted: bool) {
        if wanted {
            self.groups.want(node);
        }
    }

    fn reached_by(&mut self, node: Node, email: Option<&Email>) {
        if let Some(email) = email {
            let email = self.groups.email(email);
            self.groups.unite(node, email);
        }
    }

    /// What is held of a username whose person is not yet known to lack nothing. (Nobody comes to lack more.)
    fn candidate(&mut self, node: Node, username: &Username) -> Option<&mut Candidate> {
        let group = self.groups.group(node);
        if self.groups.mask(group) == self.full {
            return None;
        }
        Some(self.candidates.entry(node).or_insert_with(|| Candidate {
            username: username.clone(),
            mappings: 0,
            email: None,
            mapped_email: None,
            sighting: None,
            standing: Standing::Unseen,
            listed: false,
        }))
    }

    /// Zero for a system that is not required.
    fn bit(&self, system: &System) -> Mask {
        self.bounds.required.iter().position(|required| required == system).map_or(0, |bit| 1 << bit)
    }

    /// Who lacks what, by the key of the first username; and what is stale, by system and username.
    pub(crate) fn end(mut self) -> Gathered {
        self.table_ends();
        let Self { bounds, full, mut groups, candidates, stale, .. } = self;
        let (mut people, mut complete) = (0, 0);
        for has in groups.wanted() {
            people += 1;
            complete += u64::from(has == full);
        }
        let mut lacking: Vec<(Group, Candidate)> =
            candidates.into_iter().map(|(node, candidate)| (groups.group(node), candidate)).collect();
        lacking.retain(|(group, _)| groups.is_wanted(*group) && groups.mask(*group) != full);
        lacking.sort_by(|(one_group, one), (other_group, other)| {
            one_group
                .cmp(other_group)
                .then_with(|| other.rank().cmp(&one.rank()))
                .then(one.username.cmp(&other.username))
        });
        let mut missing = Vec::new();
        let mut rest = lacking.into_iter().peekable();
        while let Some((group, first)) = rest.next() {
            let mut members = vec![first];
            while let Some((_, member)) = rest.next_if(|(other, _)| *other == group) {
                members.push(member);
            }
            missing.push(lacks(members, bounds.required, groups.mask(group)));
        }
        missing.sort_by(|one, other| one.usernames.first().cmp(&other.usernames.first()));
        let mut stale: Vec<Stale> = stale
            .into_iter()
            .filter(|(node, _)| {
                let group = groups.group(*node);
                groups.is_wanted(group)
            })
            .map(|(_, stale)| stale)
            .collect();
        stale.sort_by(|one, other| one.system.cmp(&other.system).then_with(|| one.username.cmp(&other.username)));
        Gathered { people, complete, missing, stale }
    }
}

impl Candidate {
    /// Who stands for the person: who was asked for, then who has the most mappings.
    fn rank(&self) -> (bool, u32) {
        (self.listed, self.mappings)
    }

    fn sighted_email(&self) -> Option<&Email> {
        self.sighting.as_ref().and_then(|sighting| sighting.email.as_ref())
    }
}

/// A person of these usernames, the one that stands for all first.
fn lacks(members: Vec<Candidate>, required: &[System], has: Mask) -> Lacking {
    let sources: [fn(&Candidate) -> Option<&Email>; 3] =
        [|member| member.email.as_ref(), |member| member.mapped_email.as_ref(), Candidate::sighted_email];
    let email = members.iter().find_map(|member| sources.iter().find_map(|of| of(member))).cloned();
    // Of several usernames one that is in use is enough: it is the same person's.
    let mut standings = members.iter().filter_map(|member| member.standing.is_inactive()).peekable();
    let disabled = standings.peek().is_some() && standings.all(|is_inactive| is_inactive);
    let lacks = |bit: usize| has & 1 << bit == 0;
    let systems = required.iter().enumerate().filter(|(bit, _)| lacks(*bit)).map(|(_, system)| system.clone());
    Lacking {
        systems: systems.collect(),
        email,
        disabled,
        usernames: members.into_iter().map(|m| m.username).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use crosswalk_identity::ExternalId;
    use crosswalk_people::Person;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        at("2026-11-22T04:00:00Z")
    }

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    fn systems(names: &[&str]) -> Vec<System> {
        names.iter().map(|name| System::parse(name).unwrap()).collect()
    }

    fn person(username: &str, mail: Option<&str>) -> Known {
        Known::Person(Person {
            username: name(username),
            email: mail.map(email),
            roles: Vec::new(),
            invited_until: None,
            created_at: now(),
            stored_by: None,
        })
    }

    fn mapping(username: &str, system: &str, mail: Option<&str>) -> Mapping {
        Mapping {
            username: name(username),
            system: System::parse(system).unwrap(),
            external_id: ExternalId::parse("1").unwrap(),
            email: mail.map(email),
            created_at: at("2026-11-01T00:00:00Z"),
            last_verified_at: None,
            last_seen: None,
            notes: None,
            stored_by: None,
        }
    }

    fn mapped(username: &str, system: &str, mail: Option<&str>) -> Known {
        Known::Mapping(mapping(username, system, mail))
    }

    fn sighting(username: &str, mail: Option<&str>, seen_at: &str, active: bool) -> Sighting {
        Sighting { username: name(username), email: mail.map(email), seen_at: at(seen_at), active }
    }

    fn bounds(required: &[System]) -> Bounds<'_> {
        let (seen_since, stale_before) = (at("2026-08-24T04:00:00Z"), at("2026-05-26T04:00:00Z"));
        Bounds { required, seen_since, stale_before, everybody: true }
    }

    fn gather(items: Vec<Known>, sightings: Vec<Sighting>) -> Gathered {
        let required = systems(&["nemo", "cdcs"]);
        let mut gathering = Gathering::new(bounds(&required));
        items.into_iter().for_each(|item| gathering.item(item));
        gathering.table_ends();
        sightings.into_iter().for_each(|sighting| gathering.sighting(sighting));
        gathering.end()
    }

    /// `username, also (email): systems`, with `disabled` if so.
    fn told(gathered: &Gathered) -> Vec<String> {
        let told = |lacking: &Lacking| {
            let names: Vec<&str> = lacking.usernames.iter().map(Username::as_str).collect();
            let systems: Vec<&str> = lacking.systems.iter().map(System::as_str).collect();
            let email = lacking.email.as_ref().map_or("-", Email::as_str);
            let disabled = if lacking.disabled { " disabled" } else { "" };
            format!("{} ({email}): {}{disabled}", names.join(", "), systems.join(" "))
        };
        gathered.missing.iter().map(told).collect()
    }

    #[test]
    fn one_inactive_account_is_enough_whichever_sync_was_read_last() {
        let (early, late, long_ago) = ("2026-11-20T04:00:00Z", "2026-11-20T05:00:00Z", "2026-01-01T00:00:00Z");
        for (sightings, disabled) in [
            (vec![(early, false), (late, true)], true),
            (vec![(early, true), (late, false)], true),
            (vec![(early, true), (late, true)], false),
            // Who left one directory long ago and stands in another is in use.
            (vec![(long_ago, false), (late, true)], false),
            (vec![(late, true), (long_ago, false)], false),
            // Nobody has seen them since.
            (vec![(long_ago, false)], true),
            (vec![], false),
        ] {
            let of = sightings.iter().map(|(at, active)| sighting("ada", None, at, *active)).collect();
            let gathered = gather(vec![mapped("ada", "nemo", Some("ada@example.org"))], of);
            assert_eq!(gathered.missing[0].disabled, disabled, "{sightings:?}");
        }
    }

    #[test]
    fn who_has_all_is_not_named_and_who_lacks_something_is() {
        let gathered = gather(
            vec![
                mapped("ada", "cdcs", None),
                mapped("ada", "nemo", None),
                person("ada", Some("ada@example.org")),
                mapped("Bo", "sharepoint", Some("bo@example.org")),
                person("cy", None),
                mapped("di", "nemo", None),
            ],
            Vec::new(),
        );
        assert_eq!((gathered.people, gathered.complete), (4, 1));
        assert_eq!(told(&gathered), ["Bo (bo@example.org): nemo cdcs", "cy (-): nemo cdcs", "di (-): cdcs"]);
    }

    #[test]
    fn who_shares_an_email_is_one() {
        let gathered = gather(
            vec![
                mapped("a.lovelace", "nemo", None),
                person("a.lovelace", Some("ada@example.org")),
                mapped("ada", "cdcs", Some("ADA@example.org")),
                // Three that are one over two steps, by their mappings' addresses; the one with two mappings stands for all.
                mapped("bo1", "nemo", Some("bo@example.org")),
                person("bo1", Some("bo.one@example.org")),
                mapped("bo2", "nemo", Some("bo@example.org")),
                mapped("bo2", "sharepoint", Some("b@example.org")),
                person("bo3", Some("b@example.org")),
            ],
            Vec::new(),
        );
        assert_eq!((gathered.people, gathered.complete), (2, 1));
        assert_eq!(told(&gathered), ["bo2, bo1, bo3 (bo@example.org): cdcs"]);
    }

    #[test]
    fn whom_a_sync_saw_lately_is_known() {
        let gathered = gather(
            vec![mapped("ada", "nemo", None), mapped("di", "cdcs", None), mapped("di", "nemo", None)],
            vec![
                sighting("new", Some("new@example.org"), "2026-11-20T00:00:00Z", true),
                sighting("gone", Some("gone@example.org"), "2026-08-01T00:00:00Z", true),
                // Of who is known otherwise, an old one still tells address and account.
                sighting("ada", Some("ada@example.org"), "2026-01-01T00:00:00Z", false),
                sighting("di", None, "2026-11-20T00:00:00Z", false),
            ],
        );
        assert_eq!((gathered.people, gathered.complete), (3, 1));
        assert_eq!(told(&gathered), ["ada (ada@example.org): cdcs disabled", "new (new@example.org): nemo cdcs"]);
    }

    #[test]
    fn who_has_one_account_in_use_and_another_that_is_not_is_no_disabled_person() {
        let mail = Some("ada@example.org");
        let both = vec![
            sighting("ada", mail, "2026-11-20T00:00:00Z", false),
            sighting("ada2", mail, "2026-11-20T00:00:00Z", true),
        ];
        assert_eq!(told(&gather(Vec::new(), both)), ["ada, ada2 (ada@example.org): nemo cdcs"]);
    }

    #[test]
    fn what_does_not_read_is_not_missing() {
        let unreadable = |username: Option<&str>, system: Option<&str>| Known::Unreadable {
            username: username.map(name),
            system: system.map(|system| System::parse(system).unwrap()),
        };
        let items = vec![
            unreadable(Some("ada"), Some("nemo")),
            mapped("bo", "cdcs", None),
            unreadable(Some("bo"), Some("nemo")),
            unreadable(Some("cy"), None),
            unreadable(None, None),
        ];
        let gathered = gather(items, Vec::new());
        assert_eq!((gathered.people, gathered.complete), (3, 1));
        assert_eq!(told(&gathered), ["ada (-): cdcs", "cy (-): nemo cdcs"]);
    }

    #[test]
    fn what_nobody_verified_for_long_is_stale() {
        let of = |username: &str, created: &str, verified: Option<&str>| {
            Known::Mapping(Mapping {
                created_at: at(created),
                last_verified_at: verified.map(at),
                last_seen: Some(now()),
                ..mapping(username, "sharepoint", None)
            })
        };
        let items = vec![
            of("zoe", "2025-01-01T00:00:00Z", None),
            of("ada", "2025-01-01T00:00:00Z", Some("2026-05-26T03:59:59Z")),
            of("bo", "2025-01-01T00:00:00Z", Some("2026-05-26T04:00:00Z")),
            of("cy", "2026-10-01T00:00:00Z", None),
        ];
        let stale = gather(items, Vec::new()).stale;
        let names: Vec<&str> = stale.iter().map(|stale| stale.username.as_str()).collect();
        assert_eq!(names, ["ada", "zoe"]);
        assert_eq!((stale[1].last_verified_at, stale[1].last_seen), (None, Some(now())));
    }

    #[test]
    fn of_a_list_only_its_people_and_who_is_one_with_them() {
        let required = systems(&["nemo"]);
        let mut gathering = Gathering::new(Bounds { everybody: false, ..bounds(&required) });
        let old = Known::Mapping(Mapping { created_at: at("2020-01-01T00:00:00Z"), ..mapping("other", "cdcs", None) });
        for item in [
            mapped("ada2", "cdcs", Some("ada@example.org")),
            mapped("ada2", "sharepoint", None),
            old,
            mapped("bo", "nemo", None),
        ] {
            gathering.item(item);
        }
        gathering.table_ends();
        for (username, mail) in [("ada", Some("ada@example.org")), ("bo", None), ("cy", None), ("CY", None)] {
            gathering.listed(&Listed { username: name(username), email: mail.map(email) });
        }
        gathering.sighting(sighting("nobody", None, "2026-11-20T00:00:00Z", true));
        gathering.sighting(sighting("cy", Some("cy@example.org"), "2026-11-20T00:00:00Z", true));
        let gathered = gathering.end();
        assert_eq!((gathered.people, gathered.complete, gathered.stale.len()), (3, 1, 0));
        assert_eq!(told(&gathered), ["ada, ada2 (ada@example.org): nemo", "cy (cy@example.org): nemo"]);
    }

    /// What a person has: systems by number, e-mails by number.
    type Has = (BTreeSet<u8>, BTreeSet<u8>);

    proptest! {
        /// Against people who are merged one by one, and whose names are all kept. The order in which DynamoDB gives people
        /// is none, and where a page ends is nobody's business.
        #[test]
        fn it_finds_the_gaps_that_there_are(
            people in prop::collection::btree_map(0u8..30, (prop::collection::btree_set(0u8..3, 0..=3), prop::collection::btree_set(0u8..20, 0..3)), 0..25),
            torn in any::<bool>(),
        ) {
            let required = systems(&["s0", "s1", "s2"]);
            let mut gathering = Gathering::new(bounds(&required));
            let mut items: Vec<Known> = Vec::new();
            for (number, (has, mails)) in &people {
                let username = format!("user{number}");
                let mut mails = mails.iter().map(|mail| format!("m{mail}@example.org"));
                let own = mails.next();
                items.extend(has.iter().map(|system| mapped(&username, &format!("s{system}"), None)));
                items.extend(mails.map(|mail| mapped(&username, "other", Some(&mail))));
                items.push(person(&username, own.as_deref()));
            }
            if torn {
                items.reverse();
                let half = items.len() / 2;
                items.rotate_left(half);
            }
            items.into_iter().for_each(|item| gathering.item(item));
            let gathered = gathering.end();

            let mut groups: Vec<(BTreeSet<u8>, Has)> = Vec::new();
            for (number, (has, mails)) in &people {
                let mut group = (BTreeSet::from([*number]), (has.clone(), mails.clone()));
                groups.retain(|(names, (theirs, addresses))| {
                    let one = !addresses.is_disjoint(&group.1.1);
                    if one {
                        group.0.extend(names);
                        group.1.0.extend(theirs);
                        group.1.1.extend(addresses);
                    }
                    !one
                });
                groups.push(group);
            }
            let complete = groups.iter().filter(|(_, (has, _))| has.len() == 3).count();
            prop_assert_eq!((gathered.people, gathered.complete), (groups.len() as u64, complete as u64));
            let expected: BTreeMap<BTreeSet<String>, Vec<String>> = groups
                .into_iter()
                .filter(|(_, (has, _))| has.len() < 3)
                .map(|(names, (has, _))| {
                    let lacks = (0..3).filter(|system| !has.contains(system)).map(|system| format!("s{system}"));
                    (names.into_iter().map(|number| format!("user{number}")).collect(), lacks.collect())
                })
                .collect();
            let actual: BTreeMap<BTreeSet<String>, Vec<String>> = gathered
                .missing
                .iter()
                .map(|lacking| {
                    let names = lacking.usernames.iter().map(ToString::to_string).collect();
                    (names, lacking.systems.iter().map(ToString::to_string).collect())
                })
                .collect();
            prop_assert_eq!(actual, expected);
        }
    }
}
