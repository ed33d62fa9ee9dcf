use std::collections::BTreeSet;

use crate::support::Folder;

#[test]
fn the_demo_shows_outcomes_reasons_and_answers() {
    let folder = Folder::new();
    let ended = folder.run(&[]).code(0);
    assert_eq!(ended.err, "");
    ended.says(&[
        "employers.csv",
        "leave-admins.csv",
        "mappings.csv",
        "conflict",
        "rejected",
        "kim.park@example.org, omar.haddad@example.org, zoe.ferrari@example.org",
        "Who is NEMO user 12345?",
        "GET /systems/nemo/identifiers?external_id=12345",
        "STAND-INS",
        "The stand-in Glean now holds 5 people, 1 of them former, and 3 teams",
        "A second run finds nothing to do",
        "adopt 2, account ",
        "create 1",
        "    username: ada",
        "3 people are unchanged",
        "the first time: 5 rows: 3 created, 1 unchanged, 1 conflict",
        "once more: 5 rows: 4 unchanged, 1 conflict",
        "the NEMO id belongs to another username",
        "Last seen: ada ",
        "4 mappings are unchanged",
        "GET /audit/missing",
        "of whom 1 has both",
        "4 people got one mail each, and none when the audit ran again",
        "All as expected",
    ]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing behind");
}

#[test]
fn the_demo_in_json_counts_what_the_samples_hold() {
    let told = Folder::new().run(&["demo", "--json"]).code(0).json();
    assert_eq!(told["as_expected"], true);
    let runs = told["runs"].as_array().unwrap();
    let kinds: BTreeSet<_> = runs.iter().map(|run| run["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["employers", "leave-admins", "mappings"]));
    for run in runs {
        let of = |name: &str| run["counts"][name].as_u64().unwrap();
        let outcomes = ["created", "updated", "unchanged", "verified", "rejected", "conflict", "failed", "skipped"];
        assert_eq!(of("read"), outcomes.into_iter().map(of).sum::<u64>(), "{run}");
    }
    assert_eq!(told["not_imported"]["mappings.csv"].as_array().unwrap().len(), 3);
    let exports = &told["exports"];
    assert_eq!(exports["not_exported"][0]["name"], "grace");
    assert_eq!((exports["runs"].as_array().unwrap().len(), exports["teams"].as_object().unwrap().len()), (2, 3));
    let syncs = &told["syncs"];
    assert_eq!(
        (syncs["runs"][0]["counts"]["created"].as_u64(), syncs["runs"][1]["counts"]["unchanged"].as_u64()),
        (Some(1), Some(3))
    );
    assert_eq!(told["migration"]["not_migrated"][0]["outcome"], "conflict");
    let harvests = &told["harvests"];
    assert_eq!(harvests["runs"][0]["parts"]["mappings"]["created"], 2);
    assert_eq!(harvests["runs"][1]["parts"]["mappings"]["unchanged"], 4);
    assert_eq!(harvests["last_seen"].as_object().unwrap().len(), 2);
    let audits = &told["audits"];
    assert_eq!(
        (&audits["lacking"]["bob"], audits["mailed"].as_array().unwrap().len()),
        (&serde_json::json!(["nemo"]), 4)
    );
    assert_eq!(audits["numbers"]["systems"]["labarchives_eln"]["missing"], 5);
    assert_eq!(audits["runs"][1]["audit"]["complete"], 1);
    assert_eq!(told["answers"][0]["answer"]["username"], "kim.park@example.org");
}

#[test]
fn the_shell_does_not_change_the_demo() {
    let variables = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("CROSSWALK_SYSTEMS", "cdcs"),
        ("FINEOS_REGISTRATION", "true"),
        ("HTTP_PROXY", "http://127.0.0.1:9"),
        ("CROSSWALK_MAX_FILE_MIB", "0"),
        ("KEYCLOAK_BASE_URL", "http://127.0.0.1:9"),
        ("GLEAN_USE_BULK_INDEX", "false"),
        ("DRY_RUN", "true"),
        ("SYNC_TARGET", "invenio"),
        ("SYNC_ADOPT", "false"),
        ("NEMO_URL", "http://127.0.0.1:9"),
        ("NEMO_SYSTEM", "nemo_b"),
        ("AUDIT_REQUIRED_SYSTEMS", "cdcs"),
        ("AUDIT_MAX_MAILS", "1"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Folder::new().run_with(&["demo"], &variables).code(0);
}
