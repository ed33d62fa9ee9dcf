//! Whom the sync saw, for the audit of mappings.

use crosswalk_sightings::Sighting;
use crosswalk_tests::s3_client;

use crate::bed::Bed;

impl Bed {
    /// `username <e-mail> active`, of whomever a sync saw.
    async fn sightings(&self) -> Vec<String> {
        let files = crosswalk_runs::files::Files::Bucket {
            client: s3_client(&self.aws),
            bucket: self.aws.names.bucket.clone(),
        };
        let mut told = Vec::new();
        let tell = |Sighting { username, email, active, .. }: Sighting| {
            told.push(format!("{username} <{}> {active}", email.unwrap()));
        };
        crosswalk_sightings::read(&files, tell).await.unwrap();
        told
    }
}

#[tokio::test]
async fn whom_a_run_saw_is_noted_and_a_dry_run_notes_nobody() {
    let bed = Bed::with_people(&["1,ada@example.org,ada", "2,bo@example.org,bo,,,no", "3,cy@example.org"]).await;
    bed.dry_run(&crate::bed::request()).await;
    assert!(bed.sightings().await.is_empty());
    bed.sync().await;
    assert_eq!(bed.sightings().await, ["ada <ada@example.org> true", "bo <bo@example.org> false"]);
    bed.set_people(&["1,ada@example.org,ada,,,no", "4,dee@example.org,dee"]).await;
    bed.sync().await;
    assert_eq!(
        bed.sightings().await,
        ["ada <ada@example.org> false", "dee <dee@example.org> true", "bo <bo@example.org> false"]
    );
}
