//! What the stand-in does wrong on demand.

use std::time::Duration;

/// What the stand-in does wrong, until it is told otherwise. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// What happens to a request for `users/user_access_info`.
    pub exchange: Option<Fault>,
    /// So many times; always without a number.
    pub times: Option<u32>,
    /// The e-mail that the way back tells in place of the account's.
    pub tells_email: Option<String>,
    /// A good code is taken with whatever `login_or_email`.
    pub takes_any_login: bool,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 503 with a page of HTML. The code is not taken.
    Unavailable,
    /// Nothing for so long, then 503. The code is not taken.
    Silent(Duration),
    /// The connection is closed. The code is not taken.
    BreakBefore,
    /// The code is taken, then the connection is closed: the answer is lost.
    BreakAfter,
    /// 400 with this code and the XML of an error. The code is not taken.
    Refuse(u32),
    /// The code is taken; 200 with XML that has no id of a user.
    OtherXml,
    /// The code is taken; 200 with XML that breaks off.
    CutXml,
    /// The code is taken; 200 with a page of HTML.
    HtmlPage,
    /// 500 with a page of HTML. The code is not taken.
    HtmlError,
    /// The code is taken; 200 with XML that goes on for 256 MiB.
    Endless,
}

impl Fault {
    /// Whether the code is spent before it strikes.
    pub(super) fn is_after(self) -> bool {
        matches!(self, Self::BreakAfter | Self::OtherXml | Self::CutXml | Self::HtmlPage | Self::Endless)
    }
}

impl Faults {
    /// This, whenever a code is exchanged.
    pub fn exchange(fault: Fault) -> Self {
        Self { exchange: Some(fault), ..Self::default() }
    }

    /// The fault of the next exchange.
    pub(super) fn take(&mut self) -> Option<Fault> {
        match &mut self.times {
            Some(0) => None,
            Some(times) => {
                *times -= u32::from(self.exchange.is_some());
                self.exchange
            }
            None => self.exchange,
        }
    }
}
