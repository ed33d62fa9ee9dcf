//! The upload protocol: pages in, and what is held after the last one.

use std::collections::{BTreeMap, HashSet};

use hyper::StatusCode;

/// What is held of a kind, and the upload that is under way.
#[derive(Debug)]
pub(super) struct Uploads<T> {
    held: BTreeMap<String, T>,
    unfinished: Option<Upload<T>>,
    /// Every upload id that ever began.
    used: HashSet<String>,
}

#[derive(Debug)]
struct Upload<T> {
    id: String,
    items: BTreeMap<String, T>,
    /// The pages that were taken, by what they hold.
    pages: HashSet<u64>,
}

/// A page of an upload.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) upload_id: String,
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) restart: bool,
    pub(super) force_stale_deletion: bool,
    /// By key.
    pub(super) items: Vec<(String, T)>,
    /// Tells the page from others.
    pub(super) hash: u64,
}

/// When what an upload does not hold is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stale {
    /// Always.
    Always,
    /// If it is under 20 % of what is held, or if the last page forces it.
    UnderAFifth,
}

/// Why something was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) text: String,
    /// Whether it can never be right, and not only at this time.
    pub(super) violation: bool,
}

impl Refusal {
    pub(super) fn violation(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into(), violation: true }
    }

    fn conflict(text: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, text: text.into(), violation: false }
    }
}

impl<T> Default for Uploads<T> {
    fn default() -> Self {
        Self { held: BTreeMap::new(), unfinished: None, used: HashSet::new() }
    }
}

impl<T> Uploads<T> {
    /// What is held, by key.
    pub(super) fn held(&self) -> &BTreeMap<String, T> {
        &self.held
    }

    /// The id of the upload that has begun and not ended.
    pub(super) fn unfinished(&self) -> Option<&str> {
        self.unfinished.as_ref().map(|upload| upload.id.as_str())
    }

    /// Adds or replaces one.
    pub(super) fn put(&mut self, key: String, item: T) {
        self.held.insert(key, item);
    }

    /// Deletes one, if it is there.
    pub(super) fn delete(&mut self, key: &str) {
        self.held.remove(key);
    }

    /// Takes a page, by the rules of the protocol.
    pub(super) fn take(&mut self, page: Page<T>, stale: Stale) -> Result<(), Refusal> {
        if page.items.is_empty() {
            return Err(Refusal::violation("an upload's page is empty"));
        }
        if page.restart && !page.first {
            return Err(Refusal::violation("forceRestartUpload must be specified with isFirstPage=true"));
        }
        if page.force_stale_deletion && !page.last {
            return Err(Refusal::violation("disableStaleDataDeletionCheck must only be set when isLastPage=true"));
        }
        if page.first {
            self.begin(&page)?;
        }
        let used = self.used.contains(&page.upload_id);
        let mut upload = match self.unfinished.take_if(|upload| upload.id == page.upload_id) {
            Some(upload) => upload,
            None if used => return Err(Refusal::conflict("this upload has ended, or was discarded by another")),
            None if self.unfinished.is_some() => return Err(Refusal::conflict("another upload is under way")),
            None => return Err(Refusal::violation("an upload's first page must have isFirstPage=true")),
        };
        // A page whose answer was lost may come again as it was.
        if upload.pages.insert(page.hash) {
            for (key, item) in page.items {
                if upload.items.insert(key.clone(), item).is_some() {
                    self.unfinished = Some(upload);
                    return Err(Refusal::violation(format!("{key} is twice in one upload")));
                }
            }
        }
        if page.last {
            self.end(upload, stale, page.force_stale_deletion);
        } else {
            self.unfinished = Some(upload);
        }
        Ok(())
    }

    fn begin(&mut self, page: &Page<T>) -> Result<(), Refusal> {
        match &self.unfinished {
            Some(_) if page.restart => {}
            Some(upload) if upload.id == page.upload_id => {
                return Err(Refusal::conflict("duplicate uploadId: this upload has begun"));
            }
            Some(_) => return Err(Refusal::conflict("another upload is under way")),
            None if self.used.contains(&page.upload_id) => {
                return Err(Refusal::conflict("duplicate uploadId: this upload has ended"));
            }
            None => {}
        }
        self.used.insert(page.upload_id.clone());
        let id = page.upload_id.clone();
        self.unfinished = Some(Upload { id, items: BTreeMap::new(), pages: HashSet::new() });
        Ok(())
    }

    fn end(&mut self, upload: Upload<T>, rule: Stale, forced: bool) {
        let stale = self.held.keys().filter(|key| !upload.items.contains_key(*key)).count();
        if rule == Stale::Always || forced || stale * 5 < self.held.len() {
            self.held.retain(|key, _| upload.items.contains_key(key));
        }
        self.held.extend(upload.items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(id: &str, first: bool, last: bool, keys: &[&str]) -> Page<()> {
        let items = keys.iter().map(|key| ((*key).to_owned(), ())).collect();
        let hash = keys.iter().flat_map(|key| key.bytes()).fold(7, |hash: u64, byte| hash * 31 + u64::from(byte));
        let upload_id = id.to_owned();
        Page { upload_id, first, last, restart: false, force_stale_deletion: false, items, hash }
    }

    fn restart(id: &str, last: bool, keys: &[&str]) -> Page<()> {
        Page { restart: true, ..page(id, true, last, keys) }
    }

    fn take(uploads: &mut Uploads<()>, page: Page<()>) -> u16 {
        uploads.take(page, Stale::UnderAFifth).map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
    }

    fn held(uploads: &Uploads<()>) -> String {
        uploads.held().keys().map(String::as_str).collect()
    }

    #[test]
    fn pages_come_in_their_order() {
        let mut uploads = Uploads::default();
        assert_eq!(take(&mut uploads, page("1", false, false, &["a"])), 400);
        assert_eq!(take(&mut uploads, page("1", true, false, &["a"])), 200);
        assert_eq!(take(&mut uploads, page("1", true, false, &["a"])), 409, "the first page twice");
        assert_eq!(take(&mut uploads, page("1", false, false, &["b"])), 200);
        assert_eq!(take(&mut uploads, page("1", false, false, &["b"])), 200, "a page as it was");
        assert_eq!(take(&mut uploads, page("1", false, false, &["b", "c"])), 400, "b twice in one upload");
        assert_eq!((held(&uploads).as_str(), uploads.unfinished()), ("", Some("1")));
        assert_eq!(take(&mut uploads, page("1", false, true, &["d"])), 200);
        assert_eq!((held(&uploads).as_str(), uploads.unfinished()), ("abd", None));
        assert_eq!(take(&mut uploads, page("1", false, true, &["d"])), 409, "after the last page");
        assert_eq!(take(&mut uploads, page("1", true, true, &["d"])), 409, "an upload id twice");
        assert_eq!(take(&mut uploads, page("2", true, true, &[])), 400);
    }

    #[test]
    fn one_upload_at_a_time() {
        let mut uploads = Uploads::default();
        assert_eq!(take(&mut uploads, page("1", true, false, &["a"])), 200);
        assert_eq!(take(&mut uploads, page("2", true, true, &["b"])), 409);
        assert_eq!(take(&mut uploads, page("2", false, true, &["b"])), 409);
        assert_eq!(take(&mut uploads, restart("3", true, &["c"])), 200);
        assert_eq!(take(&mut uploads, page("1", false, true, &["a"])), 409, "what was discarded");
        assert_eq!(held(&uploads), "c");
        assert_eq!(take(&mut uploads, restart("4", true, &["c"])), 200, "nothing to discard");
        assert_eq!(take(&mut uploads, Page { restart: true, ..page("5", false, true, &["c"]) }), 400);
    }

    #[test]
    fn stale_data_goes_under_a_fifth_or_by_force() {
        let mut uploads = Uploads::default();
        assert_eq!(take(&mut uploads, page("1", true, true, &["a", "b", "c", "d", "e"])), 200);
        assert_eq!(take(&mut uploads, page("2", true, true, &["a", "b", "c", "d"])), 200);
        assert_eq!(held(&uploads), "abcde", "one of five is not under a fifth");
        assert_eq!(take(&mut uploads, page("3", true, true, &["a", "b", "c", "d", "e", "f"])), 200);
        assert_eq!(take(&mut uploads, page("4", true, true, &["a", "b", "c", "d", "e"])), 200);
        assert_eq!(held(&uploads), "abcde", "one of six is");
        let forced = |last| Page { force_stale_deletion: true, ..page("5", true, last, &["a"]) };
        assert_eq!(take(&mut uploads, forced(false)), 400);
        assert_eq!(take(&mut uploads, forced(true)), 200);
        assert_eq!(held(&uploads), "a");
        assert_eq!(uploads.take(page("6", true, true, &["z"]), Stale::Always), Ok(()));
        assert_eq!(held(&uploads), "z");
    }
}
