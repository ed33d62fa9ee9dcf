//! Which groups become teams, and who is in them.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobMatcher};

use super::people::Directory;
use super::settings::{Choice, GroupSettings, Members};
use crate::realm::Group;

/// Patterns over whole paths. `*` stays inside one part of a path and `**` does not; `/a` is that group alone, and `/a/**`
/// is it and all below it.
#[derive(Debug, Clone)]
pub(super) struct Patterns(Vec<GlobMatcher>);

impl Patterns {
    /// Takes comma-separated patterns. A comma in braces, or after a backslash, is part of a pattern.
    ///
    /// # Errors
    /// Everything that is wrong with them, a sentence each.
    pub(super) fn parse(given: &str) -> Result<Self, Vec<String>> {
        let (mut globs, mut problems) = (Vec::new(), Vec::new());
        for pattern in parts(given) {
            if !(pattern.starts_with('/') || pattern.starts_with("**") || pattern.starts_with('{')) {
                problems.push(format!("`{pattern}` matches no path, as each begins with `/`"));
                continue;
            }
            // By itself `/a/**` is only what stands below `/a`; who shuts a group out with it would leave the group in.
            let itself = pattern.strip_suffix("/**").filter(|above| !above.is_empty());
            for glob in itself.into_iter().chain([pattern]) {
                match GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build() {
                    Ok(glob) => globs.push(glob.compile_matcher()),
                    Err(error) => {
                        problems.push(format!("`{pattern}` does not read: {}", error.kind()));
                        break;
                    }
                }
            }
        }
        if problems.is_empty() { Ok(Self(globs)) } else { Err(problems) }
    }

    /// Whether a path matches one of them.
    pub(super) fn match_path(&self, path: &str) -> bool {
        self.0.iter().any(|glob| glob.is_match(path))
    }
}

/// Splits at the commas that are not in braces and not escaped.
fn parts(given: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth, mut escaped) = (Vec::new(), 0, 0_usize, false);
    for (at, c) in given.char_indices() {
        match c {
            _ if escaped => {}
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&given[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(&given[from..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// The groups as a tree.
pub(super) struct Tree<'r> {
    groups: &'r [Group],
    choices: Vec<Choice>,
    /// Each group's, by index.
    children: Vec<Vec<usize>>,
    nested: bool,
}

/// Who is in a team.
#[derive(Debug, Default)]
pub(super) struct Membership {
    /// Exported people, by index, sorted, each once.
    pub(super) people: Vec<usize>,
    /// Whether there are members who are not among the realm's users.
    pub(super) strangers: bool,
}

impl<'r> Tree<'r> {
    pub(super) fn new(settings: &GroupSettings, groups: &'r [Group]) -> Self {
        let index: HashMap<_, _> = groups.iter().enumerate().map(|(index, group)| (&*group.id, index)).collect();
        let mut children = vec![Vec::new(); groups.len()];
        for (child, group) in groups.iter().enumerate() {
            if let Some(&parent) = group.parent.as_deref().and_then(|parent| index.get(parent)) {
                children[parent].push(child);
            }
        }
        let choices = groups.iter().map(|group| settings.choose(&group.path)).collect();
        Self { groups, choices, children, nested: settings.members == Members::Nested }
    }

    /// Of each group; nobody's of those that become no teams.
    pub(super) fn memberships(&self, directory: &Directory<'_>) -> Vec<Membership> {
        let membership = |(group, choice): (usize, &Choice)| match choice {
            Choice::Team => self.membership(group, directory),
            Choice::Excluded | Choice::NotIncluded => Membership::default(),
        };
        self.choices.iter().enumerate().map(membership).collect()
    }

    /// The members of a group; where nested, with those of the groups below it that are not excluded.
    fn membership(&self, group: usize, directory: &Directory<'_>) -> Membership {
        let mut membership = Membership::default();
        let mut open = vec![group];
        while let Some(group) = open.pop() {
            if self.nested {
                open.extend(&self.children[group]);
            }
            if self.choices[group] == Choice::Excluded {
                continue;
            }
            for member in &self.groups[group].members {
                match directory.by_id(member) {
                    Some(Some(person)) => membership.people.push(person),
                    Some(None) => {}
                    None => membership.strangers = true,
                }
            }
        }
        membership.people.sort_unstable();
        membership.people.dedup();
        membership.people.shrink_to_fit();
        membership
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched<'p>(patterns: &str, paths: &[&'p str]) -> Vec<&'p str> {
        let patterns = Patterns::parse(patterns).unwrap();
        paths.iter().copied().filter(|path| patterns.match_path(path)).collect()
    }

    const PATHS: &[&str] = &["/a", "/a/b", "/a/b/c", "/ab", "/b", "/b/a", "/x,y", "/x y/[z]"];

    #[test]
    fn patterns_are_over_whole_paths() {
        for (patterns, expected) in [
            ("/a", &["/a"] as &[_]),
            ("/a/*", &["/a/b"]),
            ("/a/**", &["/a", "/a/b", "/a/b/c"]),
            ("/a/*/**", &["/a/b", "/a/b/c"]),
            ("**/a", &["/a", "/b/a"]),
            ("/**/a", &["/a", "/b/a"]),
            ("/a*", &["/a", "/ab"]),
            ("/*", &["/a", "/ab", "/b", "/x,y"]),
            ("/**", PATHS),
            ("**", PATHS),
            (" /b , /a/b,, ", &["/a/b", "/b"]),
            ("/{a,b}", &["/a", "/b"]),
            ("{/a,/b}/**", &["/a", "/a/b", "/a/b/c", "/b", "/b/a"]),
            (r"/x\,y,/b", &["/b", "/x,y"]),
            (r"/x y/\[z\]", &["/x y/[z]"]),
            ("/A", &[]),
            ("/?", &["/a", "/b"]),
            ("/a/", &[]),
        ] {
            assert_eq!(matched(patterns, PATHS), expected, "{patterns}");
        }
    }

    #[test]
    fn what_matches_nothing_or_does_not_read_is_refused_together() {
        let problems = Patterns::parse("engineering,*/b,/[,/ok").unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].contains("`engineering`") && problems[2].contains("`/["), "{problems:?}");
    }
}
