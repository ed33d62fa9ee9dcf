//! `crosswalk env`: the lines that point a shell at the running `up`.

use anyhow::bail;

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
        let lines: String = up.settings().map(|(name, value)| format!("export {name}={}\n", quoted(&value))).collect();
        show::print(&lines)?;
    }
    Ok(Exit::Done)
}

/// As a POSIX shell reads it back, whatever the text holds.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn shells_read_it_back() {
        assert_eq!(quoted("http://127.0.0.1:4566"), "http://127.0.0.1:4566");
        assert_eq!(quoted("it's $HOME"), "'it'\\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
