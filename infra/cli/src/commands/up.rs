//! `crosswalk up`: all of Crosswalk on a folder, until Ctrl-C or TERM.

use std::time::Duration;

use crosswalk_function_kit::settings::Environment;
use crosswalk_local_aws::Storage;
use serde_json::json;

use crate::args::{DEFAULT_DIR, UpArgs};
use crate::stack::Stack;
use crate::stop::Stop;
use crate::target::{Presence, Up};
use crate::{Exit, show};

/// How long imports that are under way may go on after the signal. What has not ended then is taken over by the next
/// `up`, when its lease has lapsed.
const GRACE: Duration = Duration::from_secs(20);

/// Runs it.
///
/// # Errors
/// The folder or a port is in use, or a setting does not do.
pub(crate) async fn run(args: &UpArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    // Before anything else, so that a signal during the start ends it in order too.
    let mut stop = Stop::new()?;
    let dir = &args.folder.dir;
    let presence = Presence::take(dir)?;
    let mut stack = Stack::start(Storage::Folder(dir.clone()), args.port, args.api_port, environment).await?;
    let up = Up::of(&stack.aws, &stack.made, &stack.api_url);
    presence.announce(&up)?;
    if json {
        show::say(&json!({ "ready": true, "aws": up.endpoint, "api": up.api_url }).to_string())?;
    } else {
        show::say(&format!("ready aws={} api={} dir={}", up.endpoint, up.api_url, dir.display()))?;
    }
    let bucket = &up.bucket;
    show::complain(&format!(
        "In another shell: eval \"$(crosswalk env{})\", then put CSV files under s3://{bucket}/imports/. Ctrl-C stops.",
        if dir.as_os_str() == DEFAULT_DIR { String::new() } else { format!(" --dir {}", dir.display()) }
    ));
    if stack.registers {
        show::complain(
            "People link their LabArchives accounts by what `crosswalk ids invite USERNAME labarchives_eln` prints.",
        );
    }
    tokio::select! {
        () = stop.wanted() => {}
        error = stack.broken() => return Err(error),
    }
    show::complain("stopping … (once more: at once)");
    let grace = tokio::select! {
        ended = stack.stop(GRACE) => ended,
        () = stop.wanted() => false,
    };
    if !grace {
        show::complain("an import was still under way; the next `crosswalk up` on this folder takes it over");
    }
    Ok(Exit::Done)
}
