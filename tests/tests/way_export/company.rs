//! A realm with many kinds of users and groups, and what Glean is to hold of any realm: derived here in a way of its own.

use std::collections::{BTreeMap, BTreeSet};

use crosswalk_stand_ins::glean::types::{NonEmpty, Person, Status, Team};
use crosswalk_stand_ins::keycloak::{GroupSpec, RealmSpec, UserSpec};

/// A user with all that Glean asks for.
pub(crate) fn user(name: &str) -> UserSpec {
    UserSpec::new(name)
        .email(&format!("{name}@example.org"))
        .name(&format!("First-{name}"), &format!("Last-{name}"))
        .attribute("department", "Research")
        .attribute("title", "Engineer")
}

/// So many users `u00`, `u01`, … in so many groups `g0`, `g1`, …, all of whom can be exported. User `n` is in group
/// `n % groups`.
pub(crate) fn plain(users: usize, groups: usize) -> RealmSpec {
    let name = |n: usize| format!("u{n:02}");
    let mut realm = RealmSpec::new("plain");
    for n in 0..users {
        realm = realm.user(user(&name(n)));
    }
    for group in 0..groups {
        realm = realm.group(GroupSpec::new(&format!("g{group}")).members((group..users).step_by(groups).map(name)));
    }
    realm
}

/// Everything at once: 40 people, of whom some are disabled, without e-mail or without department, a service account, and
/// groups three deep, of which some have nobody to export.
pub(crate) fn mixed() -> RealmSpec {
    let mut realm = RealmSpec::new("mixed").user(UserSpec::service_account("robot"));
    let name = |n: usize| format!("u{n:02}");
    for n in 0..40 {
        let mut one = user(&name(n)).attribute("startDate", &format!("2020-01-{:02}", n % 28 + 1));
        match n {
            7 => one.email = None,
            8 => drop(one.attributes.remove("department")),
            9 => one.email = Some("U09@Example.ORG".to_owned()),
            11 | 12 => one.enabled = false,
            13 => drop(one.attributes.remove("startDate")),
            _ => {}
        }
        if n >= 20 {
            one = one.attribute("managerEmail", "u01@example.org");
        }
        realm = realm.user(one);
    }
    let mut wide = GroupSpec::new("wide").members([name(1), name(2), "service-account-robot".to_owned()]);
    for n in 0..12 {
        wide = wide.child(GroupSpec::new(&format!("part{n:02}")).members([name(n), name(n + 12), name(39)]));
    }
    let deep = GroupSpec::new("deep")
        .attribute("description", "Three levels")
        .child(GroupSpec::new("middle").members([name(5)]).child(GroupSpec::new("bottom").members([name(6), name(7)])));
    realm
        .group(wide)
        .group(deep)
        .group(GroupSpec::new("empty"))
        .group(GroupSpec::new("nobody").members([name(7), name(8), "service-account-robot".to_owned()]))
        .group(GroupSpec::new("linked").attribute("externalLink", "https://wiki.example.org/linked"))
}

/// How many users and groups of [`mixed`] end how.
pub(crate) const MIXED_PEOPLE: u64 = 40;
/// The one without a department.
pub(crate) const MIXED_REJECTED: u64 = 1;
/// The one without an e-mail.
pub(crate) const MIXED_SKIPPED: u64 = 1;
pub(crate) const MIXED_GROUPS: u64 = 19;
/// `deep`, `empty` and `nobody`.
pub(crate) const MIXED_SKIPPED_GROUPS: u64 = 3;

type Known = BTreeMap<String, BTreeMap<&'static str, String>>;

/// Panics with the first difference between a realm and what Glean holds.
pub(crate) fn assert_same(realm: &RealmSpec, people: &BTreeMap<String, Person>, teams: &BTreeMap<String, Team>) {
    let (people_expected, teams_expected) = expected(realm);
    let people_held: Known = people.iter().map(|(email, person)| (email.clone(), of_person(person))).collect();
    let teams_held: Known = teams.iter().map(|(id, team)| (id.clone(), of_team(team))).collect();
    same("people", &people_expected, &people_held);
    same("teams", &teams_expected, &teams_held);
}

fn same(what: &str, expected: &Known, held: &Known) {
    let keys = |known: &Known| known.keys().cloned().collect::<BTreeSet<_>>();
    let (wanted, found) = (keys(expected), keys(held));
    assert_eq!(wanted.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "{what} that Glean lacks");
    assert_eq!(
        found.difference(&wanted).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "{what} that Glean should not hold"
    );
    for (key, fields) in expected {
        assert_eq!(&held[key], fields, "{what}: {key}");
    }
}

fn expected(realm: &RealmSpec) -> (Known, Known) {
    let exported: BTreeMap<&str, &UserSpec> = realm
        .users
        .iter()
        .filter(|user| user.service_account_of.is_none() && user.email.is_some())
        .filter(|user| user.attributes.contains_key("department"))
        .map(|user| (user.username.as_str(), user))
        .collect();
    let key = |user: &UserSpec| user.email.as_deref().unwrap_or_default().to_lowercase();
    let mut people = Known::new();
    for user in exported.values() {
        let first = |name: &str| user.attributes.get(name).and_then(|values| values.first()).cloned();
        let created = user.created.map(|at| at.to_string()[..10].to_owned());
        let mut fields =
            BTreeMap::from([("id", key(user)), ("status", if user.enabled { "CURRENT" } else { "EX" }.to_owned())]);
        let optional = [
            ("department", first("department")),
            ("first name", user.first_name.clone()),
            ("last name", user.last_name.clone()),
            ("title", first("title")),
            ("start date", first("startDate").or(created)),
            ("manager", first("managerEmail")),
        ];
        fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        people.insert(key(user), fields);
    }
    let mut teams = Known::new();
    for placed in realm.all_groups() {
        let group = placed.group;
        let members: BTreeSet<String> =
            group.members.iter().filter_map(|name| exported.get(name.as_str())).map(|user| key(user)).collect();
        let link = group.attributes.get("externalLink");
        if members.is_empty() && link.is_none() {
            continue;
        }
        for member in &members {
            let of = people.get_mut(member).unwrap().entry("teams").or_default();
            of.push_str(&format!("{} {}\n", placed.id, group.name));
        }
        let mut fields = BTreeMap::from([
            ("name", group.name.clone()),
            ("members", members.into_iter().collect::<Vec<_>>().join(" ")),
        ]);
        let optional = [("link", link), ("description", group.attributes.get("description"))];
        fields.extend(optional.into_iter().filter_map(|(name, values)| Some((name, values?.first()?.clone()))));
        teams.insert(placed.id, fields);
    }
    for fields in people.values_mut() {
        if let Some(teams) = fields.get_mut("teams") {
            *teams = lines(teams.lines().map(str::to_owned));
        }
    }
    (people, teams)
}

fn of_person(person: &Person) -> BTreeMap<&'static str, String> {
    let text = |text: &Option<NonEmpty>| text.as_ref().map(ToString::to_string);
    let status = match person.status {
        Status::Current => "CURRENT",
        Status::Future => "FUTURE",
        Status::Ex => "EX",
    };
    let teams = lines(person.teams.iter().map(|team| format!("{} {}", team.id, team.name)));
    let fields = [
        ("id", text(&person.id)),
        ("status", Some(status.to_owned())),
        ("department", Some(person.department.to_string())),
        ("first name", text(&person.first_name)),
        ("last name", text(&person.last_name)),
        ("title", text(&person.title)),
        ("start date", person.start_date.as_ref().map(ToString::to_string)),
        ("manager", person.manager_email.as_ref().map(ToString::to_string)),
        ("teams", Some(teams).filter(|teams| !teams.is_empty())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn of_team(team: &Team) -> BTreeMap<&'static str, String> {
    let members: BTreeSet<&str> = team.members.iter().map(|member| member.email.as_str()).collect();
    let fields = [
        ("name", Some(team.name.to_string())),
        ("members", Some(members.into_iter().collect::<Vec<_>>().join(" "))),
        ("link", team.external_link.as_ref().map(ToString::to_string)),
        ("description", team.description.as_ref().map(ToString::to_string)),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("\n")
}
