//! What the stand-in does wrong on demand, and requests that are held.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Logged;

/// What the stand-in does wrong, until it is told otherwise. The default is nothing.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// One after the other; the first that fits a request is what happens to it.
    pub rules: Vec<Rule>,
    /// Failures at random.
    pub random: Option<Random>,
    /// Bodies of more bytes are refused with 413.
    pub max_bytes: Option<usize>,
    /// These paths answer 410, as endpoints that were removed.
    pub gone: Vec<&'static str>,
    /// `bulkindexemployees` carries the header `X-Glean-Deprecated` with this value.
    pub deprecated: Option<&'static str>,
    /// Each request waits so long before it is taken.
    pub latency: Duration,
}

/// A fault of certain requests.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What happens.
    pub fault: Fault,
    /// To which requests.
    pub on: On,
    /// So many of them go well first.
    pub skip: u32,
    /// Then it happens so many times; always without a number.
    pub times: Option<u32>,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 429, with `Retry-After` in seconds if there is a number. Not taken.
    Throttle(Option<u32>),
    /// This status. Not taken.
    Status(u16),
    /// The connection is closed. Not taken.
    BreakBefore,
    /// It is taken, then the connection is closed: the answer is lost.
    BreakAfter,
    /// It is taken, then answered with 400 and a text that says so ("… uploaded successfully …"), as third parties saw it.
    Warn,
}

/// Which requests. The default is all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct On {
    path: Option<&'static str>,
    first: Option<bool>,
    last: Option<bool>,
}

/// A share of requests that fail at random.
#[derive(Debug, Clone)]
pub struct Random {
    share: f64,
    faults: Vec<Fault>,
    dice: u64,
}

impl Rule {
    /// Always, to these requests.
    pub fn new(fault: Fault, on: On) -> Self {
        Self { fault, on, skip: 0, times: None }
    }

    /// So many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// After so many that go well.
    #[must_use]
    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    fn strikes(&mut self, request: &Logged) -> bool {
        if !self.on.fits(request) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.times {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }
}

impl On {
    /// All requests.
    pub const ALL: Self = Self { path: None, first: None, last: None };

    /// The requests to a path, such as `bulkindexemployees`.
    pub const fn path(path: &'static str) -> Self {
        Self { path: Some(path), ..Self::ALL }
    }

    /// Of these, the first pages of uploads.
    #[must_use]
    pub const fn first_page(self) -> Self {
        Self { first: Some(true), ..self }
    }

    /// Of these, the last pages of uploads.
    #[must_use]
    pub const fn last_page(self) -> Self {
        Self { last: Some(true), ..self }
    }

    /// Of these, the pages that are not the last of an upload.
    #[must_use]
    pub const fn not_last_page(self) -> Self {
        Self { last: Some(false), ..self }
    }

    fn fits(self, request: &Logged) -> bool {
        self.path.is_none_or(|path| request.path == path)
            && self.first.is_none_or(|first| request.first == first)
            && self.last.is_none_or(|last| request.last == last)
    }
}

impl Random {
    /// A share (0 to 1) of requests is, each with the same chance, throttled, answered 500 or 503, or broken off before it
    /// is taken. The same seed draws the same.
    pub fn new(share: f64, seed: u64) -> Self {
        let faults = vec![Fault::Throttle(None), Fault::Status(500), Fault::Status(503), Fault::BreakBefore];
        Self { share, faults, dice: seed }
    }

    /// With other faults.
    #[must_use]
    pub fn of(mut self, faults: Vec<Fault>) -> Self {
        self.faults = faults;
        self
    }

    #[expect(clippy::cast_possible_truncation, reason = "32 bits are dice enough")]
    fn draw(&mut self) -> Option<Fault> {
        // SplitMix64: a generator that a clone repeats.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^= drawn >> 31;
        let (high, low) = ((drawn >> 32) as u32, drawn as u32 as usize);
        let struck = f64::from(high) < self.share * f64::from(u32::MAX);
        self.faults.get(low % self.faults.len().max(1)).copied().filter(|_| struck)
    }
}

impl Faults {
    /// These rules alone.
    pub fn rules(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self { rules: rules.into_iter().collect(), ..Self::default() }
    }

    /// What happens to a request.
    pub(super) fn strike(&mut self, request: &Logged) -> Option<Fault> {
        if self.gone.contains(&request.path.as_str()) {
            return Some(Fault::Status(410));
        }
        if self.max_bytes.is_some_and(|most| request.bytes > most) {
            return Some(Fault::Status(413));
        }
        let struck = self.rules.iter_mut().find_map(|rule| rule.strikes(request).then_some(rule.fault));
        struck.or_else(|| self.random.as_mut().and_then(Random::draw))
    }
}

/// Holds requests until it is released or dropped.
#[derive(Debug)]
#[must_use = "dropped, it releases what it holds"]
pub struct Hold(pub(super) Arc<Held>);

/// When a request is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before it is taken. If its client goes away meanwhile, it never is.
    BeforeTaken,
    /// After it was taken, before it is answered.
    BeforeAnswered,
}

#[derive(Debug)]
pub(super) struct Held {
    on: On,
    when: When,
    reached: watch::Sender<u32>,
    released: watch::Sender<bool>,
}

impl Hold {
    pub(super) fn new(on: On, when: When) -> Self {
        let (reached, released) = (watch::Sender::new(0), watch::Sender::new(false));
        Self(Arc::new(Held { on, when, reached, released }))
    }

    /// Returns when a request is being held.
    pub async fn reached(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.reached.subscribe().wait_for(|reached| *reached > 0).await;
    }

    /// How many requests were held so far.
    pub fn held(&self) -> u32 {
        *self.0.reached.borrow()
    }

    /// Lets what is held go on, and holds nothing any more; a drop does the same.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.released.send_replace(true);
    }
}

impl Held {
    /// Whether it may still hold something.
    pub(super) fn is_over(&self) -> bool {
        *self.released.borrow()
    }

    pub(super) fn fits(&self, request: &Logged, when: When) -> bool {
        self.when == when && self.on.fits(request)
    }

    pub(super) async fn wait(&self) {
        let mut released = self.released.subscribe();
        self.reached.send_modify(|reached| *reached += 1);
        let _ = released.wait_for(|released| *released).await;
    }
}
