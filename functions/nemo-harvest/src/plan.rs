//! What a run will do: from who stands in NEMO, the mappings as they stand, and what earlier runs have stored.

use std::collections::BTreeMap;
use std::fmt;

use crosswalk_identifier_store::{Change, IdentifierStore, StoreError, StoreRequest, Stored};
use crosswalk_identity::{ExternalId, Mark, Refusal, System, Username, times};
use crosswalk_reconcile::{Action, Outcome, Plan};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::naming::{Left, Named, Wanted};
use crate::state::{self, State};

/// How many go to the store together.
pub(crate) const TOGETHER: usize = 500;
/// How many mappings are looked up at once, of those few of which more must be known.
const AT_ONCE: usize = 16;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A mapping is made.
    Create,
    /// Its e-mail is changed.
    Update,
    /// It is as it should be, and that is noted.
    Verify,
    /// Its person was seen.
    Seen,
}

/// A step of the plan.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Step {
    /// What is done.
    pub what: What,
    /// To whose mapping.
    pub username: Username,
    /// NEMO's id.
    pub id: u64,
    /// The e-mail that stands, of an update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_email: Option<String>,
    /// NEMO's e-mail, of what is created or updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When the person was seen last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What the plan is made of, beside who stands in NEMO.
pub(crate) struct Ground<'a> {
    /// Where the mappings are. It keeps ids: see [`IdentifierStore::keeping_ids`].
    pub(crate) store: &'a IdentifierStore,
    pub(crate) system: &'a System,
    pub(crate) state: &'a State,
    pub(crate) verify_after: SignedDuration,
    pub(crate) run: &'a str,
    pub(crate) now: Timestamp,
}

/// What a run will do.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan<Step>,
    /// Whose mappings the plan stores, by NEMO's id.
    pub(crate) due: BTreeMap<u64, Wanted>,
    /// Of whom nothing differs, and what is known of them.
    pub(crate) unchanged: BTreeMap<u64, state::Stored>,
    pub(crate) left: Vec<Left>,
    /// Of how many people NEMO tells nothing later than is stored.
    pub(crate) seen_before: u64,
    /// How many people were seen who have no mapping of ours.
    pub(crate) seen_unknown: u64,
}

impl Action for Step {
    /// A harvest takes nothing away.
    fn removes(&self) -> bool {
        false
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, username, id, old_email, email, at } = self;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match what {
            What::Create => write!(f, "create {username} = {id}"),
            What::Update => write!(f, "update {username} = {id}, e-mail: {} => {}", text(old_email), text(email)),
            What::Verify => write!(f, "verify {username} = {id}"),
            What::Seen => write!(f, "seen {username} = {id}, {}", at.map(times::text).unwrap_or_default()),
        }
    }
}

/// Without names.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step({:?} {})", self.what, self.id)
    }
}

/// The request for a mapping. Its mark is the run and NEMO's id, so that a repeat of the run has the same ones, whatever
/// was stored before it broke off.
pub(crate) fn request(
    wanted: &Wanted,
    system: &System,
    notes: Change<String>,
    run: &str,
) -> Result<StoreRequest, Refusal> {
    Ok(StoreRequest {
        username: wanted.username.clone(),
        system: system.clone(),
        external_id: ExternalId::parse(&wanted.id.to_string())?,
        // Where NEMO has none, one that stands stays.
        email: wanted.email.clone().map_or(Change::Keep, Change::Set),
        notes,
        mark: Mark::line(run, wanted.id),
    })
}

/// Somebody is in the way. The detail names the username that the rule gave, by which the commands know the person: by
/// some rules it is another than NEMO's, which the report's row has.
pub(crate) fn conflict(wanted: &Wanted, owner: &Username, has: Option<&ExternalId>) -> Left {
    if *owner != wanted.username {
        let reason = "the NEMO id belongs to another username: if it is the same person, who was renamed, move it with \
                      `crosswalk ids move`";
        return wanted
            .left(Outcome::Conflict, reason)
            .with(format!("its owner is {owner}, and NEMO_USERNAMES gives it to {}", wanted.username));
    }
    let reason =
        "the person has another NEMO id: if that one is gone for good, store the new one with `crosswalk ids set`";
    let left = wanted.left(Outcome::Conflict, reason);
    match has {
        Some(has) => left.with(format!("{owner} has {has}")),
        None => left.with(format!("they are {owner}")),
    }
}

/// Plans, from reads alone.
pub(crate) async fn plan(named: Named, latest: &BTreeMap<u64, Timestamp>, ground: &Ground<'_>) -> Planned {
    let Named { wanted, mut left } = named;
    let mut unchanged = BTreeMap::new();
    let mut asked = Vec::new();
    for wanted in wanted {
        match ground.state.users.get(&wanted.id) {
            Some(stored) if stored.print == state::print(&wanted) && !ground.is_stale(stored) => {
                unchanged.insert(wanted.id, (wanted.username, *stored));
            }
            _ => asked.push(wanted),
        }
    }
    let mut steps = Vec::new();
    let mut due = BTreeMap::new();
    for (wanted, planned) in ground.ask(asked).await {
        match planned {
            Ok(step) => {
                steps.push(step);
                due.insert(wanted.id, wanted);
            }
            Err(why) => left.push(why),
        }
    }
    let (mut seen_before, mut seen_unknown) = (0, 0);
    for (id, at) in latest {
        let known = due.get(id).map(|wanted| &wanted.username).or(unchanged.get(id).map(|(username, _)| username));
        let stored = ground.state.users.get(id).and_then(|stored| stored.seen);
        match known {
            None => seen_unknown += 1,
            Some(_) if stored.is_some_and(|stored| stored >= *at) => seen_before += 1,
            Some(username) => {
                steps.push(Step { at: Some(*at), ..Step::of(What::Seen, *id, username.clone()) });
            }
        }
    }
    left.sort_by_key(|left| left.id);
    let unchanged = unchanged.into_iter().map(|(id, (_, stored))| (id, stored)).collect();
    Planned { plan: Plan::new(steps), due, unchanged, left, seen_before, seen_unknown }
}

impl Step {
    fn of(what: What, id: u64, username: Username) -> Self {
        Self { what, username, id, old_email: None, email: None, at: None }
    }
}

impl Ground<'_> {
    fn is_stale(&self, stored: &state::Stored) -> bool {
        self.now.duration_since(stored.verified_at) >= self.verify_after
    }

    /// What the store would do with each of them.
    async fn ask(&self, asked: Vec<Wanted>) -> Vec<(Wanted, Result<Step, Left>)> {
        let mut planner = self.store.planner();
        let mut answers = Vec::with_capacity(asked.len());
        let mut asked = asked.into_iter().peekable();
        while asked.peek().is_some() {
            let mut batch = Vec::new();
            for wanted in asked.by_ref().take(TOGETHER) {
                match request(&wanted, self.system, Change::Keep, self.run) {
                    Ok(request) => batch.push((wanted, request)),
                    Err(refusal) => {
                        let left = wanted.left(Outcome::Rejected, format!("NEMO's id does not do: {refusal}"));
                        answers.push((wanted, Err(left)));
                    }
                }
            }
            let requests = batch.iter().map(|(_, request)| request.clone()).collect();
            let planned = Box::pin(planner.plan_many(requests)).await;
            let mut judged: Vec<BoxFuture<'_, _>> = Vec::with_capacity(planned.len());
            for ((wanted, _), planned) in batch.into_iter().zip(planned) {
                judged.push(self.judge(wanted, planned).boxed());
            }
            answers.extend(stream::iter(judged).buffered(AT_ONCE).collect::<Vec<_>>().await);
        }
        answers
    }

    async fn judge(&self, wanted: Wanted, planned: Result<Stored, StoreError>) -> (Wanted, Result<Step, Left>) {
        let step = |what| Step::of(what, wanted.id, wanted.username.clone());
        let email = wanted.email.as_ref().map(ToString::to_string);
        let judged = match planned {
            Ok(Stored::Created(_)) => Ok(Step { email, ..step(What::Create) }),
            Ok(Stored::Verified(_)) => Ok(step(What::Verify)),
            Ok(Stored::Updated { .. }) => match self.store.get(&wanted.username, self.system).await {
                Ok(standing) => {
                    let old_email = standing.and_then(|standing| standing.email).map(|email| email.to_string());
                    Ok(Step { email, old_email, ..step(What::Update) })
                }
                Err(error) => Err(wanted.left(Outcome::Failed, error.to_string())),
            },
            Ok(Stored::Conflict { owner }) if owner == wanted.username => {
                // One that cannot be read is a conflict all the same.
                let standing = self.store.get(&wanted.username, self.system).await.ok().flatten();
                Err(conflict(&wanted, &owner, standing.map(|standing| standing.external_id).as_ref()))
            }
            Ok(Stored::Conflict { owner }) => Err(conflict(&wanted, &owner, None)),
            Err(error) => Err(wanted.left(Outcome::Failed, error.to_string())),
        };
        (wanted, judged)
    }
}
