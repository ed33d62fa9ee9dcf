use crosswalk_function_kit::Clock;
use crosswalk_runs::RunState;

use crate::bench::{Bench, deliver, outcomes};

async fn reason(bench: &Bench, key: &str, body: impl Into<Vec<u8>>) -> String {
    let run = bench.drop_in(key, body).await;
    assert_eq!((run.state, run.counts.read, run.reasons.len()), (RunState::Failed, 0, 1), "{run:?}");
    assert!(run.ended_at.is_some());
    assert_eq!(bench.runs().get(&run.id).await.unwrap().unwrap(), run);
    run.reasons[0].reason.clone()
}

#[tokio::test]
async fn what_cannot_be_read_is_a_failed_run_that_says_why() {
    let bench = Bench::start().await;
    let employers = "imports/employers/a.csv";
    let utf16: Vec<u8> = "\u{feff}fein,name\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(reason(&bench, employers, utf16).await.contains("UTF-16"));
    assert!(reason(&bench, employers, b"fein,name\n1,Caf\xe9\n".to_vec()).await.contains("Latin-1"));
    assert!(reason(&bench, employers, "").await.contains("the file is empty"));
    assert!(reason(&bench, employers, "fein,name\n").await.contains("no rows"));
    assert!(reason(&bench, "imports/people/a.csv", "fein,name\n1,x\n").await.contains("imports/leave-admins/"));
    assert!(
        reason(&bench, "imports/mappings/orcid/a.csv", "username,external_id\na,1\n").await.contains("known are cdcs")
    );
    assert!(reason(&bench, "imports/mappings/a.csv", "username,external_id\na,1\n").await.contains("<system>"));
}

#[tokio::test]
async fn an_object_that_is_gone_or_too_large_or_replaced() {
    let bench = Bench::start().await;
    let run = deliver(&bench.importer(), bench.event("imports/employers/gone.csv", None)).await;
    assert_eq!(run.state, RunState::Failed);
    assert!(run.reasons[0].reason.contains("gone"), "{:?}", run.reasons);

    let environment = bench.environment().with("CROSSWALK_MAX_FILE_MIB", "1");
    let importer = bench.importer_with(&environment, Clock::system());
    let large = format!("fein,name\n{}", "1,x\n".repeat(300_000));
    let run = deliver(&importer, bench.put("imports/employers/large.csv", large).await).await;
    assert_eq!(run.state, RunState::Failed);
    assert!(run.reasons[0].reason.contains("CROSSWALK_MAX_FILE_MIB"), "{:?}", run.reasons);

    let first = bench.put("imports/employers/a.csv", "fein,name\n1,Old\n").await;
    let second = bench.put("imports/employers/a.csv", "fein,name\n1,New one\n").await;
    let run = deliver(&bench.importer(), first).await;
    assert_eq!(run.state, RunState::Failed);
    assert!(run.reasons[0].reason.contains("replaced"), "{:?}", run.reasons);
    assert_eq!(deliver(&bench.importer(), second).await.counts.created, 1);
}

#[tokio::test]
async fn an_object_of_several_chunks() {
    let bench = Bench::start().await;
    // Rejected rows alone: what is tested is the reading, over the borders of 4 MiB.
    let row = format!("{},\"a\r\nb\",{}\r\n", "0", "x".repeat(600));
    let rows = 20_000;
    let text = format!("fein,name,other\r\n{}", row.repeat(rows));
    assert!(text.len() > 10 * 1024 * 1024);
    let run = bench.drop_in("imports/employers/a.csv", text.clone()).await;
    assert_eq!((run.counts.read, run.counts.rejected), (rows as u64, rows as u64));
    assert_eq!((run.progress.bytes, run.progress.percent), (text.len() as u64, Some(100.0)));
    let lines: Vec<u64> = outcomes(&bench.failed(&run).await).into_iter().map(|row| row.0).collect();
    assert_eq!(lines, (0..rows as u64).map(|row| 2 + 2 * row).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_quote_that_is_never_closed_breaks_the_run_off_after_the_good_rows() {
    let bench = Bench::start().await;
    let text = format!("fein,name\n1,One\n2,\"Two\n{}", "3,x\n".repeat(400_000));
    let run = bench.drop_in("imports/employers/a.csv", text).await;
    assert_eq!((run.state, run.counts.read, run.counts.created), (RunState::Failed, 1, 1));
    assert!(run.reasons[0].reason.contains("line 3"), "{:?}", run.reasons);
    assert_eq!(outcomes(&bench.succeeded(&run).await), [(2, "created".to_owned())]);
}
