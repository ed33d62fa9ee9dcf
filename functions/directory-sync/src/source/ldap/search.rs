//! The paged search (RFC 2696). The control is driven here, as the client library's own adapter does not look at the
//! result of a page that has a cookie.

use crosswalk_reconcile::{Incomplete, Open, Proof, Snapshot};
use ldap3::controls::{Control, ControlType, PagedResults, RawControl};
use ldap3::{Ldap, LdapError, LdapResult, Scope, SearchEntry};

use super::entry::{Values, converted, values};
use super::explain::{self, Step};
use super::{LdapSettings, enabled};
use crate::Entry;
use crate::source::Read;

/// How many pages in a row may be empty. Active Directory sends some where a filter finds little; a server that goes on
/// for ever shall not keep us.
const EMPTY_PAGES: usize = 1_000;

/// Why nothing was read.
#[derive(Debug)]
pub(super) enum Failure {
    /// A request failed, or had another result than success.
    Failed(Step, LdapError),
    /// The answers make no sense.
    Told(Step, &'static str),
    Incomplete(Incomplete),
}

impl From<Incomplete> for Failure {
    fn from(why: Incomplete) -> Self {
        Self::Incomplete(why)
    }
}

/// A search on its way.
pub(super) struct Search<'a> {
    settings: &'a LdapSettings,
    /// Each attribute once, by name: operational ones come only so.
    attributes: Vec<&'a str>,
    /// What no entry has had yet: the setting and its attribute.
    unseen: Vec<(&'static str, &'a str)>,
    snapshot: Snapshot<Open, Entry>,
    pages: u64,
    referrals: u64,
}

impl<'a> Search<'a> {
    pub(super) fn new(settings: &'a LdapSettings) -> Self {
        let unseen = settings.attributes();
        let mut attributes: Vec<&str> = Vec::new();
        for (_, name) in &unseen {
            if !attributes.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                attributes.push(name);
            }
        }
        Self { settings, attributes, unseen, snapshot: Snapshot::default(), pages: 0, referrals: 0 }
    }

    /// Searches to the end on a connection that is bound; a cookie holds on its own connection only.
    ///
    /// # Errors
    /// Any page failed, or nothing was found.
    pub(super) async fn run(mut self, ldap: &mut Ldap, read: &(dyn Fn(u64) + Send + Sync)) -> Result<Read, Failure> {
        let mut cookie = Vec::new();
        let mut empty = 0;
        loop {
            self.pages += 1;
            let step = Step::Search(self.pages);
            let (page, result) =
                Box::pin(self.page(ldap, cookie)).await.map_err(|error| Failure::Failed(step, error))?;
            empty = if page.is_empty() { empty + 1 } else { 0 };
            if empty > EMPTY_PAGES {
                return Err(Failure::Told(step, "the server sends one empty page after the other"));
            }
            self.snapshot.page(page)?;
            read(self.snapshot.read());
            match next(&result) {
                Some(next) if next.is_empty() => break,
                Some(next) => cookie = next,
                // A server that does not page answers with everything.
                None if self.pages == 1 => break,
                None => {
                    return Err(Failure::Told(
                        step,
                        "the server paged first, and then no more: what is left is not known",
                    ));
                }
            }
        }
        if self.snapshot.read() > 0
            && let Some(enabled) = &self.settings.fields.enabled
            && !enabled::is_rare(enabled)
            && self.unseen.iter().any(|(_, name)| name == enabled)
        {
            // Everybody would count as enabled, and whoever was deactivated might log in again.
            return Err(Failure::Told(
                Step::Search(self.pages),
                "no entry has the attribute that LDAP_FIELD_ENABLED names: is its name right, and may LDAP_BIND_USER_DN read it?",
            ));
        }
        let warnings = self.warnings();
        Ok(Read { snapshot: self.snapshot.prove(Proof::EndOfResults)?, warnings, requests: self.pages })
    }

    /// One page, whose result is success.
    async fn page(&mut self, ldap: &mut Ldap, cookie: Vec<u8>) -> Result<(Vec<Entry>, LdapResult), LdapError> {
        let settings = self.settings;
        let control = PagedResults { size: settings.page_size, cookie };
        let mut stream = ldap
            .with_timeout(settings.timeout)
            .with_controls(RawControl::from(control))
            .streaming_search(&settings.base_dn, Scope::Subtree, &settings.filter, self.attributes.clone())
            .await?;
        let mut page = Vec::new();
        while let Some(found) = stream.next().await? {
            if found.is_ref() {
                self.referrals += 1;
            } else if !found.is_intermediate() {
                let found = SearchEntry::construct(found);
                self.unseen.retain(|(_, name)| matches!(values(&found, name), Values::None));
                page.push(converted(&settings.fields, &settings.external_ids, &found));
            }
        }
        let result = stream.finish().await;
        if result.rc == 0 { Ok((page, result)) } else { Err(result.into()) }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.referrals > 0 {
            warnings.push(format!(
                "{} references to other servers were not followed: whoever stands only there was not read",
                self.referrals
            ));
        }
        for (setting, name) in self.unseen.iter().filter(|(_, name)| !enabled::is_rare(name)) {
            warnings.push(format!(
                "no entry has the attribute {name} ({setting}): is its name right, and may LDAP_BIND_USER_DN read it?"
            ));
        }
        warnings
    }
}

/// The cookie that the next page is asked for with, empty after the last one; none where the server did not page.
fn next(result: &LdapResult) -> Option<Vec<u8>> {
    result.ctrls.iter().find_map(|control| match control {
        Control(Some(ControlType::PagedResults), raw) if raw.val.is_some() => Some(raw.parse::<PagedResults>().cookie),
        _ => None,
    })
}

impl Failure {
    /// The same with the reason for which the connection is gone, where that is what it tells.
    pub(super) fn because(self, cause: Option<LdapError>) -> Self {
        match (self, cause) {
            (Self::Failed(step, error), Some(cause)) if explain::is_loss(&error) => Self::Failed(step, cause),
            (failure, _) => failure,
        }
    }
}
