use std::sync::Mutex;

use crosswalk_csv_import::{ImportRequest, Kind, RowResult, Source};
use crosswalk_identity::System;
use crosswalk_runs::{RunRecord, RunState};

use crate::bench::{Bench, EMPLOYERS, LEAVE_ADMINS, outcomes};

async fn dry_run(bench: &Bench, kind: Kind, text: &str) -> (RunRecord, Vec<(u64, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, text).unwrap();
    let request = ImportRequest {
        run_id: "import-1".to_owned(),
        kind,
        source: Source::File(path),
        delivery: "test".to_owned(),
        force_registration: false,
    };
    let rows = Mutex::new(Vec::new());
    let row = |row: &RowResult| rows.lock().unwrap().push((row.line, row.outcome.as_str().to_owned()));
    let before = (bench.everything().await, bench.accounts().await, bench.keys().await);
    let record = bench.importer().dry_run(request, &row).await.unwrap();
    assert_eq!((bench.everything().await, bench.accounts().await, bench.keys().await), before, "a dry run wrote");
    assert!(record.dry_run && record.reports.summary.is_none());
    assert_eq!(bench.runs().get("import-1").await.unwrap(), None);
    (record, rows.into_inner().unwrap())
}

async fn real(bench: &Bench, key: &str, text: &str) -> Vec<(u64, String)> {
    let run = bench.drop_in(key, text).await;
    let mut all = outcomes(&bench.succeeded(&run).await);
    all.extend(outcomes(&bench.failed(&run).await));
    all.sort();
    all
}

#[tokio::test]
async fn it_foretells_what_the_real_run_does() {
    let bench = Bench::start().await;
    let employers = format!("{EMPLOYERS}847847847,Wayne,1\n847847847,Wayne,\n");
    let (record, planned) = dry_run(&bench, Kind::Employers, &employers).await;
    assert_eq!((record.state, record.counts.created, record.counts.updated), (RunState::Succeeded, 4, 1));
    assert_eq!(planned, real(&bench, "imports/employers/a.csv", &employers).await);

    let admins = format!("{LEAVE_ADMINS}222222222,charles@example.org,again\n1,new@example.org,\n,x,\n");
    let (record, planned) = dry_run(&bench, Kind::LeaveAdmins, &admins).await;
    assert_eq!((record.counts.created, record.counts.unchanged, record.counts.rejected), (5, 1, 2));
    assert_eq!(planned, real(&bench, "imports/leave-admins/a.csv", &admins).await);
    let (record, _) = dry_run(&bench, Kind::LeaveAdmins, LEAVE_ADMINS).await;
    assert_eq!(record.counts.unchanged, 5);

    let filler: String = (0..120).map(|n| format!("user{n},id{n}\n")).collect();
    let mappings = format!("username,external_id\nada,1\n{filler}grace,1\nada,2\ngrace,1\nada,2\n,3\n");
    let kind = Kind::Mappings(System::parse("nemo").unwrap());
    let (record, planned) = dry_run(&bench, kind, &mappings).await;
    assert_eq!((record.state, record.counts.conflict, record.counts.verified), (RunState::Partly, 1, 1));
    assert_eq!(planned, real(&bench, "imports/mappings/nemo/a.csv", &mappings).await);
}

#[tokio::test]
async fn what_cannot_be_read_is_told() {
    let bench = Bench::start().await;
    let (record, rows) = dry_run(&bench, Kind::Employers, "fein,nome\n1,x\n").await;
    assert_eq!((record.state, rows.len()), (RunState::Failed, 0));
    assert!(record.reasons[0].reason.contains("`name`"), "{:?}", record.reasons);
}
