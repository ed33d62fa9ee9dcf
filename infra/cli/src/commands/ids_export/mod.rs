//! `crosswalk ids export`: all mappings as CSV, JSON or NexusLIMS's SQLite table.
//!
//! The whole table is read, page by page, so that the copy is strongly consistent and nothing is lost of a system that
//! CROSSWALK_SYSTEMS no longer names. Each page is written before the next one is read.

mod output;
mod sqlite;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;
use crosswalk_function_kit::settings::Environment;
use crosswalk_identifier_store::IdentifierStore;
use crosswalk_identity::{Mapping, System, Systems, times};
use crosswalk_mapping_api::wire;
use crosswalk_runs::spreadsheet::guard;

use crate::args::FormatArg;
use crate::target::systems;
use crate::{Exit, show};
use output::Output;
use sqlite::Database;

/// The columns that an import of mappings takes come first; by the others it knows the file for an export.
const COLUMNS: [&str; 7] = ["username", "external_id", "email", "notes", "system", "created_at", "last_verified_at"];

/// What is to be written out.
pub(crate) struct Request {
    /// Only these; none: all.
    systems: Vec<System>,
    known: Systems,
    format: FormatArg,
    output: Option<PathBuf>,
}

impl Request {
    /// From what was typed.
    ///
    /// # Errors
    /// A name is no system's, the form and the place do not go together, or the file exists.
    pub(crate) fn of(
        names: &[String],
        format: Option<FormatArg>,
        output: Option<PathBuf>,
        json: bool,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let format = match (format, json) {
            (Some(FormatArg::Json), _) | (None, true) => FormatArg::Json,
            (Some(_), true) => bail!("--json and --format name two forms; give one"),
            (Some(format), false) => format,
            (None, false) => FormatArg::Csv,
        };
        let known = systems(environment)?;
        // One that is not known here may have been: its mappings are not to be lost.
        let mut systems = Vec::new();
        for name in names {
            match System::parse(name) {
                Ok(system) => systems.push(system),
                Err(_) => bail!("`{name}` is no system's name: 1 to 64 of a-z, 0-9 and _"),
            }
        }
        if format == FormatArg::Sqlite {
            sqlite::check(&systems)?;
            if output.is_none() {
                bail!("--format sqlite needs --output FILE: a database is not written to standard output");
            }
        }
        if let Some(path) = &output {
            output::must_be_new(path)?;
        }
        Ok(Self { systems, known, format, output })
    }

    fn takes(&self, system: &System) -> bool {
        self.systems.is_empty() || self.systems.contains(system)
    }
}

/// Where the mappings go.
enum Writer {
    Csv(Output),
    Json { output: Output, begun: bool },
    Sqlite(Database),
}

/// Writes them out.
///
/// # Errors
/// The table cannot be read, or the file not be written. There is no file then, or the one that was there before.
pub(crate) async fn run(store: &IdentifierStore, request: &Request) -> anyhow::Result<Exit> {
    let mut writer = Box::pin(Writer::open(request)).await?;
    let mut counts: BTreeMap<System, u64> = BTreeMap::new();
    let mut broken = 0_u64;
    let mut every = store.every_mapping();
    while let Some(page) = Box::pin(every.next_page()).await? {
        let mut mappings = Vec::with_capacity(page.len());
        for mapping in page {
            match mapping {
                Ok(mapping) if request.takes(&mapping.system) => {
                    *counts.entry(mapping.system.clone()).or_default() += 1;
                    mappings.push(mapping);
                }
                Ok(_) => {}
                Err(_) => broken += 1,
            }
        }
        Box::pin(writer.add(&mappings)).await?;
    }
    Box::pin(writer.close()).await?;
    tell(request, &counts, broken)
}

fn tell(request: &Request, counts: &BTreeMap<System, u64>, broken: u64) -> anyhow::Result<Exit> {
    let mut all = true;
    if let Some(path) = &request.output {
        let total: u64 = counts.values().sum();
        let parts: Vec<String> = counts.iter().map(|(system, count)| format!("{count} of {system}")).collect();
        let parts = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
        let line = format!("{} holds {total} mappings{parts}", path.display());
        // With JSON asked for, standard output is a program's.
        if request.format == FormatArg::Json { show::complain(&line) } else { show::say(&line)? }
    }
    for system in request.systems.iter().filter(|system| !counts.contains_key(system)) {
        all &= request.known.get(system.as_str()).is_ok();
        match request.known.get(system.as_str()) {
            Ok(_) => show::complain(&format!("note: {system} has no mappings")),
            Err(error) => show::complain(&format!("{error}; and it has no mappings")),
        }
    }
    let unknown: Vec<&str> =
        counts.keys().map(System::as_str).filter(|system| request.known.get(system).is_err()).collect();
    if !unknown.is_empty() {
        show::complain(&format!(
            "note: CROSSWALK_SYSTEMS does not name {}, so that an import would refuse them",
            unknown.join(", ")
        ));
    }
    if broken > 0 {
        all = false;
        show::complain(&format!("{broken} items do not read, and are left out; `crosswalk ids check` names them"));
    }
    Ok(if all { Exit::Done } else { Exit::NotAll })
}

impl Writer {
    async fn open(request: &Request) -> anyhow::Result<Self> {
        let path = request.output.as_deref();
        Ok(match (request.format, path) {
            (FormatArg::Sqlite, Some(path)) => Self::Sqlite(Database::create(path).await?),
            (FormatArg::Sqlite, None) => bail!("--format sqlite needs --output FILE"),
            (FormatArg::Json, path) => {
                let mut output = Output::open(path)?;
                output.write(b"[")?;
                Self::Json { output, begun: false }
            }
            (FormatArg::Csv, path) => {
                let mut output = Output::open(path)?;
                output.write(&csv(|writer| writer.write_record(COLUMNS))?)?;
                Self::Csv(output)
            }
        })
    }

    async fn add(&mut self, mappings: &[Mapping]) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(database) => database.add(mappings).await,
            Self::Json { output, begun } => {
                let mut text = String::new();
                for mapping in mappings {
                    text += if *begun { ",\n" } else { "\n" };
                    *begun = true;
                    text += &serde_json::to_string(&wire::Mapping::from(mapping.clone()))?;
                }
                output.write(text.as_bytes())
            }
            Self::Csv(output) => {
                let rows = csv(|writer| mappings.iter().try_for_each(|mapping| writer.write_record(cells(mapping))))?;
                output.write(&rows)
            }
        }
    }

    async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Json { mut output, .. } => {
                output.write(b"\n]\n")?;
                output.close()
            }
            Self::Csv(output) => output.close(),
        }
    }
}

fn csv(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write(&mut writer)?;
    Ok(writer.into_inner()?)
}

/// Guarded as a report's: people open them in spreadsheets.
fn cells(mapping: &Mapping) -> [String; 7] {
    let Mapping { username, system, external_id, email, created_at, last_verified_at, notes, .. } = mapping;
    let email = email.as_ref().map(ToString::to_string).unwrap_or_default();
    [
        guard(username.as_str()).into_owned(),
        guard(external_id.as_str()).into_owned(),
        guard(&email).into_owned(),
        guard(notes.as_deref().unwrap_or_default()).into_owned(),
        system.to_string(),
        times::text(*created_at),
        last_verified_at.map(times::text).unwrap_or_default(),
    ]
}
