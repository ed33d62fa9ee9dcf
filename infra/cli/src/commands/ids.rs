//! `crosswalk ids`: look up and change mappings, by the store's own operations.

use anyhow::bail;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Change, IdentifierStore, Moved, StoreRequest, Stored};
use crosswalk_identity::{Email, ExternalId, Mapping, Mark, Refusal, System, Username};
use crosswalk_mapping_api::wire;
use crosswalk_people::People;
use serde_json::{Value, json};

use crate::args::{IdsArgs, IdsCommand};
use crate::commands::ids_export::{self, Request};
use crate::commands::invite;
use crate::target::{Target, system};
use crate::{Exit, pages, show};

/// How many mappings are asked for at a time.
const PAGE: usize = 1_000;

/// Runs one of them.
///
/// # Errors
/// The AWS cannot be reached, no table is named, or a system is not known.
pub(crate) async fn run(args: IdsArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    // What was typed is looked at before an AWS is: a typo should not start one.
    let plan = Plan::of(args.command, json, &environment)?;
    let with_account = args.place.aws;
    let target = Target::open(&args.place, environment).await?;
    let entropy = Entropy::system();
    let mark = Mark::request(entropy.uuid().to_string());
    let table = target.table()?;
    let store = IdentifierStore::new(table.clone(), Clock::system(), entropy.clone());
    match plan {
        Plan::Get(username, system) => {
            let found = store.get(&username, &system).await?;
            show_found(found, json, &format!("{username} has no id in {system}"))
        }
        Plan::Find(system, external_id) => {
            let found = store.get_by_external_id(&system, &external_id).await?;
            show_found(found, json, &format!("nobody has the id {external_id} in {system}"))
        }
        Plan::List(username) => {
            let mappings = store.list(&username).await?;
            if json {
                show::json(&wire::Mappings::from(mappings.clone()))?;
            } else if mappings.is_empty() {
                show::complain(&format!("{username} has no ids"));
            } else {
                show::say(&show::mapping_table(&mappings).to_string())?;
            }
            Ok(if mappings.is_empty() { Exit::NotAll } else { Exit::Done })
        }
        Plan::ListSystem(system) => list_system(&store, &system, json).await,
        Plan::Set(request) => set(&store, StoreRequest { mark, ..request }, json).await,
        Plan::Move { system, external_id, from, to } => {
            let moved = store.move_to(&system, &external_id, &from, &to, mark).await?;
            let held = match &moved {
                Moved::Conflict { owner } if *owner == to => {
                    store.get(&to, &system).await?.is_some_and(|mapping| mapping.external_id == external_id)
                }
                _ => false,
            };
            show_moved(moved, json, &format!("nobody has the id {external_id} in {system}"), |owner| {
                if held {
                    format!("{owner} has the id {external_id} in {system} already")
                } else if *owner == to {
                    format!("{owner} has another id in {system}; `crosswalk ids swap` exchanges two")
                } else {
                    format!("the id {external_id} in {system} belongs to {owner}, not to {from}")
                }
            })
        }
        Plan::Swap { system, a, b } => {
            let moved = store.swap(&system, &a, &b, mark).await?;
            show_moved(moved, json, &format!("{a} and {b} do not both have an id in {system}"), |owner| {
                format!("{owner} stands in the way")
            })
        }
        Plan::Remove(username, system) => match store.delete(&username, &system).await? {
            Some(mapping) if json => show::json(&wire::Mapping::from(mapping)).map(|()| Exit::Done),
            Some(mapping) => {
                show::say(&format!("deleted: {username} was {} in {system}", mapping.external_id))?;
                Ok(Exit::Done)
            }
            None => not_found(json, &format!("{username} has no id in {system}")),
        },
        Plan::Export(request) => ids_export::run(&store, &request).await,
        Plan::Invite(username, system) => {
            let environment = pages::settings(&target, with_account).await;
            invite::run(table, &username, &system, json, &environment).await
        }
        Plan::Check => check(&store, &People::new(table, Clock::system(), entropy), json).await,
    }
}

/// What was typed, with known systems.
enum Plan {
    Get(Username, System),
    Find(System, ExternalId),
    List(Username),
    ListSystem(System),
    Set(StoreRequest),
    Move { system: System, external_id: ExternalId, from: Username, to: Username },
    Swap { system: System, a: Username, b: Username },
    Remove(Username, System),
    Check,
    Export(Request),
    Invite(Username, System),
}

impl Plan {
    fn of(command: IdsCommand, json: bool, environment: &Environment) -> anyhow::Result<Self> {
        let known = |name: &str| system(environment, name);
        Ok(match command {
            IdsCommand::Get { username, system } => Self::Get(username, known(&system)?),
            IdsCommand::Find { system, external_id } => Self::Find(known(&system)?, external_id),
            IdsCommand::List { username: Some(username), .. } => Self::List(username),
            IdsCommand::List { system, .. } => Self::ListSystem(known(&system.unwrap_or_default())?),
            IdsCommand::Set { username, system, external_id, email, notes } => Self::Set(StoreRequest {
                username,
                system: known(&system)?,
                external_id,
                email: change(email, |text| Email::parse(&text))?,
                notes: change(notes, Ok)?,
                mark: Mark::request("unset"),
            }),
            IdsCommand::Move { from, to, .. } if from == to => bail!("--from and --to are the same person; name two"),
            IdsCommand::Move { system, external_id, from, to } => {
                Self::Move { system: known(&system)?, external_id, from, to }
            }
            IdsCommand::Swap { a, b, .. } if a == b => bail!("both are the same person; name two"),
            IdsCommand::Swap { system, a, b } => Self::Swap { system: known(&system)?, a, b },
            IdsCommand::Rm { username, system } => Self::Remove(username, known(&system)?),
            IdsCommand::Check => Self::Check,
            IdsCommand::Export { system, format, output } => {
                Self::Export(Request::of(&system, format, output, json, environment)?)
            }
            IdsCommand::Invite { username, system } => {
                let system = known(&system)?;
                invite::check(&system, environment)?;
                Self::Invite(username, system)
            }
        })
    }
}

/// An option that was not given keeps what is stored; an empty one removes it.
fn change<T>(given: Option<String>, parse: impl FnOnce(String) -> Result<T, Refusal>) -> Result<Change<T>, Refusal> {
    match given {
        None => Ok(Change::Keep),
        Some(text) if text.trim().is_empty() => Ok(Change::Clear),
        Some(text) => parse(text).map(Change::Set),
    }
}

/// As the API's 404 says it.
fn not_found(json: bool, detail: &str) -> anyhow::Result<Exit> {
    let problem =
        json!({ "type": "urn:crosswalk:problem:not-found", "title": "Not found", "status": 404, "detail": detail });
    problem_of(json, &problem, detail)
}

/// As the API's 409 says it.
fn conflict(json: bool, owner: &Username, detail: &str) -> anyhow::Result<Exit> {
    let problem = json!({
        "type": "urn:crosswalk:problem:conflict",
        "title": "Taken by another person",
        "status": 409,
        "detail": detail,
        "owner": owner,
    });
    problem_of(json, &problem, &format!("conflict: {detail}"))
}

fn problem_of(json: bool, problem: &Value, text: &str) -> anyhow::Result<Exit> {
    if json {
        show::json(problem)?;
    }
    show::complain(&show::plain(text));
    Ok(Exit::NotAll)
}

fn show_found(found: Option<Mapping>, json: bool, absent: &str) -> anyhow::Result<Exit> {
    let Some(mapping) = found else { return not_found(json, absent) };
    if json {
        show::json(&wire::Mapping::from(mapping))?
    } else {
        show::say(&show::mapping_table(&[mapping]).to_string())?
    }
    Ok(Exit::Done)
}

/// A system may have a million mappings: each page is printed as it comes.
async fn list_system(store: &IdentifierStore, system: &System, json: bool) -> anyhow::Result<Exit> {
    let mut cursor: Option<String> = None;
    let mut count = 0_u64;
    if json {
        show::print("{\"items\":[")?;
    }
    loop {
        let page = store.list_system(system, cursor.as_deref(), PAGE).await?;
        if json {
            for mapping in wire::MappingPage::from(page.clone()).items {
                let separator = if count == 0 { "\n" } else { ",\n" };
                count += 1;
                show::print(&format!("{separator}{}", serde_json::to_string(&mapping)?))?;
            }
        } else if !page.items.is_empty() {
            count += u64::try_from(page.items.len())?;
            show::say(&show::mapping_table(&page.items).to_string())?;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if json {
        show::say("\n],\"next_cursor\":null}")?;
    } else {
        show::say(&format!("{count} in {system}"))?;
    }
    Ok(Exit::Done)
}

async fn set(store: &IdentifierStore, request: StoreRequest, json: bool) -> anyhow::Result<Exit> {
    let StoreRequest { username, system, external_id, .. } = request.clone();
    let (word, mapping) = match store.store(request).await? {
        Stored::Created(mapping) => ("created".to_owned(), mapping),
        Stored::Updated { mapping, previous } if previous == external_id => ("updated".to_owned(), mapping),
        Stored::Updated { mapping, previous } => (format!("updated (was {previous})"), mapping),
        Stored::Verified(mapping) => ("verified".to_owned(), mapping),
        Stored::Conflict { owner } => {
            let detail = format!(
                "the id {external_id} in {system} belongs to {owner}; \
                 `crosswalk ids move {system} {external_id} --from {owner} --to {username}` passes it on"
            );
            return conflict(json, &owner, &detail);
        }
    };
    if json {
        show::json(&wire::Mapping::from(mapping))?;
    } else {
        show::say(&format!("{word}: {} is {} in {}", mapping.username, mapping.external_id, mapping.system))?;
    }
    Ok(Exit::Done)
}

fn show_moved(
    moved: Moved,
    json: bool,
    absent: &str,
    in_the_way: impl FnOnce(&Username) -> String,
) -> anyhow::Result<Exit> {
    match moved {
        Moved::Done(mappings) => {
            if json {
                show::json(&wire::Mappings::from(mappings))?;
            } else {
                show::say(&show::mapping_table(&mappings).to_string())?;
            }
            Ok(Exit::Done)
        }
        Moved::NotFound => not_found(json, absent),
        Moved::Conflict { owner } => conflict(json, &owner, &in_the_way(&owner)),
    }
}

/// Names the items that are not whole: of mappings, and of people, employers and links.
async fn check(store: &IdentifierStore, people: &People, json: bool) -> anyhow::Result<Exit> {
    let mut broken = Vec::new();
    let mappings = store.check_integrity(|item| broken.push(item.to_string())).await?;
    let others = people.check_integrity(|item| broken.push(item.to_string())).await?;
    let items = mappings.mappings + mappings.owners + others.items;
    if json {
        show::json(&json!({ "items": items, "mappings": mappings.mappings, "broken": broken }))?;
    } else if broken.is_empty() {
        show::say(&format!("all {items} items are whole ({} mappings)", mappings.mappings))?;
    } else {
        for item in &broken {
            show::say(&show::plain(item))?;
        }
        show::complain(&format!("{} of {items} items are broken", broken.len()));
    }
    Ok(if broken.is_empty() { Exit::Done } else { Exit::NotAll })
}
