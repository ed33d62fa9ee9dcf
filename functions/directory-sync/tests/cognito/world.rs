//! A pool, a target over it, and what a test needs to look at both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_cognitoidentityprovider::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cognitoidentityprovider::error::BoxError;
use aws_sdk_cognitoidentityprovider::types::{AliasAttributeType, AttributeType, UserStatusType};
use crosswalk_accounts::{Accounts, AccountsSettings};
use crosswalk_directory_sync::step::{Change, What};
use crosswalk_directory_sync::target::cognito::{CognitoSettings, CognitoTarget, SwapIntent};
use crosswalk_directory_sync::target::{Bundle, Done, TargetError};
use crosswalk_directory_sync::{Field, Step};
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_local_aws::testbed::Testbed;
use futures::FutureExt;
use tokio::sync::mpsc;

/// The calls that go out, by operation and in their order; and after how many of one no call reaches the pool any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    order: Vec<String>,
    crash: Option<(&'static str, usize)>,
    crashed: bool,
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let mut noted = self.0.lock().unwrap();
        if let Some((at, left)) = noted.crash.filter(|(at, _)| operation == *at) {
            noted.crashed |= left == 0;
            noted.crash = Some((at, left.saturating_sub(1)));
        }
        if noted.crashed {
            return Err("the process has crashed".into());
        }
        noted.order.push(operation);
        Ok(())
    }
}

impl Calls {
    /// The operations since the last call of this, in their order.
    pub(crate) fn order(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().order)
    }

    /// Their counts, as `AdminGetUser 1, ListUsers 2`.
    pub(crate) fn counts(&self) -> String {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        self.order().into_iter().for_each(|operation| *counts.entry(operation).or_default() += 1);
        counts.into_iter().map(|(operation, count)| format!("{operation} {count}")).collect::<Vec<_>>().join(", ")
    }

    /// After so many calls of an operation nothing reaches the pool any more.
    pub(crate) fn crash_after(&self, times: usize, operation: &'static str) {
        self.0.lock().unwrap().crash = Some((operation, times));
    }

    pub(crate) fn restart(&self) {
        let mut noted = self.0.lock().unwrap();
        (noted.crash, noted.crashed) = (None, false);
    }

    fn crashed(&self) -> bool {
        self.0.lock().unwrap().crashed
    }
}

/// What came of the steps, as `key: done` and so on, sorted.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) done: Vec<Done>,
    pub(crate) result: Result<(), TargetError>,
}

impl Outcome {
    /// `a: done`, `b: conflict`, `c: failed`, sorted.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |done: &Done| match &done.result {
            Ok(_) => "done",
            Err(failure) if failure.conflict => "conflict",
            Err(_) => "failed",
        };
        let mut words: Vec<_> = self.done.iter().map(|done| format!("{}: {}", done.step.key, word(done))).collect();
        words.sort();
        words
    }

    pub(crate) fn of(&self, key: &str) -> &Done {
        self.done.iter().find(|done| &*done.step.key == key).unwrap()
    }

    pub(crate) fn reason(&self, key: &str) -> String {
        self.of(key).result.as_ref().unwrap_err().reason.to_string()
    }
}

type Kept = Arc<Mutex<Vec<Option<SwapIntent>>>>;

pub(crate) struct World {
    pub(crate) testbed: Testbed,
    pub(crate) client: Client,
    pub(crate) pool_id: String,
    pub(crate) calls: Calls,
    /// The intents, in the order in which they were kept and forgotten.
    pub(crate) kept: Kept,
}

impl World {
    pub(crate) async fn start() -> Self {
        let testbed = Testbed::start().await;
        let (client, pool_id) = (Client::new(&testbed.config), testbed.names.pool_id.clone());
        Self { testbed, client, pool_id, calls: Calls::default(), kept: Kept::default() }
    }

    /// With a pool whose people sign in by an alias.
    pub(crate) async fn start_with_aliases() -> Self {
        let world = Self::start().await;
        let pool = world.client.create_user_pool().pool_name("crosswalk-aliases");
        let pool = pool
            .alias_attributes(AliasAttributeType::Email)
            .alias_attributes(AliasAttributeType::PreferredUsername)
            .send()
            .await
            .unwrap();
        Self { pool_id: pool.user_pool.unwrap().id.unwrap(), ..world }
    }

    pub(crate) fn target(&self) -> CognitoTarget {
        self.target_with(CognitoSettings::default(), |_| ())
    }

    pub(crate) fn target_of(&self, settings: CognitoSettings) -> CognitoTarget {
        self.target_with(settings, |_| ())
    }

    /// With quotas that no test waits for, unless it sets its own.
    pub(crate) fn target_with(&self, settings: CognitoSettings, pace: impl Fn(&mut AccountsSettings)) -> CognitoTarget {
        let client = Client::from_conf(Builder::from(&self.testbed.config).interceptor(self.calls.clone()).build());
        let mut accounts = AccountsSettings::for_pool(&self.pool_id);
        (accounts.reserve, accounts.sharers) = (0.0, 1.0);
        for quota in [
            &mut accounts.quotas.user_read,
            &mut accounts.quotas.user_creation,
            &mut accounts.quotas.set_password,
            &mut accounts.quotas.user_list,
            &mut accounts.quotas.user_update,
        ] {
            *quota = 10_000.0;
        }
        pace(&mut accounts);
        let clock = Clock::fixed("2026-11-22T10:00:00Z".parse().unwrap());
        let (kept, calls) = (self.kept.clone(), self.calls.clone());
        let keep = move |intent| {
            let crashed = calls.crashed();
            if !crashed {
                kept.lock().unwrap().push(intent);
            }
            let kept = if crashed { Err(TargetError("the process has crashed".to_owned())) } else { Ok(()) };
            std::future::ready(kept).boxed()
        };
        CognitoTarget::new(Accounts::new(&client, accounts, clock, Entropy::system()), settings).keeping(Arc::new(keep))
    }

    /// An account, confirmed, as another hand makes it. Its id.
    pub(crate) async fn account<const N: usize>(&self, email: &str, more: [(&str, &str); N]) -> String {
        let mut create = self.client.admin_create_user().user_pool_id(&self.pool_id).username(email);
        for (name, value) in [("email", email), ("email_verified", "true")].into_iter().chain(more) {
            create = create.user_attributes(AttributeType::builder().name(name).value(value).build().unwrap());
        }
        let create = create.message_action(aws_sdk_cognitoidentityprovider::types::MessageActionType::Suppress);
        let id = create.send().await.unwrap().user.unwrap().username.unwrap();
        let password = self.client.admin_set_user_password().user_pool_id(&self.pool_id).username(&id);
        password.password("Known-t0-nobody-else").permanent(true).send().await.unwrap();
        id
    }

    /// What stands under an id or a name: status, whether enabled, and attributes but `sub`, as text.
    pub(crate) async fn stands(&self, name: &str) -> Option<String> {
        let found = self.client.admin_get_user().user_pool_id(&self.pool_id).username(name).send().await.ok()?;
        let attributes = found.user_attributes().iter().filter(|attribute| attribute.name() != "sub");
        let attributes: Vec<_> =
            attributes.map(|it| format!("{}={}", it.name(), it.value().unwrap_or_default())).collect();
        let status = found.user_status().map_or("", UserStatusType::as_str);
        let enabled = if found.enabled() { "" } else { " disabled" };
        Some(format!("{status}{enabled} {}", attributes.join(" ")))
    }

    pub(crate) async fn email(&self, id: &str) -> String {
        let stands = self.stands(id).await.unwrap();
        stands.split("email=").nth(1).unwrap().split(' ').next().unwrap().to_owned()
    }

    pub(crate) async fn group(&self, name: &str) {
        self.client.create_group().user_pool_id(&self.pool_id).group_name(name).send().await.unwrap();
    }

    pub(crate) async fn groups_of(&self, name: &str) -> Vec<String> {
        let list = self.client.admin_list_groups_for_user().user_pool_id(&self.pool_id).username(name);
        let groups = list.send().await.unwrap().groups.unwrap_or_default();
        groups.into_iter().filter_map(|group| group.group_name).collect()
    }
}

/// Applies bundles without a deadline.
pub(crate) async fn apply(target: &CognitoTarget, bundles: Vec<Vec<Step>>) -> Outcome {
    apply_until(target, bundles, Deadline::NONE).await
}

pub(crate) async fn apply_until(target: &CognitoTarget, bundles: Vec<Vec<Step>>, deadline: Deadline) -> Outcome {
    let (tell, mut told) = mpsc::unbounded_channel();
    let bundles = bundles.into_iter().map(Bundle).collect();
    // Boxed, which asks whether it is Send, as a function needs it to be.
    let result = target.apply(bundles, deadline, &tell).boxed().await;
    drop(tell);
    let mut done = Vec::new();
    while let Some(one) = told.recv().await {
        done.push(one);
    }
    Outcome { done, result }
}

/// A step for the person of this key.
pub(crate) fn step(what: What, key: &str, account: Option<&str>) -> Step {
    Step {
        what,
        key: key.into(),
        account: account.map(Into::into),
        version: 0,
        changes: Vec::new(),
        active: None,
        after: Vec::new(),
    }
}

/// The same, with these changes.
pub(crate) fn changing<const N: usize>(step: Step, changes: [(Field, &str); N]) -> Step {
    let changes = changes.map(|(field, new)| Change { field, old: None, new: new.into() });
    Step { changes: changes.into(), ..step }
}

pub(crate) fn create(key: &str, email: &str) -> Step {
    changing(step(What::Create, key, None), [(Field::Email, email)])
}
