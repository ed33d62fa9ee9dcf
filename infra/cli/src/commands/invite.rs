//! `crosswalk ids invite`: a personal link, by which a person registers their own id.

use anyhow::{Context as _, bail};
use crosswalk_function_kit::settings::{Environment, Reader};
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::Table;
use crosswalk_identity::{System, Username, times};
use crosswalk_invitations::{InvitationSettings, Invitations, InvitedBy};
use crosswalk_labarchives_registration::registered_system;
use crosswalk_people::People;
use serde_json::json;

use crate::{Exit, show};

/// Refuses a system at which nobody registers themselves.
///
/// # Errors
/// It is another one, which is named with the right one.
pub(crate) fn check(system: &System, environment: &Environment) -> anyhow::Result<()> {
    let registered = registered_system(environment)?;
    if *system != registered {
        bail!(
            "nobody registers themselves at {system}: there are pages for {registered} alone (LABARCHIVES_SYSTEM). \
             `crosswalk ids set USERNAME {system} ID` stores an id that you know"
        );
    }
    Ok(())
}

/// Makes a link and prints it.
///
/// # Errors
/// Nothing says where the pages stand, or the store fails.
pub(crate) async fn run(
    table: Table,
    username: &Username,
    system: &System,
    json: bool,
    environment: &Environment,
) -> anyhow::Result<Exit> {
    let settings = settings(environment)?;
    let pages = settings.pages.context(
        "REGISTRATION_URL is not set: the root of the registration pages as people's browsers reach it. A running \
         `crosswalk up` has one of its own if it was started with LABARCHIVES_AKID and LABARCHIVES_ACCESS_PASSWORD",
    )?;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let people = People::new(table.clone(), clock.clone(), entropy.clone());
    match Box::pin(people.overview(username)).await? {
        // Perhaps an import or a sync is still to bring them: the link is made all the same.
        None => show::complain(&format!(
            "note: nobody is known as {username}, neither as a person nor by an id. Check the spelling: the link stores an id \
             under this very name"
        )),
        Some(known) if known.mappings.iter().any(|mapping| mapping.system == *system) => {
            show::complain(&format!("note: {username} has an id in {system} already, which the link can only confirm"));
        }
        Some(_) => {}
    }
    let invitations = Invitations::new(table, clock, entropy);
    let made = Box::pin(invitations.invite(username, system, settings.lasts, InvitedBy::Administrator));
    let (token, invitation) = made.await?;
    let (url, ends_at) = (pages.link(&token), times::text(invitation.ends_at));
    if json {
        show::json(&json!({ "url": url.as_str(), "username": username, "system": system, "ends_at": ends_at }))?;
    } else {
        show::say(url.as_str())?;
        show::complain(&format!("for {username} alone, once, until {ends_at}; whoever has it can use it"));
    }
    Ok(Exit::Done)
}

fn settings(environment: &Environment) -> anyhow::Result<InvitationSettings> {
    let mut reader = Reader::new(environment);
    let settings = InvitationSettings::read(&mut reader);
    Ok(reader.finish(settings)?)
}
