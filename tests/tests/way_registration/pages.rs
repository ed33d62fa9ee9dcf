//! What holds for every page: headers, markup, and nothing that a browser would fetch elsewhere.

use reqwest::Method;

use crate::bed::{Answer, Bed, path, state_of, uid};

/// Everything that can be answered, by what it is.
async fn all(bed: &Bed) -> Vec<(&'static str, Answer)> {
    let mut found = Vec::new();
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    found.push(("page", browser.get(&path(&token)).await));
    found.push(("head", browser.ask(Method::HEAD, &path(&token)).await));
    let at = browser.press(&token).await;
    let back = bed.sign_in(&at, "ann").await;
    found.push(("forged", bed.browser().come_back(&back).await));
    found.push(("bad state", bed.browser().get("/registrations/callback/x").await));
    found.push(("cancelled", {
        let mut browser = bed.browser();
        let at = browser.press(&token).await;
        browser.come_back(&bed.cancel(&at).await).await
    }));
    found.push(("begin", browser.ask(Method::POST, &path(&token)).await));
    browser.cookie = Some(state_of(&back));
    found.push(("linked", browser.come_back(&back).await));
    found.push(("used", browser.get(&path(&token)).await));
    bed.set("ben", &uid("ben")).await;
    let token = bed.invite("cleo").await;
    found.push(("conflict", bed.browser().register(&token, "ben").await));
    let linked = bed.invite("ben").await;
    found.push(("linked already", browser.get(&path(&linked)).await));
    found.push(("other account", bed.browser().register(&linked, "cleo").await));
    bed.labarchives
        .fail(crosswalk_stand_ins::labarchives::Faults::exchange(crosswalk_stand_ins::labarchives::Fault::Unavailable));
    found.push(("unavailable", bed.browser().register(&token, "cleo").await));
    bed.forward(8 * 24 * 60);
    found.push(("ended", browser.get(&path(&token)).await));
    for (what, method, path) in [
        ("unknown", Method::GET, "/registrations/x"),
        ("no page", Method::GET, "/"),
        ("no page", Method::POST, "/registrations/a/b/c"),
        ("no method", Method::DELETE, "/registrations/x"),
        ("no method", Method::GET, "/registrations"),
        ("no claims", Method::POST, "/registrations"),
        ("style", Method::GET, "/registrations/style.css"),
    ] {
        found.push((what, bed.ask(method, path, &[]).await));
    }
    found
}

#[tokio::test]
async fn every_answer_is_kept_from_harm() {
    let bed = Bed::start_with(&[("REGISTRATION_CONTACT", "the helpdesk (help@example.org)")]).await;
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {}; base-uri 'none'; frame-ancestors 'none'",
        bed.labarchives.url()
    );
    let mut ids = Vec::new();
    for (what, answer) in all(&bed).await {
        assert_eq!(answer.header("content-security-policy"), policy, "{what}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
        assert!(answer.header("strict-transport-security").starts_with("max-age=31536000"), "{what}");
        match what {
            "style" => assert_eq!(answer.header("cache-control"), "public, max-age=3600"),
            _ => assert_eq!(answer.header("cache-control"), "no-store", "{what}"),
        }
        assert!(!answer.header("location").contains(&bed.url) || what == "begin", "{what}");
        // Who read somebody's link from a log could use it: ids in logs are the answers' own.
        ids.push(answer.header("x-request-id").to_owned());
    }
    let number = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), number, "an id each");
}

#[tokio::test]
async fn every_page_reads_well_without_script() {
    let bed = Bed::start_with(&[("REGISTRATION_CONTACT", "the helpdesk <help@example.org>")]).await;
    let mut pages = 0;
    for (what, answer) in all(&bed).await {
        if !answer.header("content-type").starts_with("text/html") || what == "head" {
            continue;
        }
        pages += 1;
        let body = &answer.body;
        assert!(body.trim_start().to_lowercase().starts_with("<!doctype html>"), "{what}");
        for part in ["<html lang=\"en\">", "<title>", "<main", "</main>", "name=\"viewport\"", "color-scheme"] {
            assert!(body.contains(part), "{what} lacks {part}: {body}");
        }
        assert!(!answer.heading().is_empty());
        let title = body.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
        assert!(title.contains(answer.heading()), "{what}: {title}");
        // Neither script, nor style or handler in the markup, nor anything from elsewhere.
        for part in [
            "<script",
            "<style",
            " style=",
            " onclick",
            " onload",
            "javascript:",
            "src=",
            "<iframe",
            "<meta http-equiv",
        ] {
            assert!(!body.to_lowercase().contains(part), "{what} has {part}: {body}");
        }
        for target in body.split("href=\"").skip(1).chain(body.split("action=\"").skip(1)) {
            let target = target.split('"').next().unwrap();
            assert!(target.is_empty() || target.starts_with("/registrations/"), "{what}: {target}");
        }
        assert!(!body.contains("<help@example.org>"), "{what}");
    }
    assert!(pages >= 14, "{pages}");
}

#[tokio::test]
async fn the_contact_is_named_where_help_is_needed() {
    let bed = Bed::start_with(&[("REGISTRATION_CONTACT", "the helpdesk (help@example.org)")]).await;
    let (_, used) = all(&bed).await.into_iter().find(|(what, _)| *what == "used").unwrap();
    assert!(used.body.contains("the helpdesk (help@example.org)"), "{}", used.body);
}
