//! Which attributes feed which fields: `EXPORT_ATTRIBUTES` and `EXPORT_TEAM_ATTRIBUTES`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crosswalk_identity::Email;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use url::Url;

use super::Notes;
use super::fields::Field;
use crate::glean::types::AdditionalField;
use crate::realm::Attributes;

/// The attributes that feed a field, in the order in which they are asked; none where the field is switched off.
type Sources = Vec<Box<str>>;

/// Which attributes feed which fields, and which additional fields there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Feeds<F> {
    fields: BTreeMap<F, Sources>,
    additional: BTreeMap<String, Sources>,
}

impl<F: Field> Default for Feeds<F> {
    fn default() -> Self {
        let fields = F::FED.iter().map(|(field, _, names)| (*field, names.iter().map(|&name| name.into()).collect()));
        Self { fields: fields.collect(), additional: BTreeMap::new() }
    }
}

impl<F: Field> Feeds<F> {
    /// The defaults, with what a JSON object says in their place.
    ///
    /// # Errors
    /// Everything that is wrong with it, a sentence each.
    pub(super) fn parse(json: &str) -> Result<Self, Vec<String>> {
        let Entries(entries) =
            serde_json::from_str(json).map_err(|error| vec![format!("it does not read: {error}")])?;
        let mut feeds = Self::default();
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for (key, value) in &entries {
            if !seen.insert(key) {
                problems.push(format!("`{key}` stands in it twice"));
            }
            let place = Place::of(key).map_err(|problem| problems.push(problem));
            let sources = sources(value).map_err(|problem| problems.push(format!("`{key}` {problem}")));
            match (place, sources) {
                (Ok(Place::Field(field)), Ok(sources)) => {
                    feeds.fields.insert(field, sources);
                }
                (Ok(Place::Additional), Ok(sources)) => {
                    feeds.additional.insert(key.clone(), sources);
                }
                (Err(()), _) | (_, Err(())) => {}
            }
        }
        if problems.is_empty() { Ok(feeds) } else { Err(problems) }
    }

    /// The attributes that feed a field, in the order in which they are asked.
    pub(super) fn of(&self, field: F) -> &[Box<str>] {
        self.fields.get(&field).map_or(&[], Vec::as_slice)
    }

    /// Every attribute that is asked for.
    pub(super) fn wanted(&self) -> BTreeSet<Arc<str>> {
        self.fields.values().chain(self.additional.values()).flatten().map(|name| Arc::from(&**name)).collect()
    }

    /// The values that these attributes have for the fields.
    pub(super) fn read<'a>(&'a self, attributes: &'a Attributes) -> Values<'a, F> {
        Values { feeds: self, attributes }
    }
}

/// The entries of a JSON object, a key's second one included: a map would let the last one win, unsaid.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object of fields and attributes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// Where a key's values go.
enum Place<F> {
    Field(F),
    Additional,
}

impl<F: Field> Place<F> {
    fn of(key: &str) -> Result<Self, String> {
        if let Some((field, _, _)) = F::FED.iter().find(|(_, name, _)| *name == key) {
            return Ok(Self::Field(*field));
        }
        if let Some((name, why)) = F::NOT_FED.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) {
            return Err(format!("`{name}` cannot be fed by an attribute: {why}"));
        }
        // A field's name without its capitals is rather a slip than an additional field.
        let slip = F::FED.iter().any(|(_, name, _)| name.eq_ignore_ascii_case(key));
        if !slip && !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Ok(Self::Additional);
        }
        Err(format!(
            "Glean's {} have no field `{key}` that an attribute can feed; the nearest is `{}` (an additional field's key \
             has lowercase letters only)",
            F::OF,
            nearest::<F>(key)
        ))
    }
}

/// The field whose name, or its part after the dot, is the most like this.
fn nearest<F: Field>(key: &str) -> &'static str {
    let key = key.to_lowercase();
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let part = name.rsplit('.').next().unwrap_or(&name);
        let whole = strsim::normalized_damerau_levenshtein(&name, &key);
        whole.max(strsim::normalized_damerau_levenshtein(part, &key))
    };
    let names = F::FED.iter().map(|(_, name, _)| *name);
    names.max_by(|one, other| likeness(one).total_cmp(&likeness(other))).unwrap_or_default()
}

fn sources(value: &Value) -> Result<Sources, &'static str> {
    const FORM: &str = "takes an attribute's name, a list of them, or null";
    let name = |value: &Value| match value.as_str().map(str::trim) {
        Some("") => Err("names an attribute that is blank; null switches a field off"),
        Some(name) => Ok(name.into()),
        None => Err(FORM),
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::String(_) => Ok(vec![name(value)?]),
        Value::Array(names) => names.iter().map(name).collect(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(FORM),
    }
}

/// What a user's or a group's attributes have for the fields. Values are trimmed, and blank ones count as absent.
pub(super) struct Values<'a, F> {
    feeds: &'a Feeds<F>,
    attributes: &'a Attributes,
}

impl<'a, F: Field> Values<'a, F> {
    /// Each attribute that feeds a field and has a value, with the first.
    pub(super) fn of(&self, field: F) -> impl Iterator<Item = (&'a str, &'a str)> {
        let attributes = self.attributes;
        self.feeds.of(field).iter().filter_map(move |name| Some((&**name, filled(attributes, name).next()?)))
    }

    /// The first value.
    pub(super) fn first(&self, field: F) -> Option<&'a str> {
        self.of(field).next().map(|(_, value)| value)
    }

    /// The same, as the field takes it.
    pub(super) fn text(&self, field: F) -> Option<String> {
        self.first(field).map(str::to_owned)
    }

    /// All values of the first attribute that has any.
    pub(super) fn all(&self, field: F) -> Vec<String> {
        all(self.attributes, self.feeds.of(field))
    }

    /// The first value that reads; a note for each attribute before it whose value does not.
    pub(super) fn read<T>(
        &self,
        field: F,
        notes: &mut Notes<'_>,
        not: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.of(field).find_map(|(name, value)| {
            let read = read(value);
            if read.is_none() {
                notes.add(format!("the attribute `{name}` holds {not}: it is left out"));
            }
            read
        })
    }

    /// The first value that is an `http` or `https` URL, with whatever a URI cannot hold escaped.
    pub(super) fn url(&self, field: F, notes: &mut Notes<'_>) -> Option<String> {
        self.read(field, notes, "no http or https URL", |value| {
            let url = Url::parse(value).ok()?;
            (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| url.into())
        })
    }

    /// The first value that is an e-mail address, lowercased.
    pub(super) fn email(&self, field: F, notes: &mut Notes<'_>) -> Option<String> {
        self.read(field, notes, "no e-mail address", |value| Some(Email::parse(value).ok()?.key().to_owned()))
    }

    /// The additional fields that have a value.
    pub(super) fn additional(&self) -> Vec<AdditionalField> {
        let fields = self.feeds.additional.iter();
        let fields =
            fields.map(|(key, names)| AdditionalField { key: key.clone(), value: all(self.attributes, names) });
        fields.filter(|field| !field.value.is_empty()).collect()
    }
}

fn filled<'a>(attributes: &'a Attributes, name: &'a str) -> impl Iterator<Item = &'a str> {
    attributes.values(name).map(str::trim).filter(|value| !value.is_empty())
}

/// Sorted, and each once: Keycloak promises no order among an attribute's values, and a person whose values merely came in
/// another one has not changed.
fn all(attributes: &Attributes, names: &[Box<str>]) -> Vec<String> {
    let values = names.iter().map(|name| filled(attributes, name).collect::<BTreeSet<_>>());
    let first = values.into_iter().find(|values| !values.is_empty()).unwrap_or_default();
    first.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Kind;
    use crate::mapping::fields::{PersonField, TeamField};
    use crate::mapping::tests::attributes;

    fn people(json: &str) -> Feeds<PersonField> {
        Feeds::parse(json).unwrap()
    }

    fn problems(json: &str) -> String {
        Feeds::<PersonField>::parse(json).unwrap_err().join("\n")
    }

    fn names(sources: &[Box<str>]) -> Vec<&str> {
        sources.iter().map(|name| &**name).collect()
    }

    #[test]
    fn the_defaults_are_merged_over() {
        let feeds = people(
            r#"{"title": "jobTitle", "startDate": ["joined", "hired"], "bio": null, "pronoun": [],
                "structuredLocation.city": "office", "languages": "speaks"}"#,
        );
        assert_eq!(names(feeds.of(PersonField::Title)), ["jobTitle"]);
        assert_eq!(names(feeds.of(PersonField::StartDate)), ["joined", "hired"]);
        assert!(feeds.of(PersonField::Bio).is_empty() && feeds.of(PersonField::Pronoun).is_empty());
        assert_eq!(names(feeds.of(PersonField::City)), ["office"]);
        assert_eq!(names(feeds.of(PersonField::Department)), ["department"]);
        assert_eq!(people("{}"), Feeds::default());
    }

    #[test]
    fn just_what_is_used_is_wanted() {
        let feeds =
            Feeds::<TeamField>::parse(r#"{"email": ["mail", "list"], "photoUrl": null, "channel": "slack"}"#).unwrap();
        let wanted = feeds.wanted();
        let wanted: Vec<_> = wanted.iter().map(|name| &**name).collect();
        assert_eq!(wanted, ["businessUnit", "department", "description", "externalLink", "list", "mail", "slack"]);
        let wanted = people("{}").wanted();
        assert!(wanted.contains("hireDate") && wanted.contains("employmentType"), "{wanted:?}");
        assert!(!wanted.iter().any(|name| name.contains("ocation") || &**name == "email"), "{wanted:?}");
    }

    #[test]
    fn names_that_glean_does_not_have_are_refused_with_the_nearest() {
        for (given, nearest) in [
            ("Departement", "department"),
            ("phonenumber", "phoneNumber"),
            ("photoURL", "photoUrl"),
            ("job_title", "title"),
            ("structuredLocation.town", "structuredLocation.zone"),
            ("location.city", "structuredLocation.city"),
            ("Zip-Code", "structuredLocation.zipCode"),
            ("", ""),
        ] {
            let told = problems(&format!(r#"{{"{given}": "x"}}"#));
            let named = told.contains(&format!("`{nearest}`"));
            // Two are as near as each other, or none is near: that one is named is all that is promised.
            let any = PersonField::FED.iter().any(|(_, name, _)| told.contains(&format!("nearest is `{name}`")));
            assert!(named || (any && (given.is_empty() || given.ends_with("town"))), "{told}");
        }
    }

    #[test]
    fn what_crosswalk_fills_cannot_be_fed() {
        for (given, why) in [
            ("email", "user's e-mail"),
            ("Status", "enabled"),
            ("teams", "groups"),
            ("datasourceProfiles", "GLEAN_DATASOURCE"),
            ("structuredLocation", "`structuredLocation.city`"),
            ("id", "e-mail"),
        ] {
            let told = problems(&format!(r#"{{"{given}": "x"}}"#));
            assert!(told.contains("cannot be fed") && told.contains(why), "{told}");
        }
        let told = Feeds::<TeamField>::parse(r#"{"members": "x"}"#).unwrap_err().join("\n");
        assert!(told.contains("group's members"), "{told}");
    }

    #[test]
    fn everything_wrong_is_told_together() {
        let told = problems(r#"{"title": 5, "bio": ["a", " "], "Nme": "x", "title": "t", "pronoun": [[]]}"#);
        for part in ["`title` takes", "`bio` names", "`Nme`", "`title` stands in it twice", "`pronoun` takes"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        for json in ["", "[]", "\"title\"", "{", "{\"title\": \"t\"} x"] {
            assert!(problems(json).contains("does not read"), "{json}");
        }
    }

    #[test]
    fn the_first_attribute_with_a_value_wins_and_blanks_are_absent() {
        let feeds = people(r#"{"title": ["a", "b", "c"], "alsoKnownAs": ["a", "d"], "skills": "d", "none": "a"}"#);
        let attributes = attributes(&[
            ("a", &["", "  "]),
            ("b", &[" ", " second "]),
            ("c", &["third"]),
            ("d", &["y", " x", "x ", ""]),
        ]);
        let values = feeds.read(&attributes);
        assert_eq!(values.text(PersonField::Title).as_deref(), Some("second"));
        assert_eq!(values.all(PersonField::AlsoKnownAs), ["x", "y"]);
        let additional: Vec<_> = values.additional().into_iter().map(|field| (field.key, field.value)).collect();
        assert_eq!(additional, [("skills".to_owned(), vec!["x".to_owned(), "y".to_owned()])]);
        assert_eq!(values.text(PersonField::Bio), None);
    }

    #[test]
    fn what_does_not_read_is_noted_and_the_next_is_asked() {
        let feeds = people(r#"{"photoUrl": ["a", "b", "c"]}"#);
        let read = |values: &[(&str, &[&str])]| {
            let mut warnings = Vec::new();
            let attributes = attributes(values);
            let mut notes = Notes::of(Kind::Person, "id", "name", &mut warnings);
            let url = feeds.read(&attributes).url(PersonField::PhotoUrl, &mut notes);
            (url, warnings.into_iter().map(|warning| warning.text).collect::<Vec<_>>())
        };
        let (url, notes) = read(&[("a", &["ftp://example.org/x"]), ("b", &["https://example.org/a b"]), ("c", &["x"])]);
        assert_eq!(url.as_deref(), Some("https://example.org/a%20b"));
        assert_eq!(notes, ["the attribute `a` holds no http or https URL: it is left out"]);
        for bad in ["data:image/png;base64,AA==", "example.org/me", "https://", "javascript:x", "/me.png"] {
            let (url, notes) = read(&[("b", &[bad])]);
            assert!(url.is_none() && notes.len() == 1, "{bad}");
        }
    }
}
