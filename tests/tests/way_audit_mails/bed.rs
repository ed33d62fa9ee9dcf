//! People who lack mappings, and audits that write to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crosswalk_function_kit::retry::Retries;
use crosswalk_function_kit::settings::{Environment, Reader};
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::Table;
use crosswalk_identity::{Email, System, Username};
use crosswalk_invitations::Invitations;
use crosswalk_local_aws::provision::{Names, provision};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_local_aws::{LocalAws, Mail, Storage, mails};
use crosswalk_mapping_audit::notify::{Lacking, MailOutcome, Notified, Notifier, NotifySettings};
use jiff::SignedDuration;

/// So that no test waits for long where SES stays busy.
pub(crate) const QUICK: Retries =
    Retries { first: Duration::from_millis(1), longest: Duration::from_millis(4), times: 3 };

pub(crate) struct Bed {
    pub(crate) aws: Testbed,
    environment: Environment,
    /// Days that have passed.
    days: Arc<AtomicI64>,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        // Always the embedded AWS, whatever the other tests are run against: the mail catcher and SES's faults are its own.
        let embedded = LocalAws::start(Storage::Memory, 0).unwrap();
        let config = embedded.sdk_config();
        let names = provision(&config, &Names::default()).await.unwrap();
        let aws = Testbed { config, names, embedded: Some(embedded) };
        let environment = Environment::from_iter([("AUDIT_NOTIFY", "true"), ("MAIL_FROM", "crosswalk@example.org")]);
        Self { aws, environment, days: Arc::default() }
    }

    /// With a setting more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment = self.environment.with(name, value);
        self
    }

    pub(crate) fn environment(&self) -> Environment {
        self.environment.clone()
    }

    /// For SES's rules and faults.
    pub(crate) fn embedded(&self) -> &LocalAws {
        self.aws.embedded.as_ref().unwrap()
    }

    pub(crate) fn forward(&self, days: i64) {
        self.days.fetch_add(days, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let days = self.days.clone();
        Clock::from_fn(move || Clock::system().now() + SignedDuration::from_hours(24 * days.load(Ordering::Relaxed)))
    }

    /// As another process would have it: nothing is shared but AWS.
    pub(crate) fn notifier(&self) -> Notifier {
        let mut reader = Reader::new(&self.environment);
        let settings = NotifySettings::read(&mut reader, &self.environment);
        let settings = reader.finish(settings).unwrap();
        Notifier::new(settings, &self.aws.config, &self.aws.names.table, self.clock(), Entropy::system())
    }

    /// A run of its own.
    pub(crate) async fn notify(&self, people: &[Lacking]) -> Notified {
        let run = Entropy::system().uuid().to_string();
        let notifier = self.notifier().with_retries(QUICK);
        notifier.notify(people.to_vec(), &run, false, Deadline::NONE).await
    }

    /// With the retries that a function has.
    pub(crate) async fn notify_patiently(&self, people: &[Lacking]) -> Notified {
        let run = Entropy::system().uuid().to_string();
        self.notifier().notify(people.to_vec(), &run, false, Deadline::NONE).await
    }

    pub(crate) async fn dry_run(&self, people: &[Lacking]) -> Notified {
        self.notifier().notify(people.to_vec(), "dry", true, Deadline::NONE).await
    }

    pub(crate) async fn mails(&self) -> Vec<Mail> {
        mails(self.embedded().endpoint()).await.unwrap()
    }

    /// How many mails each address got. Each mail has one address.
    pub(crate) async fn by_address(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for mail in self.mails().await {
            let [address] = &mail.to[..] else { panic!("{:?}", mail.to) };
            *counts.entry(address.clone()).or_default() += 1;
        }
        counts
    }

    pub(crate) async fn addresses(&self) -> Vec<String> {
        let by_address = self.by_address().await;
        assert!(by_address.values().all(|count| *count == 1), "{by_address:?}");
        by_address.into_keys().collect()
    }

    pub(crate) fn invitations(&self) -> Invitations {
        let table = Table::new(aws_sdk_dynamodb::Client::new(&self.aws.config), &self.aws.names.table);
        Invitations::new(table, self.clock(), Entropy::system())
    }
}

/// Somebody who lacks mappings in these systems, space-separated.
pub(crate) fn person(username: &str, email: Option<&str>, systems: &str) -> Lacking {
    Lacking {
        usernames: vec![Username::parse(username).unwrap()],
        email: email.map(|email| Email::parse(email).unwrap()),
        systems: systems.split(' ').map(|name| System::parse(name).unwrap()).collect(),
        disabled: false,
    }
}

/// So many people, `user1@example.org` and so on, who lack a mapping in `nemo`.
pub(crate) fn people(count: usize) -> Vec<Lacking> {
    (1..=count).map(|n| person(&format!("user{n}"), Some(&format!("user{n}@example.org")), "nemo")).collect()
}

/// The outcome of each person, in words; no reason names anybody.
pub(crate) fn told(notified: &Notified) -> Vec<String> {
    let word = |outcome: &MailOutcome| match outcome {
        MailOutcome::Sent => "sent".to_owned(),
        MailOutcome::WouldSend => "would send".to_owned(),
        MailOutcome::Skipped(why) => format!("skipped: {why}"),
        MailOutcome::Refused(why) => format!("refused: {why}"),
        MailOutcome::Failed(why) => format!("failed: {why}"),
        MailOutcome::NotReached(why) => format!("not reached: {why}"),
    };
    let told = |(person, outcome): &(Lacking, MailOutcome)| {
        let told = word(outcome);
        assert!(!told.contains(person.usernames[0].as_str()) && !told.contains("example.org"), "{told}");
        told
    };
    notified.people.iter().map(told).collect()
}
