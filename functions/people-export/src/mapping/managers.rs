//! Who somebody's manager is.

use crosswalk_identity::Email;

use super::fields::PersonField;
use super::people::{Chosen, Directory};
use super::settings::MappingSettings;

/// Who is told to be somebody's manager.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Manager {
    /// Nobody.
    None,
    /// The exported person with this index: Glean is told both the e-mail and the `id`, which is the e-mail too.
    Exported(usize),
    /// Somebody of whom only the e-mail is known: an `id` that nobody has would link to nothing.
    Other(String),
}

/// The manager of a person, and what there is to note: by e-mail, else by Keycloak's id, a username or an e-mail. Who is
/// named as their own manager, as those at the top often are, has none.
pub(super) fn manager(
    settings: &MappingSettings,
    person: &Chosen,
    directory: &Directory<'_>,
) -> (Manager, Vec<String>) {
    let values = settings.people.read(&person.user.attributes);
    let other = |manager| {
        let own = directory.by_email(&person.email) == Some(manager);
        if own { Manager::None } else { Manager::Exported(manager) }
    };
    let mut notes = Vec::new();
    for (name, given) in values.of(PersonField::ManagerEmail) {
        let Ok(email) = Email::parse(given) else {
            notes.push(format!("the attribute `{name}` holds no e-mail address: it is left out"));
            continue;
        };
        let manager = match directory.by_email(email.key()) {
            Some(manager) => other(manager),
            None => {
                notes.push(format!(
                    "the attribute `{name}` holds the e-mail of nobody who is exported; it is sent all the same"
                ));
                Manager::Other(email.key().to_owned())
            }
        };
        return (manager, notes);
    }
    for (name, given) in values.of(PersonField::ManagerId) {
        match directory.find(given) {
            Some(manager) => return (other(manager), notes),
            None => notes.push(format!(
                "the attribute `{name}` names nobody who is exported, by id, username or e-mail: it is left out"
            )),
        }
    }
    (Manager::None, notes)
}
