//! External ids of people are stored as mappings, under their usernames.

use std::borrow::Cow;
use std::time::Duration;

use aws_config::SdkConfig;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::{Change, IdentifierStore, StoreError, StoreRequest, Stored, Table};
use crosswalk_identity::{Email, ExternalId, Mark, System, Username};
use crosswalk_reconcile::{Fingerprint, Outcome};

use crate::apply::LAST;
use crate::outcome::Tally;
use crate::settings::MappingSettings;
use crate::state::State;
use crate::sync::{Watch, Watched};
use crate::{Person, Step};

/// What one call of the store may take.
const A_CALL: Duration = Duration::from_secs(20);

/// How many go to the store together.
const TOGETHER: usize = 500;

/// The store, and the systems in the order of a person's external ids.
pub(crate) struct Mappings {
    store: IdentifierStore,
    systems: Vec<System>,
}

/// One external id of somebody.
struct Wanted<'a> {
    person: &'a Person,
    request: StoreRequest,
}

impl Mappings {
    pub(crate) fn new(settings: &MappingSettings, config: &SdkConfig, clock: &Clock, entropy: &Entropy) -> Self {
        let table = Table::new(aws_sdk_dynamodb::Client::new(config), &settings.table);
        Self { store: IdentifierStore::new(table, clock.clone(), entropy.clone()), systems: settings.systems.clone() }
    }

    /// Stores what differs from what was stored before, of everybody whose account stands. What cannot be stored is
    /// reported, stops nothing, and is tried again by the next run. Whether there was time for all.
    pub(crate) async fn store(
        &self,
        people: &[Person],
        state: &mut State,
        run: &str,
        tally: &mut Tally,
        deadline: Deadline,
        watch: Watch<'_>,
    ) -> bool {
        tally.mappings.get_or_insert_default();
        let due: Vec<_> = due(people, state).collect();
        let of = due.len() as u64;
        for (done, people) in due.chunks(TOGETHER).enumerate() {
            if deadline.is_near(LAST + A_CALL) {
                let why = "not stored in the invocation's time; the next leg, or the next run, goes on";
                for (_, person) in &due[done * TOGETHER..] {
                    tally.mapping(person, Outcome::Skipped, Some((why.into(), String::new())));
                }
                return false;
            }
            let mut stored = Vec::with_capacity(people.len());
            let mut wanted = Vec::with_capacity(people.len());
            for (line, person) in people.iter().copied() {
                let before = wanted.len();
                stored.push((person, self.wanted(person, run, line, tally, &mut wanted), before));
            }
            let requests = wanted.iter().map(|wanted| wanted.request.clone()).collect();
            let answers = Box::pin(self.store.store_many(requests)).await;
            let mut well = vec![true; wanted.len()];
            for (at, (wanted, answer)) in wanted.iter().zip(answers).enumerate() {
                let (outcome, reason) = told(answer);
                well[at] = outcome.is_success();
                tally.mapping(wanted.person, outcome, reason);
            }
            let mut ends = stored.iter().skip(1).map(|(_, _, from)| *from).chain([wanted.len()]);
            for (person, sound, from) in &stored {
                let to = ends.next().unwrap_or(wanted.len());
                if *sound
                    && well[*from..to].iter().all(|well| *well)
                    && let Some(managed) = state.people.get_mut(&person.key)
                {
                    managed.mapped = person.mapped;
                }
            }
            watch(Watched::Mapping { done: ((done + 1) * TOGETHER).min(due.len()) as u64, of });
        }
        true
    }

    /// What [`Self::store`] would do, from reads alone; `steps` are those that a run would take before.
    pub(crate) async fn plan(&self, people: &[Person], state: &State, steps: &[Step], tally: &mut Tally) {
        tally.mappings.get_or_insert_default();
        let mut after = state.clone();
        for step in steps {
            after.people.entry(step.key.clone()).or_insert_with(|| crate::state::Managed::created(Box::default()));
        }
        let due: Vec<_> = due(people, &after).collect();
        let mut planner = self.store.planner();
        for people in due.chunks(TOGETHER) {
            let mut wanted = Vec::new();
            for (line, person) in people.iter().copied() {
                self.wanted(person, "dry-run", line, tally, &mut wanted);
            }
            let requests = wanted.iter().map(|wanted| wanted.request.clone()).collect();
            for (wanted, answer) in wanted.iter().zip(Box::pin(planner.plan_many(requests)).await) {
                let (outcome, reason) = told(answer);
                tally.mapping(wanted.person, outcome, reason);
            }
        }
    }

    /// Adds the requests of one person; whether all of their external ids could be made one.
    fn wanted<'a>(
        &self,
        person: &'a Person,
        run: &str,
        line: u64,
        tally: &mut Tally,
        wanted: &mut Vec<Wanted<'a>>,
    ) -> bool {
        let mut all = true;
        for (at, (system, external_id)) in self.systems.iter().zip(&person.external_ids).enumerate() {
            let Some(external_id) = external_id else { continue };
            match request(
                person,
                system,
                external_id,
                Mark::line(run, line * self.systems.len() as u64 + at as u64 + 1),
            ) {
                Ok(request) => wanted.push(Wanted { person, request }),
                Err(reason) => {
                    all = false;
                    tally.mapping(person, Outcome::Rejected, Some((reason.into(), format!("system {system}"))));
                }
            }
        }
        all
    }
}

/// Whose mappings are to be stored: their account stands, and what was stored before differs.
fn due<'a>(people: &'a [Person], state: &State) -> impl Iterator<Item = (u64, &'a Person)> {
    people.iter().zip(0..).filter_map(|(person, line)| {
        let managed = state.people.get(&person.key)?;
        let due = person.mapped != Fingerprint::UNKNOWN && managed.mapped != person.mapped && managed.account.is_some();
        due.then_some((line, person))
    })
}

fn request(person: &Person, system: &System, external_id: &str, mark: Mark) -> Result<StoreRequest, String> {
    let username = person.username.as_deref().ok_or("a mapping needs a username, and this person has none")?;
    let username =
        Username::parse(username).map_err(|refusal| format!("the username does not do for a mapping: {refusal}"))?;
    let external_id =
        ExternalId::parse(external_id).map_err(|refusal| format!("the external id does not do: {refusal}"))?;
    let email = person.emails.first().and_then(|email| Email::parse(email).ok());
    let email = email.map_or(Change::Keep, Change::Set);
    Ok(StoreRequest { username, system: system.clone(), external_id, email, notes: Change::Keep, mark })
}

type Told = (Outcome, Option<(Cow<'static, str>, String)>);

fn told(answer: Result<Stored, StoreError>) -> Told {
    match answer {
        Ok(Stored::Created(_)) => (Outcome::Created, None),
        Ok(Stored::Updated { .. }) => (Outcome::Updated, None),
        Ok(Stored::Verified(_)) => (Outcome::Verified, None),
        Ok(Stored::Conflict { owner }) => {
            let reason =
                "the external id belongs to somebody else: move it with `crosswalk ids move`, or correct the source";
            (Outcome::Conflict, Some((reason.into(), format!("its owner is {owner}"))))
        }
        Err(error) => (Outcome::Failed, Some((error.to_string().into(), String::new()))),
    }
}
