//! What the last good run left in Glean.

use crosswalk_reconcile::Fingerprints;

/// Compact: a fingerprint a person and a team.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// By e-mail.
    pub people: Fingerprints,
    /// By team id.
    pub teams: Fingerprints,
}
