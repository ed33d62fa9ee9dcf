use std::collections::BTreeMap;

use crosswalk_identifier_store::{ItemKey, StoreError};
use crosswalk_identity::{Fein, Mark};
use serde::{Deserialize, Serialize};

use crate::writes::{first_outcome, is_superseded, put_over, read, settle, successor, text, write};
use crate::{Kept, People};

/// An employer as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Employer {
    /// Its number.
    pub fein: Fein,
    /// Its name.
    pub name: String,
    /// Its id at FINEOS; registration needs it.
    pub fineos_employer_id: Option<String>,
}

impl Employer {
    /// The sort key of an employer's item.
    pub(crate) const SORT_KEY: &str = "EMPLOYER";

    pub(crate) fn partition_key(fein: &Fein) -> String {
        format!("EMPLOYER#{fein}")
    }

    pub(crate) fn key(fein: &Fein) -> ItemKey {
        ItemKey::new(Self::partition_key(fein), Self::SORT_KEY)
    }

    /// What [`People::put_employer`] would do with what is stored, and how the employer would then stand; also what a dry
    /// run goes by. A `fineos_employer_id` of `None` keeps the stored one.
    pub fn planned(stored: Option<&Self>, wanted: &Self) -> (Kept, Self) {
        let Some(stored) = stored else { return (Kept::Created, wanted.clone()) };
        let kept_id = wanted.fineos_employer_id.clone().or_else(|| stored.fineos_employer_id.clone());
        let planned = Self { fein: stored.fein.clone(), name: wanted.name.clone(), fineos_employer_id: kept_id };
        (if planned == *stored { Kept::Unchanged } else { Kept::Updated }, planned)
    }
}

impl People {
    /// The employer of a FEIN (strongly consistent).
    ///
    /// # Errors
    /// The store.
    pub async fn employer(&self, fein: &Fein) -> Result<Option<Employer>, StoreError> {
        self.calls.get(&Employer::key(fein)).await?.map(read).transpose()
    }

    /// The employers of these FEINs, as far as they are known (strongly consistent each); one round trip for up to 100.
    ///
    /// # Errors
    /// The store.
    pub async fn employers(&self, feins: &[Fein]) -> Result<BTreeMap<Fein, Employer>, StoreError> {
        if feins.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found = self.calls.get_many(feins.iter().map(Employer::key)).await?;
        found.into_values().map(|item| read(item).map(|employer: Employer| (employer.fein.clone(), employer))).collect()
    }

    /// Makes the employer so. A `fineos_employer_id` of `None` keeps a stored one. A repeat by the same mark gets the
    /// first outcome again.
    ///
    /// # Errors
    /// The store.
    pub async fn put_employer(&self, employer: &Employer, mark: &Mark) -> Result<Kept, StoreError> {
        let key = Employer::key(&employer.fein);
        settle(async || {
            let before = self.calls.get(&key).await?;
            if let Some(kept) = before.as_ref().and_then(|item| first_outcome(item, mark)) {
                return Ok(kept);
            }
            let stored = before.clone().map(read::<Employer>).transpose()?;
            let (kept, planned) = Employer::planned(stored.as_ref(), employer);
            if kept == Kept::Unchanged || before.as_ref().is_some_and(|item| is_superseded(item, mark)) {
                return Ok(Kept::Unchanged);
            }
            let attributes = [
                ("fein", Some(text(planned.fein.as_str()))),
                ("name", Some(text(planned.name))),
                ("fineos_employer_id", planned.fineos_employer_id.map(text)),
            ];
            let item = successor(&key, before.as_ref(), attributes, mark, kept);
            write(&self.calls, &put_over(&self.calls, item, before.as_ref())?).await?;
            Ok(kept)
        })
        .await
    }
}
