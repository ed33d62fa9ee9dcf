//! How fast `check` is beside the csv crate, and what memory it takes: `cargo run --profile ci -p crosswalk-csv-import
//! --example check_speed [ROWS [ROUNDS]]`.
//!
//! One file of mapping rows, read in turns by `check`, by the csv crate into owned text, and by the csv crate into the
//! identifiers. Fails if `check` takes over twice the time of the first reading, or over 48 MiB more than for ten rows.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crosswalk_csv_import::{Kind, check};
use crosswalk_identity::{Email, ExternalId, System, Username};

/// The most that `check` may take, as a multiple of what the csv crate takes into owned text.
const MOST_TIME: f64 = 2.0;
/// The most memory that it may take beyond that of ten rows, in KiB.
const MOST_MEMORY: u64 = 48 * 1024;

/// One way to read the file; gives the rows that it read.
type Reading = (&'static str, fn(&Path) -> Result<u64>);

const READINGS: [Reading; 4] = [
    ("check", checked),
    ("csv into owned text", into_text),
    ("csv with serde into owned text", into_text_with_serde),
    ("csv into identifiers", into_identifiers),
];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: u64| arguments.next().map_or(Ok(otherwise), |text| text.parse());
    let (rows, rounds) = (number(1_000_000)?, number(9)?);
    let folder = tempfile::tempdir()?;
    let (few, many) = (folder.path().join("few.csv"), folder.path().join("many.csv"));
    write(&few, 10)?;
    write(&many, rows)?;
    println!("{rows} rows, {} MiB", fs::metadata(&many)?.len() >> 20);

    // First of all, as a process's peak never falls.
    checked(&few)?;
    let before = peak()?;
    checked(&many)?;
    let memory = peak()?.saturating_sub(before);
    println!("memory beyond that of ten rows: {memory} KiB");

    let mut times = vec![Vec::new(); READINGS.len()];
    for _ in 0..rounds.max(1) {
        for ((name, read), times) in READINGS.iter().zip(&mut times) {
            let begun = on_processor()?;
            let read = read(&many)?;
            times.push(on_processor()?.saturating_sub(begun));
            ensure!(read == rows, "{name} read {read} rows");
        }
    }
    let medians: Vec<Duration> = times.into_iter().map(median).collect();
    let ratio = |other: usize| medians[0].as_secs_f64() / medians[other].as_secs_f64();
    for (at, (name, _)) in READINGS.iter().enumerate() {
        println!("{name}: {:.3} s; check takes {:.2} of it", medians[at].as_secs_f64(), ratio(at));
    }
    ensure!(memory <= MOST_MEMORY, "check takes {memory} KiB more for {rows} rows than for ten");
    ensure!(ratio(1) <= MOST_TIME, "check takes {:.2} times what the csv crate takes", ratio(1));
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Writes a file as administrators have them: addresses for most, notes for some, and a name beyond ASCII now and then.
fn write(path: &Path, rows: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "username,external_id,email,notes")?;
    for n in 0..rows {
        let name = match n % 50 {
            0 => format!("Zo\u{eb}.Person{n:07}"),
            _ => format!("Some.Person{n:07}"),
        };
        let email = if n % 10 == 9 { String::new() } else { format!("some.person{n:07}@campus.example.org") };
        let notes = if n % 3 == 0 { "\"from the list, spring\"" } else { "" };
        writeln!(file, "{name},ext-{n:010},{email},{notes}")?;
    }
    file.into_inner()?.sync_all()?;
    Ok(())
}

fn checked(path: &Path) -> Result<u64> {
    let kind = Kind::Mappings(System::parse("nemo")?);
    let counts = check(File::open(path)?, &kind, |_| {}, |_, _| {})?;
    ensure!(counts.rejected == 0, "{} rows were rejected", counts.rejected);
    Ok(counts.read)
}

/// The fields that a mapping row has.
#[derive(serde::Deserialize)]
struct Text {
    username: String,
    external_id: String,
    email: String,
    notes: String,
}

fn into_text(path: &Path) -> Result<u64> {
    let mut file = csv::Reader::from_path(path)?;
    let mut record = csv::StringRecord::new();
    let mut rows = 0;
    while file.read_record(&mut record)? {
        let cell = |at: usize| record.get(at).unwrap_or_default().to_owned();
        let row = Text { username: cell(0), external_id: cell(1), email: cell(2), notes: cell(3) };
        rows += used(row);
    }
    Ok(rows)
}

fn into_text_with_serde(path: &Path) -> Result<u64> {
    let mut rows = 0;
    for row in csv::Reader::from_path(path)?.deserialize() {
        rows += used(row?);
    }
    Ok(rows)
}

/// Keeps the compiler from leaving out what nobody reads.
fn used(row: Text) -> u64 {
    let row = std::hint::black_box(row);
    u64::from(!(row.username.is_empty() || row.external_id.is_empty() || row.email.len() + row.notes.len() > 1_000))
}

fn into_identifiers(path: &Path) -> Result<u64> {
    let mut file = csv::Reader::from_path(path)?;
    let mut record = csv::StringRecord::new();
    let mut rows = 0;
    while file.read_record(&mut record)? {
        let cell = |at: usize| record.get(at).unwrap_or_default();
        let given = |at: usize| Some(cell(at)).filter(|text| !text.is_empty());
        let email = given(2).map(Email::parse).transpose()?;
        let row = (Username::parse(cell(0))?, ExternalId::parse(cell(1))?, email, given(3).map(str::to_owned));
        std::hint::black_box(row);
        rows += 1;
    }
    Ok(rows)
}

/// How long this thread has been on a processor: what else a machine is busy with counts little.
fn on_processor() -> Result<Duration> {
    let times = fs::read_to_string("/proc/thread-self/schedstat").context("time is measured on Linux alone")?;
    let first = times.split_whitespace().next().context("the kernel tells no time")?;
    Ok(Duration::from_nanos(first.parse()?))
}

/// The most memory that this process has taken so far, in KiB.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("memory is measured on Linux alone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells no peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
