//! The target's settings.

use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError};

pub(super) const INVITE: Setting = Setting::with_default(
    "SYNC_COGNITO_INVITE",
    "false",
    "whether Cognito mails an invitation with a temporary password to whom an account is created for (its own e-mail service \
     sends 50 a day); otherwise nobody is written to, and people set a password by \"forgot password\"",
);
pub(super) const EMAIL_VERIFIED: Setting = Setting::with_default(
    "SYNC_COGNITO_EMAIL_VERIFIED",
    "true",
    "whether an e-mail that changes counts as verified; if not, its person signs in by the former one until they prove the \
     new one, and two people cannot swap theirs",
);
pub(super) const GROUPS: Setting = Setting::optional(
    "SYNC_COGNITO_GROUPS",
    "the groups of the pool, comma-separated, that an account joins when it is created, adopted, completed or goes to a new \
     key; they must stand, and nobody is taken out of one",
);

/// What is read from the environment, beside `crosswalk_accounts`' own settings.
pub const SETTINGS: &[Setting] = &[INVITE, EMAIL_VERIFIED, GROUPS];

/// How accounts are made and changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CognitoSettings {
    /// Cognito invites whom an account is created for.
    pub invite: bool,
    /// An e-mail that changes counts as verified.
    pub email_verified: bool,
    /// What accounts join.
    pub groups: Vec<String>,
}

impl Default for CognitoSettings {
    fn default() -> Self {
        Self { invite: false, email_verified: true, groups: Vec::new() }
    }
}

impl CognitoSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let invite = reader.flag(&INVITE);
        let email_verified = reader.flag(&EMAIL_VERIFIED);
        let mut groups: Vec<String> = Vec::new();
        for name in reader.text(&GROUPS).unwrap_or_default().split(',').map(str::trim) {
            if name.is_empty() || groups.iter().any(|known| known == name) {
                continue;
            }
            // The API model's rule for GroupName is that for usernames.
            if let Some(problem) = super::username_problem(name) {
                reader.problem(format!("{}: {name:?} is no group's name: {problem}", GROUPS.name));
            }
            groups.push(name.to_owned());
        }
        reader.finish(Some(Self { invite, email_verified, groups }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_and_the_environment() {
        assert_eq!(CognitoSettings::from_env(&Environment::default()), Ok(CognitoSettings::default()));
        let environment = Environment::from_iter([
            ("SYNC_COGNITO_INVITE", "yes"),
            ("SYNC_COGNITO_EMAIL_VERIFIED", "no"),
            ("SYNC_COGNITO_GROUPS", " staff, readers,,staff "),
        ]);
        let expected = CognitoSettings {
            invite: true,
            email_verified: false,
            groups: vec!["staff".to_owned(), "readers".to_owned()],
        };
        assert_eq!(CognitoSettings::from_env(&environment), Ok(expected));
        let told = CognitoSettings::from_env(
            &environment.with("SYNC_COGNITO_GROUPS", "all staff").with("SYNC_COGNITO_INVITE", "perhaps"),
        );
        assert_eq!(told.unwrap_err().0.len(), 2);
    }
}
