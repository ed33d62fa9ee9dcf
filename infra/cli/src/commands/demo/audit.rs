//! The demo's audit: who lacks what, as the API tells it, and one mail to each of them; its second run sends none.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_local_aws::mails;
use crosswalk_mapping_api::wire;
use crosswalk_mapping_audit::event::WAY;
use crosswalk_mapping_audit::{AuditRequest, AuditSettings, Auditor, Ran, Whom};
use crosswalk_runs::audit_index::ALSO_BETWEEN;
use crosswalk_runs::{Place, RunRecord, RunState, run_id};

use crate::show;
use crate::stack::Stack;
use crate::target::{names, with};

/// The systems that everybody is to be known to.
const REQUIRED: [&str; 2] = ["labarchives_eln", "nemo"];

/// Who must be found to lack what, in the order of bytes. Ada has both; Bob registered at LabArchives, and is known by nothing
/// else, so that no mail reaches him; Ravi, whom the sync has deactivated, gets none either.
const LACKING: [(&str, &str); 6] = [
    ("Zoe.Ferrari@example.org", "labarchives_eln"),
    ("bob", "nemo"),
    ("grace", "labarchives_eln"),
    ("kim.park@example.org", "labarchives_eln"),
    ("omar.haddad@example.org", "labarchives_eln"),
    ("ravi", "labarchives_eln, nemo"),
];

/// What came of it.
pub(super) struct Audits {
    pub(super) first: RunRecord,
    pub(super) second: RunRecord,
    /// What the API tells, in numbers.
    pub(super) numbers: wire::AuditNumbers,
    /// Whom the API names, and what they lack.
    pub(super) lacking: BTreeMap<String, (wire::Lacking, Vec<String>)>,
    /// Whom mails went to.
    pub(super) mailed: Vec<String>,
}

/// Audits twice, asks the API, and notes what came out otherwise than expected.
pub(super) async fn audit(stack: &Stack, differences: &mut Vec<String>) -> anyhow::Result<Audits> {
    let made = &stack.made;
    let environment = names(stack.aws.endpoint(), &made.table, &made.bucket, &made.pool_id)
        .chain([
            ("AUDIT_REQUIRED_SYSTEMS", REQUIRED.join(",")),
            ("AUDIT_NOTIFY", "true".to_owned()),
            ("MAIL_FROM", "crosswalk@example.org".to_owned()),
            ("REGISTRATION_URL", "https://crosswalk.example.org".to_owned()),
        ])
        .fold(Environment::default(), with);
    let settings = AuditSettings::from_env(&environment)?;
    let (clock, entropy, config) = (Clock::system(), Entropy::system(), stack.aws.sdk_config());
    let place = Place::new(&settings.kept, &config, &clock, &entropy);
    let auditor = Auditor::new(settings, place, &config, clock, entropy);
    let first = once(&auditor).await?;
    let second = once(&auditor).await?;

    let numbers: wire::AuditNumbers = get(stack, "/audit/missing").await?;
    let mut lacking: BTreeMap<_, (wire::Lacking, Vec<String>)> = BTreeMap::new();
    for system in REQUIRED {
        let page: wire::MissingPage = get(stack, &format!("/audit/missing?system={system}")).await?;
        for item in page.items {
            let (_, lacks) = lacking.entry(item.username.clone()).or_insert_with(|| (item, Vec::new()));
            lacks.push(system.to_owned());
        }
    }
    let mut mailed: Vec<_> = mails(stack.aws.endpoint()).await?.into_iter().flat_map(|mail| mail.to).collect();
    mailed.sort();
    let audits = Audits { first, second, numbers, lacking, mailed };
    audits.check(differences);
    Ok(audits)
}

async fn once(auditor: &Auditor) -> anyhow::Result<RunRecord> {
    let run_id = run_id::random(WAY, &Entropy::system());
    let request = AuditRequest { run_id, delivery: "crosswalk demo".to_owned(), whom: Whom::Everybody };
    match Box::pin(auditor.audit(&request, Deadline::NONE, &|_| {})).await?.0 {
        Ran::Ended(record) => Ok(record),
        Ran::Busy { run, .. } => bail!("the run {run} is at work on a table that nobody else knows"),
    }
}

async fn get<T: serde::de::DeserializeOwned>(stack: &Stack, path: &str) -> anyhow::Result<T> {
    let http = reqwest::Client::builder().no_proxy().timeout(super::PATIENCE).build()?;
    let answer = http.get(format!("{}{path}", stack.api_url)).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "GET {path} answered {status}: {}", show::plain(&text));
    serde_json::from_str(&text).with_context(|| format!("GET {path} did not answer as described"))
}

impl Audits {
    fn check(&self, differences: &mut Vec<String>) {
        let mut expect = |what: &str, expected: String, found: String| {
            if expected != found {
                differences.push(format!("audit: {what}: expected {expected}, found {found}"));
            }
        };
        let lacking = self.lacking.iter().map(|(username, (_, lacks))| format!("{username}: {}", lacks.join(", ")));
        let expected = LACKING.map(|(username, lacks)| format!("{username}: {lacks}"));
        expect("who lacks what", expected.join("; "), lacking.collect::<Vec<_>>().join("; "));
        let by_system = |system: &str| {
            LACKING.iter().filter(|(_, lacks)| lacks.split(", ").any(|lacks| lacks == system)).count() as u64
        };
        for system in REQUIRED {
            let found = self.numbers.systems.get(system).map_or(0, |numbers| numbers.missing);
            expect(system, by_system(system).to_string(), found.to_string());
        }
        expect("the run that the API tells of", self.second.id.clone(), self.numbers.run.clone());
        let mails = |run: &RunRecord| format!("{:?}", run.audit.as_ref().map(|audit| &audit.mails));
        let told = |sent: &[(&str, u64)]| {
            let told: BTreeMap<_, _> = sent.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect();
            format!("{:?}", Some(&told))
        };
        expect("the first run's mails", told(&[("sent", 4), ("skipped", 2)]), mails(&self.first));
        expect("the second run's mails", told(&[("skipped", 6)]), mails(&self.second));
        for run in [&self.first, &self.second] {
            expect("state", show::state(RunState::Succeeded).to_owned(), show::state(run.state).to_owned());
        }
        let addresses = ["Zoe.Ferrari", "grace", "kim.park", "omar.haddad"].map(|name| format!("{name}@example.org"));
        expect("who got a mail", addresses.join(", "), self.mailed.join(", "));
    }
}

/// Tells of it.
pub(super) fn tell(audits: &Audits) -> anyhow::Result<()> {
    let rows = audits.lacking.values().map(|(person, lacks)| {
        [
            person.username.clone(),
            person.email.clone().unwrap_or_default(),
            lacks.join(", "),
            person.also.join(ALSO_BETWEEN),
        ]
    });
    show::say(&show::table(["username", "e-mail", "lacks", "also"], rows).to_string())?;
    let complete = audits.second.audit.as_ref().map_or(0, |audit| audit.complete);
    show::say(&format!(
        "{} people were looked at, of whom {complete} has both; {} mappings are stale, {} items broken.\n\
         {} people got one mail each, and none when the audit ran again.\n",
        audits.second.counts.read,
        audits.numbers.stale,
        audits.numbers.broken,
        audits.mailed.len()
    ))
}
