//! What stands in Glean is what stands in the realm, and the numbers say what happened.

use crosswalk_runs::RunState;
use crosswalk_stand_ins::glean::{Fault, Faults, On, Rule};
use crosswalk_stand_ins::keycloak::GroupSpec;

use crate::bed::Bed;
use crate::company::{
    MIXED_GROUPS, MIXED_PEOPLE, MIXED_REJECTED, MIXED_SKIPPED, MIXED_SKIPPED_GROUPS, mixed, plain, user,
};

#[tokio::test]
async fn people_teams_and_memberships_equal_the_realms() {
    for mode in ["true", "false"] {
        let bed = Bed::in_folder(mixed()).with_small_pages().with("GLEAN_USE_BULK_INDEX", mode);
        bed.export().await;
        bed.assert_whole();
        assert_eq!(bed.glean.processed(), 1, "bulk: {mode}");
        assert!(bed.glean.most_pages_at_once() <= 1, "pages go one at a time");
    }
}

#[tokio::test]
async fn the_same_holds_where_aws_keeps_the_state() {
    for mode in ["true", "false"] {
        let bed = Bed::on_aws(mixed()).await.with_small_pages().with("GLEAN_USE_BULK_INDEX", mode);
        let first = bed.export().await;
        bed.assert_whole();
        let second = bed.export().await;
        bed.assert_whole();
        assert_eq!(second.counts.unchanged, first.counts.created);
        assert_eq!(bed.report(second.reports.failed.as_ref()).await.lines().count(), 1 + 5);
    }
}

#[tokio::test]
async fn who_is_rejected_or_skipped_is_counted_and_named() {
    let bed = Bed::in_folder(mixed());
    let record = bed.export().await;
    assert_eq!(record.state, RunState::Partly);
    let (people, teams) = (record.parts["people"], record.parts["teams"]);
    assert_eq!(
        (people.read, people.rejected, people.skipped, people.created),
        (MIXED_PEOPLE, MIXED_REJECTED, MIXED_SKIPPED, MIXED_PEOPLE - MIXED_REJECTED - MIXED_SKIPPED)
    );
    assert_eq!((teams.read, teams.skipped), (MIXED_GROUPS, MIXED_SKIPPED_GROUPS));
    assert_eq!(teams.created, MIXED_GROUPS - MIXED_SKIPPED_GROUPS);
    assert_eq!(record.counts, people.plus(&teams));
    for counts in [people, teams, record.counts] {
        let outcomes = counts.created + counts.updated + counts.unchanged + counts.verified;
        assert_eq!(counts.read, outcomes + counts.unsuccessful(), "read is the sum of the outcomes");
    }
    let reasons: Vec<_> = record.reasons.iter().map(|reason| reason.reason.as_str()).collect();
    for word in ["no e-mail", "EXPORT_DEFAULT_DEPARTMENT", "nobody in it is exported"] {
        assert!(reasons.iter().any(|reason| reason.contains(word)), "{word}: {reasons:?}");
    }
    let report = bed.report(record.reports.failed.as_ref()).await;
    for name in ["u07", "u08", "/deep", "/empty", "/nobody"] {
        assert_eq!(report.matches(&format!(",{name},")).count(), 1, "{name}: {report}");
    }
    let (keycloak, glean) = (record.traffic["keycloak"], record.traffic["glean"]);
    assert_eq!(keycloak.requests, bed.keycloak.requests().total());
    let log = bed.glean.log();
    assert_eq!((glean.requests, glean.retries), (log.len() as u64, 0));
    assert_eq!(glean.bytes_sent, log.iter().map(|entry| entry.bytes as u64).sum::<u64>());
}

#[tokio::test]
async fn a_second_run_finds_nothing_to_do() {
    let bed = Bed::in_folder(plain(12, 3));
    let first = bed.export_all().await;
    assert_eq!((first.counts.created, first.counts.read), (15, 15));
    let held = bed.held();
    let second = bed.export_all().await;
    assert_eq!((second.counts.unchanged, second.counts.read), (15, 15));
    assert_eq!((held, second.counts.deleted), (bed.held(), Some(0)));
    assert_ne!(first.plan, second.plan);

    let individual = bed.with("GLEAN_USE_BULK_INDEX", "false");
    individual.glean.forget_log();
    let third = individual.export_all().await;
    assert_eq!((third.counts.unchanged, third.plan), (15, second.plan));
    assert!(individual.sent().keys().all(|path| path == "processallemployeesandteams"), "{:?}", individual.sent());
}

#[tokio::test]
async fn changes_of_the_realm_are_carried_over() {
    for mode in ["true", "false"] {
        let bed = Bed::in_folder(plain(24, 4)).with_small_pages().with("GLEAN_USE_BULK_INDEX", mode);
        bed.export_all().await;
        bed.keycloak.change(|realm| {
            realm.remove_user("u23");
            realm.user_mut("u01").unwrap().last_name = Some("Newname".to_owned());
            realm.user_mut("u02").unwrap().enabled = false;
            let group = realm.group_mut("/g1").unwrap();
            group.members.retain(|name| name != "u05");
            group.members.push("u04".to_owned());
            group.children.push(GroupSpec::new("new").members(["newcomer"]));
            realm.users.push(user("newcomer"));
        });
        let record = bed.export_all().await;
        let (people, teams) = (record.parts["people"], record.parts["teams"]);
        // u01 and u02 by themselves, u04 and u05 by their teams.
        assert_eq!((people.created, people.updated, people.unchanged, people.deleted), (1, 4, 19, Some(1)), "{mode}");
        // g1's members, and g3 without u23.
        assert_eq!((teams.created, teams.updated, teams.unchanged, teams.deleted), (1, 2, 2, Some(0)), "{mode}");
    }
}

#[tokio::test]
async fn a_parent_holds_its_descendants_members_where_that_is_set() {
    let bed = Bed::in_folder(mixed()).with("EXPORT_TEAM_MEMBERS", "nested");
    bed.export().await;
    assert_eq!(bed.glean.violations(), Vec::<String>::new());
    assert_eq!(bed.glean.disagreements(), Vec::<String>::new());
    let teams = bed.glean.teams();
    let members = |name: &str| {
        let team = teams.values().find(|team| team.name == name).unwrap();
        team.members.iter().map(|member| member.email.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(members("deep"), ["u05@example.org", "u06@example.org"]);
    assert_eq!(members("middle"), members("deep"));
    assert_eq!(members("bottom"), ["u06@example.org"]);
    // 0 to 23 and 39, without the two who are not exported.
    assert_eq!(members("wide").len(), 23);
}

#[tokio::test]
async fn what_glean_says_beside_is_in_the_record() {
    let bed = Bed::in_folder(plain(6, 1));
    let warn = Rule::new(Fault::Warn, On::path("bulkindexemployees"));
    bed.glean.fail(Faults { deprecated: Some("removal 2027-01-15"), ..Faults::rules([warn]) });
    let record = bed.export_all().await;
    let told: Vec<_> = record.warnings.iter().map(|warning| warning.reason.as_str()).collect();
    assert_eq!(told.iter().filter(|told| told.contains("2027-01-15")).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|told| told.contains("uploaded successfully")).count(), 1, "{told:?}");
}
