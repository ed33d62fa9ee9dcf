//! `crosswalk mails`: what the local AWS took instead of sending it.

use anyhow::bail;
use crosswalk_function_kit::settings::Environment;
use crosswalk_local_aws::mails;

use crate::args::{MailsArgs, Where};
use crate::target::Target;
use crate::{Exit, show};

/// Prints them, oldest first.
///
/// # Errors
/// The endpoint is no embedded AWS.
pub(crate) async fn run(args: &MailsArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    let place = Where { aws: false, folder: args.folder.clone() };
    let target = Target::open(&place, environment).await?;
    let Some(endpoint) = target.config.endpoint_url() else { bail!("only a local AWS keeps the mails that it takes") };
    let mails = mails(endpoint).await?;
    if json {
        show::json(&mails)?;
    } else if mails.is_empty() {
        show::say("no mails")?;
    }
    for mail in mails.iter().filter(|_| !json) {
        let body = mail.text.as_deref().or(mail.html.as_deref()).unwrap_or_default();
        let body: Vec<String> = body.lines().map(show::plain).collect();
        let (from, to, subject) =
            (show::plain(&mail.from), show::plain(&mail.to.join(", ")), show::plain(&mail.subject));
        show::say(&format!("From: {from}\nTo: {to}\nSubject: {subject}\n\n{}\n", body.join("\n")))?;
    }
    Ok(Exit::Done)
}
