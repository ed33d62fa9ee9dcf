//! How long a whole sync from a directory into Invenio's database takes beside bare tools, and what it takes of memory:
//! `tests/peers/sync-speed/bench` starts a real OpenLDAP and a real PostgreSQL and calls this.
//!
//! `measure FILE PEOPLE ROUNDS`, for the directory of `LDAP_SERVER` and the other settings of the sync, adds a line to FILE.
//! Each run is a process of its own, as on Lambda. `tell FILE` prints what the lines say of each other, and fails where a
//! goal is missed.
//!
//! The bare tools: a paged `ldapsearch` of the same attributes, and COPY of the very rows that the first run made, into a
//! table with the same indexes (for a first run) or out of it (for a run that finds 1 % changed).
//! Beside them stands the shape of a script that looks each person up and then writes them, two statements a person.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use crosswalk_directory_sync::event::WAY;
use crosswalk_directory_sync::{Ran, SyncRequest, SyncSettings, Syncer};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_reconcile::Counts;
use crosswalk_runs::{Place, run_id};
use futures::{FutureExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::time::Instant;

/// The most that a first run, and one that finds 1 % changed, may take, as multiples of what the bare tools take.
const MOST_FIRST: f64 = 3.0;
const MOST_CHANGED: f64 = 3.0;
/// The most memory.
const MOST_MIB: f64 = 128.0;
/// How much more than its share of time ten times the people may take.
const MOST_GROWTH: f64 = 1.5;
/// For how many people at most the script's shape is tried: it takes its time.
const SCRIPTED: u64 = 10_000;

/// As invenio-accounts 9.1's models make it.
const TABLE: &str = "\
    DROP TABLE IF EXISTS copied, accounts_user; \
    CREATE TABLE accounts_user (created timestamptz NOT NULL, updated timestamptz NOT NULL, id serial PRIMARY KEY, \
        username varchar(255) UNIQUE, displayname varchar(255), email varchar(255) UNIQUE, domain varchar(255), \
        password varchar(255), active boolean, confirmed_at timestamptz, version_id integer NOT NULL, profile jsonb, \
        preferences jsonb, blocked_at timestamptz, verified_at timestamptz)";

/// What one of our runs says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Run {
    seconds: f64,
    /// Seconds on the processor, the process's start included.
    processor: f64,
    peak_kib: u64,
    counts: Counts,
    /// Statements in Invenio's database.
    statements: u64,
    /// Pages of the directory.
    pages: u64,
}

/// A directory's medians, in seconds but for the runs.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    people: u64,
    ldapsearch: f64,
    copy_in: f64,
    copy_out: f64,
    first: Run,
    unchanged: Run,
    changed: Run,
    /// The script's shape: its first run and its second, without the search.
    script: Option<(f64, f64)>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run"] => println!("{}", serde_json::to_string(&run().boxed().await?)?),
        ["measure", file, people, rounds] => {
            let measured = measure(people.parse()?, rounds.parse::<usize>()?.max(1)).await?;
            let mut file = std::fs::File::options().create(true).append(true).open(file)?;
            writeln!(file, "{}", serde_json::to_string(&measured)?)?;
        }
        ["tell", file] => tell(Path::new(file))?,
        _ => bail!("give `measure FILE PEOPLE ROUNDS` or `tell FILE`; `tests/peers/sync-speed/bench` does both"),
    }
    Ok(())
}

/// One sync, as the settings say.
async fn run() -> Result<Run> {
    let settings = SyncSettings::from_env(&Environment::of_process())?;
    let begun = Instant::now();
    let config = aws_config::SdkConfig::builder().build();
    let (clock, entropy, secrets) = (Clock::system(), Entropy::system(), Secrets::new(&config));
    let place = Place::new(&settings.kept, &config, &clock, &entropy);
    let request = SyncRequest {
        run_id: run_id::random(WAY, &entropy),
        delivery: "sync_speed".to_owned(),
        leg: 1,
        allow_removals: false,
        plan_hash: None,
    };
    let syncer = Syncer::new(settings, place, config, secrets, clock, entropy);
    let Ran::Ended(record) = syncer.sync(&request, Deadline::NONE, &|_| {}).boxed().await? else {
        bail!("another run is at it");
    };
    let seconds = begun.elapsed().as_secs_f64();
    // Some of the directory's people have no e-mail and are rejected; nothing else may go wrong.
    let counts = record.counts;
    ensure!(counts.failed + counts.conflict + counts.skipped == 0, "{:?}", record.reasons);
    let requests = |of: &str| record.traffic.get(of).map_or(0, |traffic| traffic.requests);
    let (processor, peak_kib) = taken()?;
    Ok(Run { seconds, processor, peak_kib, counts, statements: requests("invenio"), pages: requests("ldap") })
}

/// Seconds on the processor, and the most memory, of this process.
fn taken() -> Result<(f64, u64)> {
    // Times in `stat` are in hundredths of a second; the name before them may hold anything but a closing bracket.
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok((ticks as f64 / 100.0, peak.trim().trim_end_matches(" kB").parse()?))
}

/// The bare tools, and where they work.
struct Bare {
    server: String,
    user: String,
    password: String,
    base: String,
    sql: PgConnection,
}

async fn measure(people: u64, rounds: usize) -> Result<Measured> {
    let mut bare = Bare::new().await?;
    let (mut ldapsearch, mut copy_in, mut copy_out) = (Vec::new(), Vec::new(), Vec::new());
    let (mut first, mut unchanged, mut changed, mut script) = (Vec::new(), Vec::new(), Vec::new(), None);
    for round in 0..rounds {
        sqlx::raw_sql(TABLE).execute(&mut bare.sql).await?;
        let state = tempfile::tempdir()?;
        ldapsearch.push(bare.search()?);
        first.push(child(state.path())?);
        let (out, text) = bare.copy_out().await?;
        copy_in.push(bare.copy_in(&text).await?);
        drop(text);
        unchanged.push(child(state.path())?);
        copy_out.push(out);
        ldapsearch.push(bare.search()?);
        let of_hundred = bare.change(people, round)?;
        let run = child(state.path())?;
        ensure!(run.counts.updated == of_hundred, "{} of {of_hundred} were updated", run.counts.updated);
        changed.push(run);
        if people <= SCRIPTED && round == 0 {
            script = Some(bare.script().await?);
        }
    }
    let (first, unchanged, changed) = (runs(first), runs(unchanged), runs(changed));
    ensure!(first.counts.created > 0 && first.counts.created == unchanged.counts.unchanged, "{:?}", first.counts);
    let (ldapsearch, copy_in, copy_out) = (median(ldapsearch), median(copy_in), median(copy_out));
    Ok(Measured { people, ldapsearch, copy_in, copy_out, first, unchanged, changed, script })
}

/// A sync in a process of its own.
fn child(state: &Path) -> Result<Run> {
    let mut command = Command::new(std::env::current_exe()?);
    let command = command.arg("run").env("SYNC_SOURCE", "ldap").env("SYNC_TARGET", "invenio");
    let done = command.env("CROSSWALK_STATE_DIR", state).stderr(Stdio::inherit()).output()?;
    ensure!(done.status.success(), "a run ended with {}", done.status);
    let text = String::from_utf8(done.stdout)?;
    Ok(serde_json::from_str(text.lines().last().context("a run told nothing")?)?)
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Each number's own median; of the memory the most.
fn runs(all: Vec<Run>) -> Run {
    let middle = |of: fn(&Run) -> f64| median(all.iter().map(of).collect());
    let peak_kib = all.iter().map(|run| run.peak_kib).max().unwrap_or(0);
    Run { seconds: middle(|run| run.seconds), processor: middle(|run| run.processor), peak_kib, ..all[0].clone() }
}

impl Bare {
    async fn new() -> Result<Self> {
        let environment = Environment::of_process();
        let given = |name: &str| environment.get(name).map(str::to_owned).with_context(|| format!("{name} is not set"));
        let options: PgConnectOptions = given("INVENIO_DB_URI")?.parse()?;
        Ok(Self {
            server: given("LDAP_SERVER")?,
            user: given("LDAP_BIND_USER_DN")?,
            password: given("LDAP_BIND_PASSWORD")?,
            base: given("LDAP_BASE_DN")?,
            sql: options.disable_statement_logging().connect().await?,
        })
    }

    /// Reads everybody as the sync does, page by page.
    fn search(&self) -> Result<f64> {
        let begun = Instant::now();
        let mut command = Command::new("ldapsearch");
        let command = command.args(["-x", "-LLL", "-H", &self.server, "-D", &self.user, "-w", &self.password]);
        let command = command.args(["-b", &self.base, "-E", "pr=500/noprompt", "(objectClass=person)"]);
        let command = command.args(["mail", "uid", "givenName", "sn", "entryUUID"]).stdout(Stdio::null());
        let ended = command.status()?;
        ensure!(ended.success(), "ldapsearch ended with {ended}");
        Ok(begun.elapsed().as_secs_f64())
    }

    /// One person in a hundred marries; how many that are. The uids are those of `tests/peers/openldap/people.py`.
    fn change(&self, people: u64, round: usize) -> Result<u64> {
        let mut command = Command::new("ldapmodify");
        let root = "cn=root,dc=example,dc=org";
        let command = command.args(["-x", "-H", &self.server, "-D", root, "-w", &self.password]);
        let mut modify = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut input = modify.stdin.take().context("no input")?;
        let changed = (50..people).step_by(100);
        for n in changed.clone() {
            let dn = format!("uid=p{n:05},{}", self.base);
            writeln!(input, "dn: {dn}\nchangetype: modify\nreplace: sn\nsn: Married {round}\n")?;
        }
        drop(input);
        let ended = modify.wait()?;
        ensure!(ended.success(), "ldapmodify ended with {ended}");
        Ok(changed.count() as u64)
    }

    /// The rows as COPY tells them.
    async fn copy_out(&mut self) -> Result<(f64, Vec<u8>)> {
        let begun = Instant::now();
        let mut rows = self.sql.copy_out_raw("COPY accounts_user TO STDOUT").await?;
        let mut text = Vec::new();
        while let Some(more) = rows.try_next().await? {
            text.extend_from_slice(&more);
        }
        Ok((begun.elapsed().as_secs_f64(), text))
    }

    async fn copy_in(&mut self, text: &[u8]) -> Result<f64> {
        let table = "DROP TABLE IF EXISTS copied; CREATE TABLE copied (LIKE accounts_user INCLUDING ALL)";
        sqlx::raw_sql(table).execute(&mut self.sql).await?;
        let begun = Instant::now();
        let mut copy = self.sql.copy_in_raw("COPY copied FROM STDIN").await?;
        for chunk in text.chunks(1 << 20) {
            copy.send(chunk).await?;
        }
        copy.finish().await?;
        Ok(begun.elapsed().as_secs_f64())
    }

    /// The same people as the first run's, each looked up and then written, committed at the end; and once more.
    async fn script(&mut self) -> Result<(f64, f64)> {
        let rows = sqlx::query_as("SELECT email, username, profile ->> 'full_name' FROM accounts_user ORDER BY id");
        let people: Vec<(String, String, String)> = rows.fetch_all(&mut self.sql).await?;
        sqlx::raw_sql(TABLE).execute(&mut self.sql).await?;
        let mut taken = [0.0; 2];
        for taken in &mut taken {
            let begun = Instant::now();
            sqlx::raw_sql("BEGIN").execute(&mut self.sql).await?;
            for (email, username, full_name) in &people {
                let found = sqlx::query_scalar("SELECT id FROM accounts_user WHERE email = $1").bind(email);
                let found: Option<i32> = found.fetch_optional(&mut self.sql).await?;
                let write = match found {
                    None => {
                        "INSERT INTO accounts_user (email, username, displayname, profile, active, version_id, created, \
                         updated) VALUES ($1, $2, $2, jsonb_build_object('full_name', $3), true, 1, now(), now())"
                    }
                    Some(_) => {
                        "UPDATE accounts_user SET username = $2, profile = jsonb_build_object('full_name', $3), \
                         version_id = version_id + 1, updated = now() WHERE email = $1"
                    }
                };
                sqlx::query(write).bind(email).bind(username).bind(full_name).execute(&mut self.sql).await?;
            }
            sqlx::raw_sql("COMMIT").execute(&mut self.sql).await?;
            *taken = begun.elapsed().as_secs_f64();
        }
        Ok((taken[0], taken[1]))
    }
}

fn tell(file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let all: Vec<Measured> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut missed = Vec::new();
    for measured in &all {
        missed.extend(tell_one(measured));
    }
    for pair in all.windows(2) {
        let more = pair[1].people as f64 / pair[0].people as f64;
        let times = |of: fn(&Measured) -> &Run| of(&pair[1]).seconds / of(&pair[0]).seconds;
        let (first, changed) = (times(|measured| &measured.first), times(|measured| &measured.changed));
        println!(
            "{more:.0} times the people: {first:.1} times the time in a first run, {changed:.1} times with 1 % changed"
        );
        if first > more * MOST_GROWTH {
            missed.push(format!("{more:.0} times the people take {first:.1} times the time"));
        }
    }
    ensure!(missed.is_empty(), "missed: {}", missed.join("; "));
    Ok(())
}

/// Prints it; which goals it misses.
fn tell_one(measured: &Measured) -> Vec<String> {
    let Measured { people, ldapsearch, copy_in, copy_out, first, unchanged, changed, script } = measured;
    println!("{people} people of a directory into Invenio's database, medians:");
    println!("  bare: ldapsearch {ldapsearch:.2} s, COPY in {copy_in:.2} s, COPY out {copy_out:.2} s");
    let writing = ldapsearch + copy_in;
    let reading = ldapsearch + copy_out;
    let mut missed = Vec::new();
    for (name, run, bare, most) in [
        ("first run", first, writing, Some(MOST_FIRST)),
        ("nothing changed", unchanged, reading, None),
        ("1 % changed", changed, reading, Some(MOST_CHANGED)),
    ] {
        let ratio = run.seconds / bare;
        let mib = run.peak_kib as f64 / 1024.0;
        println!(
            "  {name}: {:.2} s = {ratio:.2} × {bare:.2} s; {:.2} s on the processor, {mib:.1} MiB at most, {} pages, {} \
             statements",
            run.seconds, run.processor, run.pages, run.statements
        );
        if most.is_some_and(|most| ratio > most) {
            missed.push(format!("{name} of {people}: {ratio:.2} of the bare tools' time"));
        }
        if mib > MOST_MIB {
            missed.push(format!("{name} of {people}: {mib:.1} MiB"));
        }
    }
    if let Some((one, two)) = script {
        println!("  two statements a person, without the search: {one:.2} s, and {two:.2} s in the second run");
    }
    missed
}
