//! Batches are written, each in one transaction, and told of once it is committed.

use std::collections::HashMap;
use std::time::Duration;

use crosswalk_function_kit::Deadline;
use futures::FutureExt;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::batch::{self, Again, Batch, Kind};
use super::fault::{Fault, failed};
use super::rows::{self, Released, Rows};
use super::{InvenioTarget, TO_ANSWER};
use crate::Field;
use crate::step::{Step, What};
use crate::target::{Applied, Bundle, Done, Failure, TargetError};

/// No batch is begun when less than this is left: one takes well below a second, and waits for others' locks for three.
const MARGIN: Duration = Duration::from_secs(10);

const CHANGED: &str = "the account was changed or deleted by someone else meanwhile; the next run sees it";
const BLOCKED: &str = "an administrator has blocked the account, so it was not reactivated; unblock it in Invenio";

/// What stands. Rows stay locked until the transaction ends, so what is judged here holds when it is written.
const LOCK: &str = "\
    SELECT id, version_id, blocked_at IS NOT NULL FROM accounts_user WHERE id = ANY($1) ORDER BY id FOR UPDATE";
const LOCK_FREE_ONES: &str = "\
    SELECT id, version_id, blocked_at IS NOT NULL FROM accounts_user WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED";

const RELEASE: &str = "\
    UPDATE accounts_user AS u SET \
        email = CASE WHEN s.email THEN NULL ELSE u.email END, \
        username = CASE WHEN s.username THEN NULL ELSE u.username END \
    FROM unnest($1::int4[], $2::bool[], $3::bool[]) AS s (id, email, username) \
    WHERE u.id = s.id";

/// Keys of the profile that are not ours stay. One that is null, or no object, would make the models raise.
const UPDATE: &str = "\
    UPDATE accounts_user AS u SET \
        email = coalesce(s.email, u.email), \
        domain = coalesce(s.domain, u.domain), \
        username = coalesce(s.username, u.username), \
        displayname = coalesce(s.displayname, u.displayname), \
        profile = CASE WHEN s.full_name IS NULL THEN u.profile::jsonb ELSE \
            CASE WHEN jsonb_typeof(u.profile::jsonb) = 'object' THEN u.profile::jsonb ELSE '{}'::jsonb END \
                || jsonb_build_object('full_name', s.full_name) END, \
        active = coalesce(s.active, u.active), \
        version_id = u.version_id + 1, \
        updated = now() \
    FROM unnest($1::int4[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[]) \
        AS s (id, email, domain, username, displayname, full_name, active) \
    WHERE u.id = s.id";

/// Every column that the models fill, but `password`: the person sets one by "forgot password".
const INSERT: &str = "\
    INSERT INTO accounts_user (email, domain, username, displayname, profile, preferences, active, confirmed_at, version_id, \
        created, updated) \
    SELECT email, domain, username, displayname, \
        CASE WHEN full_name IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('full_name', full_name) END, \
        $7::jsonb, active, CASE WHEN $8 THEN now() END, 1, now(), now() \
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bool[]) \
        AS s (email, domain, username, displayname, full_name, active) \
    RETURNING id, email";

const DELETE: &str = "DELETE FROM accounts_user WHERE id = ANY($1)";

/// What came of a bundle: all of it, in the order of its steps, or nothing.
type Outcome = Result<Vec<Applied>, Failure>;

/// See [`InvenioTarget::apply`].
pub(super) async fn apply(
    target: &InvenioTarget,
    connection: &mut PgConnection,
    bundles: Vec<Bundle>,
    deadline: Deadline,
    done: &mpsc::UnboundedSender<Done>,
) -> Result<(), TargetError> {
    let mut queue = batch::batches(bundles);
    while let Some(batch) = queue.pop_front() {
        if deadline.is_near(MARGIN) {
            return Ok(());
        }
        let mut writing = Writing { target, connection, again: batch.again };
        let Ok(outcome) = timeout(TO_ANSWER, writing.take(&batch).boxed()).await else {
            return Err(target.silent());
        };
        match outcome {
            Ok(outcomes) => {
                for (bundle, outcome) in batch.bundles.into_iter().zip(outcomes) {
                    tell(bundle, outcome, done);
                }
            }
            Err(Fault::Lost(told)) => {
                return Err(TargetError(format!("PostgreSQL at {} broke off: {told}", target.id)));
            }
            Err(Fault::Busy(_)) if batch.again != Again::PassOver => {
                queue.push_front(Batch { again: Again::PassOver, ..batch });
            }
            Err(Fault::Row(failure) | Fault::Busy(failure)) if batch.bundles.len() == 1 => {
                for bundle in batch.bundles {
                    tell(bundle, Err(failure.clone()), done);
                }
            }
            Err(Fault::Row(_) | Fault::Busy(_)) => {
                let [first, second] = batch.halves();
                queue.push_front(second);
                queue.push_front(first);
            }
        }
    }
    Ok(())
}

/// Tells of each step. A receiver that is gone does not want to know.
fn tell(bundle: Bundle, outcome: Outcome, done: &mpsc::UnboundedSender<Done>) {
    let steps = bundle.0.len();
    match outcome {
        Ok(applied) => {
            for (step, applied) in bundle.0.into_iter().zip(applied) {
                let _ = done.send(Done { step, result: Ok(applied) });
            }
        }
        Err(mut failure) => {
            if steps > 1 {
                failure.reason = format!(
                    "names pass between {steps} accounts, which change together or not at all, and of one of them: {}",
                    failure.reason
                )
                .into();
            }
            for step in bundle.0 {
                let _ = done.send(Done { step, result: Err(failure.clone()) });
            }
        }
    }
}

/// One batch under way.
struct Writing<'a> {
    target: &'a InvenioTarget,
    connection: &'a mut PgConnection,
    again: Again,
}

impl Writing<'_> {
    /// Everything of the batch, or nothing. Bundles whose accounts are not as they were read are left out.
    async fn take(&mut self, batch: &Batch) -> Result<Vec<Outcome>, Fault> {
        if batch.kind == Kind::Create {
            // One statement is a transaction by itself.
            return self.create(&batch.bundles).await;
        }
        self.count();
        let mut transaction = self.connection.begin().await?;
        let mut writing = Writing { target: self.target, connection: &mut transaction, again: self.again };
        let outcomes = writing.change(&batch.bundles).boxed().await;
        self.target.counts.add(self.again != Again::No);
        match outcomes {
            Ok(outcomes) => {
                transaction.commit().await?;
                Ok(outcomes)
            }
            Err(Fault::Lost(told)) => Err(Fault::Lost(told)),
            Err(fault) => {
                transaction.rollback().await?;
                Err(fault)
            }
        }
    }

    async fn create(&mut self, bundles: &[Bundle]) -> Result<Vec<Outcome>, Fault> {
        let judged: Vec<_> = bundles.iter().map(|bundle| judge(bundle, &HashMap::new())).collect();
        let mut rows = Rows::default();
        for (bundle, _) in bundles.iter().zip(&judged).filter(|(_, judged)| judged.is_ok()) {
            bundle.0.iter().for_each(|step| rows.insert(step));
        }
        let ids = self.insert(&rows).await?;
        outcomes(bundles, judged, |step| created(step, &ids))
    }

    async fn change(&mut self, bundles: &[Bundle]) -> Result<Vec<Outcome>, Fault> {
        let standing = self.lock(bundles).await?;
        let judged: Vec<Result<(), Failure>> = bundles.iter().map(|bundle| judge(bundle, &standing)).collect();

        let (mut released, mut updates, mut creates) = (Released::default(), Rows::default(), Rows::default());
        let mut deletes = Vec::new();
        for (bundle, _) in bundles.iter().zip(&judged).filter(|(_, judged)| judged.is_ok()) {
            released.add(bundle);
            for step in &bundle.0 {
                match (&step.what, rows::id(step)) {
                    (What::Create, _) => creates.insert(step),
                    (What::Delete, Some(id)) => deletes.push(id),
                    (_, Some(id)) => updates.update(id, step, rows::active(step, is_blocked(&standing, id))),
                    (_, None) => {}
                }
            }
        }
        self.release(&released).await?;
        self.update(&updates).await?;
        let ids = self.insert(&creates).await?;
        self.delete(&deletes).await?;

        let applied = |step: &Step| match rows::id(step) {
            Some(id) if rows::stands(step) => {
                let kept = step.active == Some(true) && is_blocked(&standing, id) && rows::active(step, true).is_none();
                Ok(Applied { account: id.to_string().into(), warning: kept.then_some(BLOCKED.into()) })
            }
            _ => created(step, &ids),
        };
        outcomes(bundles, judged, applied)
    }

    /// What stands of the bundles' accounts, by id.
    async fn lock(&mut self, bundles: &[Bundle]) -> Result<HashMap<i32, Standing>, Fault> {
        let steps = bundles.iter().flat_map(|bundle| &bundle.0);
        let ids: Vec<i32> = steps.filter(|step| rows::stands(step)).filter_map(rows::id).collect();
        let statement = if self.again == Again::PassOver { LOCK_FREE_ONES } else { LOCK };
        self.count();
        let rows = sqlx::query(statement).bind(ids).fetch_all(&mut *self.connection).await?;
        let standing = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, Standing { version: row.try_get(1)?, blocked: row.try_get(2)? })));
        Ok(standing.collect::<Result<_, sqlx::Error>>()?)
    }

    async fn release(&mut self, rows: &Released) -> Result<(), Fault> {
        if rows.ids.is_empty() {
            return Ok(());
        }
        self.count();
        let query = sqlx::query(RELEASE).bind(&rows.ids).bind(&rows.email).bind(&rows.username);
        let written = query.execute(&mut *self.connection).await?.rows_affected();
        all(rows.ids.len(), written)
    }

    async fn update(&mut self, rows: &Rows<'_>) -> Result<(), Fault> {
        if rows.len() == 0 {
            return Ok(());
        }
        self.count();
        let query = sqlx::query(UPDATE).bind(&rows.ids).bind(&rows.emails).bind(&rows.domains).bind(&rows.usernames);
        let query = query.bind(&rows.displaynames).bind(&rows.full_names).bind(&rows.active);
        let written = query.execute(&mut *self.connection).await?.rows_affected();
        all(rows.len(), written)
    }

    /// The new accounts' ids, by their e-mails.
    async fn insert(&mut self, rows: &Rows<'_>) -> Result<HashMap<String, i32>, Fault> {
        if rows.len() == 0 {
            return Ok(HashMap::new());
        }
        self.count();
        let query = sqlx::query(INSERT).bind(&rows.emails).bind(&rows.domains).bind(&rows.usernames);
        let query = query.bind(&rows.displaynames).bind(&rows.full_names).bind(&rows.active);
        let query = query.bind(&self.target.preferences).bind(self.target.confirm);
        let inserted = query.fetch_all(&mut *self.connection).await?;
        let ids = inserted.iter().map(|row| Ok((row.try_get::<Option<_>, _>(1)?.unwrap_or_default(), row.try_get(0)?)));
        Ok(ids.collect::<Result<_, sqlx::Error>>()?)
    }

    async fn delete(&mut self, ids: &[i32]) -> Result<(), Fault> {
        if ids.is_empty() {
            return Ok(());
        }
        let target = self.target;
        for statement in &target.shape.own {
            self.count();
            sqlx::query(*statement).bind(ids).execute(&mut *self.connection).await?;
        }
        self.count();
        let written = sqlx::query(DELETE).bind(ids).execute(&mut *self.connection).await?.rows_affected();
        all(ids.len(), written)
    }

    fn count(&self) {
        self.target.counts.add(self.again != Again::No);
    }
}

/// What stands of an account.
struct Standing {
    version: i32,
    blocked: bool,
}

fn is_blocked(standing: &HashMap<i32, Standing>, id: i32) -> bool {
    standing.get(&id).is_some_and(|standing| standing.blocked)
}

/// Whether all of the bundle's accounts are as they were read.
fn judge(bundle: &Bundle, standing: &HashMap<i32, Standing>) -> Result<(), Failure> {
    for step in &bundle.0 {
        if rows::stands(step) {
            let found = rows::id(step).and_then(|id| standing.get(&id));
            if found.is_none_or(|found| found.version != step.version) {
                return Err(failed(CHANGED));
            }
        } else if step.new_value(Field::Email).is_none() {
            return Err(failed("there is no e-mail to create the account with"));
        }
    }
    Ok(())
}

/// What came of the bundles: `applied` tells it of a step of those that were judged fit.
fn outcomes(
    bundles: &[Bundle],
    judged: Vec<Result<(), Failure>>,
    applied: impl Fn(&Step) -> Result<Applied, Fault>,
) -> Result<Vec<Outcome>, Fault> {
    let outcome = |(bundle, judged): (&Bundle, Result<(), Failure>)| match judged {
        Ok(()) => bundle.0.iter().map(&applied).collect::<Result<Vec<_>, _>>().map(Ok),
        Err(failure) => Ok(Err(failure)),
    };
    bundles.iter().zip(judged).map(outcome).collect()
}

fn created(step: &Step, ids: &HashMap<String, i32>) -> Result<Applied, Fault> {
    let id = ids.get(step.new_value(Field::Email).unwrap_or_default());
    // The statement may be committed already: it is not taken again.
    let id = id.ok_or_else(|| Fault::Lost("a trigger changes the e-mails of new rows of accounts_user".to_owned()))?;
    Ok(Applied { account: id.to_string().into(), warning: None })
}

/// The rows are locked, so only a trigger or a policy can hold one back.
fn all(rows: usize, written: u64) -> Result<(), Fault> {
    if u64::try_from(rows) == Ok(written) {
        return Ok(());
    }
    Err(Fault::Row(failed("a trigger or a policy of Invenio's database keeps the account's row as it is")))
}
