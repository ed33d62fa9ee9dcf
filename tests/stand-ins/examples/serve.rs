//! Serves a stand-in Keycloak with a sample realm and a stand-in Glean, until it is killed:
//! `cargo run -p crosswalk-stand-ins --example serve [PEOPLE GROUPS MEMBERSHIPS]`. Prints the settings of the people export
//! that lead to them, as a shell reads them, and then an empty line.

use std::io::Write as _;

use anyhow::Context as _;
use crosswalk_stand_ins::glean::GleanStandIn;
use crosswalk_stand_ins::keycloak::{KeycloakStandIn, RealmSpec, UserSpec};

fn main() -> anyhow::Result<()> {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|number| number.parse().with_context(|| format!("`{number}` is no number")))
        .collect::<anyhow::Result<_>>()?;
    let (people, groups, memberships) = match numbers[..] {
        [] => (20, 5, 30),
        [people, groups, memberships] => (people, groups, memberships),
        _ => anyhow::bail!("give three numbers, or none: how many people, groups and memberships"),
    };
    // One has no department, which Glean requires, and one no e-mail.
    let realm = RealmSpec::sample(people, groups, memberships)
        .user(UserSpec::new("grace").email("grace@example.org").name("Grace", "Lindqvist"))
        .user(UserSpec::new("printer"));
    let keycloak = KeycloakStandIn::start(realm)?;
    let glean = GleanStandIn::start("stand-in-token")?;

    let mut out = std::io::stdout().lock();
    for (name, value) in keycloak.settings().into_iter().chain(glean.settings()) {
        writeln!(out, "export {name}={value}")?;
    }
    writeln!(out)?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}
