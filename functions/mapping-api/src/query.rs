//! Query strings, read strictly: a parameter that is misspelt or given twice would otherwise be dropped in silence.

use std::collections::BTreeMap;

use percent_encoding::percent_decode;

use crate::problem::Problem;

/// The most items of a page.
const MAX_LIMIT: usize = 1000;
/// The items of a page when the request does not say.
const DEFAULT_LIMIT: usize = 100;

/// The parameters of one request.
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads a query string: form-encoded (`+` and `%20` are spaces), UTF-8.
    ///
    /// # Errors
    /// A parameter that is not in `known` or comes twice, or text that is not UTF-8.
    pub(crate) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let query = query.unwrap_or_default();
        if percent_decode(query.as_bytes()).decode_utf8().is_err() {
            return Err(Problem::invalid("the query string is not percent-encoded UTF-8"));
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let Some(name) = known.iter().find(|known| **known == name) else {
                let known = known.join("`, `");
                return Err(Problem::invalid(format!("`{name}` is no query parameter here; known are `{known}`")));
            };
            if parameters.insert((*name).to_owned(), value.into_owned()).is_some() {
                return Err(Problem::invalid(format!("the query parameter `{name}` is given twice; send it once")));
            }
        }
        Ok(Self(parameters))
    }

    /// A parameter's text, if it was given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `limit`, or its default.
    ///
    /// # Errors
    /// Not a whole number from 1 to 1,000.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.text("limit") else { return Ok(DEFAULT_LIMIT) };
        match text.parse() {
            Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            _ => Err(Problem::invalid("`limit` must be a whole number from 1 to 1000 (100 if it is left out)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(query: &str, known: &[&str]) -> String {
        match Parameters::read(Some(query), known).and_then(|parameters| parameters.limit()) {
            Ok(limit) => panic!("`{query}` was read, limit {limit}"),
            Err(problem) => problem.detail().to_owned(),
        }
    }

    #[test]
    fn reads_form_encoding() {
        let parameters = Parameters::read(Some("external_id=a%2Bb+%C3%A9%3F%23"), &["external_id"]).unwrap();
        assert_eq!(parameters.text("external_id"), Some("a+b é?#"));
        assert!(Parameters::read(None, &[]).unwrap().text("email").is_none());
    }

    #[test]
    fn refusals_say_what_to_send() {
        assert_eq!(
            refusal("extrenal_id=1", &["external_id", "limit"]),
            "`extrenal_id` is no query parameter here; known are `external_id`, `limit`"
        );
        assert_eq!(refusal("limit=1&limit=2", &["limit"]), "the query parameter `limit` is given twice; send it once");
        assert_eq!(refusal("limit=%ff", &["limit"]), "the query string is not percent-encoded UTF-8");
        for limit in ["0", "1001", "-1", "ten", "", "1.5"] {
            assert!(refusal(&format!("limit={limit}"), &["limit"]).contains("from 1 to 1000"));
        }
    }

    #[test]
    fn a_limit_stands_between_1_and_1000() {
        for (query, limit) in [(None, 100), (Some("limit=1"), 1), (Some("limit=1000"), 1000)] {
            assert_eq!(Parameters::read(query, &["limit"]).unwrap().limit().unwrap(), limit);
        }
    }
}
