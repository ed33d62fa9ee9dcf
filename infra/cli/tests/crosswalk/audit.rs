use serde_json::{Value, json};

use crate::support::{Ended, Folder, Up};

/// Ada lacks CDCS, Bo lacks NEMO, and Cy has both under two usernames.
fn some() -> Folder {
    let folder = Folder::new();
    for (username, system, id, email) in [
        ("ada", "nemo", "1", "ada@example.org"),
        ("bo", "cdcs", "2", "bo@example.org"),
        ("cy", "nemo", "3", "cy@example.org"),
        ("cy2", "cdcs", "4", "cy@example.org"),
    ] {
        folder.run(&["ids", "set", username, system, id, "--email", email]).code(0);
    }
    folder
}

/// How many objects the folder's bucket holds.
fn objects(folder: &Folder) -> usize {
    std::fs::read_dir(folder.path().join(".crosswalk/s3/objects")).unwrap().count()
}

fn audit(folder: &Folder, args: &[&str]) -> Ended {
    let required = ("AUDIT_REQUIRED_SYSTEMS".to_owned(), "nemo,cdcs".to_owned());
    folder.run_with(&[&["audit"], args].concat(), &[required])
}

#[test]
fn a_fresh_folder_is_told_of_nobody() {
    let folder = Folder::new();
    folder.run(&["audit"]).code(2).complains(&["AUDIT_REQUIRED_SYSTEMS is not set"]);
    folder.run(&["audit", "--system", "nemmo"]).code(2).complains(&["nemmo", "known are"]);
    folder.run(&["audit", "--system", "nemo", "--fail-on-missing"]).code(0).says(&["0 people", "nobody is known"]);
    let told = folder.run(&["audit", "--system", "nemo", "--json"]).code(0).complains(&["nobody is known"]);
    assert_eq!(told.json()["missing"], json!([]));
    folder.run(&["audit", "--help"]).code(0).says(&["--people", "--fail-on-missing", "AUDIT_REQUIRED_SYSTEMS"]);
}

#[test]
fn who_lacks_what_is_told_and_kept() {
    let folder = some();
    let told = audit(&folder, &["--dry-run"]).code(0);
    told.says(&["Dry run", "3 people: 1 complete, 2 lack something", "ada@example.org", "bo@example.org"]);
    assert_eq!(objects(&folder), 0);
    let told = audit(&folder, &[]).code(0).says(&["2 lack something", "succeeded", "reports/audit/"]);
    assert_eq!(objects(&folder), 7, "the day's four, the run's own two, and the index");
    let run = told.out.lines().find_map(|line| line.strip_prefix("run ")).unwrap();
    let (run, _) = run.split_once(':').unwrap();
    folder.run(&["runs", run]).code(0).says(&["1 lack nothing", "1 cdcs, 1 nemo", "0 broken", "reports/audit/"]);
    folder.run(&["runs"]).code(0).says(&["mapping-audit"]);
}

#[test]
fn programs_get_rows_and_an_exit_code() {
    let folder = some();
    let told = audit(&folder, &["--json", "--fail-on-missing"]).code(1).json();
    assert!(told["run"].as_str().unwrap().starts_with("mapping-audit-"), "{told}");
    let row = |username: &str, system: &str| json!({ "username": username, "email": format!("{username}@example.org"), "system": system });
    assert_eq!(told["missing"], json!([row("ada", "cdcs"), row("bo", "nemo")]));
    assert_eq!((&told["stale"], &told["broken"], told.get("mails")), (&json!([]), &json!([]), None));
    assert_eq!(told.get("rejected"), None);
    // Of one system.
    let told = audit(&folder, &["--system", "cdcs", "--json"]).code(0).json();
    assert_eq!(told["missing"], json!([row("ada", "cdcs")]));
}

#[test]
fn a_list_asks_for_some() {
    let folder = some();
    let list = folder.file("starters.csv", "email,username\n,cy\nnew@example.org,new\n");
    let told = audit(&folder, &["--people", &list, "--json"]).code(0).json();
    let names: Vec<&Value> = told["missing"].as_array().unwrap().iter().map(|row| &row["username"]).collect();
    assert_eq!(names, ["new", "new"]);
    audit(&folder, &["--people", "absent.csv"]).code(2).complains(&["absent.csv"]);
}

#[test]
fn lines_of_a_list_that_do_not_read_are_told_beside_the_others() {
    let folder = some();
    let some = folder.file("some.txt", "ada\r\n\r\nLovelace, Ada\r\na/b\r\n");
    let told = audit(&folder, &["--people", &some, "--json"]).code(0);
    let told = told.complains(&["some.txt: line 3: it holds more than a username", "some.txt: line 4: "]);
    let (told, rejected) = (told.json(), told.json()["rejected"].clone());
    assert_eq!((&rejected[0]["line"], &rejected[1]["line"]), (&json!(3), &json!(4)));
    assert_eq!(told["missing"][0]["username"], "ada");
    let run = told["run"].as_str().unwrap();
    folder.run(&["runs", run, "--report", "failed"]).code(0).says(&["list,line 3,,rejected", "list,line 4,"]);
    audit(&folder, &["--people", &some, "--dry-run"]).code(0).says(&["1 people"]).complains(&["line 3"]);

    let header = folder.file("header.csv", "E-Mail\nada@example.org\n");
    audit(&folder, &["--people", &header])
        .code(2)
        .complains(&["header.csv: its first line is a header without a column"]);
    let nobody = folder.file("nobody.csv", "username\na/b\n");
    audit(&folder, &["--people", &nobody]).code(2).complains(&["nobody.csv: nobody on the list can be read: line 2: "]);
}

#[test]
fn a_list_in_another_encoding_is_told_how_to_save_it() {
    let folder = some();
    let utf16: Vec<u8> = "\u{feff}username\r\nada\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let list = folder.path().join("list.csv");
    let cases = [
        (&b"username\r\nzo\xeb\r\n"[..], "line 2 holds bytes that are not UTF-8"),
        (&utf16, "the file is UTF-16"),
        (&utf16[2..], "the file is UTF-16"),
        (b"PK\x03\x04", "the file is a workbook"),
    ];
    for (bytes, expected) in cases {
        std::fs::write(&list, bytes).unwrap();
        let told = audit(&folder, &["--people", list.to_str().unwrap()]).code(2);
        told.complains(&["list.csv: ", expected, "save"]);
    }
}

#[test]
fn mails_are_told_of() {
    let folder = some();
    let settings =
        [("AUDIT_REQUIRED_SYSTEMS", "nemo,cdcs"), ("AUDIT_NOTIFY", "true"), ("MAIL_FROM", "crosswalk@example.org")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    folder.run_with(&["audit", "--dry-run"], &settings).code(0).says(&["would be sent", "ada@example.org"]);
    let told = folder.run_with(&["audit", "--json"], &settings).code(0).json();
    let outcomes: Vec<&Value> = told["mails"].as_array().unwrap().iter().map(|mail| &mail["outcome"]).collect();
    assert_eq!(outcomes, ["sent", "sent"]);
    let again = folder.run_with(&["audit", "--json"], &settings).code(0).json();
    assert!(again["mails"].as_array().unwrap().iter().all(|mail| mail["outcome"] == "skipped"), "{again}");
}

#[test]
fn mails_lead_to_the_pages_of_a_running_up() {
    let settings = [
        ("AUDIT_REQUIRED_SYSTEMS", "nemo,labarchives_eln"),
        ("AUDIT_NOTIFY", "true"),
        ("MAIL_FROM", "crosswalk@example.org"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let keys = [
        ("LABARCHIVES_URL", "https://labarchives.example.org"),
        ("LABARCHIVES_AKID", "example"),
        ("LABARCHIVES_ACCESS_PASSWORD", "example"),
    ];
    let without = "the mails hold no personal link";
    // An `up` without the keys serves no pages.
    let folder = some();
    let up = Up::start(&folder);
    folder.run_with(&["audit", "--dry-run"], &settings).code(0).says(&[without, "REGISTRATION_URL"]);
    folder.run(&["ids", "invite", "ada", "labarchives_eln"]).code(2).complains(&["REGISTRATION_URL is not set"]);
    assert!(up.stop().0.success());
    let up = Up::start_with(&folder, &keys);
    let told = folder.run_with(&["audit"], &settings).code(0);
    assert!(!told.out.contains(without), "{told:?}");
    folder.run(&["mails"]).code(0).says(&[&format!("{}/registrations/", up.api)]);
    assert!(up.stop().0.success());
}
