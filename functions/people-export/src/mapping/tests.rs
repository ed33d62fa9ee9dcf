use crosswalk_function_kit::settings::Environment;
use crosswalk_reconcile::{Proof, Snapshot};
use serde_json::json;

use super::*;
use crate::glean::types::{Employment, Status};
use crate::realm::{Attributes, User};

/// A user whom nothing keeps from being exported: `<id>@example.org`, of a department.
pub(super) fn user(id: &str) -> User {
    User {
        id: id.into(),
        username: format!("{id}.name"),
        email: Some(format!("{id}@example.org")),
        first_name: Some("Kim".to_owned()),
        last_name: Some("Park".to_owned()),
        enabled: true,
        service_account: false,
        created_at: Some("2024-12-31T23:30:00-05:00".parse().unwrap()),
        attributes: attributes(&[("department", &["Research"])]),
    }
}

/// A group with members, below the group whose path is the beginning of its own. Its id is `g` and its path.
pub(super) fn group(path: &str, members: &[&str]) -> Group {
    let (above, name) = path.rsplit_once('/').unwrap();
    Group {
        id: format!("g{path}").into(),
        name: name.to_owned(),
        path: path.to_owned(),
        parent: (!above.is_empty()).then(|| format!("g{above}").into()),
        attributes: Attributes::default(),
        members: members.iter().map(|&id| id.into()).collect(),
    }
}

pub(super) fn attributes(pairs: &[(&str, &[&str])]) -> Attributes {
    pairs.iter().flat_map(|(name, values)| values.iter().map(|&value| ((*name).into(), value.into()))).collect()
}

fn give(user: &mut User, pairs: &[(&str, &[&str])]) {
    let known = user.attributes.pairs().map(|(name, value)| (name.into(), value.into()));
    let given = pairs.iter().flat_map(|(name, values)| values.iter().map(|&value| ((*name).into(), value.into())));
    user.attributes = known.chain(given).collect();
}

pub(super) fn realm(users: Vec<User>, groups: Vec<Group>) -> Realm {
    let (mut all_users, mut all_groups) = (Snapshot::default(), Snapshot::default());
    all_users.page(users).unwrap();
    all_groups.page(groups).unwrap();
    Realm {
        users: all_users.prove_even_empty(Proof::EndOfResults).unwrap(),
        groups: all_groups.prove_even_empty(Proof::EndOfResults).unwrap(),
    }
}

pub(super) fn mapping(settings: &[(&str, &str)]) -> Mapping {
    let environment: Environment = settings.iter().copied().collect();
    Mapping::new(MappingSettings::from_env(&environment).unwrap())
}

fn desired(settings: &[(&str, &str)], users: Vec<User>, groups: Vec<Group>) -> Desired {
    mapping(settings).desired(realm(users, groups))
}

/// The one user as a person, and what is noted.
fn person(settings: &[(&str, &str)], one: User) -> (Employee, Vec<String>) {
    let mut desired = desired(settings, vec![one], Vec::new());
    assert_eq!(desired.left_out, []);
    (desired.people.remove(0), desired.warnings.into_iter().map(|warning| warning.text.into_owned()).collect())
}

fn emails(desired: &Desired) -> Vec<&str> {
    desired.people.iter().map(|person| person.email.as_str()).collect()
}

/// Id, outcome, key and the beginning of the reason.
fn left_out(desired: &Desired) -> Vec<(&str, Outcome, Option<&str>, &str)> {
    let told = |left: &'_ LeftOut| left.reason.char_indices().nth(24).map_or(left.reason.len(), |(end, _)| end);
    desired
        .left_out
        .iter()
        .map(|left| (&*left.id, left.outcome, left.key.as_deref(), &left.reason[..told(left)]))
        .collect()
}

fn members(desired: &Desired) -> Vec<(&str, Vec<&str>)> {
    let teams = desired.teams.iter();
    teams.map(|team| (&team.id[1..], team.members.iter().map(|member| member.email.as_str()).collect())).collect()
}

#[test]
fn a_person_and_a_team_with_everything() {
    let mut kim = user("kim");
    kim.email = Some(" Kim.Park@Example.org ".to_owned());
    kim.enabled = false;
    kim.attributes = attributes(&[
        ("alsoKnownAs", &["Kimmy", "KP"]),
        ("area", &["NORAM"]),
        ("bio", &["Measures. "]),
        ("businessUnit", &["Science"]),
        ("dept", &["Research"]),
        ("employmentType", &["contractor"]),
        ("endDate", &["2026-01-31"]),
        ("hireDate", &["2020-02-29T08:00:00Z"]),
        ("manager", &["omar"]),
        ("nation", &["United States"]),
        ("office.city", &["Boulder"]),
        ("phoneNumber", &["+1 303 555 0100"]),
        ("photoUrl", &["https://example.org/kim.png"]),
        ("place", &["B 2.17", "other"]),
        ("preferredName", &["Kim"]),
        ("profileUrl", &["https://people.example.org/kim"]),
        ("pronoun", &["they/them"]),
        ("speaks", &["Korean", "English"]),
        ("state", &["CO"]),
        ("street", &["325 Broadway"]),
        ("title", &["Scientist"]),
        ("us", &["usa"]),
        ("zip", &["80305"]),
        ("zone", &["UTC-7"]),
    ]);
    let mut platform = group("/science/platform", &["kim", "omar", "kim"]);
    platform.attributes = attributes(&[
        ("description", &["Runs it all"]),
        ("businessUnit", &["Science"]),
        ("department", &["Research"]),
        ("photoUrl", &["http://example.org/team.png"]),
        ("externalLink", &["https://example.org/teams/platform"]),
        ("email", &["Platform@Example.org"]),
        ("slack", &["#platform"]),
    ]);
    let settings = [
        ("GLEAN_DATASOURCE", "keycloak"),
        (
            "EXPORT_ATTRIBUTES",
            r#"{"department": ["absent", "dept"], "languages": "speaks", "structuredLocation.address": "street",
                "structuredLocation.city": "office.city", "structuredLocation.countryCode": "us",
                "structuredLocation.country": "nation", "structuredLocation.deskLocation": "place",
                "structuredLocation.region": "area", "structuredLocation.state": "state", "structuredLocation.timezone": "zone",
                "structuredLocation.zipCode": "zip", "hobbies": "hobby"}"#,
        ),
        ("EXPORT_TEAM_ATTRIBUTES", r#"{"channel": "slack"}"#),
        ("EXPORT_DEFAULT_DEPARTMENT", "Staff"),
    ];
    let desired = desired(&settings, vec![user("omar"), kim], vec![group("/science", &["omar"]), platform]);
    assert_eq!((desired.left_out, desired.warnings), (vec![], vec![]));
    insta::assert_json_snapshot!("person", desired.people[0]);
    insta::assert_json_snapshot!("team", desired.teams[1]);
    insta::assert_json_snapshot!("plain_person", desired.people[1]);
    insta::assert_json_snapshot!("plain_team", desired.teams[0]);
}

#[test]
fn who_cannot_be_exported_is_named_with_the_reason() {
    let mut client = user("client");
    (client.service_account, client.email) = (true, None);
    let (mut none, mut blank, mut bad, mut lost) = (user("none"), user("blank"), user("bad"), user("lost"));
    none.email = None;
    blank.email = Some("  ".to_owned());
    bad.email = Some("bad at example.org".to_owned());
    lost.attributes = attributes(&[("department", &[" "]), ("dept", &[])]);
    let settings = [("EXPORT_ATTRIBUTES", r#"{"department": ["department", "dept"]}"#)];
    let desired = desired(&settings, vec![client, none, user("kim"), blank, bad, lost], Vec::new());
    assert_eq!(emails(&desired), ["kim@example.org"]);
    assert_eq!(
        left_out(&desired),
        [
            ("client", Outcome::Skipped, None, "a service account stands"),
            ("none", Outcome::Skipped, None, "the user has no e-mail, "),
            ("blank", Outcome::Skipped, None, "the user has no e-mail, "),
            ("bad", Outcome::Rejected, None, "the e-mail is not a valid"),
            ("lost", Outcome::Rejected, Some("lost@example.org"), "Glean needs a department"),
        ]
        .map(|(id, outcome, key, reason)| (id, outcome, key, &reason[..24]))
    );
    assert_eq!(
        desired.left_out[4].reason,
        "Glean needs a department: the user has no value for `department` or `dept`, and EXPORT_DEFAULT_DEPARTMENT is not set"
    );
    for left in &desired.left_out {
        assert!(!left.reason.contains("example.org"), "{}", left.reason);
    }
}

#[test]
fn the_default_department_is_for_those_who_have_none() {
    let mut lost = user("lost");
    lost.attributes = Attributes::default();
    let desired = desired(&[("EXPORT_DEFAULT_DEPARTMENT", "Staff")], vec![lost, user("kim")], Vec::new());
    let departments: Vec<_> = desired.people.iter().map(|person| person.department.as_str()).collect();
    assert_eq!(departments, ["Research", "Staff"]);
}

#[test]
fn disabled_users_are_former_employees_or_skipped() {
    let mut gone = user("gone");
    gone.enabled = false;
    give(&mut gone, &[("endDate", &["2025-06-30"])]);
    let mut here = user("here");
    here.attributes = gone.attributes.clone();
    let (former, _) = person(&[], gone.clone());
    assert_eq!((former.status, former.end_date.map(|date| date.to_string())), (Status::Ex, Some("2025-06-30".into())));
    let (current, _) = person(&[], here.clone());
    assert_eq!((current.status, current.end_date), (Status::Current, None));
    // What policy leaves out is not held against the user.
    gone.email = None;
    let desired = desired(&[("EXPORT_DISABLED_USERS", "skip")], vec![gone, here], Vec::new());
    assert_eq!(emails(&desired), ["here@example.org"]);
    assert_eq!(left_out(&desired), [("gone", Outcome::Skipped, None, "the user is disabled, an")]);
}

/// Users with one e-mail: each is enabled or not.
fn namesakes(enabled: &[bool], settings: &[(&str, &str)]) -> Desired {
    let one = |(index, enabled): (usize, &bool)| {
        let mut user = user(&format!("u{index}"));
        user.email = Some(if index % 2 == 0 { "Kim@example.org" } else { "kim@EXAMPLE.org" }.to_owned());
        user.enabled = *enabled;
        user
    };
    desired(settings, enabled.iter().enumerate().map(one).collect(), Vec::new())
}

#[test]
fn of_users_with_one_email_only_the_one_enabled_is_exported() {
    let outcomes = |desired: &Desired| desired.left_out.iter().map(|left| left.outcome).collect::<Vec<_>>();
    let one = namesakes(&[false, true, false], &[]);
    assert_eq!(one.people[0].status, Status::Current);
    assert_eq!((outcomes(&one), one.left_out[1].id.as_ref()), (vec![Outcome::Skipped; 2], "u2"));
    for none in [&[true, true, false] as &[_], &[false, false], &[true, true]] {
        let none_is_guessed = namesakes(none, &[]);
        assert_eq!(none_is_guessed.people, []);
        assert_eq!(outcomes(&none_is_guessed), vec![Outcome::Conflict; none.len()]);
        assert!(none_is_guessed.left_out.iter().all(|left| left.key.as_deref() == Some("kim@example.org")));
    }
    let skipped = namesakes(&[false, true, false], &[("EXPORT_DISABLED_USERS", "skip")]);
    assert_eq!((skipped.people.len(), outcomes(&skipped)), (1, vec![Outcome::Skipped; 2]));
}

#[test]
fn the_start_is_an_attribute_or_the_day_of_creation_in_utc() {
    let start = |pairs: &[(&str, &[&str])]| {
        let mut one = user("kim");
        give(&mut one, pairs);
        let (person, notes) = person(&[], one);
        (person.start_date.map(|date| date.to_string()).unwrap_or_default(), notes.len())
    };
    assert_eq!(start(&[]), ("2025-01-01".to_owned(), 0));
    assert_eq!(start(&[("startDate", &["2020-01-02"]), ("hireDate", &["x"])]), ("2020-01-02".to_owned(), 0));
    assert_eq!(start(&[("startDate", &["soon"]), ("hireDate", &["2021-01-02"])]), ("2021-01-02".to_owned(), 1));
    assert_eq!(start(&[("startDate", &["soon"]), ("hireDate", &["x"])]), ("2025-01-01".to_owned(), 2));
    let mut never = user("kim");
    never.created_at = None;
    assert_eq!(person(&[], never).0.start_date, None);
}

#[test]
fn names_that_are_missing_or_filtered_are_noted() {
    let mut one = user("kim");
    (one.first_name, one.last_name) = (Some(" ".to_owned()), Some(" Testarossa ".to_owned()));
    let (person, notes) = person(&[], one);
    assert_eq!((person.first_name, person.last_name.as_deref()), (None, Some("Testarossa")));
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].contains("no first name") && notes[1].starts_with("Glean filters this name silently"),
        "{notes:?}"
    );
}

#[test]
fn what_does_not_read_is_left_out_with_a_note_that_names_the_attribute() {
    let mut one = user("kim");
    let given: &[(&str, &[&str])] = &[
        ("photoUrl", &["file:///me.png"]),
        ("profileUrl", &["kim"]),
        ("employmentType", &["part-time"]),
        ("nation", &["Germany"]),
    ];
    give(&mut one, given);
    let settings = [("EXPORT_ATTRIBUTES", r#"{"structuredLocation.countryCode": "nation"}"#)];
    let (person, notes) = person(&settings, one);
    assert_eq!((&person.photo_url, &person.profile_url, person.employment), (&None, &None, None::<Employment>));
    assert!(person.structured_location.is_none());
    for name in ["photoUrl", "profileUrl", "employmentType", "nation"] {
        assert_eq!(notes.iter().filter(|note| note.contains(&format!("`{name}`"))).count(), 1, "{notes:?}");
    }
    assert!(notes.iter().all(|note| !note.contains("me.png") && !note.contains("Germany")), "{notes:?}");
}

#[test]
fn a_manager_is_found_by_email_id_or_username() {
    let mut shut = user("shut");
    shut.email = None;
    let manager = |pairs: &[(&str, &[&str])]| {
        let mut kim = user("kim");
        give(&mut kim, pairs);
        let desired = desired(&[], vec![kim, user("omar"), shut.clone()], Vec::new());
        let kim = desired.people.into_iter().next().unwrap();
        (kim.manager_email, kim.manager_id, desired.warnings.len())
    };
    let omar = || Some("omar@example.org".to_owned());
    for found in ["omar", "omar.name", "Omar.Name", " OMAR@example.org "] {
        assert_eq!(manager(&[("managerId", &[found])]), (omar(), omar(), 0), "{found}");
        assert_eq!(manager(&[("manager", &[found])]), (omar(), omar(), 0), "{found}");
    }
    assert_eq!(manager(&[("managerEmail", &["Omar@Example.org"]), ("manager", &["shut"])]), (omar(), omar(), 0));
    // Somebody of whom Glean may know by another way.
    let other = Some("other@example.org".to_owned());
    assert_eq!(manager(&[("managerEmail", &["Other@example.org"])]), (other, None, 1));
    for nobody in ["shut", "shut.name", "shut@example.org", "cn=omar,dc=example,dc=org"] {
        assert_eq!(manager(&[("managerId", &[nobody])]), (None, None, 1), "{nobody}");
    }
    assert_eq!(
        manager(&[("managerEmail", &["no address"]), ("managerId", &["?"]), ("manager", &["omar"])]),
        (omar(), omar(), 2)
    );
    for oneself in ["kim", "kim.name", "KIM@example.org"] {
        assert_eq!(manager(&[("managerId", &[oneself]), ("manager", &["omar"])]), (None, None, 0), "{oneself}");
    }
    assert_eq!(manager(&[("managerEmail", &["Kim@example.org"]), ("manager", &["omar"])]), (None, None, 0));
}

#[test]
fn a_username_that_two_share_but_for_case_names_nobody() {
    let (mut one, mut other, mut kim) = (user("one"), user("other"), user("kim"));
    (one.username, other.username) = ("Sam".to_owned(), "sam".to_owned());
    give(&mut kim, &[("manager", &["sam"])]);
    let desired = desired(&[], vec![one, kim, other], Vec::new());
    assert_eq!((&desired.people[0].manager_id, desired.warnings.len()), (&None, 1));
}

fn company() -> (Vec<User>, Vec<Group>) {
    let mut gone = user("gone");
    gone.email = None;
    let groups = vec![
        group("/a", &["x"]),
        group("/a/b", &["y", "x", "gone"]),
        group("/a/b/c", &["z"]),
        group("/d", &["gone"]),
        group("/e", &["nobody", "x"]),
    ];
    (vec![user("z"), user("x"), user("y"), gone], groups)
}

#[test]
fn members_are_direct_or_nested_and_only_those_who_are_exported() {
    let (users, groups) = company();
    let direct = desired(&[], users.clone(), groups.clone());
    let (x, y, z) = ("x@example.org", "y@example.org", "z@example.org");
    assert_eq!(members(&direct), [("/a", vec![x]), ("/a/b", vec![x, y]), ("/a/b/c", vec![z]), ("/e", vec![x])]);
    assert_eq!(left_out(&direct)[1..], [("g/d", Outcome::Skipped, Some("g/d"), "nobody in it is exported")]);
    assert_eq!(direct.warnings.iter().map(|warning| &*warning.id).collect::<Vec<_>>(), ["g/e"]);

    let nested = desired(&[("EXPORT_TEAM_MEMBERS", "nested")], users, groups);
    assert_eq!(
        members(&nested),
        [("/a", vec![x, y, z]), ("/a/b", vec![x, y, z]), ("/a/b/c", vec![z]), ("/e", vec![x])]
    );
    let ids: Vec<_> = nested.people[2].teams.iter().map(|team| team.id.as_str()).collect();
    assert_eq!(ids, ["g/a", "g/a/b", "g/a/b/c"]);
}

#[test]
fn patterns_choose_the_teams_and_exclusion_shuts_members_out() {
    let (users, groups) = company();
    let (x, y, z) = ("x@example.org", "y@example.org", "z@example.org");
    let nested = |settings: &[(&str, &str)]| {
        let settings: Vec<_> = [("EXPORT_TEAM_MEMBERS", "nested")].iter().chain(settings).copied().collect();
        desired(&settings, users.clone(), groups.clone())
    };
    // A group that is merely not included still counts for the one above it.
    let included = nested(&[("EXPORT_GROUPS_INCLUDE", "/a")]);
    assert_eq!(members(&included), [("/a", vec![x, y, z])]);
    assert!(included.left_out[1..].iter().all(|left| left.reason == "EXPORT_GROUPS_INCLUDE does not hold its path"));
    assert_eq!(included.left_out.len(), 5);
    // One that is excluded does not, and those below it go by their own paths.
    let excluded = nested(&[("EXPORT_GROUPS_INCLUDE", "/a/**"), ("EXPORT_GROUPS_EXCLUDE", "/a/b")]);
    assert_eq!(members(&excluded), [("/a", vec![x, z]), ("/a/b/c", vec![z])]);
    assert_eq!(excluded.left_out[1].reason, "EXPORT_GROUPS_EXCLUDE holds its path");
    let below = nested(&[("EXPORT_GROUPS_INCLUDE", "/a/**"), ("EXPORT_GROUPS_EXCLUDE", "/a/b/**")]);
    assert_eq!(members(&below), [("/a", vec![x])]);
}

#[test]
fn a_team_needs_a_member_or_a_link_and_is_called_by_name_or_path() {
    let (mut linked, mut badly) = (group("/a/linked", &[]), group("/badly", &[]));
    linked.attributes = attributes(&[("externalLink", &["https://example.org/x"]), ("email", &["no address"])]);
    badly.attributes = attributes(&[("externalLink", &["x"])]);
    let mut nameless = group("/b/", &["kim"]);
    nameless.name = " ".to_owned();
    let groups = vec![group("/a", &["kim"]), linked, badly, nameless];
    let named = desired(&[], vec![user("kim")], groups.clone());
    let names = |desired: &Desired| desired.teams.iter().map(|team| team.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&named), ["a", "linked"]);
    assert!(named.teams[1].members.is_empty() && named.teams[1].emails.is_empty());
    assert_eq!(named.warnings.iter().map(|warning| &*warning.id).collect::<Vec<_>>(), ["g/a/linked"]);
    let outcomes: Vec<_> = named.left_out.iter().map(|left| (&*left.id, left.outcome)).collect();
    assert_eq!(outcomes, [("g/badly", Outcome::Skipped), ("g/b/", Outcome::Rejected)]);
    assert_eq!(names(&desired(&[("EXPORT_TEAM_NAME", "path")], vec![user("kim")], groups)), ["/a", "/a/linked", "/b/"]);
}

#[test]
fn a_team_without_members_still_says_so() {
    let mut linked = group("/linked", &[]);
    linked.attributes = attributes(&[("externalLink", &["https://example.org/x"])]);
    let desired = desired(&[], vec![user("kim")], vec![linked]);
    let json = serde_json::to_value(&desired.teams[0]).unwrap();
    assert_eq!(
        json,
        json!({"id": "g/linked", "name": "linked", "members": [], "externalLink": "https://example.org/x"})
    );
}

#[test]
fn just_the_attributes_in_use_are_wanted() {
    let mapping = mapping(&[
        ("EXPORT_ATTRIBUTES", r#"{"title": "job", "photoUrl": null, "skills": ["skill"]}"#),
        ("EXPORT_TEAM_ATTRIBUTES", r#"{"photoUrl": null, "email": "mail"}"#),
    ]);
    let Wanted { user_attributes, group_attributes } = mapping.wanted();
    let wanted = |names: &std::collections::BTreeSet<std::sync::Arc<str>>| {
        names.iter().map(|name| &**name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        wanted(&user_attributes),
        "alsoKnownAs bio businessUnit department employmentType endDate hireDate job manager managerEmail managerId \
         phoneNumber preferredName profileUrl pronoun skill startDate"
    );
    assert_eq!(wanted(&group_attributes), "businessUnit department description externalLink mail");
}
