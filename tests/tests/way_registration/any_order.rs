//! Two people with three links, three browsers and three LabArchives accounts, in any order: each answer, each mapping and each
//! link is what a model of a few lines says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use crosswalk_identity::Username;
use crosswalk_invitations::{InvitedBy, MOST_ATTEMPTS, Token};
use jiff::SignedDuration;
use proptest::prelude::*;
use reqwest::{Method, Url};

use crate::bed::{Bed, Browser, eln, path, uid};

const ACCOUNTS: [&str; 3] = ["ann", "ben", "cleo"];
/// Whose each link is, and how many minutes it holds.
const LINKS: [(usize, i64); 3] = [(0, 10_000), (0, 10_000), (1, 20)];

#[derive(Debug, Clone)]
enum Step {
    /// A browser presses the button of a link.
    Press(usize, usize),
    /// Somebody signs in with an account where an attempt has led to, or cancels.
    SignIn(prop::sample::Index, Option<usize>),
    /// A way back is opened: in this browser, or else in the one that has the cookie for it, if any has.
    ComeBack(Option<usize>, prop::sample::Index),
    /// One browser's cookie, or that it has none, gets to another one.
    Steal(usize, usize),
    /// Minutes pass.
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let any_index = any::<prop::sample::Index>;
    prop_oneof![
        2 => (0..3usize, 0..LINKS.len()).prop_map(|(browser, link)| Step::Press(browser, link)),
        4 => (any_index(), prop::option::weighted(0.9, 0..ACCOUNTS.len())).prop_map(|(at, who)| Step::SignIn(at, who)),
        5 => (prop::option::weighted(0.2, 0..3usize), any_index()).prop_map(|(at, back)| Step::ComeBack(at, back)),
        1 => (0..3usize, 0..3usize).prop_map(|(from, to)| Step::Steal(from, to)),
        1 => prop::sample::select(vec![3, 6, 16]).prop_map(Step::Wait),
    ]
}

struct Link {
    token: Token,
    person: usize,
    ends: i64,
    tried: u32,
    spent: bool,
}

struct Attempt {
    link: usize,
    began: i64,
    at: Url,
    done: bool,
}

struct Back {
    attempt: usize,
    to: Url,
    /// The account and when its code was given; none is for who cancelled.
    account: Option<(usize, i64)>,
}

#[derive(Default)]
struct Model {
    now: i64,
    links: Vec<Link>,
    attempts: Vec<Attempt>,
    backs: Vec<Back>,
    /// The attempt in each browser's cookie.
    cookies: [Option<usize>; 3],
    /// By person.
    mapped: BTreeMap<usize, usize>,
}

impl Model {
    fn press(&mut self, link: usize) -> Option<(u16, &'static str)> {
        let link = &mut self.links[link];
        if link.spent {
            return Some((410, "This link was used already"));
        }
        if link.ends <= self.now {
            return Some((410, "This link has ended"));
        }
        link.tried += 1;
        (link.tried > MOST_ATTEMPTS).then_some((429, "This link was tried too often"))
    }

    /// What is answered, or one of two where which is told first does not matter; and what changes.
    fn come_back(&mut self, browser: usize, back: usize) -> Vec<(u16, &'static str)> {
        const MIXED: (u16, &str) = (400, "This does not fit together");
        const USED: (u16, &str) = (410, "This link was used already");
        const OTHER: (u16, &str) = (409, "Another LabArchives account is linked to you");
        const TAKEN: (u16, &str) = (409, "That LabArchives account belongs to someone else");
        let (back, cookie) = (&self.backs[back], self.cookies[browser]);
        let attempt = &mut self.attempts[back.attempt];
        let link = &mut self.links[attempt.link];
        if cookie != Some(back.attempt) {
            let is_old = cookie.is_none() && attempt.done && link.spent;
            return vec![if is_old { USED } else { MIXED }];
        }
        if attempt.done && !link.spent {
            return vec![(409, "This step was taken already")];
        }
        self.cookies[browser] = None;
        if attempt.done {
            return vec![(200, "Your LabArchives account is linked already")];
        }
        if link.spent {
            return vec![USED];
        }
        if link.ends <= self.now {
            return vec![(410, "This link has ended")];
        }
        if attempt.began + 15 <= self.now {
            return vec![(410, "That took too long")];
        }
        let Some((account, given)) = back.account else { return vec![(200, "Nothing was linked")] };
        attempt.done = true;
        if given + 5 <= self.now {
            return vec![(400, "LabArchives did not take your sign-in")];
        }
        let has_other = self.mapped.get(&link.person).is_some_and(|own| *own != account);
        let is_taken = self.mapped.iter().any(|(person, own)| *person != link.person && *own == account);
        match (has_other, is_taken) {
            (false, false) => {
                self.mapped.insert(link.person, account);
                link.spent = true;
                vec![(200, "Your LabArchives account is linked")]
            }
            (true, false) => vec![OTHER],
            (false, true) => vec![TAKEN],
            (true, true) => vec![OTHER, TAKEN],
        }
    }
}

async fn play(bed: &Bed, case: usize, steps: &[Step]) {
    let people = [format!("first-{case}"), format!("second-{case}")];
    let mut model = Model::default();
    for (person, holds) in LINKS {
        let (username, lasts) = (Username::parse(&people[person]).unwrap(), SignedDuration::from_mins(holds));
        let invited = bed.invitations().invite(&username, &eln(), lasts, InvitedBy::Administrator).await.unwrap();
        model.links.push(Link { token: invited.0, person, ends: holds, tried: 0, spent: false });
    }
    let mut browsers = [bed.browser(), bed.browser(), bed.browser()];
    for step in steps {
        take(bed, &mut model, &mut browsers, &people, step).await;
    }
    for person in &people {
        bed.store().delete(&Username::parse(person).unwrap(), &eln()).await.unwrap();
    }
}

/// Mappings and links are as the model has them.
async fn check(bed: &Bed, model: &Model, people: &[String; 2]) {
    let mut expected: Vec<_> =
        model.mapped.iter().map(|(person, account)| (people[*person].clone(), uid(ACCOUNTS[*account]))).collect();
    expected.sort();
    assert_eq!(bed.mappings().await.into_iter().collect::<Vec<_>>(), expected);
    for link in &model.links {
        assert_eq!(bed.is_spent(&link.token).await, link.spent);
    }
}

async fn take(bed: &Bed, model: &mut Model, browsers: &mut [Browser<'_>; 3], people: &[String; 2], step: &Step) {
    match step {
        Step::Press(browser, link) => {
            let token = &model.links[*link].token;
            let answer = browsers[*browser].ask(Method::POST, &path(token)).await;
            match model.press(*link) {
                Some((status, heading)) => answer.says(status, heading),
                None => {
                    assert_eq!(answer.status, 303);
                    model.cookies[*browser] = Some(model.attempts.len());
                    let at = Url::parse(answer.header("location")).unwrap();
                    model.attempts.push(Attempt { link: *link, began: model.now, at, done: false });
                }
            }
        }
        Step::SignIn(index, account) => {
            // LabArchives' page is to be had for five minutes.
            let fresh: Vec<_> =
                (0..model.attempts.len()).filter(|index| model.attempts[*index].began + 5 > model.now).collect();
            if fresh.is_empty() {
                return;
            }
            let attempt = *index.get(latest(&fresh));
            let at = &model.attempts[attempt].at;
            let to = match account {
                Some(account) => bed.sign_in(at, ACCOUNTS[*account]).await,
                None => bed.cancel(at).await,
            };
            let account = account.map(|account| (account, model.now));
            model.backs.push(Back { attempt, to, account });
        }
        Step::ComeBack(browser, index) => {
            if model.backs.is_empty() {
                return;
            }
            let backs: Vec<_> = (0..model.backs.len()).collect();
            let back = *index.get(latest(&backs));
            let holder = model.cookies.iter().position(|cookie| *cookie == Some(model.backs[back].attempt));
            let browser = browser.or(holder).unwrap_or_default();
            let answer = browsers[browser].come_back(&model.backs[back].to).await;
            let expected = model.come_back(browser, back);
            let got = (answer.status, answer.heading());
            assert!(expected.contains(&got), "{got:?}, and not one of {expected:?}");
            assert_eq!(browsers[browser].cookie.is_some(), model.cookies[browser].is_some(), "{got:?}");
            if let [(_, heading)] = expected[..] {
                SEEN.with_borrow_mut(|seen| *seen.entry(heading).or_default() += 1);
            }
            check(bed, model, people).await;
        }
        Step::Steal(from, to) => {
            browsers[*to].cookie = browsers[*from].cookie.clone();
            model.cookies[*to] = model.cookies[*from];
        }
        Step::Wait(minutes) => {
            bed.forward(*minutes);
            model.now += minutes;
        }
    }
}

/// The last three: what is older has mostly ended one way or another.
fn latest(all: &[usize]) -> &[usize] {
    &all[all.len().saturating_sub(3)..]
}

thread_local! {
    /// How often which heading was come across.
    static SEEN: RefCell<BTreeMap<&'static str, usize>> = RefCell::default();
}

#[test]
fn whatever_the_order_everybody_gets_their_own_account_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bed = runtime.block_on(Bed::start());
    // Each case is dozens of requests. What PROPTEST_CASES asks for counts as it is.
    let cases = ProptestConfig::default().cases / 16;
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let numbers = Cell::new(0);
    let clean = async || {
        for username in bed.mappings().await.into_keys() {
            bed.store().delete(&Username::parse(&username).unwrap(), &eln()).await.unwrap();
        }
    };
    proptest!(config, |(steps in prop::collection::vec(step(), 16..48))| {
        // What a failed case left, while a smaller one is looked for.
        runtime.block_on(clean());
        numbers.set(numbers.get() + 1);
        runtime.block_on(play(&bed, numbers.get(), &steps));
    });
    SEEN.with_borrow(|seen| {
        println!("{seen:#?}");
        assert!(seen.contains_key("Your LabArchives account is linked"), "{seen:?}");
    });
}
