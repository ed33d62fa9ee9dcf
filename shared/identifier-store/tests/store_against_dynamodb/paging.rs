//! The listing of a system.

use std::collections::BTreeSet;

use crosswalk_identifier_store::{Page, StoreError, StoreRequest};

use crate::support::{Bed, nemo, request, system};

async fn pages(bed: &Bed, limit: usize) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    loop {
        let cursor = pages.last().and_then(|page| page.next_cursor.clone());
        pages.push(bed.store.list_system(&nemo(), cursor.as_deref(), limit).await.unwrap());
        if pages.last().unwrap().next_cursor.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn every_mapping_is_listed_once_whatever_the_page() {
    let bed = Bed::start().await;
    bed.store.store_many((0..60).map(|n| request(&format!("User{n}"), &format!("{n}"))).collect()).await;
    let elsewhere = StoreRequest { system: system("nemo_campus_b"), ..request("User1", "1") };
    bed.store.store(elsewhere).await.unwrap();
    let whole = pages(&bed, 1000).await.remove(0);
    assert_eq!((whole.items.len(), whole.next_cursor.clone()), (60, None));
    let shards: BTreeSet<String> = bed
        .items()
        .await
        .iter()
        .filter_map(|item| Some(item.get("listing")?.as_s().unwrap().clone()))
        .filter(|listing| listing.starts_with("SYSTEM#nemo#"))
        .collect();
    assert!(shards.len() > 12, "60 names fall into most of the 16 shards: {shards:?}");
    for limit in [1, 2, 7, 20, 59, 60] {
        let pages = pages(&bed, limit).await;
        assert_eq!(pages.len(), 60usize.div_ceil(limit), "no empty page at the end");
        assert!(pages.iter().rev().skip(1).all(|page| page.items.len() == limit));
        let listed: Vec<_> = pages.into_iter().flat_map(|page| page.items).collect();
        assert_eq!(listed, whole.items, "limit {limit}");
    }
    // Out of range is brought into it.
    assert_eq!(bed.store.list_system(&nemo(), None, 0).await.unwrap().items.len(), 1);
    let none = bed.store.list_system(&system("cdcs"), None, 10).await.unwrap();
    assert_eq!(none, Page { items: Vec::new(), next_cursor: None });
}

#[tokio::test]
async fn a_cursor_holds_when_its_mapping_goes() {
    let bed = Bed::start().await;
    bed.store.store_many((0..10).map(|n| request(&format!("user{n}"), &format!("{n}"))).collect()).await;
    let first = bed.store.list_system(&nemo(), None, 4).await.unwrap();
    bed.store.delete(&first.items[3].username, &nemo()).await.unwrap();
    let rest = bed.store.list_system(&nemo(), first.next_cursor.as_deref(), 100).await.unwrap();
    assert_eq!(rest.items.len(), 6);
}

#[tokio::test]
async fn a_cursor_of_another_listing_is_refused() {
    let bed = Bed::start().await;
    bed.store.store_many((0..3).map(|n| request(&format!("user{n}"), &format!("{n}"))).collect()).await;
    let cursor = bed.store.list_system(&nemo(), None, 1).await.unwrap().next_cursor.unwrap();
    assert!(!cursor.contains("user"));
    assert!(bed.store.list_system(&nemo(), Some(&cursor), 1).await.is_ok());
    let other = system("cdcs");
    for (system, cursor) in
        [(&other, cursor.as_str()), (&nemo(), ""), (&nemo(), "x"), (&nemo(), &cursor[1..]), (&nemo(), "e30")]
    {
        assert_eq!(bed.store.list_system(system, Some(cursor), 1).await, Err(StoreError::Cursor), "{cursor}");
    }
}
