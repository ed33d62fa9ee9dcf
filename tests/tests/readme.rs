//! What the README says of the settings and the first two commands is what the code says.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be set up ends it")]

use std::path::Path;

use crosswalk_function_kit::settings::markdown_table;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap()
}

fn section(readme: &str, name: &str) -> String {
    let start = format!("<!-- settings:{name} -->\n");
    let (_, rest) = readme.split_once(&start).unwrap_or_else(|| panic!("the README has no {start}"));
    let (table, _) = rest.split_once("<!-- /settings -->").unwrap();
    table.trim().to_owned()
}

#[test]
fn the_settings_tables_are_the_codes() {
    let readme = readme();
    let functions = [
        ("csv-import", crosswalk_csv_import::settings()),
        ("mapping-api", crosswalk_mapping_api::settings()),
        ("people-export", crosswalk_people_export::settings()),
        ("directory-sync", crosswalk_directory_sync::settings()),
        ("nemo-harvest", crosswalk_nemo_harvest::settings()),
        ("labarchives-registration", crosswalk_labarchives_registration::settings()),
        ("mapping-audit", crosswalk_mapping_audit::settings()),
    ];
    for (name, settings) in functions {
        let expected = markdown_table(&settings);
        assert!(
            section(&readme, name) == expected.trim(),
            "README.md's table of {name}'s settings is not the code's; put this between its marks:\n{expected}"
        );
    }
}

#[test]
fn the_two_commands_stand_at_the_top() {
    let readme = readme();
    let top: Vec<&str> = readme.lines().take(20).collect();
    assert!(top.iter().any(|line| line.starts_with("cargo run ")), "{top:?}");
    assert!(top.iter().any(|line| line.starts_with("cargo test --workspace")), "{top:?}");
}
