//! `crosswalk demo`: every way once, on an AWS in memory, and whether all came out as the samples must give.

mod audit;
mod harvest;
mod moved;
mod people;
mod sync;

use std::time::Duration;

use anyhow::{Context as _, bail};
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_local_aws::Storage;
use crosswalk_mapping_api::wire;
use crosswalk_runs::{Counts, RunRecord, RunState, Runs};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::commands::reports::{FailedRow, failed_rows};
use crate::stack::Stack;
use crate::{Exit, show};

/// How long a file may take, from the put to the ended run. It takes well under a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file that is dropped, and what must come of it.
struct Sample {
    key: &'static str,
    text: &'static str,
    counts: Counts,
    /// Line and outcome of each row that is not imported.
    failed: &'static [(u64, &'static str)],
}

fn employers() -> Sample {
    Sample {
        key: "imports/employers/employers.csv",
        text: include_str!("../../../samples/employers.csv"),
        counts: Counts { read: 5, created: 4, rejected: 1, ..Counts::default() },
        failed: &[(6, "rejected")],
    }
}

fn leave_admins() -> Sample {
    Sample {
        key: "imports/leave-admins/leave-admins.csv",
        text: include_str!("../../../samples/leave-admins.csv"),
        counts: Counts { read: 8, created: 5, rejected: 3, ..Counts::default() },
        failed: &[(7, "rejected"), (8, "rejected"), (9, "rejected")],
    }
}

fn mappings() -> Sample {
    Sample {
        key: "imports/mappings/nemo/mappings.csv",
        text: include_str!("../../../samples/mappings.csv"),
        counts: Counts { read: 7, created: 3, verified: 1, rejected: 2, conflict: 1, ..Counts::default() },
        failed: &[(6, "conflict"), (7, "rejected"), (8, "rejected")],
    }
}

/// The logins that must stand in the end, in alphabetical order.
const ACCOUNTS: [&str; 3] = ["kim.park@example.org", "omar.haddad@example.org", "zoe.ferrari@example.org"];

/// The employers' FEINs, and how many people must be linked to each.
const LINKS: [(&str, usize); 4] = [("042127847", 2), ("135562301", 1), ("951234567", 1), ("001122334", 1)];

/// What the API is asked, and what its answer must hold among other things.
struct Question {
    words: &'static str,
    path: &'static str,
    status: u16,
    holds: Value,
}

fn questions() -> [Question; 4] {
    [
        Question {
            words: "Who is NEMO user 12345?",
            path: "/systems/nemo/identifiers?external_id=12345",
            status: 200,
            holds: json!({ "username": "kim.park@example.org", "system": "nemo", "external_id": "12345" }),
        },
        Question {
            words: "Under which id does NEMO know Ada?",
            path: "/people/ada/identifiers/nemo",
            status: 200,
            holds: json!({ "username": "ada", "external_id": "12346", "email": "ada@example.org" }),
        },
        Question {
            words: "What is known of Kim Park?",
            path: "/people/kim.park@example.org",
            status: 200,
            holds: json!({
                "email": "kim.park@example.org",
                "roles": ["EMPLOYER"],
                "links": [
                    { "fein": "042127847", "employer": "Lakeside Bakery" },
                    { "fein": "135562301", "employer": "Harbor Freight Lines" },
                ],
                "identifiers": [{ "system": "nemo", "external_id": "12345", "notes": "Microscopy" }],
            }),
        },
        Question {
            words: "And user 99999?",
            path: "/systems/nemo/identifiers?external_id=99999",
            status: 404,
            holds: json!({ "status": 404 }),
        },
    ]
}

/// What came of it.
#[derive(Default)]
struct Seen {
    runs: Vec<RunRecord>,
    failed: Vec<(String, Vec<FailedRow>)>,
    accounts: Vec<String>,
    links: usize,
    answers: Vec<(Question, u16, Value)>,
    differences: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// It could not run. What came out otherwise than expected is no error: it is printed, and the exit code is 1.
pub(crate) async fn run(json: bool) -> anyhow::Result<Exit> {
    let started = Instant::now();
    // The shell's settings would change what must come out.
    let stack = Stack::start(Storage::Memory, 0, 0, Environment::default()).await?;
    let told = tell(&stack, json).await;
    stack.stop(Duration::from_secs(5)).await;
    let differences = told?;
    if json {
        return Ok(if differences.is_empty() { Exit::Done } else { Exit::NotAll });
    }
    if differences.is_empty() {
        show::say(&format!(
            "All as expected, in {:.1} s. Nothing was left behind.\n\
             Next: `crosswalk up` runs this on a folder of your own, and `crosswalk --help` shows the rest.",
            started.elapsed().as_secs_f64()
        ))?;
        return Ok(Exit::Done);
    }
    show::complain("Not as expected:");
    for difference in &differences {
        show::complain(&format!("  {difference}"));
    }
    Ok(Exit::NotAll)
}

/// Tells the story as it goes, and returns what was otherwise than expected.
async fn tell(stack: &Stack, json: bool) -> anyhow::Result<Vec<String>> {
    let say = |text: String| if json { Ok(()) } else { show::say(&text) };
    let bucket = &stack.made.bucket;
    say(format!(
        "Crosswalk demo. An AWS of its own runs in memory: {}\n\n\
         1. Three CSV files are put into the bucket, with some bad rows; each put raises an S3 event, and the event\n\
         \x20  drives the import.\n",
        stack.aws.endpoint()
    ))?;
    let mut seen = Seen::default();
    // Leave administrators need their employers; the other two files do not wait for each other.
    import(stack, &[employers()], &mut seen).await?;
    import(stack, &[leave_admins(), mappings()], &mut seen).await?;
    say(format!("{}\n", show::outcome_table(&seen.runs)))?;

    say(format!("2. The rows that were not imported, from the reports in s3://{bucket}/reports/:\n"))?;
    let rows = seen.failed.iter().flat_map(|(file, rows)| {
        rows.iter().map(|row| [file.clone(), row.line.to_string(), row.outcome.clone(), row.reason.clone()])
    });
    say(format!("{}\n", show::table(["file", "line", "outcome", "reason"], rows)))?;

    accounts(stack, &mut seen).await?;
    ask(stack, &mut seen).await?;
    say(format!(
        "3. What stands now: {} accounts that can log in ({}),\n\
         \x20  {} links to {} employers, and 3 NEMO ids.\n\n\
         4. The API is asked, at {}\n",
        seen.accounts.len(),
        seen.accounts.join(", "),
        seen.links,
        LINKS.len(),
        stack.api_url
    ))?;
    for (question, status, answer) in &seen.answers {
        say(format!("{}\n  GET {}\n  {status}\n{}\n", question.words, question.path, fields(answer)))?;
    }
    say("5. People and teams go from Keycloak to Glean. Both are STAND-INS here, on loopback: they check what is asked and\n\
         \x20  sent against what the real ones document, and hold it. The realm has six people and three groups.\n"
        .to_owned())?;
    let exports = people::export(stack, &mut seen.differences).await?;
    if !json {
        people::tell(&exports)?;
    }
    say("6. The people of a users' table, a SQLite file here, get accounts that can log in. First a dry run tells the plan:\n"
        .to_owned())?;
    let syncs = sync::sync(stack, &mut seen.differences).await?;
    if !json {
        sync::tell(&syncs)?;
    }
    say("7. The mappings of a NexusLIMS database, a SQLite file of five rows, are moved in, with their times:\n"
        .to_owned())?;
    let moved = Box::pin(moved::migrate(stack, &mut seen.differences)).await?;
    if !json {
        moved::tell(&moved)?;
    }
    say("8. NEMO tells who is known to it under which id, and who used a tool when. It is a STAND-IN as well; of its six users\n\
         \x20  three came by CSV before.\n"
        .to_owned())?;
    let harvests = Box::pin(harvest::harvest(stack, &mut seen.differences)).await?;
    if !json {
        harvest::tell(&harvests)?;
    }
    say("9. Who lacks a mapping? Everybody is to have one in NEMO and one in LabArchives. GET /audit/missing tells who has not,\n\
         \x20  and each of them gets one mail, which the embedded AWS keeps. The link in it, to register, leads nowhere here.\n"
        .to_owned())?;
    let audits = Box::pin(audit::audit(stack, &mut seen.differences)).await?;
    if !json {
        audit::tell(&audits)?;
    }
    if json {
        let answers: Vec<Value> = seen
            .answers
            .iter()
            .map(|(question, status, answer)| {
                json!({ "question": question.words, "path": question.path, "status": status, "answer": answer })
            })
            .collect();
        let failed: serde_json::Map<String, Value> =
            seen.failed.iter().map(|(file, rows)| (file.clone(), json!(rows))).collect();
        let runs: Vec<wire::Run> = seen.runs.iter().cloned().map(Into::into).collect();
        let exported: Vec<wire::Run> = [&exports.first, &exports.second].into_iter().cloned().map(Into::into).collect();
        let synced = [&syncs.first, &syncs.second].map(|run| wire::Run::from(run.clone()));
        let harvested = [harvests.first, harvests.second].map(wire::Run::from);
        let audited = [audits.first, audits.second].map(wire::Run::from);
        let lacking: serde_json::Map<String, Value> =
            audits.lacking.into_iter().map(|(username, (_, lacks))| (username, json!(lacks))).collect();
        show::json(&json!({
            "as_expected": seen.differences.is_empty(),
            "differences": seen.differences,
            "runs": runs,
            "not_imported": failed,
            "accounts": seen.accounts,
            "links": seen.links,
            "answers": answers,
            "exports": {
                "stand_ins": true,
                "runs": exported,
                "not_exported": exports.not_exported,
                "people": exports.people,
                "teams": exports.teams,
            },
            "syncs": {
                "runs": synced,
                "plan": syncs.plan,
                "left_out": syncs.left_out,
            },
            "migration": {
                "runs": moved.runs.into_iter().map(wire::Run::from).collect::<Vec<_>>(),
                "not_migrated": moved.not_migrated,
            },
            "harvests": {
                "stand_in": true,
                "runs": harvested,
                "not_stored": harvests.not_stored,
                "last_seen": harvests.seen,
            },
            "audits": {
                "runs": audited,
                "numbers": audits.numbers,
                "lacking": lacking,
                "mailed": audits.mailed,
            },
        }))?;
    }
    Ok(seen.differences)
}

/// Drops files into the bucket, waits for their runs, and reads back what failed.
async fn import(stack: &Stack, samples: &[Sample], seen: &mut Seen) -> anyhow::Result<()> {
    let config = stack.aws.sdk_config();
    let bucket = &stack.made.bucket;
    let s3 = aws_sdk_s3::Client::new(&config);
    for sample in samples {
        let put = s3.put_object().bucket(bucket).key(sample.key).body(sample.text.as_bytes().to_vec().into());
        put.send().await.with_context(|| format!("cannot put {}", sample.key))?;
    }
    let runs = Runs::new(stack.table(), Clock::system(), Entropy::system());
    for sample in samples {
        let run = ended(&runs, &format!("s3://{bucket}/{}", sample.key)).await?;
        let short = sample.key.rsplit('/').next().unwrap_or(sample.key);
        let mut expect = |what: &str, expected: String, found: String| {
            if expected != found {
                seen.differences.push(format!("{short}: {what}: expected {expected}, found {found}"));
            }
        };
        expect("state", show::state(RunState::Partly).to_owned(), show::state(run.state).to_owned());
        expect("outcomes", show::counts(&sample.counts), show::counts(&run.counts));
        let rows = match &run.reports.failed {
            Some(key) => failed_rows(&s3, bucket, key, usize::MAX).await?,
            None => Vec::new(),
        };
        let lines = |rows: Vec<(u64, &str)>| {
            rows.iter().map(|(line, outcome)| format!("line {line} {outcome}")).collect::<Vec<_>>().join(", ")
        };
        let found = rows.iter().map(|row| (row.line, row.outcome.as_str())).collect();
        expect("rows not imported", lines(sample.failed.to_vec()), lines(found));
        if let Some(row) = rows.iter().find(|row| row.reason.trim().is_empty()) {
            expect(&format!("reason of line {}", row.line), "one".to_owned(), "none".to_owned());
        }
        seen.runs.push(run);
        seen.failed.push((short.to_owned(), rows));
    }
    Ok(())
}

async fn ended(runs: &Runs, source: &str) -> anyhow::Result<RunRecord> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let run = runs.list(None, 100).await?.into_iter().find(|run| run.source == source);
        if let Some(run) = run.filter(|run| run.state != RunState::Running) {
            return Ok(run);
        }
        sleep(Duration::from_millis(25)).await;
    }
    bail!("{source} was not imported within {} s", PATIENCE.as_secs())
}

/// The accounts of the pool, which must be those of the sample's people, each fit to log in.
async fn accounts(stack: &Stack, seen: &mut Seen) -> anyhow::Result<()> {
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&stack.aws.sdk_config());
    let pool = &stack.made.pool_id;
    let users = cognito.list_users().user_pool_id(pool).send().await.context("cannot list the accounts")?;
    for user in users.users() {
        let email = user.attributes().iter().find(|attribute| attribute.name() == "email");
        let email = email.and_then(|attribute| attribute.value()).unwrap_or_default().to_lowercase();
        let status = user.user_status().map(|status| status.as_str()).unwrap_or_default();
        if status != "CONFIRMED" {
            seen.differences.push(format!("account {email}: expected CONFIRMED, found {status}"));
        }
        seen.accounts.push(email);
    }
    seen.accounts.sort();
    if seen.accounts != ACCOUNTS {
        seen.differences.push(format!(
            "accounts: expected {}, found {}",
            ACCOUNTS.join(", "),
            seen.accounts.join(", ")
        ));
    }
    Ok(())
}

/// Asks the API over HTTP.
async fn ask(stack: &Stack, seen: &mut Seen) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let get = async |path: &str| -> anyhow::Result<(u16, Value)> {
        let answer = http.get(format!("{}{path}", stack.api_url)).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.with_context(|| format!("GET {path} did not answer with JSON"))?))
    };
    for question in questions() {
        let (status, answer) = get(question.path).await?;
        if status != question.status {
            seen.differences.push(format!("GET {}: expected {}, found {status}", question.path, question.status));
        }
        differences(&question.holds, &answer, question.path, &mut seen.differences);
        seen.answers.push((question, status, answer));
    }
    for (fein, expected) in LINKS {
        let (_, answer) = get(&format!("/employers/{fein}")).await?;
        let found = answer["administrators"].as_array().map_or(0, Vec::len);
        if found != expected {
            seen.differences.push(format!("links to {fein}: expected {expected}, found {found}"));
        }
        seen.links += found;
    }
    Ok(())
}

/// What `expected` holds and `found` does not. Further fields of an object are no difference, further elements of an
/// array are.
fn differences(expected: &Value, found: &Value, at: &str, told: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(_)) => {
            for (name, value) in expected {
                differences(value, &found[name], &format!("{at} {name}"), told);
            }
        }
        (Value::Array(expected), Value::Array(elements)) if expected.len() == elements.len() => {
            for (index, value) in expected.iter().enumerate() {
                differences(value, &elements[index], &format!("{at}[{index}]"), told);
            }
        }
        _ if expected == found => {}
        _ => told.push(format!("{at}: expected {expected}, found {found}")),
    }
}

/// In which order a reader wants an answer's fields; others come last.
const ORDER: [&str; 13] = [
    "title",
    "status",
    "detail",
    "username",
    "email",
    "roles",
    "employer",
    "fein",
    "system",
    "external_id",
    "links",
    "identifiers",
    "notes",
];

/// An answer's fields, a line each; an array's elements too.
fn fields(answer: &Value) -> String {
    let fields = in_order(answer);
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (name, value) in fields {
        let values = match value {
            Value::Array(elements) => elements.iter().map(words).collect(),
            other => vec![words(other)],
        };
        for (index, value) in values.iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            lines.push(format!("    {name:<width$}  {}", show::plain(value)));
        }
    }
    lines.join("\n")
}

/// A value on one line.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(_) => {
            let parts: Vec<_> =
                in_order(value).into_iter().map(|(name, value)| format!("{name} {}", words(value))).collect();
            parts.join(", ")
        }
        other => other.to_string(),
    }
}

/// An object's fields, less those that are null: they say nothing to a reader of the demo.
fn in_order(value: &Value) -> Vec<(&str, &Value)> {
    let mut fields: Vec<(&str, &Value)> =
        value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
    fields.retain(|(_, value)| !value.is_null());
    fields.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()));
    fields
}

#[cfg(test)]
mod tests {
    use crosswalk_csv_import::Kind;

    use super::*;

    #[test]
    fn the_samples_read_and_hold_the_rows_that_are_counted() {
        for sample in [employers(), leave_admins(), mappings()] {
            let rows = csv::Reader::from_reader(sample.text.as_bytes()).records().map(Result::unwrap).count();
            assert_eq!(u64::try_from(rows).unwrap(), sample.counts.read, "{}", sample.key);
            assert_eq!(u64::try_from(sample.failed.len()).unwrap(), sample.counts.unsuccessful(), "{}", sample.key);
            let kind = Kind::from_key(sample.key, &crosswalk_identity::Systems::default()).unwrap();
            let mut shown = Vec::new();
            let counts = crosswalk_csv_import::check(
                sample.text.as_bytes(),
                &kind,
                |row| shown.push((row.line, row.outcome)),
                |_, _| {},
            );
            assert_eq!(counts.unwrap().read, sample.counts.read, "{}", sample.key);
        }
    }

    #[test]
    fn differences_are_told_by_their_place() {
        let mut found = Vec::new();
        differences(&json!({ "a": [{ "b": 1 }], "c": "x" }), &json!({ "a": [{ "b": 2, "d": 3 }] }), "GET", &mut found);
        assert_eq!(found, ["GET a[0] b: expected 1, found 2", "GET c: expected \"x\", found null"]);
        found.clear();
        differences(&json!([1]), &json!([1, 2]), "GET", &mut found);
        assert_eq!(found, ["GET: expected [1], found [1,2]"]);
    }
}
