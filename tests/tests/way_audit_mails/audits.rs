//! Whole audits, over mappings that stand in a table.

use std::collections::BTreeSet;

use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::{Change, IdentifierStore, StoreRequest, Table};
use crosswalk_identity::{Email, ExternalId, Mark, System, Username};
use crosswalk_invitations::Token;
use crosswalk_mapping_audit::{AuditRequest, AuditSettings, Auditor, Whom};
use crosswalk_runs::{Place, Ran, RunRecord, RunState, run_id};
use futures::future::join_all;

use crate::bed::Bed;

const PEOPLE: usize = 60;

impl Bed {
    fn auditor(&self) -> Auditor {
        let environment = self
            .environment()
            .with("AUDIT_REQUIRED_SYSTEMS", "nemo,labarchives_eln")
            .with("CROSSWALK_TABLE", &self.aws.names.table)
            .with("CROSSWALK_BUCKET", &self.aws.names.bucket);
        let settings = AuditSettings::from_env(&environment).unwrap();
        let (clock, entropy) = (Clock::system(), Entropy::system());
        let place = Place::new(&settings.kept, &self.aws.config, &clock, &entropy);
        Auditor::new(settings, place, &self.aws.config, clock, entropy)
    }

    async fn audit(&self) -> RunRecord {
        let request = AuditRequest {
            run_id: run_id::random("mapping-audit", &Entropy::system()),
            delivery: "test".to_owned(),
            whom: Whom::Everybody,
        };
        match self.auditor().audit(&request, Deadline::NONE, &|_| {}).await.unwrap() {
            (Ran::Ended(record), _) => record,
            (Ran::Busy { run, .. }, _) => panic!("the run {run} is under way"),
        }
    }

    /// Everybody is in NEMO, every third one twice, by two usernames with one e-mail; every fourth is in LabArchives too.
    async fn seed(&self) {
        let table = Table::new(aws_sdk_dynamodb::Client::new(&self.aws.config), &self.aws.names.table);
        let store = IdentifierStore::new(table, Clock::system(), Entropy::system());
        let mut requests = Vec::new();
        let mut add = |username: String, system: &str, id: String, email: &str| {
            requests.push(StoreRequest {
                username: Username::parse(&username).unwrap(),
                system: System::parse(system).unwrap(),
                external_id: ExternalId::parse(&id).unwrap(),
                email: Change::Set(Email::parse(email).unwrap()),
                notes: Change::Keep,
                mark: Mark::request("seed"),
            });
        };
        for n in 0..PEOPLE {
            let email = format!("user{n}@example.org");
            add(format!("user{n}"), "nemo", format!("{n}"), &email);
            if n % 3 == 0 {
                add(format!("u{n}"), "nemo", format!("10{n}"), &email);
            }
            if n % 4 == 0 {
                add(format!("user{n}"), "labarchives_eln", format!("l{n}"), &email);
            }
        }
        assert!(store.store_many(requests).await.iter().all(Result::is_ok));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_overlapping_audits_and_five_after_them_send_one_mail_a_person() {
    let bed = Bed::new().await.with("REGISTRATION_URL", "https://crosswalk.example.org");
    bed.seed().await;
    let lacking = PEOPLE - PEOPLE / 4;
    let together = join_all((0..5).map(|_| bed.audit())).await;
    let one_by_one = async {
        let mut records = Vec::new();
        for _ in 0..5 {
            records.push(bed.audit().await);
        }
        records
    };
    let (mut sent, mut skipped) = (0, 0);
    for record in together.into_iter().chain(one_by_one.await) {
        assert_eq!(record.state, RunState::Succeeded, "{:?} {:?}", record.reasons, record.warnings);
        let audit = record.audit.unwrap();
        // The notices and invitations that stand in the table are nobody's mapping, and nothing broken.
        assert_eq!((record.counts.read, audit.missing["labarchives_eln"], audit.broken), (60, lacking as u64, 0));
        let of = |word: &str| audit.mails.get(word).copied().unwrap_or(0);
        assert_eq!(of("sent") + of("skipped"), lacking as u64, "{:?}", audit.mails);
        (sent, skipped) = (sent + of("sent"), skipped + of("skipped"));
    }
    assert_eq!((sent, skipped), (lacking as u64, 9 * lacking as u64));
    assert_eq!(bed.addresses().await.len(), lacking);
    // Each of them with an invitation of its own.
    let mut links = BTreeSet::new();
    for mail in bed.mails().await {
        let text = mail.text.unwrap();
        let link =
            text.lines().find_map(|line| line.trim().strip_prefix("https://crosswalk.example.org/registrations/"));
        let invitation = bed.invitations().find(&Token::parse(link.unwrap()).unwrap().hash()).await.unwrap().unwrap();
        let number: String = invitation.username.as_str().chars().filter(char::is_ascii_digit).collect();
        assert_eq!(mail.to, [format!("user{number}@example.org")]);
        links.insert(link.unwrap().to_owned());
    }
    assert_eq!(links.len(), lacking);
}
