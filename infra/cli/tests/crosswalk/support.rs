//! Runs the binary, and stops what it started.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Insists on an exit code.
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, expected, "{self:#?}");
        self
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Insists that standard output holds each of these.
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.out.contains(text), "`{text}` is missing: {self:#?}");
        }
        self
    }

    /// Insists that standard error holds each of these.
    pub(crate) fn complains(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "`{text}` is missing: {self:#?}");
        }
        self
    }
}

/// A folder to work in.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and gives its name.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path().join(name), text).unwrap();
        name.to_owned()
    }

    /// The binary in this folder, with nothing of the test's own environment that could lead it elsewhere.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crosswalk"));
        command.args(args).current_dir(self.path()).env_clear().env("HOME", self.path()).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.run_with(args, &[])
    }

    /// Runs it to its end, with these environment variables.
    pub(crate) fn run_with(&self, args: &[&str], environment: &[(String, String)]) -> Ended {
        let mut command = self.command(args);
        let output = command.envs(environment.iter().cloned()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A running `up`; killed when dropped.
pub(crate) struct Up {
    child: Child,
    pub(crate) aws: String,
    pub(crate) api: String,
    out: BufReader<std::process::ChildStdout>,
}

impl Up {
    /// Starts it on free ports and waits until it is ready.
    pub(crate) fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &[])
    }

    /// The same, with these environment variables.
    pub(crate) fn start_with(folder: &Folder, environment: &[(&str, &str)]) -> Self {
        let mut command = folder.command(&["up", "--port", "0", "--api-port", "0"]);
        command.envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let word = |name: &str| {
            line.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        let up = Self { child, aws: word("aws="), api: word("api="), out };
        assert!(line.starts_with("ready ") && !up.aws.is_empty() && !up.api.is_empty(), "{line}");
        up
    }

    /// Sends TERM, and waits for the end; returns what it printed after `ready`.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status().unwrap().success());
        let status = wait(&mut self.child);
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (status, rest)
    }

    /// What `crosswalk env` prints for it.
    pub(crate) fn environment(folder: &Folder) -> Vec<(String, String)> {
        let printed = folder.run(&["env"]).code(0);
        let lines = printed.out.lines().map(|line| {
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        });
        lines.collect()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let end = later();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(!is_over(end), "it did not stop");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[expect(clippy::disallowed_methods, reason = "processes run in real time, which no test can pause")]
fn later() -> Instant {
    Instant::now() + PATIENCE
}

#[expect(clippy::disallowed_methods, reason = "processes run in real time, which no test can pause")]
fn is_over(end: Instant) -> bool {
    Instant::now() > end
}

/// Asks the API until it answers with this status.
pub(crate) async fn get_until(url: &str, status: u16) -> Value {
    let end = later();
    loop {
        let answer = reqwest::get(url).await.unwrap();
        let found = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        if found == status {
            return body;
        }
        assert!(!is_over(end), "{url}: {found} {body}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A sample that the demo drops.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}
