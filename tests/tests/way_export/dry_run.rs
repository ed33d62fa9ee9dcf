//! A dry run changes nothing anywhere, and tells what the real run will do.

use crosswalk_function_kit::{Deadline, Entropy};
use crosswalk_people_export::handler;
use crosswalk_stand_ins::keycloak::RealmSpec;
use serde_json::json;

use crate::bed::{Bed, request};
use crate::company::{mixed, plain, user};

async fn plans_what_the_run_does(bed: Bed, change: impl FnOnce(&mut RealmSpec)) {
    for first in [true, false] {
        let (kept, held) = (bed.kept().await, bed.held());
        bed.glean.forget_log();
        let planned = bed.dry_run(&request()).await;
        assert!(planned.record.dry_run);
        assert_eq!((bed.glean.log(), bed.held()), (Vec::new(), held));
        assert!(bed.kept().await == kept, "it writes nothing");
        let record = bed.export().await;
        assert!(bed.kept().await != kept, "the run does");
        bed.assert_whole();
        assert_eq!(record.plan.as_deref(), Some(planned.plan.hash()));
        assert_eq!((record.counts, record.parts), (planned.record.counts, planned.record.parts), "first: {first}");
        assert_eq!((record.reasons, record.state), (planned.record.reasons, planned.record.state));
        if first {
            bed.keycloak.change(|realm| realm.users.push(user("newcomer")));
        }
    }
    bed.keycloak.change(change);
    let planned = bed.dry_run(&request()).await;
    assert_eq!(planned.record.plan, bed.export().await.plan);
}

#[tokio::test]
async fn in_a_folder() {
    for mode in ["true", "false"] {
        let bed = Bed::in_folder(mixed()).with("GLEAN_USE_BULK_INDEX", mode);
        plans_what_the_run_does(bed, |realm| realm.remove_user("u03")).await;
    }
}

#[tokio::test]
async fn on_aws() {
    plans_what_the_run_does(Bed::on_aws(mixed()).await, |realm| realm.remove_user("u03")).await;
}

#[tokio::test]
async fn it_says_that_the_guard_would_stop_the_run() {
    let bed = Bed::in_folder(plain(30, 2));
    bed.export_all().await;
    bed.keycloak.change(|realm| realm.users.truncate(20));
    let kept = bed.kept().await;
    let planned = bed.dry_run(&request()).await;
    assert!(planned.stopped.unwrap().contains("--allow-removals"));
    assert_eq!(planned.plan.removals(), 10);
    assert!(bed.kept().await == kept);
}

#[tokio::test]
async fn by_setting_and_by_event() {
    let bed = Bed::in_folder(plain(12, 2));
    let handle =
        async |bed: &Bed, event| handler::handle(&bed.exporter(), event, &Entropy::system(), Deadline::NONE).await;
    let told = handle(&bed, json!({ "dry_run": true })).await.unwrap();
    assert_eq!((&told["run"]["dry_run"], &told["steps"]), (&json!(true), &json!(14)));
    let bed = bed.with("DRY_RUN", "true");
    let told = handle(&bed, json!({ "schedule": "s", "scheduled_at": "2026-11-22T05:00:00Z" })).await.unwrap();
    assert_eq!((&told["run"]["dry_run"], bed.glean.log()), (&json!(true), Vec::new()));
    assert!(bed.kept().await.is_empty());
}
