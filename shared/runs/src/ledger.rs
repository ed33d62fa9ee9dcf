//! Runs that exclude each other: of those that take the same turn, one works at a time.

mod folder;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crosswalk_function_kit::Clock;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::keeper::{Renewing, Vigil};
use crate::ledger::folder::Folder;
use crate::{Counts, Progress, RunError, RunRecord, RunState, Runs};

/// Where runs that exclude each other are kept: in DynamoDB or, without AWS, in a folder. Clones share one client.
///
/// A *turn* is a name that those runs have in common, such as `people-export#<hash of the target>`. [`Self::begin`] takes
/// the turn and the run together, and [`Held`] keeps both until the run ends.
///
/// **In the table** the turn is an item, `TURN#<turn>` / `TURN`, with its holder, a lease of [`Runs::LEASE`] and a fencing
/// number that only grows, beside the run's own item. Whatever concerns both is *one transaction*: beginning, each
/// renewal, [`Held::confirm`], end and release. So there is no moment in which a worker has one without the other: a
/// worker that dies, whenever it does, leaves both lapsing at the same time, and none is blocked for longer than one
/// lease. (Two writes in either order would leave the first one claimed when the second fails.) A turn that nobody has
/// taken for [`Runs::KEPT`] is deleted (TTL).
///
/// **In a folder** the run is `runs/<id>.json` and the turn a file lock on `turns/<turn>.lock`, which goes with the process,
/// however that ends. Who holds it stands beside it. Both are taken under a third, brief lock, `ledger.lock`, so of any
/// number of processes one begins, and whoever is turned away reads the right holder. The folder must be on a file system
/// of this machine: network file systems lock differently, or not at all.
#[derive(Debug, Clone)]
pub enum Ledger {
    /// In the table, with leases.
    Table(Runs),
    /// In a folder, with a lock that goes with the process.
    Folder {
        /// The folder, made when the first run begins.
        folder: PathBuf,
        /// Tells the time.
        clock: Clock,
    },
}

/// The answer to a beginning.
#[derive(Debug)]
pub enum Begin {
    /// The turn and the run are ours: a new run, one whose worker is gone, or one that failed.
    Ours(Held),
    /// This very run has ended, with all or part of what it was to do: its event came again.
    Ended(RunRecord),
    /// Another run, or another worker of this one, has the turn.
    Busy {
        /// The run that has it.
        run: String,
        /// When its lease lapses unless it is renewed; none where a process holds a lock.
        until: Option<Timestamp>,
    },
}

/// The turn and the run, renewed in the background while it is held. Dropped without an end, the lease lapses by itself
/// (in a folder: the lock is given back at once, or after the write that is under way).
#[derive(Debug)]
pub struct Held {
    record: RunRecord,
    // Stops when dropped; and holds on to no lock meanwhile, as it has no more than a weak reference.
    renewing: Renewing,
    shared: Arc<Shared>,
}

/// What the background and the worker share.
#[derive(Debug)]
struct Shared {
    run: String,
    vigil: Arc<Vigil>,
    latest: watch::Sender<(Progress, Counts)>,
    hold: Hold,
}

#[derive(Debug)]
enum Hold {
    Table(Box<table::Hold>),
    Folder(folder::Hold),
}

/// What came of an attempt to take a turn.
enum Taken<H> {
    Ours {
        hold: H,
        record: RunRecord,
        /// From this moment on, or a later one, its lease holds.
        since: Instant,
    },
    Ended(RunRecord),
    Busy {
        run: String,
        until: Option<Timestamp>,
    },
}

impl Ledger {
    /// How often a turn is renewed, and progress written: often enough for a person to watch.
    pub const RENEWAL: Duration = Duration::from_secs(5);

    /// Takes `turn` for the run that `record` describes; `delivery` names the event or command. Of any number of workers
    /// that begin at once, one gets it.
    ///
    /// A run that failed begins again, under the same id and with a fresh record; one that continues (its time was up)
    /// keeps the record so far. One whose worker is gone
    /// is taken over: it keeps the record so far, and when it began.
    ///
    /// # Errors
    /// The store. After an error the turn may have been taken: it lapses by itself.
    pub async fn begin(&self, record: &RunRecord, turn: &str, delivery: &str) -> Result<Begin, RunError> {
        self.begin_every(Self::RENEWAL, record, turn, delivery).await
    }

    /// [`Self::begin`] with another interval of renewals, for tests.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_every(
        &self,
        interval: Duration,
        record: &RunRecord,
        turn: &str,
        delivery: &str,
    ) -> Result<Begin, RunError> {
        let taken = match self {
            Self::Table(runs) => {
                // Boxed, as all calls of the SDK below: callers nest these futures deeply in theirs.
                Box::pin(table::begin(runs, record, turn, delivery)).await?.map(|hold| Hold::Table(Box::new(hold)))
            }
            Self::Folder { folder, clock } => {
                Folder::new(folder, clock).begin(record, turn, delivery).await?.map(Hold::Folder)
            }
        };
        Ok(match taken {
            Taken::Ours { hold, record, since } => Begin::Ours(Held::new(interval, hold, record, since)),
            Taken::Ended(record) => Begin::Ended(record),
            Taken::Busy { run, until } => Begin::Busy { run, until },
        })
    }

    /// The record of a run. One that broke off is shown as failed: in the table when nobody took it over for
    /// [`Runs::BROKEN_OFF`], in a folder as soon as its process is gone.
    ///
    /// # Errors
    /// The store.
    pub async fn get(&self, id: &str) -> Result<Option<RunRecord>, RunError> {
        match self {
            Self::Table(runs) => Ok(runs.get(id).await?),
            Self::Folder { folder, clock } => Folder::new(folder, clock).get(id).await,
        }
    }

    /// The latest runs of a kind, or of all kinds, newest first, at most `limit`. A record that does not read is left out
    /// and logged.
    ///
    /// # Errors
    /// The store.
    pub async fn list(&self, kind: Option<&str>, limit: usize) -> Result<Vec<RunRecord>, RunError> {
        match self {
            Self::Table(runs) => Ok(runs.list(kind, limit).await?),
            Self::Folder { folder, clock } => Folder::new(folder, clock).list(kind, limit).await,
        }
    }
}

impl<H> Taken<H> {
    fn map<T>(self, with: impl FnOnce(H) -> T) -> Taken<T> {
        match self {
            Self::Ours { hold, record, since } => Taken::Ours { hold: with(hold), record, since },
            Self::Ended(record) => Taken::Ended(record),
            Self::Busy { run, until } => Taken::Busy { run, until },
        }
    }
}

impl Held {
    fn new(interval: Duration, hold: Hold, record: RunRecord, since: Instant) -> Self {
        let vigil = Arc::new(Vigil::since(since));
        let (latest, _) = watch::channel((record.progress, record.counts));
        let shared = Arc::new(Shared { run: record.id.clone(), vigil: vigil.clone(), latest, hold });
        let weak = Arc::downgrade(&shared);
        let renewal = move || {
            let shared = weak.upgrade();
            async move {
                match shared {
                    Some(shared) => shared.renew().await,
                    None => Ok(()),
                }
            }
        };
        let renewing = Renewing::every(interval, record.id.clone(), vigil, renewal);
        Self { record, renewing, shared }
    }

    /// The record to go on from: it began when its first worker did.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Has the latest progress written with the next renewal.
    pub fn tell(&self, progress: Progress, counts: Counts) {
        self.shared.latest.send_replace((progress, counts));
    }

    /// Is cancelled when the turn was, or may have been, taken by another; the work must then stop.
    pub fn lost(&self) -> CancellationToken {
        self.shared.vigil.lost()
    }

    /// Makes sure, with a conditional write, that the turn is still ours, and renews it: right before what cannot be undone.
    /// In a folder it makes sure that the locked file is still the one that others would lock.
    ///
    /// # Errors
    /// [`RunError::Lost`] if it is not; the store, and then one does not know.
    pub async fn confirm(&self) -> Result<(), RunError> {
        let shared = &self.shared;
        match &shared.hold {
            Hold::Table(_) => shared.renew().await,
            Hold::Folder(hold) => shared.vigil.renew(&shared.run, hold.confirm()).await,
        }
    }

    /// Writes the ended record and gives the turn back. Of `record`, what was known when the run began (id, kind, source,
    /// start) is left as it is stored. A turn whose lease lapsed and that nobody took in the meantime is still ours.
    ///
    /// # Errors
    /// [`RunError::Lost`]; the store; a record that says `running` is refused. After any of them the turn lapses by
    /// itself (in a folder: is given back).
    pub async fn end(self, record: &RunRecord) -> Result<(), RunError> {
        let Self { renewing, shared, .. } = self;
        renewing.stop().await;
        match &shared.hold {
            Hold::Table(hold) => Box::pin(hold.end(record)).await,
            Hold::Folder(hold) => hold.end(record).await,
        }
    }

    /// Gives the turn back without an end: the next one goes on at once. What another has taken in the meantime is left to
    /// it.
    ///
    /// # Errors
    /// The store.
    pub async fn release(self) -> Result<(), RunError> {
        let Self { renewing, shared, .. } = self;
        renewing.stop().await;
        match &shared.hold {
            Hold::Table(hold) => Box::pin(hold.release()).await,
            Hold::Folder(hold) => hold.release().await,
        }
    }
}

impl Shared {
    async fn renew(&self) -> Result<(), RunError> {
        let (progress, counts) = *self.latest.borrow();
        let renewal = async {
            match &self.hold {
                Hold::Table(hold) => Box::pin(hold.renew(&progress, &counts)).await,
                Hold::Folder(hold) => hold.renew(progress, counts).await,
            }
        };
        self.vigil.renew(&self.run, renewal).await
    }
}

/// The record of a run that begins: nothing has come of it yet.
fn fresh(record: &RunRecord) -> RunRecord {
    let RunRecord { id, kind, source, started_at, dry_run, .. } = record;
    RunRecord { dry_run: *dry_run, ..RunRecord::begin(id, kind, source, *started_at) }
}

/// What a run that ended becomes when it begins again, if it may: one that failed begins from nothing, one that continues
/// keeps what its legs so far did, and when the first of them began.
fn begun_again(ended: &RunRecord, fresh: &RunRecord) -> Option<RunRecord> {
    match ended.state {
        RunState::Failed => Some(fresh.clone()),
        RunState::Partly if ended.continues => {
            Some(RunRecord { state: RunState::Running, ended_at: None, continues: false, ..ended.clone() })
        }
        RunState::Running | RunState::Succeeded | RunState::Partly => None,
    }
}

/// Whether the run has done what it could: its event, come again, is answered with what was done.
fn is_done(record: &RunRecord) -> bool {
    match record.state {
        RunState::Succeeded => true,
        RunState::Partly => !record.continues,
        RunState::Running | RunState::Failed => false,
    }
}
