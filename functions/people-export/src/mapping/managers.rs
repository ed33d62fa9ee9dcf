//! Who somebody's manager is.

use crosswalk_identity::Email;

use super::Notes;
use super::attributes::Values;
use super::fields::PersonField;
use super::people::Directory;

/// A manager as Glean links one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Manager {
    /// The e-mail.
    pub(super) email: Option<String>,
    /// The e-mail again, as people's `id` is theirs; only of somebody who is exported, as a link to nobody tells nothing.
    pub(super) id: Option<String>,
}

/// The manager of the person with this e-mail: by e-mail, else by Keycloak's id, a username or an e-mail. Who is named as
/// their own manager, as those at the top often are, has none.
pub(super) fn manager(
    values: &Values<'_, PersonField>,
    own: &str,
    directory: &Directory<'_>,
    notes: &mut Notes<'_>,
) -> Manager {
    for (name, given) in values.of(PersonField::ManagerEmail) {
        let Ok(email) = Email::parse(given) else {
            notes.add(format!("the attribute `{name}` holds no e-mail address: it is left out"));
            continue;
        };
        let email = email.key();
        if email == own {
            return Manager::default();
        }
        let exported = directory.by_email(email).is_some();
        if !exported {
            notes.add(format!(
                "the attribute `{name}` holds the e-mail of nobody who is exported; it is sent all the same"
            ));
        }
        return Manager { email: Some(email.to_owned()), id: exported.then(|| email.to_owned()) };
    }
    for (name, given) in values.of(PersonField::ManagerId) {
        match directory.find(given).map(|person| directory.email(person)) {
            Some(email) if email == own => return Manager::default(),
            Some(email) => return Manager { email: Some(email.to_owned()), id: Some(email.to_owned()) },
            None => notes.add(format!(
                "the attribute `{name}` names nobody who is exported, by id, username or e-mail: it is left out"
            )),
        }
    }
    Manager::default()
}
