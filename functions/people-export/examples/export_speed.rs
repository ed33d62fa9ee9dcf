//! How fast a realm is read and mapped beside a bare reader, and what it takes: `cargo run --profile ci
//! -p crosswalk-people-export --example export_speed [ROUNDS]`.
//!
//! With `KEYCLOAK_BASE_URL` and the other settings of the export: that realm. Without: the stand-in's, in a process of its
//! own, with 10,000 people and then with 100,000, which shows whether time and memory grow with them. The stand-in says
//! nothing about Keycloak's speed; beside it, what is ours weighs as much as it can.
//!
//! The bare reader sends the very requests that the export sends (recorded on their way through a forwarder), over as many
//! connections, and drops what comes: no JSON is read, and no request waits for another's answer. Each measurement is a
//! process of its own, in turns. Fails if ours takes over 1.3 of the bare reader's time (medians) from a Keycloak, half a
//! second on the processor for 10,000 people, or 128 MiB (256 MiB for more than 10,000).

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crosswalk_function_kit::secrets::{SecretSource, Secrets};
use crosswalk_function_kit::settings::Environment;
use crosswalk_people_export::keycloak::{Keycloak, KeycloakSettings};
use crosswalk_people_export::mapping::{Mapping, MappingSettings};
use crosswalk_stand_ins::keycloak::{KeycloakStandIn, RealmSpec};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// The most that ours may take, as a multiple of what the bare reader takes from a real Keycloak.
const MOST_TIME: f64 = 1.3;
/// The most that it may be on the processor, in seconds for each 10,000 people.
const MOST_PROCESSOR: f64 = 0.5;
/// How long the bare reader uses a token.
const TOKEN_KEPT: Duration = Duration::from_secs(30);

/// What a measured process says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    people: usize,
    teams: usize,
    seconds: f64,
    /// Seconds on the processor, the process's start included.
    processor: f64,
    peak_kib: u64,
}

/// The first line of each request that the export sends, tokens included, in order.
type Asked = Vec<String>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["read"] => say(&read().await?),
        ["bare", file] => say(&bare(Path::new(file)).await?),
        ["serve", people, groups, memberships] => serve(people.parse()?, groups.parse()?, memberships.parse()?),
        [] => measure_all(5).await,
        [rounds] => measure_all(rounds.parse::<usize>()?.max(1)).await,
        _ => anyhow::bail!("give how many rounds to make, or nothing"),
    }
}

async fn measure_all(rounds: usize) -> Result<()> {
    if Environment::of_process().get("KEYCLOAK_BASE_URL").is_some() {
        let settings = KeycloakSettings::from_env(&Environment::of_process())?;
        println!("the realm `{}` of the Keycloak at {}", settings.realm, settings.base_url);
        let (bare, ours) = measure(&[], settings.base_url.as_str(), rounds).await?;
        let ratio = ours.seconds / bare.seconds;
        ensure!(ratio <= MOST_TIME, "ours takes {ratio:.2} of the bare reader's time");
        return ensure_modest(&ours);
    }
    let mut all = Vec::new();
    for (people, groups, memberships) in [(10_000, 500, 30_000), (100_000, 5_000, 300_000)] {
        println!("the stand-in's realm of {people} people, {groups} groups and {memberships} memberships");
        let stand_in = StandIn::start(people, groups, memberships)?;
        all.push(measure(&stand_in.settings, &stand_in.url, rounds).await?.1);
    }
    let grown = |of: fn(&Measured) -> f64| of(&all[1]) / of(&all[0]);
    println!(
        "ten times the people: {:.1} times the time, {:.1} times that on the processor, {:.1} times the memory",
        grown(|ours| ours.seconds),
        grown(|ours| ours.processor),
        grown(|ours| ours.peak_kib as f64)
    );
    all.iter().try_for_each(ensure_modest)
}

fn ensure_modest(ours: &Measured) -> Result<()> {
    let most = MOST_PROCESSOR * (ours.people as f64 / 10_000.0).max(1.0);
    ensure!(ours.processor <= most, "{:.2} s on the processor for {} people", ours.processor, ours.people);
    let most_mib = if ours.people > 10_000 { 256 } else { 128 };
    ensure!(ours.peak_kib <= most_mib * 1024, "{} MiB for {} people", ours.peak_kib >> 10, ours.people);
    Ok(())
}

/// The medians of the bare reader's and of ours.
async fn measure(settings: &[(String, String)], base_url: &str, rounds: usize) -> Result<(Measured, Measured)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("requests");
    // The first read warms Keycloak up, and is not counted.
    let asked = record(settings, base_url).await?;
    let is_token = |line: &&String| line.starts_with("POST");
    let gets: Vec<&str> = asked.iter().filter(|line| !is_token(line)).map(|line| line.as_str()).collect();
    std::fs::write(&file, gets.join("\n"))?;
    let kinds = ["users/count", "users", "groups/count", "groups", "children", "members"];
    let of_kind = |kind: &str| gets.iter().filter(|line| kind_of(line) == kind).count();
    let counted: Vec<String> = kinds.iter().map(|kind| format!("{} {kind}", of_kind(kind))).collect();
    println!("  {} requests: {}, {} tokens", asked.len(), counted.join(", "), asked.iter().filter(is_token).count());

    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let file = file.to_str().context("a path that is no text")?;
        // In turns, so that neither always comes first.
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                bare.push(process(settings, &["bare", file])?);
            } else {
                ours.push(process(settings, &["read"])?);
            }
        }
    }
    let (bare, ours) = (median(bare), median(ours));
    for (name, of) in [("the bare reader", &bare), ("read and mapped", &ours)] {
        let memory = of.peak_kib as f64 / 1024.0;
        println!("  {name}: {:.2} s, {:.2} s on the processor, {memory:.1} MiB at most", of.seconds, of.processor);
    }
    let ratio = ours.seconds / bare.seconds;
    println!("  ratio {ratio:.2}; {} people and {} teams; medians of {rounds} rounds", ours.people, ours.teams);
    Ok((bare, ours))
}

/// The last part of a request's path that tells its kind.
fn kind_of(line: &str) -> &str {
    let path = line.split([' ', '?']).nth(1).unwrap_or_default();
    if path.ends_with("/count") {
        return if path.ends_with("users/count") { "users/count" } else { "groups/count" };
    }
    path.rsplit('/').next().unwrap_or_default()
}

/// Each number's own median.
fn median(all: Vec<Measured>) -> Measured {
    let middle = |of: fn(&Measured) -> f64| {
        let mut numbers: Vec<f64> = all.iter().map(of).collect();
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    Measured {
        people: all[0].people,
        teams: all[0].teams,
        seconds: middle(|one| one.seconds),
        processor: middle(|one| one.processor),
        peak_kib: middle(|one| one.peak_kib as f64) as u64,
    }
}

/// This program, with other arguments.
fn command(settings: &[(String, String)], arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).envs(settings.iter().map(|(name, value)| (name, value))).stdout(Stdio::piped());
    Ok(command)
}

fn process(settings: &[(String, String)], arguments: &[&str]) -> Result<Measured> {
    let done = command(settings, arguments)?.stderr(Stdio::inherit()).output()?;
    ensure!(done.status.success(), "`{}` ended with {}", arguments.join(" "), done.status);
    Ok(serde_json::from_slice(&done.stdout)?)
}

fn say(measured: &Measured) -> Result<()> {
    println!("{}", serde_json::to_string(measured)?);
    Ok(())
}

/// Ours: the realm is read and mapped.
async fn read() -> Result<Measured> {
    let environment = Environment::of_process();
    let mapping = Mapping::new(MappingSettings::from_env(&environment)?);
    let secrets = Secrets::new(&aws_config::SdkConfig::builder().build());
    let begun = Instant::now();
    let keycloak = Keycloak::new(KeycloakSettings::from_env(&environment)?, secrets)?;
    let realm = keycloak.read(&mapping.wanted(), &|_| {}).await?;
    let desired = mapping.desired(realm);
    measured(desired.people.len(), desired.teams.len(), begun)
}

/// The bare reader: the same requests, whose answers are dropped.
async fn bare(file: &Path) -> Result<Measured> {
    let settings = KeycloakSettings::from_env(&Environment::of_process())?;
    let SecretSource::Value(secret) = &settings.client_secret else { anyhow::bail!("the secret must be given itself") };
    let begun = Instant::now();
    let http = reqwest::Client::builder().no_proxy().build()?;
    let base = settings.base_url.as_str().trim_end_matches('/');
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &settings.client_id),
        ("client_secret", secret.expose_secret()),
    ];
    let token = format!("{base}/realms/{}/protocol/openid-connect/token", settings.realm);
    // Tokens may end sooner than the read.
    let kept = Mutex::new(None);
    let bearer = async || {
        let young = |(token, since): &(String, Instant)| (since.elapsed() < TOKEN_KEPT).then(|| token.clone());
        if let Some(token) = kept.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(young) {
            return Ok::<_, anyhow::Error>(token);
        }
        let answer: serde_json::Value = http.post(&token).form(&form).send().await?.error_for_status()?.json().await?;
        let token = answer["access_token"].as_str().context("no token")?.to_owned();
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((token.clone(), Instant::now()));
        Ok(token)
    };
    // The path is recorded whole, so it goes after the origin.
    let origin = settings.base_url.origin().ascii_serialization();
    let lines = std::fs::read_to_string(file)?;
    let urls = lines.lines().filter_map(|line| line.split(' ').nth(1)).map(|path| format!("{origin}{path}"));
    stream::iter(urls)
        .map(|url| {
            let (http, bearer) = (&http, &bearer);
            async move {
                let mut answer = http.get(url).bearer_auth(bearer().await?).send().await?.error_for_status()?;
                while answer.chunk().await?.is_some() {}
                Ok::<_, anyhow::Error>(())
            }
        })
        .buffer_unordered(settings.connections)
        .try_collect::<()>()
        .await?;
    measured(0, 0, begun)
}

fn measured(people: usize, teams: usize, begun: Instant) -> Result<Measured> {
    let seconds = begun.elapsed().as_secs_f64();
    // Times in `stat` are in hundredths of a second; the name before them may hold anything but a closing bracket.
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let peak_kib = peak.trim().trim_end_matches(" kB").parse()?;
    Ok(Measured { people, teams, seconds, processor: ticks as f64 / 100.0, peak_kib })
}

/// What the export asks for: our read, through a forwarder that notes the requests.
async fn record(settings: &[(String, String)], base_url: &str) -> Result<Asked> {
    let mut url: reqwest::Url = base_url.parse()?;
    ensure!(url.scheme() == "http", "a Keycloak behind TLS cannot be listened in on");
    let target = url.socket_addrs(|| None)?.into_iter().next().context("no address")?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let asked = Arc::new(Mutex::new(Asked::new()));
    let noting = Arc::clone(&asked);
    let forwarder = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, target, Arc::clone(&noting)));
        }
    });
    let _ = url.set_ip_host(address.ip());
    let _ = url.set_port(Some(address.port()));
    let mut settings = settings.to_vec();
    settings.push(("KEYCLOAK_BASE_URL".to_owned(), url.to_string()));
    tokio::task::spawn_blocking(move || process(&settings, &["read"])).await??;
    forwarder.abort();
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(asked.clone())
}

/// Passes one connection on. A request begins with a packet of its own: the client sends no second before the answer.
async fn forward(client: TcpStream, target: SocketAddr, asked: Arc<Mutex<Asked>>) -> std::io::Result<()> {
    let server = TcpStream::connect(target).await?;
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from_client.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        let line = buffer[..read].split(|byte| *byte == b'\r').next().unwrap_or_default();
        if line.starts_with(b"GET ") || line.starts_with(b"POST ") {
            let line = String::from_utf8_lossy(line).into_owned();
            asked.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
        to_server.write_all(&buffer[..read]).await?;
    }
    back.abort();
    Ok(())
}

/// The stand-in in a process of its own, which ends when its input does.
struct StandIn {
    child: Child,
    _input: Option<ChildStdin>,
    url: String,
    settings: Vec<(String, String)>,
}

impl StandIn {
    fn start(people: usize, groups: usize, memberships: usize) -> Result<Self> {
        let numbers = [people, groups, memberships].map(|number| number.to_string());
        let [people, groups, memberships] = numbers.each_ref().map(String::as_str);
        let mut child = command(&[], &["serve", people, groups, memberships])?.stdin(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let settings: Vec<(String, String)> = serde_json::from_str(&line)?;
        let url = settings.iter().find(|(name, _)| name == "KEYCLOAK_BASE_URL").context("no address")?.1.clone();
        Ok(Self { child, _input: input, url, settings })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(people: usize, groups: usize, memberships: usize) -> Result<()> {
    let keycloak = KeycloakStandIn::start(RealmSpec::sample(people, groups, memberships))?;
    let settings = keycloak.settings().map(|(name, value)| (name.to_owned(), value));
    println!("{}", serde_json::to_string(&settings)?);
    // Until whoever started it is gone.
    while std::io::stdin().lock().read_line(&mut String::new())? > 0 {
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
