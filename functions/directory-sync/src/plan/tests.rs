use std::collections::{BTreeMap, BTreeSet, HashMap};

use crosswalk_reconcile::Action;
use proptest::prelude::*;

use super::*;
use crate::state::Absent;
use crate::target::bundle::bundles;
use crate::target::{Applied, Done};

/// What stands, and what is known of it; the target is one that is as strict as Invenio, or as lax as Cognito.
#[derive(Debug, Clone)]
struct World {
    accounts: BTreeMap<Box<str>, Account>,
    state: State,
    others: Others,
    policy: Policy,
    strict: bool,
    runs: u32,
}

fn person(key: &str, emails: &[&str], username: &str) -> Person {
    let emails: Box<[Box<str>]> = emails.iter().map(|email| format!("{email}@example.org").into()).collect();
    let username: Option<Box<str>> = (!username.is_empty()).then(|| username.into());
    let print = Fingerprint::of(format!("{emails:?}{username:?}").as_bytes());
    Person {
        key: key.into(),
        emails,
        username,
        first_name: None,
        last_name: None,
        enabled: true,
        external_ids: Box::default(),
        print,
        mapped: Fingerprint::UNKNOWN,
    }
}

fn disabled(person: Person) -> Person {
    Person { enabled: false, ..person }
}

fn fields(person: &Person, email: &str) -> Fields {
    let username = person.username.as_deref().map(|username| username.to_lowercase().into());
    Fields { email: Some(email.into()), username, displayname: person.username.clone(), ..Fields::default() }
}

fn people(people: Vec<Person>) -> People {
    People { people, left_out: Vec::new() }
}

fn rejected(key: Option<&str>, names: &[&str]) -> LeftOut {
    LeftOut {
        key: key.map(Into::into),
        name: "row 1".into(),
        names: names.iter().map(|name| (*name).into()).collect(),
        outcome: Outcome::Rejected,
        reason: "it has no e-mail".into(),
        detail: None,
    }
}

impl World {
    fn new() -> Self {
        let deactivate = After { runs: 2, time: SignedDuration::ZERO };
        let policy = Policy { adopt: true, deactivate, delete: None };
        Self {
            accounts: BTreeMap::new(),
            state: State::default(),
            others: Others::new(),
            policy,
            strict: true,
            runs: 0,
        }
    }

    /// With accounts that nobody manages.
    fn with(accounts: &[(&str, &str, &str)]) -> Self {
        let mut world = Self::new();
        for (id, email, username) in accounts {
            world.stand(id, &person("", &[email], username));
        }
        world
    }

    fn stand(&mut self, id: &str, person: &Person) {
        let account = Account {
            id: id.into(),
            fields: fields(person, &person.emails[0]),
            active: true,
            version: 1,
            unfinished: false,
        };
        self.accounts.insert(id.into(), account);
    }

    fn plan(&self, people: &People) -> Planned {
        let accounts: Vec<_> = self.accounts.values().cloned().collect();
        let shape = Shape { fields: &fields, unique_usernames: self.strict, turns_circles: self.strict };
        let run = format!("run-{}", self.runs);
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * i64::from(self.runs));
        plan(people, &accounts, &self.state, &self.others, &self.policy, &shape, Moment { run: &run, now })
    }

    /// A whole run, in which every step succeeds; its steps in words, and who was left out.
    fn run(&mut self, people: &People) -> (Vec<String>, Vec<String>) {
        self.runs += 1;
        let planned = self.plan(people);
        let told = planned.plan.actions().iter().map(|step| step.to_string().replace("@example.org", "")).collect();
        let left =
            planned.left_out.iter().map(|left| format!("{} {}", left.outcome, left.key.as_deref().unwrap_or("")));
        let left = left.collect();
        self.apply(planned);
        (told, left)
    }

    fn apply(&mut self, planned: Planned) {
        let Planned { plan, next, prints, .. } = planned;
        self.state = next;
        self.state.intend(plan.actions());
        for bundle in bundles(plan.into_actions()) {
            for step in bundle.0 {
                let account = self.take(&step);
                let print = prints.get(&step.key).copied().unwrap_or(Fingerprint::UNKNOWN);
                let done = Done { step, result: Ok(Applied { account, warning: None }) };
                self.state.note(&done, print);
            }
            self.check_names();
        }
        self.state.known = self.state.active();
    }

    fn take(&mut self, step: &Step) -> Box<str> {
        let id: Box<str> = step.account.clone().unwrap_or_else(|| format!("made-{}-{}", self.runs, step.key).into());
        if step.what == What::Delete {
            self.accounts.remove(&id);
            return id;
        }
        let fresh = Account { id: id.clone(), fields: Fields::default(), active: true, version: 0, unfinished: false };
        let account = self.accounts.entry(id.clone()).or_insert(fresh);
        for Change { field, old, new } in &step.changes {
            let slot = match field {
                Field::Email => &mut account.fields.email,
                Field::Username => &mut account.fields.username,
                Field::Displayname => &mut account.fields.displayname,
                other => panic!("{other}"),
            };
            assert_eq!(slot, old, "a plan tells what stands");
            *slot = Some(new.clone());
        }
        if let Some(active) = step.active {
            assert_ne!(account.active, active);
            account.active = active;
        }
        account.version += 1;
        id
    }

    /// Between bundles, no two accounts hold one name.
    fn check_names(&self) {
        let mut emails = BTreeSet::new();
        let mut usernames = BTreeSet::new();
        for account in self.accounts.values() {
            assert!(account.fields.email.as_ref().is_none_or(|email| emails.insert(email.to_lowercase())));
            let free = account.fields.username.as_ref().is_none_or(|name| usernames.insert(name.to_lowercase()));
            assert!(free || !self.strict);
        }
    }

    fn active(&self, id: &str) -> bool {
        self.accounts[id].active
    }
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

#[test]
fn new_people_get_accounts_and_then_nothing_differs() {
    let mut world = World::new();
    let everybody = people(vec![person("1", &["ada"], "Ada"), disabled(person("2", &["bo"], "bo"))]);
    let (steps, left) = world.run(&everybody);
    assert_eq!(steps, ["create 1\n    email: ada\n    username: ada\n    displayname: Ada"]);
    assert_eq!(left, ["skipped 2"]);
    let (steps, left) = world.run(&everybody);
    assert_eq!((steps.len(), left), (0, vec!["skipped 2".to_owned()]));
}

#[test]
fn what_changed_is_updated_and_what_a_person_edited_is_not() {
    let mut world = World::new();
    world.run(&people(vec![person("1", &["ada"], "Ada")]));
    world.accounts.values_mut().for_each(|account| account.fields.displayname = Some("Countess".into()));
    assert_eq!(world.run(&people(vec![person("1", &["ada"], "Ada")])), nothing());
    let (steps, _) = world.run(&people(vec![person("1", &["ada", "lovelace"], "Lovelace")]));
    assert_eq!(
        steps,
        ["update 1, account made-1-1\n    username: ada => lovelace\n    displayname: Countess => Lovelace"],
        "of several e-mails the present one is kept"
    );
}

#[test]
fn an_account_is_adopted_by_its_e_mail_alone_and_only_if_that_is_wanted() {
    let everybody = people(vec![person("1", &["ada"], "Ada")]);
    let mut world = World::with(&[("7", "ADA", "countess")]);
    let (steps, _) = world.run(&everybody);
    assert!(
        steps[0].starts_with("adopt 1, account 7\n    email: ADA => ada\n    username: countess => ada"),
        "{steps:?}"
    );
    assert_eq!(world.run(&everybody), nothing());

    let mut world = World::with(&[("7", "ada", "countess")]);
    world.policy.adopt = false;
    let before = world.accounts.clone();
    assert_eq!(world.run(&everybody), (vec![], vec!["conflict 1".to_owned()]));
    assert_eq!(world.accounts, before);

    let mut world = World::with(&[("7", "other", "ada")]);
    assert_eq!(world.run(&everybody).1, ["conflict 1"], "by the username alone");
    let mut world = World::with(&[("7", "ada", "x"), ("8", "other", "ada")]);
    assert_eq!(world.run(&everybody).1, ["conflict 1"], "two accounts");
    let planned = world.plan(&everybody);
    assert_eq!(planned.left_out[0].detail.as_deref(), Some("accounts 7, 8"));
}

#[test]
fn what_another_sync_manages_is_left_to_it() {
    let mut world = World::with(&[("7", "ada", "ada")]);
    world.others.insert("7".into(), "guests".into());
    let before = world.accounts.clone();
    let everybody = people(vec![person("1", &["ada"], "ada")]);
    let planned = world.plan(&everybody);
    assert_eq!(planned.left_out[0].detail.as_deref(), Some("account 7, sync guests"));
    assert_eq!(world.run(&everybody), (vec![], vec!["conflict 1".to_owned()]));
    assert_eq!(world.accounts, before);
}

#[test]
fn somebody_rehired_gets_the_former_account_if_both_names_fit() {
    let mut world = World::new();
    world.run(&people(vec![person("1", &["ada"], "ada"), person("2", &["bo"], "bo")]));
    let (steps, left) = world.run(&people(vec![person("9", &["ada"], "ada"), person("2", &["bo"], "bo")]));
    assert_eq!((steps, left), (vec!["rekey 9 (was 1), account made-1-1".to_owned()], vec![]));
    assert!(world.state.people.contains_key("9") && !world.state.people.contains_key("1"));
    // The address has passed to somebody else.
    let (steps, left) = world.run(&people(vec![person("5", &["ada"], "adam"), person("2", &["bo"], "bo")]));
    assert_eq!((steps.len(), left), (0, vec!["conflict 5".to_owned()]));
    // The key is not gone: nothing is taken from whoever has it.
    let (steps, left) = world.run(&people(vec![
        person("6", &["bo"], "bo2"),
        person("2", &["bo3"], "bo3"),
        person("9", &["ada"], "ada"),
    ]));
    assert_eq!(left, Vec::<String>::new());
    assert!(
        steps.iter().any(|step| step.starts_with("create 6\n    email: bo\n") && step.ends_with("after 2")),
        "{steps:?}"
    );
}

#[test]
fn a_rehired_person_whose_account_was_deactivated_may_log_in_again() {
    let mut world = World::new();
    world.run(&people(vec![person("1", &["ada"], "ada"), person("2", &["bo"], "bo")]));
    let without = people(vec![person("2", &["bo"], "bo")]);
    world.run(&without);
    world.run(&without);
    assert!(!world.active("made-1-1"));
    let (steps, _) = world.run(&people(vec![person("9", &["ada"], "ada"), person("2", &["bo"], "bo")]));
    assert_eq!(steps, ["rekey 9 (was 1), account made-1-1, reactivated"]);
    assert!(world.active("made-1-1"));
}

#[test]
fn who_is_absent_for_long_enough_is_deactivated_and_returns() {
    let mut world = World::new();
    let both = people(vec![person("1", &["ada"], "ada"), person("2", &["bo"], "bo")]);
    let one = people(vec![person("2", &["bo"], "bo")]);
    world.run(&both);
    assert_eq!(world.run(&one), nothing());
    // A repeat of the run does not count again.
    let planned = world.plan(&one);
    assert_eq!(planned.plan.actions().len(), 0);
    assert_eq!(planned.next.people["1"].absent.map(|absent| absent.runs), Some(1));
    // Who is back for one run begins anew.
    assert_eq!(world.run(&both), nothing());
    assert_eq!(world.run(&one), nothing());
    assert_eq!(world.run(&one).0, ["deactivate 1 (absent), account made-1-1"]);
    assert!(!world.active("made-1-1"));
    assert_eq!(world.run(&one), nothing());
    assert_eq!(world.run(&both).0, ["update 1, account made-1-1, reactivated"]);
    assert!(world.active("made-1-1"));
    assert_eq!(world.run(&one), nothing(), "the count starts anew");
}

#[test]
fn absence_must_last_in_time_as_well() {
    let mut world = World::new();
    world.policy.deactivate = After { runs: 1, time: SignedDuration::from_hours(48) };
    world.run(&people(vec![person("1", &["ada"], "ada"), person("2", &["bo"], "bo")]));
    let one = people(vec![person("2", &["bo"], "bo")]);
    assert_eq!(world.run(&one), nothing());
    assert_eq!(world.run(&one), nothing());
    assert_eq!(world.run(&one).0.len(), 1);
}

#[test]
fn deletion_is_a_second_setting_with_a_longer_count() {
    let mut world = World::new();
    world.policy.delete = Some(After { runs: 4, time: SignedDuration::ZERO });
    world.run(&people(vec![person("1", &["ada"], "ada"), person("2", &["bo"], "bo")]));
    let one = people(vec![person("2", &["bo"], "bo")]);
    let steps: Vec<_> = (0..5).map(|_| world.run(&one).0).collect();
    assert_eq!(steps.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 0, 1, 0]);
    assert_eq!(steps[3], ["delete 1, account made-1-1"]);
    assert!(!world.state.people.contains_key("1"));
}

#[test]
fn who_is_present_but_left_out_is_not_absent() {
    let mut world = World::new();
    let bo = || vec![person("2", &["bo"], "bo")];
    world.run(&people(vec![person("1", &["ada"], "ada"), person("2", &["bo"], "bo")]));
    for left in [rejected(Some("1"), &[]), rejected(None, &["ada@example.org"]), rejected(None, &["ada"])] {
        let left = People { people: bo(), left_out: vec![left] };
        for _ in 0..5 {
            assert_eq!(world.run(&left), nothing());
        }
    }
    assert_eq!(world.state.people["1"].absent, None);
    assert!(world.active("made-1-1"));
}

#[test]
fn the_source_may_disable_and_enable() {
    let mut world = World::new();
    let ada = || person("1", &["ada"], "ada");
    world.run(&people(vec![ada()]));
    assert_eq!(
        world.run(&people(vec![disabled(ada())])).0,
        ["deactivate 1 (disabled in the source), account made-1-1"]
    );
    assert_eq!(world.run(&people(vec![disabled(ada())])), nothing());
    assert_eq!(world.run(&people(vec![ada()])).0, ["update 1, account made-1-1, reactivated"]);
    // What somebody else did is left.
    world.accounts.values_mut().for_each(|account| account.active = false);
    let planned = world.plan(&people(vec![ada()]));
    assert!(planned.plan.is_empty() && planned.warnings.most_frequent().len() == 1);
}

#[test]
fn a_swap_is_one_bundle_and_a_circle_too_where_that_can_be() {
    let three = || vec![person("1", &["a"], "a"), person("2", &["b"], "b"), person("3", &["c"], "c")];
    let swapped = || vec![person("1", &["b"], "b"), person("2", &["a"], "a"), person("3", &["c"], "c")];
    let turned = || vec![person("1", &["b"], "b"), person("2", &["c"], "c"), person("3", &["a"], "a")];
    for strict in [true, false] {
        let mut world = World { strict, ..World::new() };
        world.run(&people(three()));
        let (steps, _) = world.run(&people(swapped()));
        assert_eq!(steps.len(), 2);
        assert!(steps[0].ends_with("after 2") && steps[1].ends_with("after 1"), "{steps:?}");
        assert_eq!(world.run(&people(swapped())), nothing());
        let (steps, left) = world.run(&people(turned()));
        assert_eq!((steps.len(), left.len()), (2, 0), "one stays, the two others swap");
    }
    let mut lax = World { strict: false, ..World::new() };
    lax.run(&people(three()));
    let before = lax.accounts.clone();
    let (steps, left) = lax.run(&people(turned()));
    assert_eq!((steps.len(), left.len()), (0, 3));
    assert_eq!(lax.accounts, before);
    let mut strict = World::new();
    strict.run(&people(three()));
    assert_eq!(strict.run(&people(turned())).0.len(), 3);
    assert_eq!(strict.run(&people(turned())), nothing());
}

#[test]
fn who_waits_for_somebody_in_conflict_is_in_conflict() {
    let mut world = World::with(&[("7", "x", "x")]);
    world.run(&people(vec![person("1", &["a"], "a"), person("2", &["b"], "b")]));
    let (steps, left) = world.run(&people(vec![person("1", &["b"], "a"), person("2", &["x"], "b")]));
    assert_eq!((steps.len(), left), (0, vec!["conflict 1".to_owned(), "conflict 2".to_owned()]));
}

#[test]
fn a_creation_that_broke_off_is_completed() {
    let mut world = World::new();
    world.policy.adopt = false;
    let ada = people(vec![person("1", &["ada"], "ada")]);
    world.runs = 1;
    let planned = world.plan(&ada);
    world.state = planned.next.clone();
    world.state.intend(planned.plan.actions());
    // The account stands, and the run died.
    world.stand("7", &ada.people[0]);
    world.accounts.values_mut().for_each(|account| account.unfinished = true);
    assert_eq!(world.run(&ada).0, ["complete 1, account 7"]);
    world.accounts.values_mut().for_each(|account| account.unfinished = false);
    assert_eq!(world.run(&ada), nothing());
    // Or it was even complete.
    world.state.people.insert("1".into(), Managed::coming());
    assert_eq!(world.run(&ada), nothing());
    assert_eq!(world.state.people["1"].account.as_deref(), Some("7"));
}

#[test]
fn an_update_that_was_not_noted_is_undone_when_the_source_goes_back() {
    let mut world = World::new();
    let before = people(vec![person("1", &["ada"], "ada")]);
    world.run(&before);
    world.runs += 1;
    let planned = world.plan(&people(vec![person("1", &["wrong"], "ada")]));
    world.state = planned.next.clone();
    world.state.intend(planned.plan.actions());
    // It was done, and the run died before it was noted.
    for step in planned.plan.actions() {
        world.take(step);
    }
    assert_eq!(world.run(&before).0, ["update 1, account made-1-1\n    email: wrong => ada"]);
    assert_eq!(world.run(&before), nothing());
}

#[test]
fn what_was_not_begun_is_not_ours() {
    let mut world = World::new();
    world.policy.adopt = false;
    let ada = people(vec![person("1", &["ada"], "ada")]);
    let planned = world.plan(&ada);
    world.state = planned.next.clone();
    world.state.intend(planned.plan.actions());
    world.state.not_begun("1");
    // Somebody else makes the account.
    world.stand("7", &ada.people[0]);
    assert_eq!(world.run(&ada), (vec![], vec!["conflict 1".to_owned()]));

    // Nor is a deactivation that was not begun, if an administrator does it then.
    let mut world = World::new();
    world.policy.deactivate.runs = 1;
    let both = people(vec![person("1", &["ada"], "ada"), person("2", &["bo"], "bo")]);
    world.run(&both);
    world.runs += 1;
    let planned = world.plan(&people(vec![person("2", &["bo"], "bo")]));
    world.state = planned.next.clone();
    world.state.intend(planned.plan.actions());
    world.state.not_begun("1");
    world.accounts.values_mut().for_each(|account| account.active = &*account.id != "made-1-1");
    assert_eq!(world.run(&both), nothing());
    assert!(!world.active("made-1-1"));
}

#[test]
fn an_account_that_two_syncs_manage_is_taken_from_nobody() {
    let mut world = World::new();
    world.policy.deactivate.runs = 1;
    world.run(&people(vec![person("1", &["ada"], "ada"), person("2", &["bo"], "bo")]));
    world.others.insert("made-1-1".into(), "guests".into());
    for source in
        [vec![person("2", &["bo"], "bo")], vec![disabled(person("1", &["ada"], "ada")), person("2", &["bo"], "bo")]]
    {
        let everybody = people(source);
        assert_eq!(world.plan(&everybody).warnings.most_frequent().len(), 1);
        assert_eq!(world.run(&everybody), nothing());
    }
}

#[test]
fn an_account_made_anew_may_be_taken_away_again() {
    let mut world = World::new();
    world.policy.deactivate.runs = 1;
    let ada = || person("1", &["ada"], "ada");
    let bo = || person("2", &["bo"], "bo");
    world.run(&people(vec![ada(), bo()]));
    world.run(&people(vec![disabled(ada()), bo()]));
    world.accounts.remove("made-1-1");
    world.run(&people(vec![ada(), bo()]));
    assert!(world.run(&people(vec![disabled(ada()), bo()])).0[0].starts_with("deactivate 1"));
}

#[test]
fn a_long_chain_of_names_is_planned_in_no_time() {
    let shifted =
        |by: usize| people((0..20_000).map(|n| person(&format!("k{n}"), &[&format!("e{:06}", n + by)], "")).collect());
    for strict in [true, false] {
        let mut world = World { strict, ..World::new() };
        for person in shifted(0).people {
            world.stand(&person.key, &person);
            world.state.people.insert(person.key.clone(), Managed::created(person.key));
        }
        let planned = world.plan(&shifted(1));
        assert_eq!((planned.plan.actions().len(), planned.left_out.len()), (20_000, 0));
        assert_eq!(bundles(planned.plan.into_actions()).len(), 1);
    }
}

#[test]
fn an_account_that_somebody_deleted_is_made_anew() {
    let mut world = World::new();
    let ada = people(vec![person("1", &["ada"], "ada")]);
    world.run(&ada);
    world.accounts.clear();
    assert!(world.run(&ada).0[0].starts_with("create 1"));
    assert_eq!(world.run(&ada), nothing());
    world.accounts.clear();
    let bo = people(vec![person("2", &["bo"], "bo")]);
    world.run(&bo);
    assert!(!world.state.people.contains_key("1"), "nothing is left to manage");
}

#[test]
fn a_deactivation_that_broke_off_is_known_by_the_account() {
    let mut world = World::new();
    world.run(&people(vec![person("1", &["ada"], "ada"), person("2", &["bo"], "bo")]));
    let one = people(vec![person("2", &["bo"], "bo")]);
    world.run(&one);
    world.runs += 1;
    let planned = world.plan(&one);
    world.state = planned.next.clone();
    world.state.intend(planned.plan.actions());
    let mut not_done = world.clone();
    // It was done, and the run died: the person who comes back is reactivated.
    if let Some(account) = world.accounts.get_mut("made-1-1") {
        account.active = false;
    }
    assert_eq!(world.run(&one), nothing());
    let both = people(vec![person("1", &["ada"], "ada"), person("2", &["bo"], "bo")]);
    assert_eq!(world.run(&both).0, ["update 1, account made-1-1, reactivated"]);
    // It was not done: it is done now.
    assert_eq!(not_done.run(&one).0, ["deactivate 1 (absent), account made-1-1"]);
}

fn names() -> impl Strategy<Value = (u8, u8, bool)> {
    (0_u8..6, 0_u8..6, prop::bool::weighted(0.9))
}

/// People with keys of their own and no name twice, as `judge` leaves them.
fn source() -> impl Strategy<Value = Vec<Person>> {
    prop::collection::btree_map(0_u8..6, names(), 0..6).prop_map(|drawn| {
        let (mut emails, mut usernames) = (BTreeSet::new(), BTreeSet::new());
        let sound =
            drawn.into_iter().filter(|(_, (email, username, _))| emails.insert(*email) && usernames.insert(*username));
        let made = sound.map(|(key, (email, username, enabled))| Person {
            enabled,
            ..person(&format!("k{key}"), &[&format!("e{email}")], &format!("user{username}"))
        });
        made.collect()
    })
}

proptest! {
    #[test]
    fn every_person_has_one_end_and_a_second_run_finds_nothing_to_do(
        strict: bool,
        adopt: bool,
        standing in prop::collection::btree_map(0_u8..6, (0_u8..6, any::<bool>()), 0..4),
        sources in prop::collection::vec(source(), 1..6),
    ) {
        let mut world = World { strict, ..World::new() };
        world.policy.adopt = adopt;
        let mut usernames = BTreeSet::new();
        for (email, (username, active)) in standing {
            if usernames.insert(username) {
                let id = format!("u{email}");
                world.stand(&id, &person("", &[&format!("e{email}")], &format!("user{username}")));
                if let Some(account) = world.accounts.get_mut(&*id) {
                    account.active = active;
                }
            }
        }
        let foreign: HashMap<_, _> = world.accounts.clone().into_iter().collect();
        for drawn in sources {
            let everybody = people(drawn);
            world.runs += 1;
            let planned = world.plan(&everybody);
            // One end each.
            let keys: BTreeSet<_> = everybody.people.iter().map(|person| &person.key).collect();
            let stepped = planned.plan.actions().iter().filter(|step| keys.contains(&step.key)).count();
            prop_assert_eq!(stepped + planned.left_out.len() + planned.unchanged as usize, everybody.people.len());
            let distinct: BTreeSet<_> = planned.plan.actions().iter().map(|step| &step.key).collect();
            prop_assert_eq!(distinct.len(), planned.plan.actions().len());
            // Nobody is removed who is neither disabled nor absent for two runs.
            for step in planned.plan.actions().iter().filter(|step| step.removes()) {
                let known = planned.next.people[&step.key].absent;
                let off = everybody.people.iter().any(|person| person.key == step.key && !person.enabled);
                prop_assert!(off || known.is_some_and(|absent: Absent| absent.runs >= 2), "{}", step);
            }
            let conflicts = planned.left_out.iter().filter(|left| left.outcome == Outcome::Conflict);
            let in_conflict: BTreeSet<_> = conflicts.filter_map(|left| left.key.clone()).collect();
            world.apply(planned);
            // A repeat of the run finds nothing to do, but for whom a name has become free, and changes nothing of the state.
            let state = world.state.clone();
            let again = world.plan(&everybody);
            let freed = again.plan.actions().iter().all(|step| in_conflict.contains(&step.key));
            prop_assert!(freed, "{}", again.plan);
            if again.plan.is_empty() {
                world.apply(again);
                prop_assert_eq!(&world.state, &state);
            }
        }
        // What is not managed is as it was.
        let managed: BTreeSet<_> = world.state.people.values().filter_map(|managed| managed.account.clone()).collect();
        for (id, account) in foreign {
            if !adopt {
                prop_assert!(!managed.contains(&id));
                prop_assert_eq!(&world.accounts[&id], &account);
            }
        }
    }
}
