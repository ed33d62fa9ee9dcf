//! Settings come from the environment, are read once at start, and every missing or bad one is reported together.
//!
//! A function lists its settings as [`Setting`] constants; the command line prints them, and the README's tables are
//! compared with them by a test. Reading goes through a [`Reader`], which collects the problems.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use secrecy::SecretString;

use crate::secrets::SecretSource;

/// One environment variable: its name, default and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// What holds when it is not set.
    pub default: Default,
    /// A secret may be given as `<name>_SECRET_ID` instead, and is never shown.
    pub secret: bool,
    /// What it does, in a sentence, with units.
    pub meaning: &'static str,
}

/// What holds when a variable is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// The function does not start.
    Required,
    /// Nothing; the meaning says what that means.
    None,
    /// This value.
    Value(&'static str),
}

impl Setting {
    /// A variable that must be set.
    pub const fn required(name: &'static str, meaning: &'static str) -> Self {
        Self { name, default: Default::Required, secret: false, meaning }
    }

    /// A variable that may be left out.
    pub const fn optional(name: &'static str, meaning: &'static str) -> Self {
        Self { name, default: Default::None, secret: false, meaning }
    }

    /// A variable with a default.
    pub const fn with_default(name: &'static str, value: &'static str, meaning: &'static str) -> Self {
        Self { name, default: Default::Value(value), secret: false, meaning }
    }

    /// The same, as a secret.
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// The lists in their order as one, each name once: the first that tells of it wins. A function's parts share settings.
pub fn merged(lists: &[&[Setting]]) -> Vec<Setting> {
    let mut merged: Vec<Setting> = Vec::new();
    for setting in lists.iter().copied().flatten() {
        if !merged.iter().any(|known| known.name == setting.name) {
            merged.push(*setting);
        }
    }
    merged
}

/// A Markdown table of settings, as README.md holds it: name, default, meaning.
pub fn markdown_table(settings: &[Setting]) -> String {
    let mut table = String::from("| setting | default | meaning |\n|---|---|---|\n");
    for setting in settings {
        let name = if setting.secret {
            format!("`{0}` or `{0}_SECRET_ID`", setting.name)
        } else {
            format!("`{}`", setting.name)
        };
        let default = match setting.default {
            Default::Required => "required".to_owned(),
            Default::None => "–".to_owned(),
            Default::Value(value) => format!("`{value}`"),
        };
        let meaning = setting.meaning.replace('|', "\\|");
        table.push_str(&format!("| {name} | {default} | {meaning} |\n"));
    }
    table
}

/// A value as a POSIX shell reads it back, whatever it holds.
pub fn shell_quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "'\\''"))
    }
}

/// The settings as a file of `NAME=value` lines to fill in, which a shell reads: what is required is open, the rest is
/// commented out.
pub fn env_file(settings: &[Setting]) -> String {
    let mut file = String::new();
    for setting in settings {
        let (mark, value, note) = match setting.default {
            Default::Required => ("", String::new(), " (required)"),
            Default::None => ("# ", String::new(), ""),
            Default::Value(value) => ("# ", shell_quoted(value), ""),
        };
        file.push_str(&format!("# {}{note}\n{mark}{}={value}\n", setting.meaning, setting.name));
        if setting.secret {
            file.push_str(&format!(
                "# or the id of a secret in Secrets Manager, with #key for one key of a JSON secret\n# {}_SECRET_ID=\n",
                setting.name
            ));
        }
        file.push('\n');
    }
    file
}

/// The environment, read once. A variable that is set to nothing counts as not set.
#[derive(Clone, std::default::Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// A variable's value, trimmed.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether this process is a Lambda function (`cargo lambda watch` counts).
    pub fn is_lambda(&self) -> bool {
        self.get("AWS_LAMBDA_FUNCTION_NAME").is_some()
    }

    /// The same environment with one variable more.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }
}

/// Everything that is wrong with the environment, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the settings do not do:\n  {}", .0.join("\n  "))]
pub struct SettingsError(pub Vec<String>);

/// Reads settings and collects what is wrong with them.
pub struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Begins to read.
    pub fn new(environment: &'a Environment) -> Self {
        Self { environment, problems: Vec::new() }
    }

    /// The variable or its default as text; `None` when it is not set and has no default.
    pub fn text(&mut self, setting: &Setting) -> Option<String> {
        match (self.environment.get(setting.name), setting.default) {
            (Some(value), _) => Some(value.to_owned()),
            (None, Default::Value(value)) => Some(value.to_owned()),
            (None, Default::None) => None,
            (None, Default::Required) => {
                self.problem(format!("{} is not set: {}", setting.name, setting.meaning));
                None
            }
        }
    }

    /// The variable or its default, parsed. A value that does not parse is a problem, which does not repeat the value.
    pub fn parsed<T>(&mut self, setting: &Setting) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.text(setting)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(format!("{} does not read: {error}. {}", setting.name, setting.meaning));
                None
            }
        }
    }

    /// The variable or its default as a number within bounds, which `told` says in words: `1 to 900`. One that is not is a
    /// problem.
    pub fn within<T>(&mut self, setting: &Setting, bounds: RangeInclusive<T>, told: &str) -> Option<T>
    where
        T: FromStr + PartialOrd,
        T::Err: Display,
    {
        let number = self.parsed::<T>(setting)?;
        if !bounds.contains(&number) {
            self.problem(format!("{} must be {told}", setting.name));
            return None;
        }
        Some(number)
    }

    /// `true`/`false`, `1`/`0`, `yes`/`no`, `on`/`off`, whatever the case.
    pub fn flag(&mut self, setting: &Setting) -> bool {
        let Some(text) = self.text(setting) else { return false };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => {
                self.problem(format!("{} must be true or false. {}", setting.name, setting.meaning));
                false
            }
        }
    }

    /// A secret: the variable itself, or the id of a secret under `<name>_SECRET_ID`. The variable wins.
    pub fn secret(&mut self, setting: &Setting) -> Option<SecretSource> {
        if let Some(value) = self.environment.get(setting.name) {
            return Some(SecretSource::Value(SecretString::from(value.to_owned())));
        }
        let id_name = format!("{}_SECRET_ID", setting.name);
        if let Some(id) = self.environment.get(&id_name) {
            return Some(SecretSource::Id(id.to_owned()));
        }
        if setting.default == Default::Required {
            self.problem(format!("neither {} nor {id_name} is set: {}", setting.name, setting.meaning));
        }
        None
    }

    /// Notes a problem that spans several settings.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// The settings, if all was well. `build` returns `None` only where a problem was noted.
    ///
    /// # Errors
    /// All problems together.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, SettingsError> {
        match settings {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            _ => Err(SettingsError(self.problems)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Setting = Setting::required("CROSSWALK_TABLE", "the DynamoDB table");
    const SIZE: Setting = Setting::with_default("MAX_MIB", "100", "the largest file in MiB");
    const TOKEN: Setting = Setting::required("API_TOKEN", "the token").secret();

    #[test]
    fn all_problems_are_told_together_and_values_are_not() {
        let environment = Environment::from_iter([("MAX_MIB", "hunter2"), ("CROSSWALK_TABLE", " ")]);
        let mut reader = Reader::new(&environment);
        let settings = Some((reader.text(&TABLE), reader.parsed::<u32>(&SIZE), reader.secret(&TOKEN)));
        let error = reader.finish(settings).map(|_| ()).unwrap_err().to_string();
        for name in ["CROSSWALK_TABLE is not set", "MAX_MIB does not read", "neither API_TOKEN nor API_TOKEN_SECRET_ID"]
        {
            assert!(error.contains(name), "{error}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn lists_are_merged_and_shown() {
        const OTHER: Setting = Setting::optional("CROSSWALK_TABLE", "told of twice");
        let merged = merged(&[&[TABLE, SIZE], &[OTHER, TOKEN]]);
        assert_eq!(merged, [TABLE, SIZE, TOKEN]);
        assert_eq!(
            markdown_table(&merged),
            "| setting | default | meaning |\n|---|---|---|\n\
             | `CROSSWALK_TABLE` | required | the DynamoDB table |\n\
             | `MAX_MIB` | `100` | the largest file in MiB |\n\
             | `API_TOKEN` or `API_TOKEN_SECRET_ID` | required | the token |\n"
        );
        assert_eq!(
            env_file(&merged),
            "# the DynamoDB table (required)\nCROSSWALK_TABLE=\n\n\
             # the largest file in MiB\n# MAX_MIB=100\n\n\
             # the token (required)\nAPI_TOKEN=\n\
             # or the id of a secret in Secrets Manager, with #key for one key of a JSON secret\n# API_TOKEN_SECRET_ID=\n\n"
        );
    }

    #[test]
    fn shells_read_values_back() {
        assert_eq!(shell_quoted("http://127.0.0.1:4566"), "http://127.0.0.1:4566");
        assert_eq!(shell_quoted("it's $HOME"), "'it'\\''s $HOME'");
        assert_eq!(shell_quoted(""), "''");
        let json = Setting::with_default("FIELDS", r#"{"a": "b c"}"#, "which goes where");
        assert_eq!(env_file(&[json]), "# which goes where\n# FIELDS='{\"a\": \"b c\"}'\n\n");
    }

    #[test]
    fn the_value_wins_over_the_secret_id() {
        let environment = Environment::from_iter([("API_TOKEN", "x"), ("API_TOKEN_SECRET_ID", "arn")]);
        let mut reader = Reader::new(&environment);
        assert!(matches!(reader.secret(&TOKEN), Some(SecretSource::Value(_))));
    }
}
