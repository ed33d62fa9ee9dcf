use std::net::TcpListener;

use aws_sdk_s3::Client;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use crosswalk_local_aws::sdk_config_for;

use crate::support::{Folder, Up, get_until};

async fn put(up: &Up, key: &str, text: &str) {
    let s3 = Client::new(&sdk_config_for(&up.aws));
    s3.put_object().bucket("crosswalk").key(key).body(text.as_bytes().to_vec().into()).send().await.unwrap();
}

#[tokio::test]
async fn objects_are_imported_and_all_survives() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let environment = Up::environment(&folder);
    let names: Vec<&str> = environment.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "AWS_ENDPOINT_URL",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "CROSSWALK_TABLE",
            "CROSSWALK_BUCKET",
            "COGNITO_IDENTITY_POOL_ID",
            "CROSSWALK_API_URL",
            "CROSSWALK_AUTH",
        ]
    );
    assert_eq!((&environment[0].1, &environment[8].1), (&up.aws, &up.api));

    put(&up, "imports/employers/e.csv", "fein,name\n04-2127847,Lakeside Bakery\n").await;
    get_until(&format!("{}/employers/042127847", up.api), 200).await;
    put(&up, "imports/leave-admins/a b+c.csv", "fein,email\n04-2127847,kim@example.org\n").await;
    let person = get_until(&format!("{}/people/kim@example.org", up.api), 200).await;
    assert_eq!(person["roles"][0], "EMPLOYER");
    put(&up, "imports/mappings/nemo/n.csv", "username,external_id\nkim@example.org,777\n").await;
    let url = |up: &Up| format!("{}/systems/nemo/identifiers?external_id=777", up.api);
    let before = get_until(&url(&up), 200).await;
    // A command finds the running `up`, and what it stores the API knows.
    folder.run(&["ids", "set", "ada", "nemo", "778"]).code(0);
    get_until(&format!("{}/systems/nemo/identifiers?external_id=778", up.api), 200).await;
    folder.run(&["mails"]).code(0).says(&["no mails"]);

    let ses = aws_sdk_sesv2::Client::new(&sdk_config_for(&up.aws));
    let text = |text: &str| Content::builder().data(text).build().unwrap();
    let body = Body::builder().text(text("Welcome.\nSee you.")).build();
    let message = Message::builder().subject(text("Hello")).body(body).build();
    let mail = ses
        .send_email()
        .from_email_address("crosswalk@example.org")
        .destination(Destination::builder().to_addresses("kim@example.org").build())
        .content(EmailContent::builder().simple(message).build());
    mail.send().await.unwrap();
    folder.run(&["mails"]).code(0).says(&["To: kim@example.org\nSubject: Hello\n\nWelcome.\nSee you.\n"]);

    let (status, rest) = up.stop();
    assert!(status.success(), "{status}");
    assert_eq!(rest, "", "one line on standard output");
    folder.run(&["env"]).code(2).complains(&["no `crosswalk up` runs on .crosswalk"]);
    // Without it the folder itself answers.
    let mails = folder.run(&["mails", "--json"]).code(0).json();
    assert_eq!((&mails[0]["from"], mails.as_array().unwrap().len()), (&"crosswalk@example.org".into(), 1));
    assert_eq!(folder.run(&["ids", "find", "nemo", "777", "--json"]).code(0).json(), before);

    let up = Up::start(&folder);
    assert_eq!(get_until(&url(&up), 200).await, before);
    let again = Up::environment(&folder);
    assert_eq!(again[7], environment[7], "the same pool");
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&sdk_config_for(&up.aws));
    let user = cognito.admin_get_user().user_pool_id(&again[7].1).username("kim@example.org").send().await.unwrap();
    assert_eq!(user.user_status().unwrap().as_str(), "CONFIRMED");
    put(&up, "imports/mappings/nemo/n.csv", "username,external_id\nkim@example.org,777\ngrace,779\n").await;
    get_until(&format!("{}/systems/nemo/identifiers?external_id=779", up.api), 200).await;
    assert!(up.stop().0.success());
}

#[test]
fn an_endpoint_that_has_ended_is_told_as_one() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let environment = Up::environment(&folder);
    let elsewhere = folder.run_with(&["mails", "--json", "--dir", "other"], &environment).code(0);
    elsewhere.complains(&["--dir is not read, as AWS_ENDPOINT_URL is set"]);
    assert!(up.stop().0.success());
    let told = folder.run_with(&["ids", "get", "ada", "nemo"], &environment).code(2);
    told.complains(&["nothing listens at http://127.0.0.1:", "unset AWS_ENDPOINT_URL"]);
}

#[test]
fn a_folder_has_one_up_and_a_port_one_server() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let second = folder.run(&["up", "--port", "0", "--api-port", "0"]).code(2);
    second.complains(&["another `crosswalk up`", "process"]);
    assert!(up.stop().0.success());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    folder.run(&["up", "--port", "0", "--api-port", &port]).code(2).complains(&["--api-port"]);
    folder.run(&["up", "--port", &port, "--api-port", "0"]).code(2).complains(&[&port]);
}

#[test]
fn a_killed_up_is_not_believed() {
    let folder = Folder::new();
    drop(Up::start(&folder));
    folder.run(&["env"]).code(2);
    folder.run(&["ids", "list", "alice"]).code(1);
    assert!(Up::start(&folder).stop().0.success());
}

#[tokio::test]
async fn an_import_under_way_is_ended_before_it_stops() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let rows: String = (0..800).map(|n| format!("user{n},{n}\n")).collect();
    put(&up, "imports/mappings/nemo/many.csv", &format!("username,external_id\n{rows}")).await;
    let runs = format!("{}/runs", up.api);
    while get_until(&runs, 200).await["items"].as_array().unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(up.stop().0.success());
    let runs = folder.run(&["runs", "--json"]).code(0).json();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&runs["items"][0]["state"], &runs["items"][0]["counts"]["created"]),
        (&"succeeded".into(), &800.into())
    );
}
