//! An entry of the directory becomes one of ours.

use ldap3::SearchEntry;

use super::settings::LdapFields;
use super::{enabled, key};
use crate::Entry;

/// The values of an attribute as the client library gives them: text where all of them are UTF-8.
pub(super) enum Values<'a> {
    None,
    Texts(&'a [String]),
    /// At least one of them is no text.
    Bytes(&'a [Vec<u8>]),
}

/// Takes from an entry what the settings name. What cannot be understood becomes the entry's fault; the first is told.
pub(super) fn converted(fields: &LdapFields, external_ids: &[String], found: &SearchEntry) -> Entry {
    let mut fault = None;
    let mut noted = |problem: String| {
        fault.get_or_insert(problem);
    };
    let mut texts = |attribute: &str| -> &[String] {
        match values(found, attribute) {
            Values::None => &[],
            Values::Texts(texts) => texts,
            Values::Bytes(_) => {
                noted(format!("the attribute {attribute} holds bytes that are no text"));
                &[]
            }
        }
    };
    let mut emails: Vec<_> = texts(&fields.email).iter().filter_map(|text| trimmed(text)).collect();
    emails.shrink_to_fit();
    let mut first = |attribute: &str| texts(attribute).iter().find_map(|text| trimmed(text));
    let (username, first_name, last_name) =
        (first(&fields.username), first(&fields.first_name), first(&fields.last_name));
    let mut id = |attribute: &str| match key::of(attribute, &values(found, attribute)) {
        Ok(id) => id,
        Err(problem) => {
            noted(problem);
            None
        }
    };
    let key = id(&fields.key);
    let external_ids = external_ids.iter().map(|attribute| id(attribute)).collect();
    let enabled =
        fields.enabled.as_deref().map_or(Ok(true), |attribute| enabled::of(attribute, &values(found, attribute)));
    let enabled = enabled.unwrap_or_else(|problem| {
        noted(problem);
        true
    });
    let place = found.dn.as_str().into();
    Entry { place, key, emails, username, first_name, last_name, enabled, external_ids, fault }
}

/// The values of an attribute, under whichever of its names and in whichever case the server answers.
pub(super) fn values<'a>(found: &'a SearchEntry, attribute: &str) -> Values<'a> {
    let wanted = |name: &&String| is_same(name, attribute);
    // An attribute without values is there too where a server lets nobody see them.
    if let Some(name) = found.bin_attrs.keys().find(wanted) {
        Values::Bytes(&found.bin_attrs[name])
    } else if let Some(name) = found.attrs.keys().find(wanted)
        && !found.attrs[name].is_empty()
    {
        Values::Texts(&found.attrs[name])
    } else {
        Values::None
    }
}

/// Names in which servers answer when they are asked by another (RFC 4519, RFC 4524).
const OTHER_NAMES: &[(&str, &str)] =
    &[("surname", "sn"), ("gn", "givenName"), ("userid", "uid"), ("commonName", "cn"), ("rfc822Mailbox", "mail")];

fn is_same(one: &str, other: &str) -> bool {
    let plain =
        |name: &str| OTHER_NAMES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, plain)| *plain);
    plain(one).unwrap_or(one).eq_ignore_ascii_case(plain(other).unwrap_or(other))
}

/// Without space around it; an empty text counts as none.
pub(super) fn trimmed(text: &str) -> Option<Box<str>> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(Box::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> LdapFields {
        LdapFields {
            email: "mail".to_owned(),
            username: "uid".to_owned(),
            first_name: "givenName".to_owned(),
            last_name: "surname".to_owned(),
            key: "entryUUID".to_owned(),
            enabled: Some("nsAccountLock".to_owned()),
        }
    }

    fn found(attributes: &[(&str, &[&str])]) -> SearchEntry {
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        SearchEntry {
            dn: "uid=ann,ou=people,dc=example,dc=org".to_owned(),
            attrs: attributes.iter().map(|(name, values)| ((*name).to_owned(), texts(values))).collect(),
            bin_attrs: Default::default(),
        }
    }

    #[test]
    fn takes_what_the_settings_name() {
        let found = found(&[
            ("MAIL", &["ann@example.org ", " ", "a.x@example.org"]),
            ("uid", &["ann", "annie"]),
            ("givenname", &[" Ann"]),
            ("sn", &["Example"]),
            ("entryUUID", &["0b8f0d0c-5d2a-103e-8a05-3f2b7f0e1a11"]),
            ("nsAccountLock", &["TRUE"]),
            ("employeeNumber", &["17"]),
            ("mail;lang-de", &["other@example.org"]),
        ]);
        let entry = converted(&fields(), &["employeeNumber".to_owned(), "absent".to_owned()], &found);
        assert_eq!(&*entry.place, "uid=ann,ou=people,dc=example,dc=org");
        assert_eq!(entry.key.as_deref(), Some("0b8f0d0c-5d2a-103e-8a05-3f2b7f0e1a11"));
        assert_eq!(
            entry.emails.iter().map(|email| &**email).collect::<Vec<_>>(),
            ["ann@example.org", "a.x@example.org"]
        );
        assert_eq!(entry.username.as_deref(), Some("ann"));
        assert_eq!((entry.first_name.as_deref(), entry.last_name.as_deref()), (Some("Ann"), Some("Example")));
        assert_eq!((entry.enabled, &entry.fault), (false, &None));
        assert_eq!(&*entry.external_ids, [Some("17".into()), None]);
    }

    #[test]
    fn an_entry_without_anything_comes_too() {
        let entry = converted(&fields(), &["employeeNumber".to_owned()], &found(&[("mail", &[])]));
        assert_eq!((entry.emails.len(), &entry.key, &entry.username, entry.enabled), (0, &None, &None, true));
        assert_eq!((&*entry.external_ids, &entry.fault), (&[None][..], &None));
    }

    #[test]
    fn what_cannot_be_understood_is_the_entrys_fault_and_names_nobody() {
        let mut bytes = found(&[]);
        bytes.bin_attrs.insert("givenName".to_owned(), vec![vec![0xff]]);
        for (found, word) in [
            (found(&[("entryUUID", &["ann-1", "ann-2"])]), "entryUUID"),
            (found(&[("nsAccountLock", &["ann"])]), "nsAccountLock"),
            (found(&[("employeeNumber", &["ann-1", "ann-2"])]), "employeeNumber"),
            (bytes, "givenName"),
        ] {
            let entry = converted(&fields(), &["employeeNumber".to_owned()], &found);
            let fault = entry.fault.unwrap();
            assert!(fault.contains(word) && !fault.contains("ann"), "{fault}");
        }
    }
}
