use serde_json::Value;

use crate::support::{Folder, Up};

fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn a_running_up_serves_the_link() {
    let folder = Folder::new();
    let labarchives = "https://labarchives.example.org";
    let settings = [
        ("LABARCHIVES_URL", labarchives),
        ("LABARCHIVES_AKID", "example"),
        ("LABARCHIVES_ACCESS_PASSWORD", "example"),
        ("REGISTRATION_CONTACT", "the helpdesk"),
    ];
    let up = Up::start_with(&folder, &settings);
    let invited = folder.run(&["ids", "invite", "Zoe", "labarchives_eln"]).code(0);
    let link = invited.out.trim_end();
    assert!(link.starts_with(&format!("{}/registrations/", up.api)) && !link.contains('\n'), "{invited:?}");
    let invited = invited.complains(&["nobody is known as Zoe", "for Zoe alone, once, until 20"]);

    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let link = invited.out.trim_end();
    let page = client.get(link).send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.headers()["referrer-policy"].to_str().unwrap()), (200, "no-referrer"));
    let page = page.text().await.unwrap();
    assert!(page.contains("<dd>Zoe</dd>") && page.contains("Ask the helpdesk."), "{page}");
    let begun = client.post(link).send().await.unwrap();
    let back = format!("redirect_uri={}%2Fregistrations%2Fcallback%2F", up.api.replace(':', "%3A").replace('/', "%2F"));
    let location = begun.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.starts_with(&format!("{labarchives}/api_user_login?{back}")), "{location}");

    // The API beside it answers as before, what it does not know too.
    let ask = async |path: &str| client.get(format!("{}{path}", up.api)).send().await.unwrap();
    assert_eq!(ask("/health").await.status(), 200);
    for path in ["/nothing", "/people"] {
        assert_eq!(ask(path).await.headers()["content-type"], "application/problem+json", "{path}");
    }
    assert_eq!(client.post(format!("{}/registrations", up.api)).send().await.unwrap().status(), 401);

    folder.run(&["ids", "set", "kim", "labarchives_eln", "UID-1"]).code(0);
    let other = [setting("REGISTRATION_URL", "https://crosswalk.example.org"), setting("REGISTRATION_DAYS", "1")];
    let invited = folder.run_with(&["ids", "invite", "kim", "labarchives_eln", "--json"], &other).code(0);
    let told: Value = invited.json();
    assert!(told["url"].as_str().unwrap().starts_with("https://crosswalk.example.org/registrations/"), "{told}");
    assert_eq!((told["username"].as_str(), told["system"].as_str()), (Some("kim"), Some("labarchives_eln")));
    assert!(!invited.complains(&["kim has an id in labarchives_eln already"]).err.contains("nobody is known"));
    folder.run(&["ids", "set", "lee", "nemo", "17"]).code(0);
    let invited = folder.run(&["ids", "invite", "lee", "labarchives_eln"]).code(0);
    assert!(!invited.err.contains("note:"), "{invited:?}");
    assert!(up.stop().0.success());
}

#[tokio::test]
async fn without_the_keys_there_are_no_pages() {
    let folder = Folder::new();
    let up = Up::start(&folder);
    let answer = reqwest::get(format!("{}/registrations/style.css", up.api)).await.unwrap();
    assert_eq!(answer.status(), 404);
    assert!(up.stop().0.success());
    folder
        .run_with(&["up", "--port", "0", "--api-port", "0"], &[setting("LABARCHIVES_AKID", "example")])
        .code(2)
        .complains(&["neither LABARCHIVES_ACCESS_PASSWORD nor LABARCHIVES_ACCESS_PASSWORD_SECRET_ID is set"]);
}

#[test]
fn what_is_no_invitation_is_told() {
    let folder = Folder::new();
    let refused = folder.run(&["ids", "invite", "zoe", "nemo"]).code(2);
    refused.complains(&["nobody registers themselves at nemo", "labarchives_eln", "crosswalk ids set"]);
    folder.run(&["ids", "invite", "zoe", "nowhere"]).code(2).complains(&["nowhere", "known are"]);
    assert!(!folder.path().join(".crosswalk").exists(), "a typo starts nothing");
    folder.run(&["ids", "invite", "zoe", "labarchives_eln"]).code(2).complains(&["REGISTRATION_URL is not set"]);
    for (name, value, told) in [
        (
            "REGISTRATION_URL",
            "http://crosswalk.example.org",
            "REGISTRATION_URL does not read: it must begin with https://",
        ),
        ("REGISTRATION_DAYS", "0", "REGISTRATION_DAYS must be 1 to 90"),
    ] {
        let refused = folder.run_with(&["ids", "invite", "zoe", "labarchives_eln"], &[setting(name, value)]).code(2);
        refused.complains(&[told]);
    }
}
