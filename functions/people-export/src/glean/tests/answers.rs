//! What is tried again, what is not, and what is told of it.

use tokio::time::Instant;

use super::*;

fn answer(status: u16, text: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string(text)
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let statuses = [408, 429, 500, 502, 503, 504];
    let stage = Stage::statuses(&statuses, &[]).await;
    stage.upload_people(&people(1)).await.unwrap();
    assert_eq!((stage.glean.traffic().requests, stage.glean.traffic().retries), (7, 6));
}

#[tokio::test]
async fn what_lasts_is_not() {
    for status in [302, 400, 401, 403, 404, 409, 410, 422] {
        let stage = Stage::statuses(&[status], &[]).await;
        assert!(stage.upload_people(&people(1)).await.is_err());
        assert_eq!(stage.requests().await.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn it_gives_up_in_the_end() {
    let stage = Stage::answering(answer(503, "come back"), &[]).await;
    let Err(SendError::Unreachable(why)) = stage.upload_people(&people(1)).await else { panic!("not unreachable") };
    let told = "Glean answered 503 Service Unavailable to bulkindexemployees: come back (tried 9 times)";
    assert_eq!(why, told);
    assert_eq!(stage.requests().await.len(), 9);
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again() {
    let (origin, read) = breaking(3).await;
    let glean = client(&origin, &[("GLEAN_PAGE_SIZE", "1")]);
    glean.upload(Upload::People(&people(2)), UploadOptions::default(), &Turn::kept(), &|_| ()).await.unwrap();
    assert_eq!(read.load(Ordering::SeqCst), 5);
    assert_eq!((glean.traffic().requests, glean.traffic().retries), (5, 3));
}

#[tokio::test]
async fn who_cannot_be_reached_is_told_without_the_address() {
    // Nothing listens on the first port.
    let glean = client("http://127.0.0.1:1", &[]);
    let Err(SendError::Unreachable(why)) = glean.process_all().await else { panic!("not unreachable") };
    assert!(why.starts_with("no answer from Glean to processallemployeesandteams"), "{why}");
    assert!(why.ends_with("(tried 9 times)") && !why.contains("127.0.0.1:1/"), "{why}");
}

#[tokio::test]
async fn glean_is_left_alone_as_long_as_it_asks() {
    let throttled = ResponseTemplate::new(429).insert_header("retry-after", "1");
    let stage = Stage::scripted(vec![throttled], &[]).await;
    let began = Instant::now();
    stage.upload_people(&people(1)).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_wait_that_a_run_has_no_time_for_ends_it() {
    let throttled = ResponseTemplate::new(503).insert_header("retry-after", "3600");
    let stage = Stage::answering(throttled, &[]).await;
    let glean = stage.glean.for_run(Deadline::within(Duration::from_secs(200)));
    let Err(SendError::Unreachable(why)) = glean.process_all().await else { panic!("not unreachable") };
    assert!(why.ends_with("(tried once, as no time was left)"), "{why}");
    assert_eq!(stage.requests().await.len(), 1);
}

#[tokio::test]
async fn a_success_with_a_warning_goes_on_and_is_told_once() {
    let text = "Employees uploaded successfully; no manager: person1@example.org (Lovelace)";
    let stage = Stage::scripted(vec![answer(400, text), answer(400, text)], &[("GLEAN_PAGE_SIZE", "1")]).await;
    stage.upload_people(&people(3)).await.unwrap();
    assert_eq!(stage.requests().await.len(), 3);
    let told = "Glean answered 400 Bad Request to bulkindexemployees: Employees uploaded successfully; no manager: \
                p***@e*** (***) (it counts this as taken)";
    assert_eq!(stage.glean.warnings(), [told]);
}

#[tokio::test]
async fn many_different_warnings_are_counted_and_not_kept() {
    let answers = (0..25).map(|at| answer(400, &format!("teams uploaded successfully {at}"))).collect();
    let stage = Stage::scripted(answers, &[("GLEAN_PAGE_SIZE", "1")]).await;
    stage.upload_people(&people(25)).await.unwrap();
    let warnings = stage.glean.warnings();
    assert_eq!(warnings.len(), 21);
    assert_eq!(warnings[20], "5 warnings of Glean's more are not kept");
}

#[tokio::test]
async fn a_conflict_ends_the_upload_and_says_why() {
    for (statuses, why) in [
        (&[200, 409][..], "Another upload may be under way; the next run forces a restart"),
        (&[200, 503, 409], "was lost once, and Glean may hold it already; the next run forces a restart"),
        // A throttled page was not taken.
        (&[200, 429, 409], "Another upload may be under way; the next run forces a restart"),
    ] {
        let stage = Stage::statuses(statuses, &[("GLEAN_PAGE_SIZE", "1")]).await;
        let Err(SendError::Conflict(told)) = stage.upload_people(&people(3)).await else { panic!("no conflict") };
        assert!(told.ends_with(why), "{told}");
        assert_eq!(stage.requests().await.len(), statuses.len());
    }
}

#[tokio::test]
async fn what_glean_has_removed_is_named() {
    let stage = Stage::statuses(&[410], &[]).await;
    assert_eq!(stage.upload_people(&people(1)).await, Err(SendError::Gone("bulkindexemployees")));
    assert_eq!(stage.requests().await.len(), 1);
}

#[tokio::test]
async fn a_deprecation_is_told_once_a_run() {
    let deprecated = ResponseTemplate::new(200).insert_header("X-Glean-Deprecated", "removal 2026-10-15");
    let stage = Stage::answering(deprecated, &[("GLEAN_PAGE_SIZE", "1")]).await;
    stage.upload_people(&people(3)).await.unwrap();
    stage.glean.process_all().await.unwrap();
    let told = "Glean says that bulkindexemployees is deprecated (X-Glean-Deprecated): removal 2026-10-15";
    assert_eq!(stage.glean.warnings(), [told]);

    let next = stage.glean.for_run(Deadline::NONE);
    assert_eq!((next.warnings(), next.traffic().requests), (vec![], 0));
    next.process_all().await.unwrap();
    assert_eq!((next.warnings().len(), stage.glean.traffic().requests), (1, 4));
}

#[tokio::test]
async fn what_is_told_is_short_and_names_nobody() {
    let text = format!("person1@example.org (Ada Lovelace) has no department. {}", "x".repeat(1_000));
    let stage = Stage::answering(answer(400, &text), &[]).await;
    let everybody = people(3);
    for error in [
        stage.upload_people(&everybody).await.unwrap_err(),
        stage.glean.change(Change::IndexPerson(&everybody[1]), &Turn::kept()).await.unwrap_err(),
    ] {
        let told = error.to_string();
        assert!(told.contains("p***@e*** (*** ***) has no department. xxx"), "{told}");
        assert!(told.chars().count() < 400, "{told}");
    }
}

#[tokio::test]
async fn bytes_are_counted_both_ways() {
    let stage = Stage::scripted(vec![answer(503, "12345"), answer(200, "1234567")], &[]).await;
    stage.upload_people(&people(1)).await.unwrap();
    let sent: usize = stage.requests().await.iter().map(|request| request.body.len()).sum();
    let traffic = stage.glean.traffic();
    assert_eq!((traffic.requests, traffic.retries), (2, 1));
    assert_eq!((traffic.bytes_sent, traffic.bytes_received), (sent as u64, Some(12)));
}

#[tokio::test]
async fn a_413_may_come_before_the_page_was_read() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let glean = client(&format!("http://{}", listener.local_addr().unwrap()), &[]);
    let server = tokio::spawn(async move {
        let mut lengths = Vec::new();
        while lengths.len() < 3 {
            let (mut connection, _) = listener.accept().await.unwrap();
            let head = read_head(&mut connection).await;
            let length = content_length(&head);
            lengths.push(length);
            let status = if length > 3_000_000 { "413 Content Too Large" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            connection.write_all(answer.as_bytes()).await.unwrap();
            // As front ends do: what is still on its way is read and dropped, so that the answer is not.
            tokio::spawn(async move { while connection.read(&mut [0; 65_536]).await.is_ok_and(|read| read > 0) {} });
        }
        lengths
    });
    let mut everybody = people(2);
    for person in &mut everybody {
        person.bio = Some("b".repeat(2_000_000));
    }
    glean.upload(Upload::People(&everybody), UploadOptions::default(), &Turn::kept(), &|_| ()).await.unwrap();
    let lengths = server.await.unwrap();
    assert!(lengths[0] > 4_000_000 && lengths[1] < 2_001_000 && lengths[2] < 2_001_000, "{lengths:?}");
}
