use super::{SqlSettings, What};

/// Characters around a name. One inside it is doubled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// `"name"`, as the standard has it: PostgreSQL, SQLite.
    Double,
    /// `` `name` ``: MySQL and MariaDB, in all their modes.
    Back,
}

impl Quotes {
    /// The name, quoted: it can be nothing but a name.
    pub(super) fn around(self, name: &str) -> String {
        match self {
            Self::Double => format!("\"{}\"", name.replace('"', "\"\"")),
            Self::Back => format!("`{}`", name.replace('`', "``")),
        }
    }
}

/// Whether it can be a name once it is quoted: no database takes an empty one or a NUL.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('\0')
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Key,
    Email,
    Username,
    FirstName,
    LastName,
    Enabled,
    ExternalId,
}

/// What is sent, and what its columns are for.
#[derive(Debug)]
pub(super) struct Statement<'s> {
    pub(super) sql: String,
    pub(super) what: &'s What,
    /// The columns that are read, by the names that the settings have.
    pub(super) columns: Vec<(Role, &'s str)>,
}

impl<'s> Statement<'s> {
    /// Of a table: its columns in the key's order, so that rows are counted alike in each run. Of a query: itself.
    ///
    /// A column's name stands behind its table's: SQLite takes a quoted name that is no column's for a text.
    pub(super) fn new(settings: &'s SqlSettings, quotes: Quotes) -> Self {
        let columns = columns(settings);
        let sql = match &settings.what {
            What::Query(query) => query.clone(),
            What::Table(names) => {
                let from = names.iter().map(|name| quotes.around(name)).collect::<Vec<_>>().join(".");
                let table = names.last().map(|name| quotes.around(name)).unwrap_or_default();
                let column = |name: &str| format!("{table}.{}", quotes.around(name));
                let list = columns.iter().map(|(_, name)| column(name)).collect::<Vec<_>>().join(", ");
                format!("SELECT {list} FROM {from} ORDER BY {}", column(&settings.fields.key))
            }
        };
        Self { sql, what: &settings.what, columns }
    }

    /// Where each column stands among the result's, whose names are given; an error says what is missing.
    pub(super) fn positions(&self, found: &[&str]) -> Result<Vec<usize>, String> {
        if let What::Table(_) = self.what {
            return Ok((0..self.columns.len()).collect());
        }
        if found.is_empty() {
            return Err("it gives no rows: it must be one SELECT".to_owned());
        }
        self.columns.iter().map(|(_, name)| self.position(name, found)).collect()
    }

    fn position(&self, name: &str, found: &[&str]) -> Result<usize, String> {
        let those = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
            (0..found.len()).filter(|index| same(found[*index])).collect()
        };
        let mut at = those(&|other| other == name);
        if at.is_empty() {
            at = those(&|other| other.eq_ignore_ascii_case(name));
        }
        match at[..] {
            [index] => Ok(index),
            [] => Err(format!(
                "it has no column {name:?} (but: {}): name one so with AS, or set CUSTOM_DB_FIELD_… or SYNC_MAPPINGS to \
                 what it has",
                found.join(", ")
            )),
            _ => Err(format!("it has several columns {name:?}: rename all but one with AS")),
        }
    }
}

fn columns(settings: &SqlSettings) -> Vec<(Role, &str)> {
    let fields = &settings.fields;
    let named = [
        (Role::Key, Some(&fields.key)),
        (Role::Email, Some(&fields.email)),
        (Role::Username, fields.username.as_ref()),
        (Role::FirstName, fields.first_name.as_ref()),
        (Role::LastName, fields.last_name.as_ref()),
        (Role::Enabled, fields.enabled.as_ref()),
    ];
    let named = named.into_iter().filter_map(|(role, name)| Some((role, name?.as_str())));
    named.chain(settings.external_ids.iter().map(|name| (Role::ExternalId, name.as_str()))).collect()
}

#[cfg(test)]
mod tests {
    use crosswalk_function_kit::settings::Environment;

    use super::*;

    fn settings(more: &[(&str, &str)]) -> SqlSettings {
        let mut environment = Environment::from_iter([("CUSTOM_DB_URI", "sqlite://people.db")]);
        for (name, value) in more {
            environment = environment.with(name, value);
        }
        SqlSettings::from_env(&environment, &["badge"]).unwrap()
    }

    #[test]
    fn a_table_is_read_in_the_keys_order() {
        let settings = settings(&[]);
        assert_eq!(
            Statement::new(&settings, Quotes::Double).sql,
            r#"SELECT "users"."id", "users"."email", "users"."username", "users"."first_name", "users"."last_name", "users"."badge" FROM "users" ORDER BY "users"."id""#
        );
    }

    #[test]
    fn names_can_be_nothing_but_names() {
        let settings = settings(&[
            ("CUSTOM_DB_TABLE", "hr.us\"ers`; DROP TABLE users; --"),
            ("CUSTOM_DB_FIELD_KEY", "i\"d`"),
            ("CUSTOM_DB_FIELD_USERNAME", "-"),
            ("CUSTOM_DB_FIELD_FIRST_NAME", "-"),
            ("CUSTOM_DB_FIELD_LAST_NAME", "-"),
        ]);
        assert_eq!(
            Statement::new(&settings, Quotes::Double).sql,
            r#"SELECT "us""ers`; DROP TABLE users; --"."i""d`", "us""ers`; DROP TABLE users; --"."email", "us""ers`; DROP TABLE users; --"."badge" FROM "hr"."us""ers`; DROP TABLE users; --" ORDER BY "us""ers`; DROP TABLE users; --"."i""d`""#
        );
        assert_eq!(
            Statement::new(&settings, Quotes::Back).sql,
            r#"SELECT `us"ers``; DROP TABLE users; --`.`i"d```, `us"ers``; DROP TABLE users; --`.`email`, `us"ers``; DROP TABLE users; --`.`badge` FROM `hr`.`us"ers``; DROP TABLE users; --` ORDER BY `us"ers``; DROP TABLE users; --`.`i"d```"#
        );
    }

    #[test]
    fn a_querys_columns_are_found_by_name() {
        let settings = settings(&[("CUSTOM_DB_QUERY", "SELECT 1")]);
        let statement = Statement::new(&settings, Quotes::Double);
        assert_eq!(statement.sql, "SELECT 1");
        let found = ["badge", "more", "ID", "email", "Email", "username", "first_name", "LAST_NAME"];
        assert_eq!(statement.positions(&found).unwrap(), [2, 3, 5, 6, 7, 0]);
        let told = statement.positions(&found[..6]).unwrap_err();
        assert!(told.contains("\"first_name\"") && told.contains("badge, more"), "{told}");
        let twice = ["id", "email", "email", "username", "first_name", "last_name", "badge"];
        assert!(statement.positions(&twice).unwrap_err().contains("several columns \"email\""));
        assert!(statement.positions(&[]).unwrap_err().contains("one SELECT"));
    }
}
