//! The address of a server that gets a secret with each request, as settings give it.

use reqwest::Url;

use crate::http::is_this_machine;
use crate::settings::{Reader, Setting};

/// What is asked of the address.
#[derive(Debug, Clone, Copy)]
pub struct ServerUrl {
    /// Names the address.
    pub url: Setting,
    /// Whether it may be `http://` for another host than this one.
    pub allow_http: Setting,
    /// What would then travel unencrypted, such as `the token`.
    pub secret: &'static str,
    /// Parts of a path that belong to the server's API, which its root does not hold.
    pub not_in_root: &'static [&'static str],
    /// How a problem names them, such as `/api/`.
    pub not_in_root_told: &'static str,
}

impl ServerUrl {
    /// The root, whose path does not end in a slash. Problems are told by the reader; they do not repeat the address, which may
    /// hold a password.
    pub fn read(&self, reader: &mut Reader<'_>) -> Option<Url> {
        let allow_http = reader.flag(&self.allow_http);
        let mut url = reader.parsed::<Url>(&self.url)?;
        let problems = self.problems(&url, allow_http);
        for problem in &problems {
            reader.problem(format!("{} {problem}", self.url.name));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        problems.is_empty().then_some(url)
    }

    fn problems(&self, url: &Url, allow_http: bool) -> Vec<String> {
        let mut problems = Vec::new();
        match url.scheme() {
            "https" => {}
            "http" if allow_http || is_this_host(url) => {}
            "http" => problems.push(format!(
                "begins with http://, so {} would travel unencrypted: use https://, or set {}=true",
                self.secret, self.allow_http.name
            )),
            _ => problems.push("must begin with https://".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            problems.push("must not hold a user or a password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            problems.push("must not hold a query or a fragment".to_owned());
        }
        if url.path_segments().is_some_and(|mut parts| parts.any(|part| self.not_in_root.contains(&part))) {
            problems.push(format!("must be the server's root, without {}", self.not_in_root_told));
        }
        problems
    }
}

/// Names below `localhost` count too, as resolvers take them for this machine.
fn is_this_host(url: &Url) -> bool {
    is_this_machine(url) || url.domain().is_some_and(|name| name.ends_with(".localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Environment;

    const SERVER: ServerUrl = ServerUrl {
        url: Setting::required("SOME_URL", "the server's root"),
        allow_http: Setting::with_default("SOME_ALLOW_HTTP", "false", "whether it may be http://"),
        secret: "the token",
        not_in_root: &["api"],
        not_in_root_told: "/api/",
    };

    fn read(url: &str, allow_http: &str) -> Result<String, String> {
        let environment = Environment::from_iter([("SOME_URL", url), ("SOME_ALLOW_HTTP", allow_http)]);
        let mut reader = Reader::new(&environment);
        let read = SERVER.read(&mut reader);
        reader.finish(read).map(|url| url.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_root_is_taken_without_its_last_slash() {
        for (given, taken) in [
            ("https://lab.example.org", "https://lab.example.org/"),
            ("https://lab.example.org/nemo/", "https://lab.example.org/nemo"),
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/"),
            ("http://nemo.localhost:8000", "http://nemo.localhost:8000/"),
        ] {
            assert_eq!(read(given, "false").as_deref(), Ok(taken));
        }
        assert!(read("http://lab.example.org", "true").is_ok());
    }

    #[test]
    fn a_secret_travels_encrypted_and_stands_elsewhere() {
        for (given, told) in [
            ("http://lab.example.org", "the token would travel unencrypted: use https://, or set SOME_ALLOW_HTTP=true"),
            ("ftp://lab.example.org", "SOME_URL must begin with https://"),
            ("https://a:hunter2@lab.example.org", "must not hold a user or a password"),
            ("https://lab.example.org?a=b", "must not hold a query"),
            ("https://lab.example.org/api/", "the server's root, without /api/"),
        ] {
            let refusal = read(given, "false").unwrap_err();
            assert!(refusal.contains(told) && !refusal.contains("hunter2"), "{refusal}");
        }
    }
}
