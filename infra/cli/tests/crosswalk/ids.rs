use crosswalk_local_aws::{LocalAws, Storage};
use serde_json::{Value, json};

use crate::support::Folder;

#[test]
fn ids_round_trip() {
    let folder = Folder::new();
    let ids = |args: &[&str], code: i32| {
        let ended = folder.run(&[&["ids"], args].concat());
        ended.code(code)
    };
    let as_json = |args: &[&str]| ids(&[args, &["--json"]].concat(), 0).json();

    ids(&["get", "alice", "nemo"], 1).complains(&["alice has no id in nemo"]);
    ids(&["find", "nemo", "-1"], 1).complains(&["nobody has the id -1 in nemo"]);
    ids(&["set", "Alice", "nemo", "1", "--email", "alice@example.org", "--notes", "x"], 0)
        .says(&["created: Alice is 1 in nemo"]);
    ids(&["set", "alice", "nemo", "1"], 0).says(&["verified"]);
    ids(&["set", "alice", "nemo", "2", "--notes", ""], 0).says(&["updated (was 1)"]);
    let found = as_json(&["find", "nemo", "2"]);
    assert_eq!(
        (&found["username"], &found["email"], &found["notes"]),
        (&json!("Alice"), &json!("alice@example.org"), &Value::Null)
    );
    assert_eq!(found, as_json(&["get", "ALICE", "nemo"]));

    ids(&["set", "bob", "nemo", "2"], 1).complains(&["conflict", "belongs to Alice", "crosswalk ids move"]);
    let conflict = ids(&["set", "bob", "nemo", "2", "--json"], 1).json();
    assert_eq!((&conflict["status"], &conflict["owner"]), (&json!(409), &json!("Alice")));
    assert_eq!(ids(&["get", "bob", "nemo", "--json"], 1).json()["status"], 404);
    ids(&["set", "bob", "nemo", "3"], 0);
    ids(&["move", "nemo", "2", "--from", "alice", "--to", "bob"], 1).complains(&["bob has another id"]);
    ids(&["move", "nemo", "2", "--from", "carol", "--to", "dan"], 1).complains(&["belongs to Alice, not to carol"]);
    ids(&["move", "nemo", "9", "--from", "carol", "--to", "dan"], 1).complains(&["nobody has the id 9"]);
    ids(&["swap", "nemo", "alice", "bob"], 0);
    assert_eq!(as_json(&["get", "bob", "nemo"])["external_id"], "2");
    ids(&["swap", "nemo", "alice", "carol"], 1);
    let moved = as_json(&["move", "nemo", "2", "--from", "bob", "--to", "carol"]);
    assert!(moved.to_string().contains("carol"), "{moved}");

    assert_eq!(as_json(&["list", "alice"])["items"].as_array().unwrap().len(), 1);
    let all = as_json(&["list", "--system", "nemo"]);
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    assert_eq!(all["next_cursor"], Value::Null);
    ids(&["list", "--system", "cdcs"], 0).says(&["0 in cdcs"]);
    ids(&["list", "nobody"], 1);
    ids(&["check"], 0).says(&["are whole"]);
    ids(&["rm", "alice", "nemo"], 0).says(&["deleted: alice was 3 in nemo"]);
    ids(&["rm", "alice", "nemo"], 1).complains(&["alice has no id in nemo"]);
}

#[tokio::test]
async fn check_names_what_is_broken() {
    let folder = Folder::new();
    folder.run(&["ids", "set", "alice", "nemo", "1"]).code(0);
    {
        let aws = LocalAws::start(Storage::Folder(folder.path().join(".crosswalk")), 0).unwrap();
        let dynamodb = aws_sdk_dynamodb::Client::new(&aws.sdk_config());
        let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
        let delete =
            dynamodb.delete_item().table_name("crosswalk").key("pk", text("EXTERNAL#nemo#1")).key("sk", text("OWNER"));
        delete.send().await.unwrap();
    }
    folder.run(&["ids", "check"]).code(1).says(&["PERSON#alice / MAPPING#nemo"]).complains(&["1 of"]);
    let told = folder.run(&["ids", "check", "--json"]).code(1).json();
    assert_eq!(told["broken"].as_array().unwrap().len(), 1);
}

#[test]
fn a_folder_in_use_is_told() {
    let folder = Folder::new();
    let aws = LocalAws::start(Storage::Folder(folder.path().join(".crosswalk")), 0).unwrap();
    let ended = folder.run(&["ids", "list", "alice"]).code(2);
    assert!(ended.err.contains(".crosswalk"), "{ended:?}");
    drop(aws);
    folder.run(&["ids", "list", "alice"]).code(1);
}
