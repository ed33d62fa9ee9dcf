//! One page of a bucket's listing, by S3's rules: sorted by UTF-8 bytes, common prefixes counted as one key.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::index::Entry;

/// What to list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) prefix: &'a str,
    /// No delimiter: empty.
    pub(super) delimiter: &'a str,
    /// Only what sorts after this; empty for all.
    pub(super) after: &'a str,
    pub(super) limit: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Arc<Entry>>,
    pub(super) common_prefixes: Vec<String>,
    /// The last key or common prefix of this page, when there is more.
    pub(super) next: Option<String>,
}

/// Lists.
pub(super) fn page(objects: &BTreeMap<String, Arc<Entry>>, ask: Ask<'_>) -> Page {
    let mut page = Page::default();
    if ask.limit == 0 {
        return page;
    }
    let mut last = String::new();
    let mut from = if !ask.after.is_empty() && ask.after >= ask.prefix {
        Bound::Excluded(ask.after.to_owned())
    } else {
        Bound::Included(ask.prefix.to_owned())
    };
    // A page that ended with a common prefix goes on behind everything that the prefix stands for.
    let rest = ask.after.strip_prefix(ask.prefix).unwrap_or_default();
    if !ask.delimiter.is_empty() && rest.ends_with(ask.delimiter) {
        from = behind(ask.after);
    }
    while let Some((key, entry)) = objects.range((from, Bound::Unbounded)).next() {
        let Some(rest) = key.strip_prefix(ask.prefix) else { break };
        if page.objects.len() + page.common_prefixes.len() == ask.limit {
            page.next = Some(last);
            break;
        }
        let at = if ask.delimiter.is_empty() { None } else { rest.find(ask.delimiter) };
        if let Some(at) = at {
            let common = key[..ask.prefix.len() + at + ask.delimiter.len()].to_owned();
            from = behind(&common);
            last.clone_from(&common);
            page.common_prefixes.push(common);
        } else {
            from = Bound::Excluded(key.clone());
            last.clone_from(key);
            page.objects.push(Arc::clone(entry));
        }
    }
    page
}

/// The first place behind all keys that begin with `prefix`: no key holds U+10FFFF, the greatest character.
fn behind(prefix: &str) -> Bound<String> {
    Bound::Excluded(format!("{prefix}{}", char::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(keys: &[&str]) -> BTreeMap<String, Arc<Entry>> {
        let entry = |key: &str| Entry {
            bucket: "b".into(),
            key: key.into(),
            blob: String::new(),
            size: 0,
            e_tag: String::new(),
            last_modified: jiff::Timestamp::UNIX_EPOCH,
            sequencer: String::new(),
        };
        keys.iter().map(|key| ((*key).to_owned(), Arc::new(entry(key)))).collect()
    }

    /// All pages one after the other, as (objects, common prefixes).
    fn walk(keys: &[&str], prefix: &str, delimiter: &str, limit: usize) -> (Vec<String>, Vec<String>) {
        let objects = objects(keys);
        let (mut found, mut common, mut after) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = page(&objects, Ask { prefix, delimiter, after: &after, limit });
            assert!(page.objects.len() + page.common_prefixes.len() <= limit);
            found.extend(page.objects.iter().map(|entry| entry.key.clone()));
            common.extend(page.common_prefixes);
            match page.next {
                Some(next) => after = next,
                None => return (found, common),
            }
        }
    }

    #[test]
    fn pages_of_any_size_hold_the_same() {
        let keys = ["a", "a/", "a/1", "a/2", "a//3", "a0", "b/1", "b/2", "c", "zoë/1"];
        for limit in 1..12 {
            let (found, common) = walk(&keys, "", "/", limit);
            assert_eq!(found, ["a", "a0", "c"], "limit {limit}");
            assert_eq!(common, ["a/", "b/", "zoë/"], "limit {limit}");
            let (found, common) = walk(&keys, "a/", "/", limit);
            assert_eq!(found, ["a/", "a/1", "a/2"], "limit {limit}");
            assert_eq!(common, ["a//"], "limit {limit}");
            let (found, common) = walk(&keys, "", "", limit);
            assert_eq!(found.len(), keys.len(), "limit {limit}");
            assert!(common.is_empty());
        }
    }
}
