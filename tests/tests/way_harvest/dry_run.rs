//! What a run would do.

use crosswalk_stand_ins::nemo::UserSpec;
use crosswalk_tests::everything;

use crate::bed::Bed;

#[tokio::test]
async fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let bed = Bed::with_users(&[
        UserSpec::new(1, "ada"),
        UserSpec::new(2, "bo"),
        UserSpec::new(3, "cy"),
        UserSpec::new(4, "dee").inactive(),
    ])
    .await;
    bed.harvest_all().await;
    bed.nemo.change(|users, _| {
        users[1].email = "bo@other.example.org".to_owned();
        users[2].username = "cyrus".to_owned();
        users.push(UserSpec::new(9, "Eve"));
    });
    bed.used(&[(1, 9, 0)]);
    let before = everything::in_aws(&bed.aws).await;
    let planned = bed.dry_run().await;
    assert_eq!(everything::in_aws(&bed.aws).await, before);
    let seen = planned.plan.actions().last().unwrap().at.unwrap();
    assert_eq!(
        planned.plan.to_string(),
        format!(
            "create Eve = 9\nupdate bo = 2, e-mail: bo@example.org => bo@other.example.org\nseen Eve = 9, {seen:.3}\n"
        )
    );
    let outcomes: Vec<_> = planned.rows.iter().map(|row| (row.name.as_str(), row.outcome.as_str())).collect();
    assert_eq!(outcomes, [("cyrus", "conflict"), ("dee", "skipped")]);
    assert!(planned.record.dry_run);

    // The run does just that.
    let record = bed.harvest().await;
    assert_eq!((record.counts, record.plan), (planned.record.counts, planned.record.plan));
    assert_eq!(bed.mappings().await, ["Eve = 9", "ada = 1", "bo = 2", "cy = 3"]);
}
