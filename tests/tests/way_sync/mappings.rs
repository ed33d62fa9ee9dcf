//! External ids of the table become mappings.

use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{IdentifierStore, Table};
use crosswalk_identity::{ExternalId, System};
use crosswalk_runs::RunState;

use crate::bed::{Bed, request};

fn store(bed: &Bed) -> IdentifierStore {
    let table = Table::new(aws_sdk_dynamodb::Client::new(&bed.aws.config), &bed.aws.names.table);
    IdentifierStore::new(table, Clock::system(), Entropy::system())
}

async fn owner(bed: &Bed, id: &str) -> Option<String> {
    let (system, id) = (System::parse("nemo").unwrap(), ExternalId::parse(id).unwrap());
    store(bed).get_by_external_id(&system, &id).await.unwrap().map(|mapping| mapping.username.as_str().to_owned())
}

#[tokio::test]
async fn external_ids_are_stored_and_a_conflict_stops_nothing() {
    let bed = Bed::with_people(&[
        "k1,ada@example.org,ada,,,yes,17",
        "k2,bo@example.org,bo,,,yes,18",
        "k3,cy@example.org,cy,,,yes,",
        "k4,dee@example.org,,,,yes,19",
    ])
    .await
    .with("SYNC_MAPPINGS", "nemo=nemo_id");
    let planned = bed.dry_run(&request()).await;
    assert_eq!(planned.record.parts["mappings"].created, 2);
    let record = bed.sync().await;
    let (people, mappings) = (record.parts["people"], record.parts["mappings"]);
    assert_eq!((people.created, mappings.read, mappings.created, mappings.rejected), (4, 3, 2, 1));
    assert_eq!((owner(&bed, "17").await.as_deref(), owner(&bed, "18").await.as_deref()), (Some("ada"), Some("bo")));
    assert!(bed.failed(&record).await[0].contains("needs a username"));

    // Nothing differs: nothing is asked of the store but what was not stored.
    let record = bed.sync().await;
    assert_eq!((record.parts["mappings"].read, record.parts["people"].unchanged), (1, 4));

    // Two swap their ids, which a sync cannot tell from a mistake: reported with the owners.
    bed.set_people(&[
        "k1,ada@example.org,ada,,,yes,18",
        "k2,bo@example.org,bo,,,yes,20",
        "k3,cy@example.org,cy,,,yes,17",
    ])
    .await;
    let record = bed.sync().await;
    assert_eq!(record.state, RunState::Partly);
    let told = bed.failed(&record).await.join("\n");
    assert!(told.contains("its owner is bo") || told.contains("its owner is ada"), "{told}");
    assert_eq!(record.parts["people"].unchanged, 3);
}
