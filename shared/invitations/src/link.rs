//! Where the pages stand that take an invitation.

use url::Url;

use crate::Token;

/// The root of the registration pages, such as `https://crosswalk.example.org/`: an address of `https`, or of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pages(Url);

impl Pages {
    /// Checks a root.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(given: &str) -> Result<Self, &'static str> {
        let mut url = Url::parse(given).map_err(|_| "it must be an address such as https://crosswalk.example.org")?;
        if url.scheme() != "https" && !crosswalk_function_kit::http::is_this_machine(&url) {
            return Err("it must begin with https://, as the personal links and the browser's cookie are secrets");
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("it must hold no user, password, query or fragment");
        }
        if !url.path().trim_matches('/').is_empty() {
            return Err("it must be a host's root: the browser's cookie is bound to it, not to a path");
        }
        url.set_path("/");
        Ok(Self(url))
    }

    /// The personal link of a token.
    pub fn link(&self, token: &Token) -> Url {
        self.at(&format!("/registrations/{}", token.expose()))
    }

    /// The address of a path, which begins with `/`.
    pub fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }
}

impl std::str::FromStr for Pages {
    type Err = &'static str;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        Self::parse(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_https_and_nothing_but_a_host() {
        let pages = Pages::parse("https://crosswalk.example.org").unwrap();
        assert_eq!(
            pages.at("/registrations/style.css").as_str(),
            "https://crosswalk.example.org/registrations/style.css"
        );
        assert!(Pages::parse("http://127.0.0.1:8080").is_ok());
        for given in [
            "crosswalk.example.org",
            "http://crosswalk.example.org",
            "https://a:b@crosswalk.example.org",
            "https://crosswalk.example.org/prod",
            "https://crosswalk.example.org/?a=b",
        ] {
            assert!(Pages::parse(given).is_err(), "{given}");
        }
    }
}
