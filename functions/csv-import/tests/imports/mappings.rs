use crosswalk_identity::System;
use crosswalk_runs::RunState;

use crate::bench::{Bench, deliver, outcomes, told};

const KEY: &str = "imports/mappings/nemo/mappings.csv";

#[tokio::test]
async fn each_outcome() {
    let bench = Bench::start().await;
    let first = "username,external_id,email,notes\nada,1,ada@example.org,\ngrace,2,,\nlinus,3,,\n";
    let run = bench.drop_in(KEY, first).await;
    assert_eq!((run.state, run.counts.created, run.kind.as_str()), (RunState::Succeeded, 3, "mappings"));

    let second =
        "username,external_id,email,notes\nada,1,,\ngrace,20,,\nlinus,3,,new\nbarbara,3,,\nwho/ever,4,,\nADA,1,,\n";
    let run = bench.drop_in(KEY, second).await;
    let counts = run.counts;
    assert_eq!((counts.verified, counts.updated, counts.conflict, counts.rejected), (2, 2, 1, 1));
    assert_eq!(run.state, RunState::Partly);
    let failed = told(&bench.failed(&run).await);
    assert_eq!(
        failed.iter().map(|row| (row.0, row.1.as_str())).collect::<Vec<_>>(),
        [(5, "conflict"), (6, "rejected")]
    );
    assert!(failed[0].2.contains("belongs to linus"), "{failed:?}");
    // The owner is for the report alone.
    assert!(run.reasons.iter().all(|reason| !reason.reason.contains("linus")), "{:?}", run.reasons);
    assert_eq!(bench.id_of("grace", "nemo").await.as_deref(), Some("20"));
    assert_eq!(bench.id_of("barbara", "nemo").await, None);
}

#[tokio::test]
async fn of_two_rows_that_claim_one_id_the_first_wins_however_far_apart() {
    let bench = Bench::start().await;
    let filler: String = (0..700).map(|n| format!("user{n},id{n}\n")).collect();
    let text = format!("username,external_id\nfirst,X\n{filler}second,X\nfirst,Y\nthird,X\nfirst,Z\n");
    let run = bench.drop_in(KEY, text).await;
    let failed = told(&bench.failed(&run).await);
    // second loses to first; when first has moved on to Y, X is free for third.
    assert_eq!(failed.iter().map(|row| (row.0, row.1.as_str())).collect::<Vec<_>>(), [(703, "conflict")]);
    assert_eq!((run.counts.created, run.counts.updated, run.counts.conflict), (702, 2, 1));
    assert_eq!(bench.id_of("third", "nemo").await.as_deref(), Some("X"));
    assert_eq!(bench.id_of("first", "nemo").await.as_deref(), Some("Z"));
}

#[tokio::test]
async fn a_repeat_after_a_crash_tells_the_first_outcomes_again() {
    let bench = Bench::start().await;
    let text = "username,external_id\nada,1\ngrace,2\nada,1\nada,5\ngrace,5\nlinus,9\n,8\n";
    let event = bench.put(KEY, text).await;
    let first = deliver(&bench.importer(), event.clone()).await;
    let reports = (bench.succeeded(&first).await, bench.failed(&first).await);
    crate::deliveries::forget_the_end(&bench, &first).await;
    let second = deliver(&bench.importer(), event).await;
    assert_eq!(second.counts, first.counts);
    assert_eq!(outcomes(&bench.succeeded(&second).await), outcomes(&reports.0));
    assert_eq!(outcomes(&bench.failed(&second).await), outcomes(&reports.1));
    assert_eq!(bench.id_of("ada", "nemo").await.as_deref(), Some("5"));
}

#[tokio::test]
async fn a_few_thousand_rows_in_row_order() {
    let bench = Bench::start().await;
    let rows: String = (0..3_000)
        .map(|n| match n % 10 {
            9 => format!("user{n},\n"),
            _ => format!("user{n},id{n}\n"),
        })
        .collect();
    let run = bench.drop_in(KEY, format!("username,external_id\n{rows}")).await;
    assert_eq!((run.counts.read, run.counts.created, run.counts.rejected), (3_000, 2_700, 300));
    for report in [bench.succeeded(&run).await, bench.failed(&run).await] {
        let lines: Vec<u64> = outcomes(&report).into_iter().map(|row| row.0).collect();
        assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
    }
    let (mut cursor, mut listed) = (None, 0);
    loop {
        let page = bench.store().list_system(&System::parse("nemo").unwrap(), cursor.as_deref(), 1_000).await.unwrap();
        listed += page.items.len();
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, 2_700);
}
