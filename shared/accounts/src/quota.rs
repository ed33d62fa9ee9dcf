//! How fast each quota category of Cognito may be used by this process.

use crosswalk_function_kit::rate::Pace;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError};

/// The pool.
const POOL: Setting = Setting::required(
    "COGNITO_IDENTITY_POOL_ID",
    "the id of the Cognito user pool, such as `us-east-1_AbCdEfGhI` (not an identity pool's)",
);
const RESERVE: Setting = Setting::with_default(
    "CROSSWALK_COGNITO_RESERVE",
    "5",
    "calls a second of each Cognito quota that are left to others, such as people who sign in",
);
const SHARERS: Setting = Setting::with_default(
    "CROSSWALK_COGNITO_SHARERS",
    "2",
    "how many invocations may call Cognito at once; each paces itself to its share of what the reserve leaves",
);
const USER_READ: Setting = Setting::with_default(
    "CROSSWALK_COGNITO_USER_READ_RPS",
    "120",
    "the account's quota UserRead (AdminGetUser), in calls a second",
);
const USER_CREATION: Setting = Setting::with_default(
    "CROSSWALK_COGNITO_USER_CREATION_RPS",
    "50",
    "the account's quota UserCreation (AdminCreateUser), in calls a second",
);
const SET_PASSWORD: Setting = Setting::with_default(
    "CROSSWALK_COGNITO_SET_PASSWORD_RPS",
    "30",
    "the account's quota UserAccountRecovery (AdminSetUserPassword), in calls a second; AWS does not raise it",
);

const USER_LIST: Setting = Setting::with_default(
    "CROSSWALK_COGNITO_USER_LIST_RPS",
    "30",
    "the account's quota UserList (ListUsers), in calls a second; AWS does not raise it",
);
const USER_UPDATE: Setting = Setting::with_default(
    "CROSSWALK_COGNITO_USER_UPDATE_RPS",
    "25",
    "the account's quota UserUpdate (changing, disabling, enabling and deleting accounts, and adding them to groups), in \
     calls a second; AWS does not raise it",
);

/// What [`AccountsSettings::from_env`] reads; the pool comes first, so that a function which can do without one may put its own
/// wording there.
pub const SETTINGS: &[Setting] =
    &[POOL, RESERVE, SHARERS, USER_READ, USER_CREATION, SET_PASSWORD, USER_LIST, USER_UPDATE];

/// Which pool, and how fast each quota category may be used by this process.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountsSettings {
    /// The user pool's id.
    pub pool_id: String,
    /// Calls a second that are left to others, of each quota.
    pub reserve: f64,
    /// How many invocations share what is left.
    pub sharers: f64,
    /// The quotas.
    pub quotas: Quotas,
}

/// The account's quotas in its region, in calls a second (Cognito's quotas page).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quotas {
    /// UserRead: AdminGetUser.
    pub user_read: f64,
    /// UserCreation: AdminCreateUser.
    pub user_creation: f64,
    /// UserAccountRecovery: AdminSetUserPassword. Not adjustable.
    pub set_password: f64,
    /// UserList: ListUsers. Not adjustable.
    pub user_list: f64,
    /// UserUpdate: AdminUpdateUserAttributes, AdminDisableUser, AdminEnableUser, AdminDeleteUser and AdminAddUserToGroup,
    /// all together. Not adjustable.
    pub user_update: f64,
}

/// What every AWS account begins with.
impl Default for Quotas {
    fn default() -> Self {
        Self { user_read: 120.0, user_creation: 50.0, set_password: 30.0, user_list: 30.0, user_update: 25.0 }
    }
}

impl AccountsSettings {
    /// A pool with the defaults of everything else.
    pub fn for_pool(pool_id: impl Into<String>) -> Self {
        Self { pool_id: pool_id.into(), reserve: 5.0, sharers: 2.0, quotas: Quotas::default() }
    }

    /// `COGNITO_IDENTITY_POOL_ID`, `CROSSWALK_COGNITO_RESERVE`, `CROSSWALK_COGNITO_SHARERS`, and the quotas.
    ///
    /// # Errors
    /// What is missing, does not read, or leaves no call of a quota; all of it together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let pool_id = reader.text(&POOL);
        if let Some(problem) = pool_id.as_deref().and_then(pool_id_problem) {
            reader.problem(format!("{} {problem}: {}", POOL.name, POOL.meaning));
        }
        let reserve = at_least(&mut reader, &RESERVE, 0.0);
        let sharers = at_least(&mut reader, &SHARERS, 1.0);
        let mut quota = |setting: &Setting| {
            let calls = at_least(&mut reader, setting, 0.0)?;
            if let (Some(reserve), Some(sharers)) = (reserve, sharers)
                && share(calls, reserve, sharers) < LEAST
            {
                reader.problem(format!(
                    "{} is {calls}, of which {} ({reserve}) leaves nothing to {sharers} sharers: lower {} or {}",
                    setting.name, RESERVE.name, RESERVE.name, SHARERS.name
                ));
            }
            Some(calls)
        };
        let quotas =
            (quota(&USER_READ), quota(&USER_CREATION), quota(&SET_PASSWORD), quota(&USER_LIST), quota(&USER_UPDATE));
        let settings = (|| {
            let quotas = Quotas {
                user_read: quotas.0?,
                user_creation: quotas.1?,
                set_password: quotas.2?,
                user_list: quotas.3?,
                user_update: quotas.4?,
            };
            Some(Self { pool_id: pool_id?, reserve: reserve?, sharers: sharers?, quotas })
        })();
        reader.finish(settings)
    }

    /// What this process may use of a quota, in calls a second: (quota − reserve) ÷ sharers.
    pub fn share_of(&self, quota: f64) -> f64 {
        share(quota, self.reserve, self.sharers)
    }

    /// How many calls the slowest of the quotas that an account's changes fall under lets go in so many seconds.
    pub(crate) fn calls_within(&self, seconds: f64) -> usize {
        let Quotas { user_read: _, user_creation, set_password, user_list: _, user_update } = self.quotas;
        let slowest = self.share_of(user_creation.min(set_password).min(user_update));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 ..= 1e6 before")]
        let calls = (slowest * seconds).clamp(0.0, 1e6) as usize;
        calls
    }

    pub(crate) fn paces(&self) -> Paces {
        let pace = |quota| Pace::per_second(self.share_of(quota));
        Paces {
            get_user: pace(self.quotas.user_read),
            create_user: pace(self.quotas.user_creation),
            set_password: pace(self.quotas.set_password),
            list_users: pace(self.quotas.user_list),
            update_user: pace(self.quotas.user_update),
        }
    }
}

/// A pace for each operation; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Paces {
    pub(crate) get_user: Pace,
    pub(crate) create_user: Pace,
    pub(crate) set_password: Pace,
    pub(crate) list_users: Pace,
    pub(crate) update_user: Pace,
}

/// A call in a hundred seconds: with less, an import would seem to stand still.
const LEAST: f64 = 0.01;

fn share(quota: f64, reserve: f64, sharers: f64) -> f64 {
    (quota - reserve) / sharers
}

fn at_least(reader: &mut Reader<'_>, setting: &Setting, least: f64) -> Option<f64> {
    let number: f64 = reader.parsed(setting)?;
    if number.is_finite() && number >= least {
        return Some(number);
    }
    reader.problem(format!("{} must be a number, {least} or more: {}", setting.name, setting.meaning));
    None
}

/// The API model: `[\w-]+_[0-9a-zA-Z]+`, 55 characters at most.
fn pool_id_problem(id: &str) -> Option<&'static str> {
    if id.contains(':') {
        return Some("looks like an identity pool's id or an ARN");
    }
    let well_formed = id.len() <= 55
        && id.rsplit_once('_').is_some_and(|(region, rest)| {
            !region.is_empty()
                && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
                && !rest.is_empty()
                && rest.chars().all(|c| c.is_ascii_alphanumeric())
        });
    (!well_formed).then_some("is no user pool's id")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let pool = Environment::from_iter([("COGNITO_IDENTITY_POOL_ID", "us-east-1_AbCdEfGhI")]);
        pairs.iter().fold(pool, |environment, (name, value)| environment.with(name, value))
    }

    fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
        AccountsSettings::from_env(&environment(pairs)).unwrap_err().0
    }

    #[test]
    fn the_defaults_stay_under_the_quotas() {
        let settings = AccountsSettings::from_env(&environment(&[])).unwrap();
        assert_eq!(settings, AccountsSettings::for_pool("us-east-1_AbCdEfGhI"));
        assert_eq!(
            format!("{:?}", settings.paces()),
            "Paces { get_user: Pace(57.5/s), create_user: Pace(22.5/s), set_password: Pace(12.5/s), \
             list_users: Pace(12.5/s), update_user: Pace(10/s) }"
        );
    }

    #[test]
    fn the_environment_sets_reserve_sharers_and_quotas() {
        let settings = AccountsSettings::from_env(&environment(&[
            ("CROSSWALK_COGNITO_RESERVE", "0"),
            ("CROSSWALK_COGNITO_SHARERS", "1"),
            ("CROSSWALK_COGNITO_USER_CREATION_RPS", "200"),
        ]))
        .unwrap();
        assert_eq!(settings.share_of(settings.quotas.user_creation), 200.0);
        assert_eq!(settings.share_of(settings.quotas.set_password), 30.0);
    }

    #[test]
    fn what_leaves_nothing_is_refused() {
        let told = problems(&[("CROSSWALK_COGNITO_RESERVE", "50")]);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].starts_with("CROSSWALK_COGNITO_USER_CREATION_RPS is 50"), "{told:?}");
        assert!(told[1].starts_with("CROSSWALK_COGNITO_SET_PASSWORD_RPS is 30"), "{told:?}");
        assert!(told[2].starts_with("CROSSWALK_COGNITO_USER_LIST_RPS is 30"), "{told:?}");
        assert!(told[3].starts_with("CROSSWALK_COGNITO_USER_UPDATE_RPS is 25"), "{told:?}");
        assert!(told[1].ends_with("lower CROSSWALK_COGNITO_RESERVE or CROSSWALK_COGNITO_SHARERS"), "{told:?}");
    }

    #[test]
    fn nonsense_is_told_together() {
        let told = problems(&[
            ("CROSSWALK_COGNITO_RESERVE", "-1"),
            ("CROSSWALK_COGNITO_SHARERS", "0"),
            ("CROSSWALK_COGNITO_USER_READ_RPS", "NaN"),
            ("COGNITO_IDENTITY_POOL_ID", "us-east-1:0b1c2d3e-0000-1111-2222-333344445555"),
        ]);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].contains("identity pool"), "{told:?}");
        let error = AccountsSettings::from_env(&Environment::default()).unwrap_err().to_string();
        assert!(error.contains("COGNITO_IDENTITY_POOL_ID is not set"), "{error}");
    }

    #[test]
    fn pool_ids_are_told_from_other_texts() {
        for id in ["us-east-1_AbCdEfGhI", "eu-central-1_0", "local_1a2b"] {
            assert_eq!(pool_id_problem(id), None, "{id}");
        }
        for id in ["us-east-1", "_AbC", "us-east-1_", "us-east-1_Ab-C", "us east_1", "crosswalk"] {
            assert!(pool_id_problem(id).is_some(), "{id}");
        }
    }

    proptest! {
        /// All sharers together never take more than the quota less the reserve.
        #[test]
        fn sharers_together_stay_under_the_quota(quota in 1.0..10_000.0_f64, reserve in 0.0..100.0_f64, sharers in 1..50_u32) {
            let all = share(quota, reserve, f64::from(sharers)) * f64::from(sharers);
            prop_assert!(all <= quota - reserve + 1e-6);
        }
    }
}
