//! Who gets a mail, and who none.

use aws_sdk_cognitoidentityprovider::types::MessageActionType;
use crosswalk_tests::everything;

use crate::bed::{Bed, people, person, told};

const DISABLED: &str = "skipped: the account is disabled";

#[tokio::test]
async fn people_without_an_e_mail_have_one_at_the_domain_if_there_is_one() {
    let people = [person("zoe", None, "nemo"), person("omar k", None, "nemo"), person("pia@example.net", None, "nemo")];
    let bed = Bed::new().await;
    assert_eq!(told(&bed.notify(&people).await), ["skipped: no e-mail"; 3]);
    let bed = bed.with("AUDIT_EMAIL_DOMAIN", "example.org");
    let notified = bed.notify(&people).await;
    assert_eq!(told(&notified), ["sent", "skipped: no e-mail", "skipped: no e-mail"]);
    assert_eq!(bed.addresses().await, ["zoe@example.org"]);
}

#[tokio::test]
async fn people_who_turn_out_to_have_one_address_get_one_mail() {
    let bed = Bed::new().await.with("AUDIT_EMAIL_DOMAIN", "example.org");
    let people = [
        person("zoe.k", Some("zoe@example.org"), "nemo"),
        person("omar", Some("omar@example.org"), "nemo"),
        person("zoe", None, "sharepoint nemo"),
    ];
    let notified = bed.notify(&people).await;
    assert_eq!(told(&notified), ["sent", "sent", "skipped: the mail of another person with this e-mail tells of it"]);
    assert_eq!(bed.addresses().await, ["omar@example.org", "zoe@example.org"]);
    let mails = bed.mails().await;
    let mail = mails.iter().find(|mail| mail.to == ["zoe@example.org"]).unwrap();
    assert_eq!(mail.subject, "Please link your NEMO and SharePoint accounts");
    assert!(mail.text.as_ref().unwrap().contains("you are known here as zoe.k, zoe."));
}

#[tokio::test]
async fn a_disabled_account_gets_no_mail() {
    let bed = Bed::new().await;
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&bed.aws.config);
    let pool = bed.aws.names.pool_id.clone();
    for email in ["user2@example.org", "gone@example.org", "user4@example.org"] {
        let create = cognito.admin_create_user().user_pool_id(&pool).username(email);
        create.message_action(MessageActionType::Suppress).send().await.unwrap();
        if email != "user4@example.org" {
            cognito.admin_disable_user().user_pool_id(&pool).username(email).send().await.unwrap();
        }
    }
    let mut people = people(4);
    people[0].disabled = true;
    // Whose account goes by the username.
    people[2] = person("gone@example.org", Some("user3@example.org"), "nemo");
    // As every username of a person is asked for; Cognito would refuse to look for this one.
    people[3].usernames.push(person("a name with spaces", None, "nemo").usernames.remove(0));
    let bed = bed.with("COGNITO_IDENTITY_POOL_ID", &pool);
    let expected = [DISABLED, DISABLED, DISABLED];
    assert_eq!(told(&bed.dry_run(&people).await), [&expected[..], &["would send"]].concat());
    let notified = bed.notify(&people).await;
    assert_eq!(told(&notified), [&expected[..], &["sent"]].concat());
    assert_eq!(bed.addresses().await, ["user4@example.org"]);
}

#[tokio::test]
async fn where_nobody_can_tell_whose_account_is_disabled_nobody_gets_a_mail() {
    let bed = Bed::new().await.with("COGNITO_IDENTITY_POOL_ID", "us-east-1_Nowhere");
    let people = people(3);
    let notified = bed.notify(&people).await;
    assert_eq!(notified.tally().not_reached, 3);
    assert!(notified.ended.unwrap().contains("there is no user pool us-east-1_Nowhere"));
    assert!(bed.addresses().await.is_empty());
    // Nor is anybody noted.
    let bed = bed.with("COGNITO_IDENTITY_POOL_ID", "");
    assert_eq!(bed.notify(&people).await.tally().sent, 3);
}

#[tokio::test]
async fn a_dry_run_tells_who_would_get_a_mail_and_changes_nothing() {
    let bed = Bed::new().await.with("REGISTRATION_URL", "https://crosswalk.example.org");
    let mut people = people(4);
    people[3].systems = person("x", None, "labarchives_eln").systems;
    assert_eq!(told(&bed.notify(&people[..1]).await), ["sent"]);
    people[1].disabled = true;
    // Also where SES is not to be asked.
    bed.embedded().set_mail_rules(crosswalk_local_aws::MailRules { sending_enabled: false, ..Default::default() });
    let before = everything::in_aws(&bed.aws).await;
    let told = told(&bed.dry_run(&people).await);
    assert!(told[0].starts_with("skipped: a mail was sent of late") && told[1] == DISABLED, "{told:?}");
    assert_eq!(told[2..], ["would send", "would send"]);
    assert_eq!(everything::in_aws(&bed.aws).await, before);
    assert_eq!(bed.addresses().await.len(), 1);
}

#[tokio::test]
async fn without_the_setting_nobody_gets_a_mail() {
    let bed = Bed::new().await.with("AUDIT_NOTIFY", "false");
    assert_eq!(told(&bed.notify(&people(2)).await), ["skipped: mails are switched off (AUDIT_NOTIFY)"; 2]);
    assert!(bed.addresses().await.is_empty());
}
