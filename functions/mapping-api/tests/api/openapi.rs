//! The checked-in description is the code's.

#[test]
fn the_checked_in_copy_is_current() {
    let current = serde_json::to_string_pretty(&crosswalk_mapping_api::openapi()).unwrap();
    let renew = "cargo run -p crosswalk-mapping-api --example openapi > functions/mapping-api/openapi.json";
    assert!(
        include_str!("../../openapi.json").trim_end() == current,
        "functions/mapping-api/openapi.json is not what the code says; look at the change, then renew it: {renew}"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let text = serde_json::to_string(&crosswalk_mapping_api::openapi()).unwrap();
    let openapi: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut references = 0;
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(openapi.pointer(pointer).is_some(), "{pointer}");
        references += 1;
    }
    assert!(references > 20, "only {references} references");
}
