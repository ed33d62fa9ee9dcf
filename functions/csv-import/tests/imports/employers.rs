use crosswalk_runs::RunState;

use crate::bench::{Bench, fein, told};

#[tokio::test]
async fn created_updated_unchanged_rejected() {
    let bench = Bench::start().await;
    let run = bench.drop_in("imports/employers/a.csv", "fein,name\n1,One\n2,Two\n").await;
    assert_eq!((run.state, run.counts.created), (RunState::Succeeded, 2));
    let text = "Name;FEIN;fineos_employer_id\nOne;00-0000001;77\nTwo;2;\n;3;\nThree;3-;\nTwo again;2;\n";
    let run = bench.drop_in("imports/employers/b.csv", text).await;
    let counts = run.counts;
    assert_eq!((counts.updated, counts.unchanged, counts.rejected, counts.created), (2, 1, 1, 1));
    let one = bench.people().employer(&fein("1")).await.unwrap().unwrap();
    assert_eq!((one.name.as_str(), one.fineos_employer_id.as_deref()), ("One", Some("77")));
    assert_eq!(bench.people().employer(&fein("2")).await.unwrap().unwrap().name, "Two again");
    assert_eq!(told(&bench.failed(&run).await), [(4, "rejected".to_owned(), "the name is empty".to_owned())]);
}
