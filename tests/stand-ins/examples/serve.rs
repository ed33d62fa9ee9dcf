//! Serves a stand-in Keycloak with a sample realm, a stand-in Glean, a stand-in NEMO and a stand-in LabArchives, until it is
//! killed: `cargo run -p crosswalk-stand-ins --example serve [PEOPLE GROUPS MEMBERSHIPS]`. Prints the settings of the people
//! export, of the harvest and of the registration that lead to them, as a shell reads them, and then an empty line; before
//! that, on standard error, who can sign in.

use std::io::Write as _;

use anyhow::Context as _;
use crosswalk_stand_ins::glean::GleanStandIn;
use crosswalk_stand_ins::keycloak::{KeycloakStandIn, RealmSpec, UserSpec};
use crosswalk_stand_ins::labarchives::{AccountSpec, LabArchivesStandIn};
use crosswalk_stand_ins::nemo::{self, NemoStandIn};

const HELP: &str = "\
Serves stand-ins on loopback, until it is killed. None of them is the real one, and none keeps anything:
  a Keycloak    a realm of people and groups, as many as the arguments say, and two people more
  a Glean       takes people and teams, and checks them
  a NEMO        three users, one of them inactive
  a LabArchives two accounts, who can sign in

Usage: cargo run -p crosswalk-stand-ins --example serve [-- PEOPLE GROUPS MEMBERSHIPS]

  PEOPLE GROUPS MEMBERSHIPS   how many the realm has; 20 5 30 unless they are given

Standard output gets the settings that lead to them, as a shell reads them, and then an empty line: they serve. Standard
error tells the accounts. Nothing goes wrong here on purpose: what the stand-ins do wrong on demand, tests ask for.";

fn main() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if std::env::args().skip(1).any(|argument| matches!(argument.as_str(), "-h" | "--help")) {
        writeln!(out, "{HELP}")?;
        return Ok(());
    }
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|number| number.parse().with_context(|| format!("`{number}` is no number; see --help")))
        .collect::<anyhow::Result<_>>()?;
    let (people, groups, memberships) = match numbers[..] {
        [] => (20, 5, 30),
        [people, groups, memberships] => (people, groups, memberships),
        _ => anyhow::bail!("give three numbers, or none: how many people, groups and memberships; see --help"),
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
    let accounts = vec![AccountSpec::new("anna"), AccountSpec::new("ben")];
    let labarchives = LabArchivesStandIn::start(accounts.clone())?;

    // As comments: whoever takes both streams for the settings can still have a shell read them.
    let mut told = std::io::stderr().lock();
    writeln!(told, "# Stand-ins for Keycloak, Glean, NEMO and LabArchives; none of them is the real one.")?;
    writeln!(told, "# At the stand-in LabArchives sign in with one of these accounts, which exist nowhere else:")?;
    for AccountSpec { uid, email, password, .. } in accounts {
        writeln!(told, "#   {email}, password {password}; the uid there is {uid}")?;
    }
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
