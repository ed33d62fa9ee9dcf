use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Update};
use crosswalk_identifier_store::{ItemKey, StoreError, Written};
use crosswalk_identity::{Fein, Mark, Username, times};
use serde::{Deserialize, Serialize};

use crate::writes::{
    as_action, first_outcome, in_order, put_along, put_over, read, settle, successor, text, transact, write,
};
use crate::{Employer, Kept, People, Person};

/// That a person acts for an employer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The person.
    pub username: Username,
    /// The employer.
    pub fein: Fein,
    /// The userID under which the person is or will be registered at FINEOS; fixed before the first call.
    pub fineos_user_id: Option<String>,
    /// The web id that FINEOS confirmed; the registration is done.
    pub fineos_web_id: Option<String>,
    /// The row whose registration FINEOS confirmed last: a repeat of this very row need not call again, even if forced.
    pub fineos_confirmed_by: Option<Mark>,
}

impl Link {
    /// Begins the sort key of a link.
    pub(crate) const PREFIX: &str = "LINK#";
    /// Begins the sort key of a link's reverse.
    pub(crate) const REVERSE_PREFIX: &str = "ADMINISTRATOR#";

    pub(crate) fn key(username: &Username, fein: &Fein) -> ItemKey {
        ItemKey::new(Person::partition_key(username), format!("{}{fein}", Self::PREFIX))
    }

    pub(crate) fn reverse_key(username: &Username, fein: &Fein) -> ItemKey {
        ItemKey::new(Employer::partition_key(fein), format!("{}{}", Self::REVERSE_PREFIX, username.key()))
    }
}

impl People {
    /// The link between a person and an employer (strongly consistent).
    ///
    /// # Errors
    /// The store.
    pub async fn link(&self, username: &Username, fein: &Fein) -> Result<Option<Link>, StoreError> {
        self.calls.get(&Link::key(username, fein)).await?.map(read).transpose()
    }

    /// Makes sure that the link stands (both of its items in one transaction). A repeat by the same mark gets the first
    /// outcome again: `Updated` if its row found the link and [`Self::confirm_fineos`] was all that it changed.
    ///
    /// # Errors
    /// The store.
    pub async fn ensure_link(&self, username: &Username, fein: &Fein, mark: &Mark) -> Result<(Kept, Link), StoreError> {
        let key = Link::key(username, fein);
        settle(async || {
            if let Some(standing) = self.calls.get(&key).await? {
                let kept = first_outcome(&standing, mark).unwrap_or(Kept::Unchanged);
                return Ok((kept, read(standing)?));
            }
            let who = [("username", Some(text(username.as_str()))), ("fein", Some(text(fein.as_str())))];
            let [name, employer] = who.clone();
            let since = ("created_at", Some(text(times::text(self.clock.now()))));
            let link = successor(&key, None, [name, employer, since], mark, Kept::Created);
            let mut reverse = Link::reverse_key(username, fein).attributes();
            reverse.extend(who.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            reverse.insert("stored_by".to_owned(), text(mark.to_string()));
            let actions =
                [as_action(put_over(&self.calls, link.clone(), None)?), as_action(put_along(&self.calls, reverse)?)];
            transact(&self.calls, &actions).await?;
            Ok((Kept::Created, read(link)?))
        })
        .await
    }

    /// Fixes the FINEOS userID of a link before the first call: `proposed` if none is stored, else the stored one. So a
    /// repeat after a crash, and another worker, register under the same.
    ///
    /// # Errors
    /// There is no such link, or the store.
    pub async fn fix_fineos_user_id(
        &self,
        username: &Username,
        fein: &Fein,
        proposed: &str,
        mark: &Mark,
    ) -> Result<String, StoreError> {
        let key = Link::key(username, fein);
        let update = Update::builder()
            .table_name(self.calls.table_name())
            .set_key(Some(key.attributes()))
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(#user_id)")
            .update_expression(
                "SET #user_id = if_not_exists(#user_id, :proposed), #stored_by = :mark ADD #revision :one",
            )
            .expression_attribute_names("#user_id", "fineos_user_id")
            .expression_attribute_names("#stored_by", "stored_by")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":proposed", text(proposed))
            .expression_attribute_values(":mark", text(mark.to_string()))
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(StoreError::unbuilt)?;
        match self.calls.update(&update).await? {
            Written::Done => Ok(proposed.to_owned()),
            Written::Refused { .. } => {
                let standing = self.link(username, fein).await?;
                standing.and_then(|link| link.fineos_user_id).ok_or_else(no_link)
            }
        }
    }

    /// Keeps the confirmed web id on the link.
    ///
    /// # Errors
    /// There is no such link, or the store.
    pub async fn confirm_fineos(
        &self,
        username: &Username,
        fein: &Fein,
        web_id: &str,
        mark: &Mark,
    ) -> Result<(), StoreError> {
        let key = Link::key(username, fein);
        settle(async || {
            let before = self.calls.get(&key).await?.ok_or_else(no_link)?;
            let link: Link = read(before.clone())?;
            if link.fineos_web_id.as_deref() == Some(web_id) && link.fineos_confirmed_by.as_ref() == Some(mark) {
                return Ok(());
            }
            // The row that made the link stays "created" when it is repeated.
            let kept = first_outcome(&before, mark).unwrap_or(Kept::Updated);
            let attributes =
                [("fineos_web_id", Some(text(web_id))), ("fineos_confirmed_by", Some(text(mark.to_string())))];
            let item = successor(&key, Some(&before), attributes, mark, kept);
            write(&self.calls, &put_over(&self.calls, item, Some(&before))?).await
        })
        .await
    }

    /// The links of a person, by FEIN (strongly consistent).
    ///
    /// # Errors
    /// The store.
    pub async fn links(&self, username: &Username) -> Result<Vec<Link>, StoreError> {
        let items = self.calls.partition(&Person::partition_key(username), Link::PREFIX).await?;
        items.into_iter().map(read).collect()
    }

    /// The people linked to an employer, by username; two round trips, strongly consistent each.
    ///
    /// # Errors
    /// The store.
    pub async fn administrators(&self, fein: &Fein) -> Result<Vec<Link>, StoreError> {
        let reverses = self.calls.partition(&Employer::partition_key(fein), Link::REVERSE_PREFIX).await?;
        if reverses.is_empty() {
            return Ok(Vec::new());
        }
        let names = reverses.iter().filter_map(ItemKey::of).filter_map(|reverse| {
            let name = reverse.sk.strip_prefix(Link::REVERSE_PREFIX)?;
            Some(ItemKey::new(format!("PERSON#{name}"), format!("{}{fein}", Link::PREFIX)))
        });
        let found = self.calls.get_many(names).await?;
        in_order(found).map(read).collect()
    }
}

fn no_link() -> StoreError {
    StoreError::Refused("there is no link between this person and this employer: make it first".into())
}
