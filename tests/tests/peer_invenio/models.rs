//! Invenio's own models read what was written, write beside us, and log people in.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crosswalk_directory_sync::Field;
use serde_json::{Value, json};

use crate::bed::{Bed, activate, create, deactivate, delete, given, update};

/// `tests/peers/invenio/models.py serve`.
pub(crate) struct Models {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Models {
    pub(crate) fn of(bed: &Bed) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/invenio/models.py");
        let uri = bed.uri.replace("postgresql://", "postgresql+psycopg2://");
        let mut command = Command::new(given("CROSSWALK_TEST_INVENIO_PYTHON"));
        let command = command.args([script, "serve", &uri]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    /// The whole answer.
    fn answer(&mut self, what: &str, mut more: Value) -> Value {
        more["do"] = what.into();
        writeln!(self.child.stdin.as_ref().unwrap(), "{more}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// What it answers when all is well.
    #[track_caller]
    pub(crate) fn ask(&mut self, what: &str, more: Value) -> Value {
        let mut answer = self.answer(what, more);
        assert_eq!(answer["error"], Value::Null, "{what}");
        answer["ok"].take()
    }

    pub(crate) fn log_in(&mut self, email: &str) -> Value {
        self.ask("log_in", json!({ "email": email, "password": "correct horse" }))
    }
}

impl Drop for Models {
    fn drop(&mut self) {
        // It ends by itself when its input does; a test that failed does not wait for that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_models_read_what_was_written() {
    let bed = Bed::with("models", &[("INVENIO_VISIBILITY", "public"), ("INVENIO_TIMEZONE", "Europe/London")]).await;
    let mut models = Models::of(&bed);
    // What the models themselves make of the same person.
    let theirs =
        models.ask("create", json!({ "email": "Bob@Sub.Example.org", "username": "Bob", "full_name": "Bob B" }));
    let ours = create("Ada", "Ada Lovelace");
    assert!(bed.take(vec![ours]).await["Ada"].is_ok());
    let found = models.ask("find", json!({ "email": "ada@example.org" }));
    let expected = json!({
        "id": found["id"], "created": found["created"], "age": 0.0,
        "username": "Ada", "stored_username": "ada", "email": "ada@example.org", "domain": "example.org",
        "active": true, "confirmed": true, "version": 1, "has_password": false,
        "profile": { "full_name": "Ada Lovelace" }, "full_name": "Ada Lovelace",
        "preferences": {
            "visibility": "public", "email_visibility": "restricted", "locale": "en", "timezone": "Europe/London",
        },
    });
    assert_eq!(found, expected);
    assert_eq!(models.ask("names", json!({ "username": "aDA" })), json!([found["id"]]));

    // What they wrote is what we would have written: there is nothing to change.
    let account = &bed.accounts().await["bob@sub.example.org"];
    assert_eq!(theirs["domain"], "sub.example.org");
    assert_eq!(account.fields.username.as_deref(), Some("bob"));
    assert_eq!(account.fields.displayname.as_deref(), Some("Bob"));
    assert_eq!(account.fields.full_name.as_deref(), Some("Bob B"));
    assert_eq!((&*account.id, account.version), (&*theirs["id"].to_string(), 1));
    assert!(account.active);

    // No row of ours makes them raise.
    bed.take((0..1_000).map(|n| create(&format!("person-{n}"), "Ünal Ó'Neill \"x\" \\")).collect()).await;
    assert_eq!(models.ask("validate_all", json!({})), 1_002);
}

#[tokio::test]
async fn neither_side_loses_the_others_changes() {
    let bed = Bed::new("models_versions").await;
    let mut models = Models::of(&bed);
    bed.take(vec![create("Ada", "Ada Lovelace")]).await;
    let account = bed.accounts().await.remove("ada@example.org").unwrap();
    let id: i32 = account.id.parse().unwrap();

    // A request of the instance has read the account; we change it; the request's change is refused.
    models.ask("hold", json!({ "email": "ada@example.org" }));
    assert!(bed.take(vec![update(&account, &[(Field::FullName, "Ada King")])]).await[&*account.id].is_ok());
    let stale = models.answer("change_held", json!({ "id": id, "version": 1, "full_name": "Stale" }));
    assert_eq!(stale, json!({ "error": "StaleDataError" }));
    // One that has read our change may go on.
    models.ask("hold", json!({ "email": "ada@example.org" }));
    let changed = models.ask("change_held", json!({ "id": id, "version": 2, "full_name": "Theirs" }));
    assert_eq!((&changed["version"], &changed["full_name"]), (&json!(3), &json!("Theirs")));

    // We have read the account before that: ours is refused.
    let ours = update(&account, &[(Field::FullName, "Ours")]);
    assert!(bed.take(vec![ours]).await[&*account.id].clone().unwrap_err().reason.contains("by someone else"));
    assert_eq!(bed.accounts().await["ada@example.org"].fields.full_name.as_deref(), Some("Theirs"));
}

#[tokio::test]
async fn people_log_in_until_they_are_deactivated() {
    let mut bed = Bed::new("models_log_in").await;
    let mut models = Models::of(&bed);
    bed.take(vec![create("Ada", "Ada Lovelace")]).await;
    let refused = models.log_in("ada@example.org");
    assert!(refused["status"] == 400 && refused.to_string().contains("No password is set"), "{refused}");
    models.ask("set_password", json!({ "email": "ada@example.org", "password": "correct horse" }));
    // In upper case too: the form's, not the column's. Not confirmed people are not let in here, so ours counts as confirmed.
    assert_eq!(models.log_in("ADA@example.org")["status"], 200);

    // The e-mail passes on: it is with the new one that the person logs in.
    let account = bed.accounts().await.remove("ada@example.org").unwrap();
    bed.take(vec![update(&account, &[(Field::Email, "ada.king@example.org")])]).await;
    assert_eq!(models.log_in("ada@example.org")["status"], 400);
    assert_eq!(models.log_in("ada.king@example.org")["status"], 200);

    let account = bed.accounts().await.remove("ada.king@example.org").unwrap();
    bed.take(vec![deactivate(&account)]).await;
    let refused = models.log_in("ada.king@example.org");
    assert!(refused["status"] == 400 && refused.to_string().contains("disabled"), "{refused}");
    let account = bed.accounts().await.remove("ada.king@example.org").unwrap();
    bed.take(vec![activate(&account)]).await;
    assert_eq!(models.log_in("ada.king@example.org")["status"], 200);

    // An administrator's block stays, and the rest of the step is done.
    models.ask("block", json!({ "email": "ada.king@example.org" }));
    let account = bed.accounts().await.remove("ada.king@example.org").unwrap();
    let mut step = update(&account, &[(Field::FullName, "Ada King")]);
    step.active = Some(true);
    let applied = bed.take(vec![step]).await[&*account.id].clone().unwrap();
    assert!(applied.warning.unwrap().contains("blocked"));
    let found = models.ask("find", json!({ "email": "ada.king@example.org" }));
    assert_eq!((&found["active"], &found["full_name"]), (&json!(false), &json!("Ada King")));

    // What the models keep of an account goes with it.
    models.ask("give_rows", json!({ "email": "ada.king@example.org" }));
    let account = bed.accounts().await.remove("ada.king@example.org").unwrap();
    let result = bed.take(vec![delete(&account)]).await[&*account.id].clone();
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(models.ask("count", json!({})), 0);
    for table in ["userrole", "user_login_information", "user_session_activity", "useridentity"] {
        assert_eq!(bed.ask(&format!("SELECT count(*) FROM accounts_{table}")).await, "0", "{table}");
    }
}
