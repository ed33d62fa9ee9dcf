//! Several at once.

use futures::future::join_all;

use crate::bed::{Bed, uid};

#[tokio::test(flavor = "multi_thread")]
async fn of_callbacks_at_once_one_exchanges_the_code() {
    for round in 0..10 {
        let bed = Bed::start().await;
        let token = bed.invite("ann").await;
        let mut browser = bed.browser();
        let at = browser.press(&token).await;
        let back = bed.sign_in(&at, "ann").await;
        bed.labarchives.take_counts();
        let answers = join_all((0..8).map(|_| {
            let mut copy = bed.browser();
            copy.cookie.clone_from(&browser.cookie);
            let back = back.clone();
            async move { copy.come_back(&back).await }
        }))
        .await;
        let linked = answers.iter().filter(|answer| answer.heading() == "Your LabArchives account is linked").count();
        assert_eq!(linked, 1, "round {round}");
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 409 | 410), "{answer:?}");
        }
        let counts = bed.labarchives.take_counts();
        assert_eq!((counts.asked, counts.exchanged), (1, 1), "round {round}");
        assert_eq!(bed.mappings().await.into_values().collect::<Vec<_>>(), [uid("ann")]);
        assert!(bed.is_spent(&token).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_browsers_with_one_link_at_once_one_links() {
    for _ in 0..5 {
        let bed = Bed::start().await;
        let token = bed.invite("ann").await;
        let names = ["ann", "ben", "cleo"];
        let answers = join_all(names.map(|name| {
            let (mut browser, token, bed) = (bed.browser(), token.clone(), &bed);
            async move {
                let at = browser.press(&token).await;
                let back = bed.sign_in(&at, name).await;
                browser.come_back(&back).await
            }
        }))
        .await;
        // Whoever is second finds the person's first account, or the used link.
        let linked: Vec<_> = answers.iter().zip(names).filter(|(answer, _)| answer.status == 200).collect();
        let [(_, name)] = linked[..] else { panic!("{answers:?}") };
        let mappings = bed.mappings().await;
        assert_eq!(mappings.into_iter().collect::<Vec<_>>(), [("ann".to_owned(), uid(name))]);
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409 | 410)), "{answers:?}");
    }
}
