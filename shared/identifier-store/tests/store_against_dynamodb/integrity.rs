//! What the integrity check reports, and what it does not.

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_identifier_store::{Checked, Fault, ItemKey, StoreError};

use crate::support::{Bed, id, mark, nemo, request, user};
use crate::wire;

fn mapping(who: &str) -> ItemKey {
    ItemKey::new(format!("PERSON#{who}"), "MAPPING#nemo")
}

fn owner(id: &str) -> ItemKey {
    ItemKey::new(format!("EXTERNAL#nemo#{id}"), "OWNER")
}

async fn lose(bed: &Bed, key: ItemKey) {
    bed.raw.client.delete_item().table_name(&bed.raw.name).set_key(Some(key.attributes())).send().await.unwrap();
}

async fn set(bed: &Bed, key: ItemKey, name: &str, value: &str) {
    let update = bed.raw.client.update_item().table_name(&bed.raw.name).set_key(Some(key.attributes()));
    let update = update.update_expression("SET #n = :v").expression_attribute_names("#n", name);
    update.expression_attribute_values(":v", AttributeValue::S(value.into())).send().await.unwrap();
}

#[tokio::test]
async fn each_fault_is_named() {
    let bed = Bed::start().await;
    for n in 0..9 {
        bed.store(&format!("user{n}"), &format!("{n}")).await;
    }
    // Items of other kinds do not matter.
    set(&bed, ItemKey::new("PERSON#user0", "PERSON"), "email", "user0@example.org").await;
    let checked = bed.store.check_integrity(|broken| panic!("{broken}")).await.unwrap();
    assert_eq!(checked, Checked { mappings: 9, owners: 9, broken: 0 });

    lose(&bed, owner("1")).await;
    lose(&bed, mapping("user2")).await;
    set(&bed, mapping("user3"), "external_id", "4").await;
    set(&bed, mapping("user5"), "created_at", "yesterday").await;
    set(&bed, mapping("user6"), "listing", "SYSTEM#nemo#x").await;
    set(&bed, owner("7"), "username_key", "someone").await;
    set(&bed, mapping("user8"), "username", "someone else").await;
    let mut told = Vec::new();
    let checked = bed.store.check_integrity(|broken| told.push((broken.key.clone(), broken))).await.unwrap();
    assert_eq!(checked, Checked { mappings: 8, owners: 8, broken: 8 });
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let faults: Vec<(ItemKey, Fault)> = told.iter().map(|(key, broken)| (key.clone(), broken.fault.clone())).collect();
    let unreadable = |key: &ItemKey| {
        let fault = faults.iter().find(|(of, _)| of == key).map(|(_, fault)| fault.clone());
        assert!(matches!(fault, Some(Fault::Unreadable(_))), "{fault:?}");
        (key.clone(), fault.unwrap())
    };
    let mut expected = vec![
        (mapping("user1"), Fault::NoOwner),
        (owner("2"), Fault::NoMapping),
        (mapping("user3"), Fault::OtherOwner { owner: "user4".into() }),
        (owner("3"), Fault::OtherMapping { external_id: "4".into() }),
        unreadable(&mapping("user5")),
        (mapping("user6"), Fault::NotListed),
        unreadable(&owner("7")),
        unreadable(&mapping("user8")),
    ];
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(faults, expected);
    // The operator reads the key, a log does not.
    let (_, broken) = told.iter().find(|(key, _)| *key == owner("2")).unwrap();
    assert!(broken.to_string().starts_with("EXTERNAL#nemo#2 / OWNER: "));
    assert!(!format!("{told:?}").contains("user4"));
}

#[tokio::test]
async fn a_change_between_two_reads_is_no_fault() {
    let bed = Bed::start().await;
    for n in 0..20 {
        bed.store(&format!("user{n}"), &format!("{n}")).await;
    }
    let store = bed.store.clone();
    let changing = async move {
        for n in 0..20 {
            match n % 3 {
                0 => drop(store.delete(&user(&format!("user{n}")), &nemo()).await.unwrap()),
                1 => drop(store.store(request(&format!("user{n}"), &format!("new{n}"))).await.unwrap()),
                _ => {
                    let (from, to) = (user(&format!("user{n}")), user(&format!("other{n}")));
                    store.move_to(&nemo(), &id(&n.to_string()), &from, &to, mark()).await.unwrap();
                }
            }
        }
    };
    // After the scan, before the counterparts are read.
    bed.wire.inject("BatchGetItem", [wire::Fault::Meanwhile(Box::pin(changing))]);
    let checked = bed.store.check_integrity(|broken| panic!("{broken}")).await.unwrap();
    assert_eq!(checked, Checked { mappings: 20, owners: 20, broken: 0 });
    bed.assert_sound().await;
}

#[tokio::test]
async fn a_table_of_several_pages_is_read_to_its_end() {
    let bed = Bed::start().await;
    // Over 1 MB, the most that one page of a scan holds.
    let noted = |n: usize| crosswalk_identifier_store::StoreRequest {
        notes: crosswalk_identifier_store::Change::Set("n".repeat(4000)),
        ..request(&format!("user{n}"), &format!("{n}"))
    };
    bed.store.store_many((0..400).map(noted).collect()).await;
    lose(&bed, owner("250")).await;
    bed.wire.seen();
    let mut told = Vec::new();
    let checked = bed.store.check_integrity(|broken| told.push(broken.key)).await.unwrap();
    assert_eq!(checked, Checked { mappings: 400, owners: 399, broken: 1 });
    assert_eq!(told, [mapping("user250")]);
    let scans = bed.wire.seen().iter().filter(|seen| seen.operation == "Scan").count();
    assert!(scans > 1, "{scans}");
}

#[tokio::test]
async fn a_broken_pair_is_an_error_that_names_it_and_nothing_is_written() {
    let bed = Bed::start().await;
    for n in 1..=4 {
        bed.store(&format!("user{n}"), &format!("{n}")).await;
    }
    lose(&bed, mapping("user1")).await;
    lose(&bed, owner("2")).await;
    set(&bed, owner("3"), "username", "user4").await;
    set(&bed, owner("3"), "username_key", "user4").await;
    let before = bed.items().await.len();
    let broken =
        |answer: Result<(), StoreError>| assert!(matches!(answer, Err(StoreError::Broken { .. })), "{answer:?}");
    broken(bed.store.get_by_external_id(&nemo(), &id("1")).await.map(drop));
    broken(bed.store.get_by_external_id(&nemo(), &id("3")).await.map(drop));
    broken(bed.store.store(request("user1", "1")).await.map(drop));
    broken(bed.store.store(request("user2", "2")).await.map(drop));
    broken(bed.store.store(request("user2", "9")).await.map(drop));
    broken(bed.store.delete(&user("user2"), &nemo()).await.map(drop));
    broken(bed.store.move_to(&nemo(), &id("1"), &user("user1"), &user("zoe"), mark()).await.map(drop));
    broken(bed.store.swap(&nemo(), &user("user2"), &user("user4"), mark()).await.map(drop));
    broken(bed.store.plan_many(vec![request("user2", "2")]).await.remove(0).map(drop));
    assert_eq!(bed.items().await.len(), before);
}
