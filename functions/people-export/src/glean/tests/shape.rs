//! Bodies hold the fields that the specification has, and no others (Glean's `indexing.yaml`, August 2026).

use std::sync::Arc;

use serde_json::json;

use super::types::{
    AdditionalField, DatasourceProfile, EmployeeTeam, Employment, Status, StructuredLocation, TeamEmail, TeamEmailType,
};
use super::*;

/// `EmployeeInfoDefinition`, without `location`, `socialNetworks` and `relationships`, which nothing here fills.
const EMPLOYEE: &[&str] = &[
    "additionalFields",
    "alsoKnownAs",
    "bio",
    "businessUnit",
    "datasourceProfiles",
    "department",
    "email",
    "endDate",
    "firstName",
    "id",
    "lastName",
    "managerEmail",
    "managerId",
    "phoneNumber",
    "photoUrl",
    "preferredName",
    "profileUrl",
    "pronoun",
    "startDate",
    "status",
    "structuredLocation",
    "teams",
    "title",
    "type",
];
/// `TeamInfoDefinition`, without `datasourceProfiles`.
const TEAM: &[&str] = &[
    "additionalFields",
    "businessUnit",
    "department",
    "description",
    "emails",
    "externalLink",
    "id",
    "members",
    "name",
    "photoUrl",
];
const LOCATION: &[&str] =
    &["address", "city", "country", "countryCode", "deskLocation", "region", "state", "timezone", "zipCode"];

fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn text() -> Option<String> {
    Some("text".to_owned())
}

fn whole_person() -> Employee {
    Employee {
        email: "ada@example.org".to_owned(),
        department: "Research".to_owned(),
        first_name: text(),
        last_name: text(),
        preferred_name: text(),
        id: text(),
        manager_id: text(),
        manager_email: text(),
        title: text(),
        business_unit: text(),
        phone_number: text(),
        photo_url: text(),
        bio: text(),
        pronoun: text(),
        profile_url: text(),
        also_known_as: vec!["Countess".to_owned()],
        start_date: Some(jiff::civil::date(2026, 11, 2)),
        end_date: Some(jiff::civil::date(2026, 12, 31)),
        structured_location: Some(Box::new(StructuredLocation {
            desk_location: text(),
            timezone: text(),
            address: text(),
            city: text(),
            state: text(),
            region: text(),
            zip_code: text(),
            country: text(),
            country_code: text(),
        })),
        employment: Some(Employment::NonEmployee),
        status: Status::Ex,
        datasource_profiles: vec![DatasourceProfile { datasource: "sso".to_owned(), handle: "ada".to_owned() }],
        teams: vec![Arc::new(EmployeeTeam { id: "t".to_owned(), name: "T".to_owned(), url: text() })],
        additional_fields: vec![AdditionalField { key: "costcenter".to_owned(), value: vec!["7".to_owned()] }],
    }
}

fn whole_team() -> Team {
    Team {
        description: text(),
        business_unit: text(),
        department: text(),
        photo_url: text(),
        external_link: text(),
        emails: vec![TeamEmail { email: "engines@example.org".to_owned(), purpose: TeamEmailType::Primary }],
        additional_fields: vec![AdditionalField { key: "costcenter".to_owned(), value: vec!["7".to_owned()] }],
        ..team(1)
    }
}

async fn sent(change: Change<'_>) -> Value {
    let stage = Stage::statuses(&[], &[]).await;
    stage.glean.change(change, &Turn::kept()).await.unwrap();
    stage.bodies().await.remove(0)
}

#[tokio::test]
async fn a_whole_person_has_the_specified_fields() {
    let body = sent(Change::IndexPerson(&whole_person())).await;
    assert_eq!(keys(&body), ["employee"]);
    let employee = &body["employee"];
    assert_eq!(keys(employee), EMPLOYEE);
    assert_eq!(keys(&employee["structuredLocation"]), LOCATION);
    assert_eq!(employee["startDate"], "2026-11-02");
    assert_eq!((&employee["type"], &employee["status"]), (&json!("NON_EMPLOYEE"), &json!("EX")));
    assert_eq!(employee["datasourceProfiles"], json!([{ "datasource": "sso", "handle": "ada" }]));
    assert_eq!(employee["teams"], json!([{ "id": "t", "name": "T", "url": "text" }]));
    assert_eq!(employee["additionalFields"], json!([{ "key": "costcenter", "value": ["7"] }]));
}

#[tokio::test]
async fn a_whole_team_has_the_specified_fields() {
    let body = sent(Change::IndexTeam(&whole_team())).await;
    assert_eq!(keys(&body), ["team"]);
    assert_eq!(keys(&body["team"]), TEAM);
    assert_eq!(body["team"]["members"], json!([{ "email": "person1@example.org", "relationship": "MEMBER" }]));
    assert_eq!(body["team"]["emails"], json!([{ "email": "engines@example.org", "type": "PRIMARY" }]));
}

#[tokio::test]
async fn what_is_not_set_is_not_sent() {
    let least =
        Employee { email: "ada@example.org".to_owned(), department: "Research".to_owned(), ..Employee::default() };
    let body = sent(Change::IndexPerson(&least)).await;
    assert_eq!(keys(&body["employee"]), ["department", "email", "status"]);
    assert_eq!(keys(&sent(Change::IndexTeam(&Team::default())).await["team"]), ["id", "members", "name"]);
}

#[tokio::test]
async fn a_page_has_the_specified_fields() {
    let options = UploadOptions { restart: true, force_stale_deletion: true };
    let stage = Stage::statuses(&[], &[]).await;
    stage.glean.upload(Upload::People(&[whole_person()]), options, &Turn::kept(), &|_| ()).await.unwrap();
    stage.glean.upload(Upload::Teams(&[whole_team()]), options, &Turn::kept(), &|_| ()).await.unwrap();
    let shared = ["forceRestartUpload", "isFirstPage", "isLastPage", "uploadId"];
    let bodies = stage.bodies().await;
    let with = |more: &[&'static str]| {
        let mut keys: Vec<_> = shared.iter().chain(more).copied().collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(&bodies[0]), with(&["disableStaleDataDeletionCheck", "employees"]));
    assert_eq!(keys(&bodies[1]), with(&["teams"]));
    assert_eq!(keys(&bodies[0]["employees"][0]), EMPLOYEE);
    assert_eq!(keys(&bodies[1]["teams"][0]), TEAM);
}

#[test]
fn debug_names_nobody() {
    let shown = format!("{:?} {:?}", whole_person(), whole_team());
    let parts = format!("{:?} {:?}", whole_person().datasource_profiles, whole_team().members);
    for text in [shown, parts] {
        assert!(!text.contains("ada@") && !text.contains("person1@") && !text.contains("\"ada\""), "{text}");
    }
}
