//! The browser, as `tests/peers/browser/drive.py` drives it: a command a line, an answer a line.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running browser. Dropping it kills its driver, and the browser ends with that.
pub(crate) struct Browser {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

/// What a person sees, or a reader of the screen says.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) text: String,
    pub(crate) buttons: Vec<String>,
    /// The tree of what is accessible.
    pub(crate) tree: String,
    /// What the console complains of since the page before, breaches of the pages' policy among it.
    pub(crate) errors: Vec<String>,
    whole: Value,
}

impl Browser {
    /// Whom `crosswalk.example.org` leads to is `pages`, `127.0.0.1:<port>`; `key` is the one that it takes on trust.
    pub(crate) async fn start(
        python: &str,
        script: &str,
        pages: &str,
        key: &str,
        pictures: &str,
        folder: &str,
    ) -> Self {
        let mut child = Command::new(python)
            .args([script, pages, key, pictures])
            // The browser's profile goes where the peer's script finds it, however this ends.
            .env("TMPDIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut browser = Self { child, input, output };
        println!("Chromium {}", browser.read().await["version"]);
        browser
    }

    async fn read(&mut self) -> Value {
        let line = self.output.next_line().await.unwrap();
        serde_json::from_str(&line.unwrap_or_else(|| panic!("the browser's driver has ended"))).unwrap()
    }

    async fn tell(&mut self, who: &str, what: &str, more: Value) -> Value {
        let mut command = json!({"who": who, "do": what});
        command.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let input = self.input.as_mut().unwrap();
        input.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        input.flush().await.unwrap();
        let answer = self.read().await;
        assert!(answer.get("failed").is_none(), "{command}: {}", answer["failed"].as_str().unwrap_or_default());
        answer
    }

    pub(crate) async fn open(&mut self, who: &str, url: &str) -> Page {
        Page::read(self.tell(who, "open", json!({"url": url})).await)
    }

    /// The page as it stands.
    pub(crate) async fn view(&mut self, who: &str) -> Page {
        Page::read(self.tell(who, "view", Value::Null).await)
    }

    /// Presses the button of this name.
    pub(crate) async fn press(&mut self, who: &str, name: &str) -> Page {
        Page::read(self.tell(who, "press", json!({"name": name})).await)
    }

    /// Follows the link of this name.
    pub(crate) async fn follow(&mut self, who: &str, name: &str) -> Page {
        Page::read(self.tell(who, "follow", json!({"name": name})).await)
    }

    /// Fills the field with this label.
    pub(crate) async fn fill(&mut self, who: &str, name: &str, text: &str) -> Page {
        Page::read(self.tell(who, "fill", json!({"name": name, "text": text})).await)
    }

    /// Presses a key.
    pub(crate) async fn key(&mut self, who: &str, name: &str) -> Page {
        Page::read(self.tell(who, "key", json!({"name": name})).await)
    }

    /// Presses what the keyboard is on.
    pub(crate) async fn enter(&mut self, who: &str) -> Page {
        Page::read(self.tell(who, "enter", Value::Null).await)
    }

    /// What the keyboard is on.
    pub(crate) async fn focus(&mut self, who: &str) -> Value {
        self.tell(who, "focus", Value::Null).await
    }

    pub(crate) async fn cookies(&mut self, who: &str) -> Vec<Value> {
        self.tell(who, "cookies", Value::Null).await["cookies"].as_array().unwrap().clone()
    }

    /// Forgets all cookies.
    pub(crate) async fn forget(&mut self, who: &str) {
        self.tell(who, "forget", Value::Null).await;
    }

    /// Takes pictures of the page, as phone and desktop, light and dark; what was measured in each.
    pub(crate) async fn picture(&mut self, who: &str, name: &str) -> Vec<Value> {
        self.tell(who, "picture", json!({"name": name})).await["layouts"].as_array().unwrap().clone()
    }

    /// Closes the browser, and waits for it.
    pub(crate) async fn end(mut self) {
        self.input = None;
        assert!(self.child.wait().await.unwrap().success());
    }
}

impl Page {
    fn read(whole: Value) -> Self {
        let text = |name: &str| whole[name].as_str().unwrap().to_owned();
        let texts = |name: &str| serde_json::from_value::<Vec<String>>(whole[name].clone()).unwrap();
        Self {
            url: text("url"),
            text: text("text"),
            buttons: texts("buttons"),
            tree: text("tree"),
            errors: texts("errors"),
            whole,
        }
    }

    /// Asserts status and heading.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, heading: &str) {
        assert_eq!((&self.whole["status"], &self.whole["headings"]), (&json!(status), &json!([heading])), "{self:#?}");
    }

    /// Asserts what every page of ours is: named, in a language, with one main part, without script, and without complaints of
    /// the browser.
    #[track_caller]
    pub(crate) fn is_sound(&self) {
        let heading = self.whole["headings"][0].as_str().unwrap();
        assert!(self.whole["title"].as_str().unwrap().starts_with(heading), "{self:#?}");
        assert_eq!(
            (&self.whole["lang"], &self.whole["mains"], &self.whole["scripts"]),
            (&json!("en"), &json!(1), &json!(0))
        );
        assert!(self.tree.trim_start().starts_with("- main:"), "{}", self.tree);
        assert!(self.tree.contains(&format!("- heading \"{heading}\" [level=1]")), "{}", self.tree);
        assert!(self.errors.is_empty(), "{:?}", self.errors);
        assert!(!self.text.contains("{{") && !self.text.contains("&amp;"), "{}", self.text);
    }
}
