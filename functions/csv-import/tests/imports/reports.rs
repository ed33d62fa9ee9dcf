use crosswalk_runs::{RunRecord, RunState};

use crate::bench::{Bench, outcomes};

#[tokio::test]
async fn reports_hold_line_columns_outcome_and_reason_and_can_be_dropped_back_in() {
    let bench = Bench::start().await;
    let text = "\u{feff}Username;note to self;External_ID;email\r\n\
                ada;\"=HYPERLINK(\"\"x\"\")\";1;ada@example.org\r\n\
                grace;'@sum;;\r\n\
                \r\n\
                =linus;'quoted';-3;\r\n\
                \"bar\nbara\";\"a, b\";4;no address\r\n\
                extra;cells;5;;6\r\n";
    let run = bench.drop_in("imports/mappings/cdcs/a.csv", text).await;
    assert_eq!((run.counts.created, run.counts.rejected), (2, 3));
    insta::assert_snapshot!(bench.succeeded(&run).await, @r#"
    line,Username,note to self,External_ID,email,outcome,reason
    2,ada,"'=HYPERLINK(""x"")",1,ada@example.org,created,the mapping is new
    5,'=linus,'quoted','-3,,created,the mapping is new
    "#);
    let failed = bench.failed(&run).await;
    insta::assert_snapshot!(failed, @r#"
    line,Username,note to self,External_ID,email,outcome,reason
    3,grace,''@sum,,,rejected,the external id is empty
    6,"bar
    bara","a, b",4,no address,rejected,the username holds the control character U+000A at character 4; remove it; the e-mail is not a valid address (Missing separator character '@'.)
    8,extra,cells,5,,rejected,the row's number of cells is 5 and the header's 4; put a value that holds the delimiter in quotes,6
    "#);

    // As it is, the same rows fail again; and the report of the report is the same but for the lines.
    let again = bench.drop_in("imports/mappings/cdcs/failed.csv", failed.clone()).await;
    assert_eq!((again.counts.read, again.counts.rejected), (3, 3));
    let second = bench.failed(&again).await;
    assert!(
        second.starts_with("line,Username,note to self,External_ID,email,outcome,reason\n2,grace,''@sum,,,rejected,")
    );

    // Corrected, they go in, and nothing of the guard is stored.
    let corrected =
        failed.replace("''@sum,,", "''@sum,'=9,").replace("\"bar\nbara\"", "barbara").replace("no address", "");
    let run = bench.drop_in("imports/mappings/cdcs/failed.csv", corrected).await;
    assert_eq!((run.state, run.counts.created, run.counts.rejected), (RunState::Partly, 2, 1));
    assert_eq!(bench.id_of("grace", "cdcs").await.as_deref(), Some("=9"));
    assert_eq!(bench.id_of("=linus", "cdcs").await.as_deref(), Some("-3"));
}

#[tokio::test]
async fn they_stand_beside_the_imports_and_start_none() {
    let bench = Bench::start().await;
    let run = bench.drop_in("imports/employers/a.csv", "fein,name\n1,One\n").await;
    let mut keys = bench.keys().await;
    keys.sort();
    let report = |file: &str| format!("reports/{}/{file}", run.id);
    assert_eq!(
        keys,
        ["imports/employers/a.csv".to_owned(), report("failed.csv"), report("succeeded.csv"), report("summary.json")]
    );
    assert_eq!(bench.failed(&run).await, "line,fein,name,outcome,reason\n");
    let summary: RunRecord = serde_json::from_str(&bench.object(&report("summary.json")).await).unwrap();
    assert_eq!(summary, run);
    assert_eq!(bench.runs().get(&run.id).await.unwrap().unwrap(), run);

    let importer = bench.importer();
    for key in [report("failed.csv"), "imports/employers/".to_owned()] {
        let answer = crosswalk_csv_import::handler::handle(
            &importer,
            bench.event(&key, None),
            crosswalk_function_kit::Deadline::NONE,
        );
        assert_eq!(answer.await.unwrap(), serde_json::json!({ "runs": [] }));
    }
}

#[tokio::test]
async fn long_reports_are_sent_in_parts() {
    let bench = Bench::start().await;
    let filler = "y".repeat(900);
    let rows: String = (0..14_000).map(|n| format!("bad{n},x,{filler}\n")).collect();
    let run = bench.drop_in("imports/leave-admins/a.csv", format!("fein,email,other\n{rows}")).await;
    assert_eq!(run.counts.rejected, 14_000);
    let failed = bench.failed(&run).await;
    assert!(failed.len() > 2 * 5 * 1024 * 1024);
    let lines: Vec<u64> = outcomes(&failed).into_iter().map(|row| row.0).collect();
    assert_eq!(lines, (2..14_002).collect::<Vec<_>>());
    let uploads = bench.s3.list_multipart_uploads().bucket(&bench.testbed.names.bucket).send().await;
    assert!(uploads.is_err() || uploads.is_ok_and(|answer| answer.uploads().is_empty()));
}
