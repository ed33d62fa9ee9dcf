use crate::support::Folder;

#[test]
fn help_is_enough_to_begin() {
    let folder = Folder::new();
    let help = folder.run(&["--help"]).code(0);
    help.says(&[
        "demo",
        "up",
        "env",
        "import",
        "export",
        "ids",
        "runs",
        "settings",
        "mails",
        "completions",
        "Begin here:",
        "Exit codes:",
    ]);
    folder.run(&["import", "--help"]).code(0).says(&["--kind", "--system", "--check", "--dry-run", "AWS_ENDPOINT_URL"]);
    folder.run(&["export", "--help"]).code(0).says(&[
        "--dry-run",
        "--allow-removals",
        "--mode",
        "--max-users",
        "--state",
    ]);
    folder
        .run(&["ids", "--help"])
        .code(0)
        .says(&["get", "find", "list", "set", "move", "swap", "rm", "check", "export", "invite"]);
    folder.run(&["up", "--help"]).code(0).says(&["4566", "8080", ".crosswalk", "imports/mappings/<system>/"]);
}

#[test]
fn what_cannot_be_typed_is_2() {
    let folder = Folder::new();
    folder.run(&["imports"]).code(2).complains(&["import"]);
    folder.run(&["ids", "get", "a/b", "nemo"]).code(2).complains(&["cannot stand in a path"]);
    folder.run(&["ids", "get", "alice", "nemmo"]).code(2).complains(&["nemmo", "known are", "nemo"]);
    assert!(!folder.path().join(".crosswalk").exists(), "a typo starts nothing");
}

#[test]
fn completions_are_for_this_binary() {
    for shell in ["bash", "zsh", "fish"] {
        Folder::new().run(&["completions", shell]).code(0).says(&["crosswalk", "leave-admins"]);
    }
}

#[test]
fn settings_come_from_the_code() {
    let folder = Folder::new();
    folder.run(&["settings"]).code(0).says(&[
        "csv-import",
        "mapping-api",
        "crosswalk",
        "CROSSWALK_TABLE",
        "must be set",
    ]);
    let json = folder.run(&["settings", "csv-import", "--json"]).code(0).json();
    let settings = json["csv-import"].as_array().unwrap();
    assert_eq!(settings.len(), crosswalk_csv_import::settings().len());
    assert_eq!(json.as_object().unwrap().len(), 1);

    let markdown = folder.run(&["settings", "mapping-api", "--markdown"]).code(0);
    for setting in crosswalk_mapping_api::settings() {
        assert!(markdown.out.contains(&format!("| `{}` | ", setting.name)), "{}", markdown.out);
    }

    let file = folder.run(&["settings", "csv-import", "--env"]).code(0);
    for line in file.out.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.split_once('=').unwrap();
        let listed = settings.iter().find(|setting| setting["name"] == name).unwrap();
        assert_eq!((listed["required"].as_bool(), value), (Some(true), ""), "{line}");
    }
    assert!(file.out.contains("_SECRET_ID="), "{}", file.out);
}
