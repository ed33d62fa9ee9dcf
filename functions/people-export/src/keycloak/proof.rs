//! Reads that are repeated until they are proven, and listings that are read to their empty page.

use crosswalk_reconcile::{Incomplete, Keyed, Proof, Snapshot};

use super::ReadError;
use super::calls::CallError;

/// How often users, and likewise groups, are read at most.
pub(super) const READS: usize = 3;

/// Why one read proves nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unproven {
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// A page does not begin where the one before it ended, so that users may stand on neither.
    #[error("users moved from page to page while they were read")]
    Slipped,
    /// A group that was listed is not there when its children or members are asked for.
    #[error("a group was deleted while the groups were read")]
    Vanished,
    /// A repeat does not help.
    #[error(transparent)]
    Failed(#[from] ReadError),
}

impl From<CallError> for Unproven {
    fn from(error: CallError) -> Self {
        Self::Failed(error.into())
    }
}

/// Reads, and reads again what was not proven. `read` is told whether it is the last time.
///
/// # Errors
/// A request failed for good, or the last read was not proven either.
pub(super) async fn proven<T, Fut>(what: &'static str, read: impl Fn(bool) -> Fut) -> Result<T, ReadError>
where
    Fut: Future<Output = Result<T, Unproven>>,
{
    let mut turn = 1;
    loop {
        let last = turn == READS;
        let why = match read(last).await {
            Ok(read) => return Ok(read),
            Err(Unproven::Failed(error)) => return Err(error),
            Err(why) => why,
        };
        tracing::warn!(what, turn, %why, "Keycloak was not read to a proven end");
        if last {
            return Err(match why {
                Unproven::Incomplete(why) => ReadError::Incomplete { what, why },
                other => ReadError::Refused(format!(
                    "Keycloak's {what} did not read to a proven end in {READS} reads: {other}; run again when the realm \
                     is at rest"
                )),
            });
        }
        turn += 1;
    }
}

/// Reads a listing to its empty page: a short one is no end, as Keycloak leaves entries out after it has paged. `page` is
/// told where to begin and how many to ask for.
///
/// # Errors
/// A page's, or [`Incomplete::Repeated`].
pub(super) async fn listed<T, Fut>(size: usize, page: impl Fn(i32, i32) -> Fut) -> Result<Vec<T>, Unproven>
where
    T: Keyed,
    Fut: Future<Output = Result<Vec<T>, Unproven>>,
{
    let mut snapshot = Snapshot::default();
    let mut first = 0;
    loop {
        let read = page(offset(first), offset(size)).await?;
        if read.is_empty() {
            return Ok(snapshot.prove_even_empty(Proof::EndOfResults)?.into_items());
        }
        snapshot.page(read)?;
        first += size;
    }
}

/// As the API takes it. Past its end the last page would come again, which is no proof.
pub(super) fn offset(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
