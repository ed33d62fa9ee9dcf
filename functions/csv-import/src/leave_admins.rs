//! The work of leave-administrator rows: account, person, link, registration.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crosswalk_accounts::{AccountError, Accounts, Ensured};
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::StoreError;
use crosswalk_identity::{Fein, Mark, Username};
use crosswalk_people::{EMPLOYER_ROLE, Employer, Kept, Link, People, Person};
use crosswalk_runs::Outcome;

use crate::fineos::{Fineos, FineosError, Registration};
use crate::outcome::{RowResult, Verdict};
use crate::row::LeaveAdminRow;
use crate::traffic::RunTraffic;

/// What the rows of a run are worked on with.
pub(crate) struct LeaveAdmins {
    pub(crate) people: People,
    pub(crate) accounts: Accounts,
    /// None if registration is off.
    pub(crate) fineos: Option<Arc<Fineos>>,
    pub(crate) traffic: RunTraffic,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    /// Register again, even who is registered.
    pub(crate) force: bool,
}

/// Every further row would fail as well: the run should stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Stop(pub(crate) String);

/// What was done for a row before it failed.
#[derive(Default)]
struct Steps(Vec<&'static str>);

/// Why a row ended where it did.
enum End {
    Stop(Stop),
    Row(Verdict),
}

impl Steps {
    /// The verdict of a row that failed after these steps.
    fn failed(&self, error: impl fmt::Display) -> End {
        End::Row(Verdict::new(Outcome::Failed, format!("{error}{self}")))
    }

    fn store(&self, error: &StoreError) -> End {
        self.failed(format_args!("{error}; drop this row in again"))
    }

    fn account(&self, error: AccountError) -> End {
        if error.is_of_pool() {
            return End::Stop(Stop(error.to_string()));
        }
        End::Row(Verdict::new(Outcome::Failed, error.to_string()))
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => Ok(()),
            done => write!(f, " (done before: {}; a repeat goes on from there)", done.join(", ")),
        }
    }
}

fn no_employer() -> Verdict {
    Verdict::new(
        Outcome::Rejected,
        "no employer has this FEIN: correct it, or import the employer first (imports/employers/)",
    )
}

/// Somebody meant it: no row undoes that.
fn disabled() -> Verdict {
    Verdict::new(
        Outcome::Failed,
        "the account is disabled in the user pool, and was left so: enable it there, and drop this row in again",
    )
}

fn no_fineos_id() -> Verdict {
    Verdict::new(
        Outcome::Failed,
        "the employer has no fineos_employer_id, which registration needs: import the employer with one first",
    )
}

fn verdict(account: Ensured, person: Kept, link: Kept, registered: bool) -> Verdict {
    let mut told = Vec::new();
    match account {
        Ensured::Created => told.push("the account is new"),
        Ensured::Repaired => told.push("the account was stuck without a password of its own and has one now"),
        Ensured::Unchanged | Ensured::Disabled => {}
    }
    match (account, person) {
        (Ensured::Created, Kept::Created) | (_, Kept::Unchanged) => {}
        (_, Kept::Created) => told.push("the person is new"),
        (_, Kept::Updated) => told.push("the role or the e-mail was missing"),
    }
    if link == Kept::Created {
        told.push("the link is new");
    }
    if registered {
        told.push("registered at FINEOS");
    }
    let outcome = if account == Ensured::Created || link == Kept::Created {
        Outcome::Created
    } else if told.is_empty() && link == Kept::Unchanged {
        Outcome::Unchanged
    } else {
        Outcome::Updated
    };
    match (outcome, told.is_empty()) {
        (Outcome::Unchanged, _) => Verdict::new(outcome, "account, person and link stood already"),
        (_, true) => Verdict::new(outcome, "repaired by this row"),
        (_, false) => Verdict::new(outcome, told.join(", ")),
    }
}

impl LeaveAdmins {
    /// Brings one person in for one employer.
    ///
    /// # Errors
    /// The pool does not do.
    pub(crate) async fn bring_in(&self, mark: &Mark, row: &LeaveAdminRow) -> Result<Verdict, Stop> {
        let steps = self.traffic.cognito.clone().around(self.steps(mark, row));
        match Box::pin(steps).await {
            Ok(verdict) | Err(End::Row(verdict)) => Ok(verdict),
            Err(End::Stop(stop)) => Err(stop),
        }
    }

    async fn steps(&self, mark: &Mark, row: &LeaveAdminRow) -> Result<Verdict, End> {
        let mut steps = Steps::default();
        // Before anything is made: an unknown employer leaves no account behind.
        let employer = self.employer(row).await?;
        let person = self.people.person(&row.username).await.map_err(|error| steps.store(&error))?;
        let invited = person.and_then(|person| person.invited_until);

        let account = self.accounts.ensure(&row.email, invited).await.map_err(|error| steps.account(error))?;
        if account == Ensured::Disabled {
            return Err(End::Row(disabled()));
        }
        steps.0.push("account");
        let person = self.people.ensure_person(&row.username, &row.email, EMPLOYER_ROLE, mark).await;
        let person = person.map_err(|error| steps.store(&error))?;
        steps.0.push("person and role");
        let link = self.people.ensure_link(&row.username, &row.fein, mark).await;
        let (kept, link) = link.map_err(|error| steps.store(&error))?;
        steps.0.push("link");
        let registered = self.register(mark, row, &employer, &link, &mut steps).await?;
        Ok(verdict(account, person, kept, registered))
    }

    async fn employer(&self, row: &LeaveAdminRow) -> Result<Employer, End> {
        let employer = self.people.employer(&row.fein).await.map_err(|error| Steps::default().store(&error))?;
        let employer = employer.ok_or_else(|| End::Row(no_employer()))?;
        if self.fineos.is_some() && employer.fineos_employer_id.is_none() {
            return Err(End::Row(no_fineos_id()));
        }
        Ok(employer)
    }

    /// Whether FINEOS is to be asked: not again after a stored success, unless forced, and then once a row.
    fn is_due(&self, link: Option<&Link>, mark: &Mark) -> bool {
        let Some(link) = link.filter(|link| link.fineos_web_id.is_some()) else { return true };
        self.force && link.fineos_confirmed_by.as_ref() != Some(mark)
    }

    async fn register(
        &self,
        mark: &Mark,
        row: &LeaveAdminRow,
        employer: &Employer,
        link: &Link,
        steps: &mut Steps,
    ) -> Result<bool, End> {
        let (Some(fineos), Some(employer)) = (&self.fineos, &employer.fineos_employer_id) else { return Ok(false) };
        if !self.is_due(Some(link), mark) {
            return Ok(false);
        }
        let user_id = match &link.fineos_user_id {
            Some(user_id) => user_id.clone(),
            None => {
                let proposed = format!("pfml_leave_admin_{}", self.entropy.uuid());
                let fixed = self.people.fix_fineos_user_id(&row.username, &row.fein, &proposed, mark).await;
                fixed.map_err(|error| steps.store(&error))?
            }
        };
        let registration = Registration { employer, user_id: &user_id, email: &row.email };
        let web_id = fineos.register(&registration, &self.traffic.fineos).await.map_err(|error| {
            if let FineosError::Credentials(_) = error {
                tracing::error!(%error, "registration at FINEOS");
            }
            steps.failed(&error)
        })?;
        steps.0.push("registration at FINEOS");
        let confirmed = self.people.confirm_fineos(&row.username, &row.fein, &web_id, mark).await;
        confirmed.map_err(|error| steps.store(&error))?;
        Ok(true)
    }
}

/// What earlier rows of a dry run would have made.
#[derive(Default)]
pub(crate) struct Planned {
    people: HashMap<Username, Person>,
    links: HashSet<(Username, Fein)>,
}

impl Planned {
    /// Forgets all if it holds more than this many people or links.
    pub(crate) fn forget_beyond(&mut self, most: usize) {
        if self.people.len().max(self.links.len()) > most {
            *self = Self::default();
        }
    }
}

/// What stands for a row before it.
struct Standing {
    person: Option<Person>,
    link: Option<Link>,
    account: Ensured,
}

impl LeaveAdmins {
    /// What [`Self::bring_in`] would do with rows, in file order. Cognito and the store are only read.
    ///
    /// # Errors
    /// The pool does not do.
    pub(crate) async fn plan(
        &self,
        planned: &mut Planned,
        run: &str,
        rows: Vec<(u64, LeaveAdminRow)>,
    ) -> Result<Vec<RowResult>, Stop> {
        let standing = futures::future::join_all(rows.iter().map(|(_, row)| self.standing(row))).await;
        let mut results = Vec::with_capacity(rows.len());
        for ((line, row), standing) in rows.into_iter().zip(standing) {
            let verdict = match standing {
                Ok(standing) => self.planned_verdict(planned, &Mark::line(run, line), &row, standing),
                Err(End::Row(verdict)) => verdict,
                Err(End::Stop(stop)) => return Err(stop),
            };
            results.push(verdict.at(line));
        }
        Ok(results)
    }

    async fn standing(&self, row: &LeaveAdminRow) -> Result<Standing, End> {
        let steps = Steps::default();
        self.employer(row).await?;
        let person = self.people.person(&row.username).await.map_err(|error| steps.store(&error))?;
        let link = self.people.link(&row.username, &row.fein).await.map_err(|error| steps.store(&error))?;
        let invited = person.as_ref().and_then(|person| person.invited_until);
        let account = self.accounts.plan(&row.email, invited).await.map_err(|error| steps.account(error))?;
        Ok(Standing { person, link, account })
    }

    fn planned_verdict(&self, planned: &mut Planned, mark: &Mark, row: &LeaveAdminRow, standing: Standing) -> Verdict {
        let earlier = planned.people.get(&row.username);
        let account = if earlier.is_some() { Ensured::Unchanged } else { standing.account };
        if account == Ensured::Disabled {
            return disabled();
        }
        let stored = earlier.or(standing.person.as_ref());
        let (kept, person) = Person::planned(stored, &row.username, &row.email, EMPLOYER_ROLE, self.clock.now(), mark);
        planned.people.insert(row.username.clone(), person);
        let is_new = planned.links.insert((row.username.clone(), row.fein.clone()));
        let link = if is_new && standing.link.is_none() { Kept::Created } else { Kept::Unchanged };
        let registered = self.fineos.is_some() && is_new && self.is_due(standing.link.as_ref(), mark);
        verdict(account, kept, link, registered)
    }
}
