//! `crosswalk env`: the lines that point a shell at the running `up`.

use anyhow::bail;
use crosswalk_function_kit::settings::shell_quoted;

use crate::args::DirArgs;
use crate::{Exit, show, target};

/// Prints them.
///
/// # Errors
/// No `up` runs on the folder.
pub(crate) async fn run(args: &DirArgs, json: bool) -> anyhow::Result<Exit> {
    let Some(up) = target::running_up(&args.dir).await? else {
        bail!(
            "no `crosswalk up` runs on {}; start one (`crosswalk up --dir {0}`), or name its folder with --dir",
            args.dir.display()
        );
    };
    if json {
        let settings: serde_json::Map<_, _> =
            up.settings().map(|(name, value)| (name.to_owned(), value.into())).collect();
        show::json(&settings)?;
    } else {
        let lines: String =
            up.settings().map(|(name, value)| format!("export {name}={}\n", shell_quoted(&value))).collect();
        show::print(&lines)?;
    }
    Ok(Exit::Done)
}
