//! What holds for every realm.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::settings::Choice;
use super::tests::{attributes, group, mapping, realm, user};
use super::*;
use crate::realm::User;

const EMAILS: &[Option<&str>] = &[
    Some("kim@example.org"),
    Some("Kim@Example.org"),
    Some("omar@example.org"),
    Some(" zoe@example.org"),
    Some("zo\u{eb}@example.org"),
    Some("ZO\u{cb}@example.org"),
    Some("no address"),
    Some(" "),
    None,
];
const NAMES: &[Option<&str>] = &[Some("Kim"), Some("Test"), Some(" "), None];
const MANAGERS: &[&str] = &["kim@example.org", "u1", "U2.name", "zoe@example.org", "other@example.org", "?", ""];
/// A parent stands before what is below it.
const PATHS: &[&str] = &["/a", "/a/b", "/a/b/c", "/a/d", "/e", "/e/f"];
const LINKS: &[&str] = &["https://example.org/team", "no link", ""];

/// E-mail, whether enabled, whether a service account, names; whether of a department, managers, start.
type DrawnUser = (
    (Option<&'static str>, bool, bool, Option<&'static str>, Option<&'static str>),
    (bool, &'static str, &'static str, &'static str),
);

fn users() -> impl Strategy<Value = Vec<User>> {
    let one = (
        (select(EMAILS), any::<bool>(), prop::bool::weighted(0.1), select(NAMES), select(NAMES)),
        (prop::bool::weighted(0.8), select(MANAGERS), select(MANAGERS), select(&["2020-01-02", "soon", ""] as &[_])),
    );
    prop::collection::vec(one, 0..12).prop_map(|users| {
        let user = |(index, one): (usize, DrawnUser)| {
            let ((email, enabled, service_account, first, last), (has, by_email, by_id, start)) = one;
            let department: &[&str] = if has { &["Research"] } else { &[] };
            let pairs: [(&str, &[&str]); 4] = [
                ("department", department),
                ("managerEmail", &[by_email]),
                ("manager", &[by_id]),
                ("startDate", &[start]),
            ];
            User {
                email: email.map(str::to_owned),
                enabled,
                service_account,
                first_name: first.map(str::to_owned),
                last_name: last.map(str::to_owned),
                attributes: attributes(&pairs),
                ..user(&format!("u{index}"))
            }
        };
        users.into_iter().enumerate().map(user).collect()
    })
}

fn groups() -> impl Strategy<Value = Vec<Group>> {
    let one = (prop::collection::vec(0_usize..14, 0..6), select(LINKS));
    prop::collection::vec(one, PATHS.len()).prop_map(|groups| {
        let group = |(path, (members, link)): (&&str, (Vec<usize>, &str))| {
            let members: Vec<_> = members.into_iter().map(|member| format!("u{member}")).collect();
            let members: Vec<_> = members.iter().map(String::as_str).collect();
            Group { attributes: attributes(&[("externalLink", &[link])]), ..group(path, &members) }
        };
        PATHS.iter().zip(groups).map(group).collect()
    })
}

#[derive(Debug, Clone, Copy)]
struct Drawn {
    disabled: &'static str,
    department: &'static str,
    members: &'static str,
    include: &'static str,
    exclude: &'static str,
}

impl Drawn {
    fn mapping(self) -> Mapping {
        mapping(&[
            ("EXPORT_DISABLED_USERS", self.disabled),
            ("EXPORT_DEFAULT_DEPARTMENT", self.department),
            ("EXPORT_TEAM_MEMBERS", self.members),
            ("EXPORT_GROUPS_INCLUDE", self.include),
            ("EXPORT_GROUPS_EXCLUDE", self.exclude),
        ])
    }
}

fn settings() -> impl Strategy<Value = Drawn> {
    let patterns = || select(&["", "/a", "/a/**", "/e,/a/*", "**/b"] as &[_]);
    let pick = |one: &'static str, other: &'static str| select(vec![one, other]);
    (pick("ex", "skip"), pick("Staff", ""), pick("direct", "nested"), patterns(), patterns()).prop_map(
        |(disabled, department, members, include, exclude)| Drawn { disabled, department, members, include, exclude },
    )
}

#[derive(Debug, Clone)]
struct Sample {
    users: Vec<User>,
    groups: Vec<Group>,
}

impl Sample {
    fn realm(&self) -> Realm {
        realm(self.users.clone(), self.groups.clone())
    }
}

/// A realm's users and groups, and the same in another order.
fn samples() -> impl Strategy<Value = (Sample, Sample)> {
    (users(), groups()).prop_flat_map(|(users, groups)| {
        let turned = groups.iter().cloned().map(|mut group| {
            group.members.reverse();
            group
        });
        let shuffled = (Just(users.clone()).prop_shuffle(), Just(turned.collect::<Vec<_>>()).prop_shuffle());
        let sample = Sample { users, groups };
        shuffled.prop_map(move |(users, groups)| (sample.clone(), Sample { users, groups }))
    })
}

fn keys(desired: &Desired, kind: Kind) -> Vec<&str> {
    let of_kind = desired.left_out.iter().filter(|left| left.kind == kind);
    of_kind.map(|left| &*left.id).collect()
}

fn ascends<T: Ord>(items: &[T]) -> bool {
    items.is_sorted_by(|one, next| one < next)
}

/// Who of the realm's users is exported, by e-mail.
fn exported<'r>(sample: &'r Sample, desired: &Desired) -> BTreeMap<String, &'r User> {
    let left: BTreeSet<_> = keys(desired, Kind::Person).into_iter().collect();
    let kept = sample.users.iter().filter(|user| !left.contains(&*user.id));
    kept.map(|user| (user.email.as_deref().unwrap_or_default().trim().to_lowercase(), user)).collect()
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

proptest! {
    #[test]
    fn each_user_and_each_group_ends_in_one_place((sample, _) in samples(), settings in settings()) {
        let desired = settings.mapping().desired(sample.realm());
        let left = keys(&desired, Kind::Person);
        prop_assert_eq!(desired.people.len() + left.len(), sample.users.len());
        prop_assert_eq!(left.iter().collect::<BTreeSet<_>>().len(), left.len());
        let emails: Vec<_> = desired.people.iter().map(|person| person.email.clone()).collect();
        prop_assert!(ascends(&emails));
        prop_assert_eq!(&exported(&sample, &desired).into_keys().collect::<Vec<_>>(), &emails);

        let teams: Vec<_> = desired.teams.iter().map(|team| team.id.as_str()).collect();
        prop_assert!(ascends(&teams));
        let all: BTreeSet<_> = teams.iter().copied().chain(keys(&desired, Kind::Team)).collect();
        prop_assert_eq!(all.len(), teams.len() + keys(&desired, Kind::Team).len());
        prop_assert_eq!(all, sample.groups.iter().map(|group| &*group.id).collect::<BTreeSet<_>>());

        let kinds: Vec<_> = desired.left_out.iter().map(|left| left.kind).collect();
        prop_assert!(kinds.is_sorted());
        let order: Vec<_> = sample.users.iter().map(|user| &*user.id).filter(|id| left.contains(id)).collect();
        prop_assert_eq!(left, order);
    }

    #[test]
    fn the_teams_of_people_are_the_members_of_teams((sample, _) in samples(), settings in settings()) {
        let desired = settings.mapping().desired(sample.realm());
        let by_team: Vec<_> = desired.teams.iter().flat_map(|team| {
            team.members.iter().map(|member| (member.email.clone(), team.id.clone(), team.name.clone(), team.external_link.clone()))
        }).collect();
        let by_person: Vec<_> = desired.people.iter().flat_map(|person| {
            person.teams.iter().map(|team| (person.email.clone(), team.id.clone(), team.name.clone(), team.url.clone()))
        }).collect();
        prop_assert_eq!(by_team.iter().collect::<BTreeSet<_>>(), by_person.iter().collect::<BTreeSet<_>>());
        for team in &desired.teams {
            prop_assert!(ascends(&team.members), "members are sorted, each once");
            prop_assert!(!team.members.is_empty() || team.external_link.is_some());
        }
        for person in &desired.people {
            prop_assert!(ascends(&person.teams.iter().map(|team| &team.id).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn members_are_the_exported_ones_of_the_group_and_below((sample, _) in samples(), settings in settings()) {
        let mapping = settings.mapping();
        let desired = mapping.desired(sample.realm());
        let people = exported(&sample, &desired);
        for team in &desired.teams {
            let group = sample.groups.iter().find(|group| *group.id == *team.id).unwrap();
            let counts = |other: &&Group| {
                if settings.members == "nested" {
                    is_at_or_below(&other.path, &group.path) && mapping.settings.groups.choose(&other.path) != Choice::Excluded
                } else {
                    other.id == group.id
                }
            };
            let groups: Vec<_> = sample.groups.iter().filter(counts).collect();
            let expected = people.iter().filter(|(_, user)| groups.iter().any(|group| group.members.contains(&user.id)));
            let expected: Vec<_> = expected.map(|(email, _)| email.as_str()).collect();
            prop_assert_eq!(team.members.iter().map(|member| member.email.as_str()).collect::<Vec<_>>(), expected);
        }
        for group in sample.groups {
            let chosen = mapping.settings.groups.choose(&group.path) == Choice::Team;
            prop_assert!(chosen || desired.teams.iter().all(|team| *team.id != *group.id));
        }
    }

    #[test]
    fn the_order_of_the_realm_does_not_matter((sample, other) in samples(), settings in settings()) {
        let (one, other) = (settings.mapping().desired(sample.realm()), settings.mapping().desired(other.realm()));
        prop_assert_eq!(&one.people, &other.people);
        prop_assert_eq!(&one.teams, &other.teams);
        prop_assert_eq!(&one.warnings, &other.warnings);
        let sorted = |desired: &Desired| {
            let mut left = desired.left_out.clone();
            left.sort_by(|one, other| (one.kind, &one.id).cmp(&(other.kind, &other.id)));
            left
        };
        prop_assert_eq!(sorted(&one), sorted(&other));
        let again = settings.mapping().desired(sample.realm());
        prop_assert_eq!(again.left_out, one.left_out);
    }

    #[test]
    fn managers_are_others_and_warnings_are_of_what_is_exported((sample, _) in samples(), settings in settings()) {
        let desired = settings.mapping().desired(sample.realm());
        let people = exported(&sample, &desired);
        for person in &desired.people {
            prop_assert_ne!(person.manager_email.as_ref(), Some(&person.email));
            prop_assert_eq!(person.id.as_ref(), Some(&person.email));
            if let Some(id) = &person.manager_id {
                prop_assert_eq!(Some(id), person.manager_email.as_ref());
                prop_assert!(people.contains_key(id));
            }
        }
        for warning in &desired.warnings {
            let known = match warning.kind {
                Kind::Person => people.values().any(|user| user.id == warning.id),
                Kind::Team => desired.teams.iter().any(|team| *team.id == *warning.id),
            };
            prop_assert!(known, "{warning:?}");
            prop_assert!(!warning.text.contains("example.org"));
        }
    }
}
