//! Serves a stand-in Keycloak with a sample realm, a stand-in Glean, a stand-in NEMO and a stand-in LabArchives, until it is
//! killed: `cargo run -p crosswalk-stand-ins --example serve [PEOPLE GROUPS MEMBERSHIPS]`. Prints the settings of the people
//! export, of the harvest and of the registration that lead to them, as a shell reads them, and then an empty line.

use std::io::Write as _;

use anyhow::Context as _;
use crosswalk_stand_ins::glean::GleanStandIn;
use crosswalk_stand_ins::keycloak::{KeycloakStandIn, RealmSpec, UserSpec};
use crosswalk_stand_ins::labarchives::{AccountSpec, LabArchivesStandIn};
use crosswalk_stand_ins::nemo::{self, NemoStandIn};

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
    let nemo = NemoStandIn::start(vec![
        nemo::UserSpec::new(901, "ines").email("ines@example.org"),
        nemo::UserSpec::new(902, "omar").email("omar@example.org"),
        nemo::UserSpec::new(903, "petra").email("petra@example.org").inactive(),
    ])?;
    let labarchives = LabArchivesStandIn::start(vec![AccountSpec::new("anna"), AccountSpec::new("ben")])?;

    let mut out = std::io::stdout().lock();
    let settings = keycloak.settings().into_iter().chain(glean.settings()).chain(nemo.settings());
    for (name, value) in settings.chain(labarchives.settings()) {
        writeln!(out, "export {name}={value}")?;
    }
    writeln!(out)?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}
