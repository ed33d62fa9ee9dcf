use crate::support::Folder;

fn store(folder: &Folder, mappings: &[&[&str]]) {
    for mapping in mappings {
        folder.run(&[&["ids", "set"], *mapping].concat()).code(0);
    }
}

fn contents(folder: &Folder) -> Vec<String> {
    let exported = folder.run(&["ids", "export", "--json"]).code(0).json();
    let mut all: Vec<String> = exported
        .as_array()
        .unwrap()
        .iter()
        .map(|m| ["username", "system", "external_id", "email", "notes"].map(|name| m[name].to_string()).join(" "))
        .collect();
    all.sort();
    all
}

#[test]
fn csv_round_trips_through_the_import() {
    let folder = Folder::new();
    store(
        &folder,
        &[
            &["ada", "nemo", "-12", "--email", "ada@example.org", "--notes", "=1+1, \"two\""],
            &["'=bob", "nemo", "+7"],
            &["@zoë", "cdcs", "a;b", "--notes", "line\nbreak"],
        ],
    );
    let all = folder.run(&["ids", "export"]).code(0);
    assert!(all.out.starts_with("username,external_id,email,notes,system,created_at,last_verified_at\n"), "{all:?}");
    for cell in all.out.split([',', '\n']) {
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
    }
    let before = contents(&folder);
    assert_eq!(before.len(), 3);
    let other = Folder::new();
    other.file("all.csv", &all.out);
    let import = |system: &str, code: i32| {
        other.run(&["import", "all.csv", "--kind", "mappings", "--system", system, "--json"]).code(code).json()
    };
    // A file of several systems is imported for each of them, and mixes none up.
    let nemo = import("nemo", 1);
    assert_eq!((&nemo[0]["counts"]["created"], &nemo[0]["counts"]["rejected"]), (&2.into(), &1.into()));
    assert!(nemo[0]["reasons"].to_string().contains("of another system"), "{nemo}");
    assert_eq!(import("cdcs", 1)[0]["counts"]["created"], 1);
    assert_eq!(contents(&other), before);

    let nemo = folder.run(&["ids", "export", "--system", "nemo", "--output", "nemo.csv"]).code(0);
    nemo.says(&["nemo.csv holds 2 mappings: 2 of nemo"]);
    let import = folder.run(&["import", "nemo.csv", "--kind", "mappings", "--system", "nemo", "--json"]).code(0).json();
    assert_eq!(import[0]["counts"]["verified"], 2);
}

#[test]
fn nothing_is_overwritten_and_nothing_lost() {
    let folder = Folder::new();
    let theirs = folder.file("theirs", "kept");
    folder.run(&["ids", "export", "--output", &theirs]).code(2).complains(&["theirs exists", "nothing is overwritten"]);
    let sqlite = ["ids", "export", "--format", "sqlite"];
    folder.run(&sqlite).code(2).complains(&["needs --output"]);
    let orcid = [&sqlite[..], &["--system", "nemo,orcid", "--output", "o"]].concat();
    folder.run(&orcid).code(2).complains(&["does not take orcid", "it knows nemo"]);
    folder.run(&["ids", "export", "--system", "NEMO"]).code(2).complains(&["is no system's name"]);
    folder.run(&["ids", "export", "--json", "--format", "csv"]).code(2).complains(&["give one"]);
    assert!(!folder.path().join(".crosswalk").exists(), "a typo starts nothing");

    // A system that was known once.
    let orcid = [("CROSSWALK_SYSTEMS".to_owned(), "orcid,nemo".to_owned())];
    folder.run_with(&["ids", "set", "ada", "orcid", "1"], &orcid).code(0);
    folder.run(&["ids", "set", "ada", "nemo", "2"]).code(0);
    let all = folder.run(&["ids", "export", "--json"]).code(0).complains(&["does not name orcid"]);
    assert_eq!(all.json().as_array().unwrap().len(), 2);
    let only = folder.run(&["ids", "export", "--format", "json", "--system", "orcid", "--output", "o.json"]).code(0);
    assert!(only.err.contains("o.json holds 1 mappings: 1 of orcid"), "{only:?}");
    folder.run(&["ids", "export", "--system", "nmeo"]).code(1).complains(&["`nmeo` is not known here", "no mappings"]);
    folder.run(&["ids", "export", "--system", "cdcs"]).code(0).complains(&["cdcs has no mappings"]);

    let out = ["--output", "out.sqlite"];
    folder.run(&[&sqlite[..], &out].concat()).code(2).complains(&["does not take orcid", "--system"]);
    let names =
        || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert!(
        names().iter().all(|name| !name.to_str().unwrap().contains("part") && name != "out.sqlite"),
        "{:?}",
        names()
    );
    folder.run(&[&sqlite[..], &out, &["--system", "nemo"]].concat()).code(0).says(&["1 mappings: 1 of nemo"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("theirs")).unwrap(), "kept");
}
