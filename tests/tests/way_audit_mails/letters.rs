//! What a mail says.

use crosswalk_invitations::{InvitedBy, Token};

use crate::bed::{Bed, person, told};

#[tokio::test]
async fn the_personal_link_in_a_mail_is_the_persons_invitation() {
    let bed = Bed::new()
        .await
        .with("REGISTRATION_URL", "https://crosswalk.example.org")
        .with("REGISTRATION_DAYS", "3")
        .with("AUDIT_CONTACT", "help@example.org");
    let mut zoe = person("zoe.k", Some("zoe@example.org"), "nemo labarchives_eln");
    zoe.usernames.extend(person("zoe", None, "nemo").usernames);
    assert_eq!(told(&bed.notify(&[zoe, person("omar", Some("omar@example.org"), "nemo")]).await), ["sent", "sent"]);
    let mails = bed.mails().await;
    let of = |address: &str| mails.iter().find(|mail| mail.to == [address]).unwrap();
    let mail = of("zoe@example.org");
    assert_eq!(mail.subject, "Please link your NEMO and LabArchives ELN accounts");
    assert_eq!(
        (mail.from.as_str(), &mail.reply_to[..]),
        ("crosswalk@example.org", &["help@example.org".to_owned()][..])
    );
    let (text, html) = (mail.text.as_ref().unwrap(), mail.html.as_ref().unwrap());
    let link = text.lines().find_map(|line| line.trim().strip_prefix("https://crosswalk.example.org/registrations/"));
    let link = link.unwrap();
    assert!(html.contains(&format!("<a href=\"https://crosswalk.example.org/registrations/{link}\">")));
    let invitation = bed.invitations().find(&Token::parse(link).unwrap().hash()).await.unwrap().unwrap();
    assert_eq!((invitation.username.as_str(), invitation.system.as_str()), ("zoe.k", "labarchives_eln"));
    assert_eq!((invitation.invited_by, invitation.spent_at), (InvitedBy::Audit, None));
    assert_eq!(invitation.ends_at.duration_since(invitation.created_at).as_hours(), 72);
    let until = invitation.ends_at.strftime("%A, %-d %B %Y, %H:%M UTC").to_string();
    assert!(text.contains(&until) && text.contains("do not forward it"), "{text}");
    // Who lacks no id of LabArchives gets no link.
    assert!(!of("omar@example.org").text.as_ref().unwrap().contains("https://"));
}

#[tokio::test]
async fn without_registration_pages_the_mail_names_whom_to_ask() {
    let bed = Bed::new().await.with("AUDIT_CONTACT", "the lab's <office>");
    bed.notify(&[person("zoe", Some("zoe@example.org"), "labarchives_eln")]).await;
    let mails = bed.mails().await;
    let (text, html) = (mails[0].text.as_ref().unwrap(), mails[0].html.as_ref().unwrap());
    assert!(text.contains("ask to have it linked: the lab's <office>") && !text.contains("https://"), "{text}");
    assert!(html.contains("the lab&#39;s &#60;office&#62;"), "{html}");
    assert!(mails[0].reply_to.is_empty());
}

#[tokio::test]
async fn names_that_people_have_chosen_stay_text() {
    let bed = Bed::new().await;
    let name = "<img src=x onerror=alert(1)>\u{2028}Bcc: eve@example.org\u{202e}";
    bed.notify(&[person(name, Some("zoe@example.org"), "nemo")]).await;
    let mails = bed.mails().await;
    let html = mails[0].html.as_ref().unwrap();
    assert!(html.contains("&#60;img src=x onerror=alert(1)&#62;Bcc: eve@example.org<"), "{html}");
    let text = mails[0].text.as_ref().unwrap();
    assert!(text.contains("known here as <img src=x onerror=alert(1)>Bcc: eve@example.org. We do"), "{text}");
    assert_eq!(mails[0].to, ["zoe@example.org"]);
    assert!(!mails[0].subject.contains("Bcc") && mails[0].headers.len() == 1);
}
