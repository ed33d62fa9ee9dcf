use crate::support::{Folder, Up, sample};

const GOOD: &str = "username,external_id,email\nalice,1,alice@example.org\nbob,2,\n";
const BAD: &str = "username,external_id\nalice,1\n,2\ncarol,1\n";

#[test]
fn check_needs_nothing_but_the_file() {
    let folder = Folder::new();
    let (good, bad) = (folder.file("good.csv", GOOD), folder.file("bad.csv", BAD));
    let wrong = folder.file("wrong.csv", "user_name,external_id\na,1\n");
    let check = |files: &[&str], code: i32| {
        folder.run(&[&["import", "--check", "--kind", "mappings", "--system", "nemo"], files].concat()).code(code)
    };
    check(&[&good], 0).says(&["good.csv: all 2 rows can be read"]);
    check(&[&good, &bad], 1).says(&[
        "good.csv: all 2",
        "bad.csv: 1 of 3 rows would be rejected",
        "the username is empty",
    ]);
    check(&[&wrong], 1).says(&["wrong.csv", "username"]);
    check(&["absent.csv"], 2).complains(&["cannot read absent.csv"]);
    check(&["s3://bucket/key.csv"], 2).complains(&["--check"]);
    let told = check(&[&bad, "--json"], 1).json();
    assert_eq!((&told[0]["counts"]["rejected"], &told[0]["rows"][0]["line"]), (&1.into(), &3.into()));
    assert!(!folder.path().join(".crosswalk").exists(), "it starts no AWS");
}

#[test]
fn usage_is_told_before_anything_starts() {
    let folder = Folder::new();
    let good = folder.file("good.csv", GOOD);
    folder.run(&["import", &good, "--kind", "mappings"]).code(2).complains(&["--system"]);
    folder
        .run(&["import", &good, "--kind", "employers", "--system", "nemo"])
        .code(2)
        .complains(&["--kind mappings only"]);
    folder.run(&["import", &good, "--kind", "mappings", "--system", "x"]).code(2).complains(&["known are"]);
    let force = ["import", good.as_str(), "--kind", "mappings", "--system", "nemo", "--force-registration"];
    folder.run(&force).code(2).complains(&["--kind leave-admins only"]);
    folder.run(&["import", ".", "--kind", "employers"]).code(2).complains(&["folder"]);
    folder.run(&["import", "s3://bucket", "--kind", "employers"]).code(2).complains(&["s3://bucket/key"]);
    assert!(!folder.path().join(".crosswalk").exists());
}

#[test]
fn a_real_account_needs_its_settings() {
    let folder = Folder::new();
    let good = folder.file("good.csv", GOOD);
    let region = [("AWS_REGION".to_owned(), "us-east-1".to_owned())];
    let import = ["import", good.as_str(), "--kind", "mappings", "--system", "nemo", "--aws"];
    folder.run(&import).code(2).complains(&["AWS_REGION"]);
    folder.run_with(&import, &region).code(2).complains(&["CROSSWALK_TABLE", "CROSSWALK_BUCKET"]);
    folder.run_with(&["ids", "list", "alice", "--aws"], &region).code(2).complains(&["CROSSWALK_TABLE"]);
    assert!(!folder.path().join(".crosswalk").exists());
}

#[test]
fn files_are_runs_and_rows_have_outcomes() {
    let folder = Folder::new();
    let (good, bad) = (folder.file("good.csv", GOOD), folder.file("bad.csv", BAD));
    let import = |args: &[&str], code: i32| {
        folder.run(&[&["import", "--kind", "mappings", "--system", "nemo"], args].concat()).code(code)
    };
    import(&[&good, "--dry-run"], 0).says(&["good.csv:2 created", "good.csv:3 created"]);
    folder.run(&["runs"]).code(0).says(&["no runs yet"]);
    folder.run(&["ids", "list", "alice"]).code(1);

    import(&[&good], 0).says(&["succeeded"]);
    import(&[&good, "--dry-run"], 0).says(&["good.csv:2 verified"]);
    let records = import(&[&good, &bad, "--json"], 1).json();
    let of = |at: usize, name: &str| records[at]["counts"][name].as_u64().unwrap();
    assert_eq!((of(0, "verified"), of(1, "verified"), of(1, "rejected"), of(1, "conflict")), (2, 1, 1, 1));
    assert_eq!(records[1]["state"], "partly");
    let shown = import(&[&bad], 1).says(&[
        "Not imported from",
        "s3://crosswalk/reports/",
        "the username is empty",
        "conflict",
        "alice",
        "--report failed",
    ]);
    assert_eq!(shown.err, "", "no progress bar where there is no terminal");

    let runs = folder.run(&["runs", "--json"]).code(0).json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 4);
    let id = records[1]["id"].as_str().unwrap();
    assert_eq!(folder.run(&["runs", id, "--json"]).code(0).json(), records[1]);
    folder.run(&["runs", id]).code(0).says(&["state     partly", "3 rows: 1 verified, 1 rejected, 1 conflict"]);
    let failed = folder.run(&["runs", id, "--report", "failed"]).code(0);
    assert!(failed.out.starts_with("line,username,external_id,outcome,reason\n3,,2,rejected,"), "{failed:?}");
    // Dropped back in, its three columns are ignored.
    let mended =
        folder.file("mended.csv", &failed.out.replace("3,,2,", "3,dan,2000,").replace("4,carol,1,", "4,carol,4,"));
    import(&[&mended], 0).says(&["succeeded"]);
    folder.run(&["runs", id, "--report", "summary"]).code(0).says(&[id, "\"partly\""]);
    folder.run(&["runs", "--kind", "employers"]).code(0).says(&["no runs yet"]);
    folder.run(&["runs", "nonsense"]).code(1).complains(&["there is no run nonsense"]);
}

#[test]
fn a_file_that_cannot_be_read_is_a_failed_run() {
    let folder = Folder::new();
    let wrong = folder.file("wrong.csv", "user_name,external_id\na,1\n");
    let import = ["import", wrong.as_str(), "--kind", "mappings", "--system", "nemo"];
    folder.run(&import).code(1).says(&["failed", "username"]);
}

#[test]
fn leave_admins_and_objects_come_in_too() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let environment = Up::environment(&folder);
    let path = |name: &str| sample(name).display().to_string();
    folder.run(&["import", &path("employers.csv"), "--kind", "employers"]).code(1);
    // Through the environment, from elsewhere.
    let elsewhere = Folder::new();
    let admins = path("leave-admins.csv");
    let import = ["import", admins.as_str(), "--kind", "leave-admins", "--json"];
    let records = elsewhere.run_with(&import, &environment).code(1).json();
    assert_eq!(records[0]["counts"]["created"], 5, "{records}");
    assert!(!elsewhere.path().join(".crosswalk").exists());
    // The succeeded rows of that run are an object that can be imported again.
    let key = records[0]["reports"]["succeeded"].as_str().unwrap();
    let bucket = environment.iter().find(|(name, _)| name == "CROSSWALK_BUCKET").unwrap();
    let object = format!("s3://{}/{key}", bucket.1);
    let again = folder.run(&["import", &object, "--kind", "leave-admins", "--json"]).code(0).json();
    assert_eq!(again[0]["counts"]["unchanged"], 5, "{again}");
    folder.run(&["import", "s3://crosswalk/absent.csv", "--kind", "employers"]).code(1).says(&["failed"]);
    assert!(up.stop().0.success());
}
