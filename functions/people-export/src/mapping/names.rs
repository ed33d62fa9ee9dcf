//! Names that Glean filters.

/// Glean leaves out people whose names hold one of these anywhere, `Testarossa` too: the default of its setting
/// `entitybuilder.person.name.redlist_words` (support.glean.com, "People Data"). An administrator of Glean can change both.
const ANYWHERE: &[&str] =
    &["account", "disabled", "dummy", "fake", "oncall", "osx", "request", "service", "test", "user", "zoom"];
/// And those whose names hold one of these as a word: the default of `entitybuilder.person.name.redlist`.
const WORDS: &[&str] = &["admin", "it", "test"];

/// What Glean filters the name for.
pub(super) fn filtered_for(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let word = |listed: &str| name.split(|c: char| !c.is_alphanumeric()).any(|word| word == listed);
    let anywhere = ANYWHERE.iter().find(|listed| name.contains(**listed));
    anywhere.or_else(|| WORDS.iter().find(|listed| word(listed))).copied()
}

#[cfg(test)]
mod tests {
    use super::filtered_for;

    #[test]
    fn some_words_are_filtered_anywhere_and_others_alone() {
        for (name, word) in [
            ("Test", Some("test")),
            ("Testarossa", Some("test")),
            ("FAKEUSER", Some("fake")),
            ("Service-Desk", Some("service")),
            ("Admin", Some("admin")),
            ("van it", Some("it")),
            ("it.support", Some("it")),
            ("Administrator", None),
            ("Smith", None),
            ("Padmini", None),
            ("Zo\u{eb}", None),
            ("", None),
        ] {
            assert_eq!(filtered_for(name), word, "{name}");
        }
    }
}
