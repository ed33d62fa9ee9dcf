//! Where an export or a sync keeps its runs, state and reports: in an AWS, or in a folder, for which no AWS is needed.
//!
//! What the last good run left in the target decides what the next one removes. So the place never depends on whether a
//! `crosswalk up` happens to run: an AWS is used only where `--aws` or AWS_ENDPOINT_URL names one.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use crosswalk_function_kit::Clock;
use crosswalk_function_kit::settings::Environment;
use crosswalk_runs::Ledger;
use crosswalk_runs::files::Files;

use crate::args::{DEFAULT_DIR, Where};
use crate::target::Target;

/// Where a folder is named.
const STATE_DIR: &str = "CROSSWALK_STATE_DIR";

/// A place that was chosen.
pub(crate) enum Kept {
    /// In an AWS.
    Aws {
        /// Which.
        target: Box<Target>,
        /// Whether `--aws` chose it.
        account: bool,
    },
    /// In a folder.
    Folder {
        /// Which.
        folder: PathBuf,
        /// Whether a command finds it without being told.
        usual: bool,
    },
}

impl Kept {
    /// `--aws`; else the folder `--state` or CROSSWALK_STATE_DIR; else the AWS of AWS_ENDPOINT_URL; else a folder inside
    /// `--dir`, named after the `way`. Nothing is made yet.
    ///
    /// # Errors
    /// `--aws` without a region.
    pub(crate) async fn open(
        way: &str,
        place: &Where,
        state: Option<&Path>,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        if let Some(folder) = named_folder(place, state, environment) {
            let usual = state.is_none();
            return Ok(Self::Folder { folder, usual });
        }
        if place.aws || environment.get("AWS_ENDPOINT_URL").is_some() {
            let target = Target::open(place, environment.clone()).await?;
            return Ok(Self::Aws { target: Box::new(target), account: place.aws });
        }
        Ok(Self::Folder { folder: usual_folder(way, place), usual: place.folder.dir == Path::new(DEFAULT_DIR) })
    }

    /// The environment with this place named in it, and no other.
    pub(crate) fn environment(&self, environment: &Environment) -> Environment {
        match self {
            Self::Aws { target, .. } => target.environment.clone().with(STATE_DIR, ""),
            Self::Folder { folder, .. } => environment.clone().with(STATE_DIR, &folder.display().to_string()),
        }
    }

    /// The runs.
    ///
    /// # Errors
    /// Nothing names the table.
    pub(crate) fn ledger(&self) -> anyhow::Result<Ledger> {
        match self {
            Self::Aws { target, .. } => target.ledger(),
            Self::Folder { folder, .. } => Ok(folder_ledger(folder)),
        }
    }

    /// State and reports.
    ///
    /// # Errors
    /// Nothing names the bucket.
    pub(crate) fn files(&self) -> anyhow::Result<Files> {
        match self {
            Self::Aws { target, .. } => {
                target.files().context("CROSSWALK_BUCKET is not set: the bucket that holds state and reports")
            }
            Self::Folder { folder, .. } => Ok(Files::Folder(folder.clone())),
        }
    }

    /// What must be added to a command that is to look here too; with a space before it.
    pub(crate) fn flags(&self) -> String {
        match self {
            Self::Aws { account: true, .. } => " --aws".to_owned(),
            Self::Aws { account: false, .. } | Self::Folder { usual: true, .. } => String::new(),
            Self::Folder { folder, usual: false } => format!(" --state {}", folder.display()),
        }
    }
}

/// The folder that `--state` or the environment names. `--aws` means the account, whatever the environment.
pub(crate) fn named_folder(place: &Where, state: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    if place.aws {
        return None;
    }
    state.map(Path::to_owned).or_else(|| environment.get(STATE_DIR).map(PathBuf::from))
}

/// The ways whose runs may be kept in a folder.
pub(crate) const WAYS: [&str; 2] = [crosswalk_people_export::event::WAY, crosswalk_directory_sync::event::WAY];

/// Where a way's runs are if nothing else is said.
pub(crate) fn usual_folder(way: &str, place: &Where) -> PathBuf {
    place.folder.dir.join(way)
}

/// The runs in a folder.
pub(crate) fn folder_ledger(folder: &Path) -> Ledger {
    Ledger::Folder { folder: folder.to_owned(), clock: Clock::system() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::DirArgs;

    fn place(aws: bool, dir: &str) -> Where {
        Where { aws, folder: DirArgs { dir: dir.into() } }
    }

    async fn folder(place: &Where, state: Option<&str>, environment: &[(&str, &str)]) -> Option<(String, String)> {
        let environment: Environment = environment.iter().copied().chain([("AWS_REGION", "eu-central-1")]).collect();
        let kept = Kept::open("people-export", place, state.map(Path::new), &environment).await.unwrap();
        let named = kept.environment(&environment).get(STATE_DIR).map(str::to_owned);
        match &kept {
            Kept::Folder { folder, .. } => {
                assert_eq!(named.as_deref(), folder.to_str());
                Some((folder.display().to_string(), kept.flags()))
            }
            Kept::Aws { .. } => {
                assert_eq!(named, None, "one place, not two");
                None
            }
        }
    }

    #[tokio::test]
    async fn the_nearest_word_wins() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let endpoint = ("AWS_ENDPOINT_URL", url.as_str());
        let named = (STATE_DIR, "/var/lib/crosswalk");
        let usual = place(false, ".crosswalk");
        let told = |folder: &str, flags: &str| Some((folder.to_owned(), flags.to_owned()));

        assert_eq!(folder(&usual, None, &[]).await, told(".crosswalk/people-export", ""));
        assert_eq!(folder(&place(false, "x"), None, &[]).await, told("x/people-export", " --state x/people-export"));
        assert_eq!(folder(&usual, Some("s"), &[named, endpoint]).await, told("s", " --state s"));
        assert_eq!(folder(&usual, None, &[named, endpoint]).await, told("/var/lib/crosswalk", ""));
        assert_eq!(folder(&usual, None, &[endpoint]).await, None);
        assert_eq!(folder(&place(true, ".crosswalk"), None, &[named]).await, None);
    }

    #[tokio::test]
    async fn an_aws_must_name_table_and_bucket() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let environment = Environment::from_iter([("AWS_ENDPOINT_URL", url)]);
        let kept = Kept::open("people-export", &place(false, ".crosswalk"), None, &environment).await.unwrap();
        assert!(kept.ledger().unwrap_err().to_string().contains("CROSSWALK_TABLE"));
        assert!(kept.files().unwrap_err().to_string().contains("CROSSWALK_BUCKET"));
        assert_eq!(kept.flags(), "");
    }
}
