//! The settings of those who invite.

use crosswalk_function_kit::settings::{Reader, Setting};
use jiff::SignedDuration;

use crate::Pages;

const URL: Setting = Setting::optional(
    "REGISTRATION_URL",
    "the root of the registration pages as people's browsers reach it, such as `https://crosswalk.example.org`",
);
const DAYS: Setting =
    Setting::with_default("REGISTRATION_DAYS", "7", "how many days a personal registration link holds, 1 to 90");

/// Of everybody who invites.
pub const SETTINGS: &[Setting] = &[URL, DAYS];

/// Where links lead to and how long they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationSettings {
    /// Where the pages stand; without them nobody is invited.
    pub pages: Option<Pages>,
    /// How long an invitation holds.
    pub lasts: SignedDuration,
}

impl InvitationSettings {
    /// Reads them. Problems are the reader's to tell.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let pages = match reader.text(&URL) {
            Some(_) => Some(reader.parsed::<Pages>(&URL)?),
            None => None,
        };
        let days = reader.within(&DAYS, 1..=90, "1 to 90")?;
        Some(Self { pages, lasts: SignedDuration::from_hours(24 * days) })
    }
}
