//! Registration of leave administrators at FINEOS: its employer viewpoint users.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crosswalk_function_kit::retry::{Retries, retry};
use crosswalk_function_kit::secrets::{SecretSource, Secrets};
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError};
use crosswalk_function_kit::traffic::Counter;
use crosswalk_identity::Email;
use quick_xml::{de, se};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;
use url::Url;

const REGISTRATION: Setting = Setting::with_default(
    "FINEOS_REGISTRATION",
    "false",
    "whether leave administrators are registered at FINEOS; the FINEOS settings are required then",
);
const API_URL: Setting = Setting::optional(
    "FINEOS_CLIENT_INTEGRATION_SERVICES_API_URL",
    "the root of FINEOS's integration services, such as `https://fineos.example.org/integration-services/`",
);
const OAUTH2_URL: Setting = Setting::optional("FINEOS_CLIENT_OAUTH2_URL", "where FINEOS gives out tokens");
const CLIENT_ID: Setting = Setting::optional("FINEOS_CLIENT_OAUTH2_CLIENT_ID", "our client id at FINEOS");
const CLIENT_SECRET: Setting =
    Setting::optional("FINEOS_CLIENT_OAUTH2_CLIENT_SECRET", "the secret of our client id at FINEOS").secret();
const COMPOSER_USER: Setting =
    Setting::with_default("FINEOS_CLIENT_WSCOMPOSER_USER_ID", "CONTENT", "the FINEOS user that the calls are made as");

/// What is read here.
pub(crate) const SETTINGS: &[Setting] = &[REGISTRATION, API_URL, OAUTH2_URL, CLIENT_ID, CLIENT_SECRET, COMPOSER_USER];

/// Where FINEOS is, and who we are there.
#[derive(Debug, Clone)]
pub struct FineosSettings {
    api_url: Url,
    oauth2_url: Url,
    client_id: String,
    client_secret: SecretSource,
    composer_user: HeaderValue,
}

impl FineosSettings {
    /// Reads the environment; none if registration is off.
    ///
    /// # Errors
    /// Registration is on and a setting is missing or does not read.
    pub fn from_env(environment: &Environment) -> Result<Option<Self>, SettingsError> {
        let mut reader = Reader::new(environment);
        if !reader.flag(&REGISTRATION) {
            return reader.finish(Some(None));
        }
        let missing = |setting: &Setting| {
            format!("FINEOS_REGISTRATION is on and {} is not set: {}", setting.name, setting.meaning)
        };
        let mut url = |setting: &Setting| {
            let url = reader.parsed::<Url>(setting);
            if url.is_none() && environment.get(setting.name).is_none() {
                reader.problem(missing(setting));
            }
            if url.as_ref().is_some_and(|url| !matches!(url.scheme(), "https" | "http")) {
                reader.problem(format!("{} must begin with https:// (or http://)", setting.name));
            }
            url
        };
        let (api_url, oauth2_url) = (url(&API_URL), url(&OAUTH2_URL));
        let client_id = reader.text(&CLIENT_ID);
        if client_id.is_none() {
            reader.problem(missing(&CLIENT_ID));
        }
        let client_secret = reader.secret(&CLIENT_SECRET);
        if client_secret.is_none() {
            reader.problem(format!(
                "FINEOS_REGISTRATION is on and neither {0} nor {0}_SECRET_ID is set: {1}",
                CLIENT_SECRET.name, CLIENT_SECRET.meaning
            ));
        }
        let composer_user = reader.text(&COMPOSER_USER).and_then(|user| HeaderValue::from_str(&user).ok());
        if composer_user.is_none() {
            reader.problem(format!("{} cannot stand in a header", COMPOSER_USER.name));
        }
        let build = || {
            Some(Some(Self {
                api_url: with_slash(api_url?),
                oauth2_url: oauth2_url?,
                client_id: client_id?,
                client_secret: client_secret?,
                composer_user: composer_user?,
            }))
        };
        reader.finish(build())
    }
}

/// So that a path is put under it, not beside it.
fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// FINEOS's own limits (its clients use them): how long a connection, and how long an answer may take.
const CONNECT: Duration = Duration::from_millis(6_100);
const READ: Duration = Duration::from_secs(29);
const PATH: &str = "rest/externalUserProvisioningService/createOrUpdateEmployerViewpointUser";
const SCOPE: &str = "service-gateway/all";
/// A token is not used in its last seconds, in which it may lapse on the way.
const LAST_SECONDS: Duration = Duration::from_secs(30);
/// What holds for a token that does not say how long it holds.
const DEFAULT_LIFE: u64 = 300;
/// The same userID is sent each time, so a repeat of a call whose answer was lost makes no second user.
const RETRIES: Retries = Retries { first: Duration::from_millis(500), longest: Duration::from_secs(4), times: 2 };

/// Who is registered.
#[derive(Debug, Clone)]
pub(crate) struct Registration<'a> {
    /// The employer's id at FINEOS.
    pub(crate) employer: &'a str,
    /// Fixed and stored before the first call.
    pub(crate) user_id: &'a str,
    pub(crate) email: &'a Email,
}

/// Why a registration failed. No text holds the e-mail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FineosError {
    /// A repeat may succeed.
    #[error("FINEOS is unavailable ({0}); drop this row in again later")]
    Unavailable(String),
    /// A repeat fails as well.
    #[error("FINEOS refused the registration ({0})")]
    Refused(String),
    /// Our own credentials do not do.
    #[error("FINEOS refused our credentials ({0}): check FINEOS_CLIENT_OAUTH2_CLIENT_ID and its secret")]
    Credentials(String),
}

struct Token {
    value: SecretString,
    until: Instant,
}

/// What one registration sends, so that its repeats are known.
struct Sending<'a> {
    counter: &'a Counter,
    tokens: AtomicUsize,
    registrations: AtomicUsize,
}

impl Sending<'_> {
    fn token(&self, request: &reqwest::Request) {
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        self.counter.sent(body.len() as u64, self.tokens.fetch_add(1, Ordering::Relaxed) > 0);
    }

    fn registration(&self, body: &str) {
        self.counter.sent(body.len() as u64, self.registrations.fetch_add(1, Ordering::Relaxed) > 0);
    }
}

/// FINEOS. One token is shared by all calls.
pub(crate) struct Fineos {
    settings: FineosSettings,
    secrets: Secrets,
    client: OnceCell<Client>,
    token: Mutex<Option<Token>>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    expires_in: Option<u64>,
}

/// FINEOS reads the elements in this order.
#[derive(Serialize)]
#[serde(rename = "CreateOrUpdateEmployerViewpointUserRequest")]
struct Request<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    #[serde(rename = "partyReference")]
    party_reference: &'a str,
    #[serde(rename = "userID")]
    user_id: &'a str,
    #[serde(rename = "fullName")]
    full_name: &'static str,
    #[serde(rename = "emailAddress")]
    email_address: &'a str,
    phone: Phone,
    #[serde(rename = "userRole")]
    user_role: &'static str,
    enabled: &'static str,
}

/// The file has no telephone numbers; the element is sent nonetheless, as its place is fixed.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Phone {
    contact_area_code: &'static str,
    contact_extension_code: &'static str,
    contact_international_code: &'static str,
    contact_number: &'static str,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    error_code: Option<String>,
    result: Option<AnswerResult>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct AnswerResult {
    user_id: Option<String>,
}

impl Registration<'_> {
    fn to_xml(&self) -> Result<String, FineosError> {
        let request = Request {
            namespace: "http://www.fineos.com/frontoffice/externaluserprovisioning/external",
            party_reference: self.employer,
            user_id: self.user_id,
            full_name: "Leave Administrator",
            email_address: self.email.as_str(),
            phone: Phone::default(),
            user_role: "AllPermissions",
            enabled: "true",
        };
        let body =
            se::to_string(&request).map_err(|_| FineosError::Refused("it cannot be written as XML".to_owned()))?;
        Ok(format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{body}"))
    }
}

impl Fineos {
    /// Nothing is built or called yet.
    pub(crate) fn new(settings: FineosSettings, secrets: Secrets) -> Self {
        Self { settings, secrets, client: OnceCell::new(), token: Mutex::new(None) }
    }

    /// Registers, and gives the web id that FINEOS confirmed. What is sent for it is counted.
    pub(crate) async fn register(
        &self,
        registration: &Registration<'_>,
        counter: &Counter,
    ) -> Result<String, FineosError> {
        let sending = Sending { counter, tokens: AtomicUsize::new(0), registrations: AtomicUsize::new(0) };
        let body = registration.to_xml()?;
        let is_transient = |error: &FineosError| matches!(error, FineosError::Unavailable(_));
        let web_id = retry(RETRIES, is_transient, || self.register_once(&body, &sending)).await?;
        Ok(web_id.unwrap_or_else(|| registration.user_id.to_owned()))
    }

    async fn register_once(&self, body: &str, sending: &Sending<'_>) -> Result<Option<String>, FineosError> {
        let mut may_renew = true;
        loop {
            let token = self.token(sending).await?;
            let url =
                self.settings.api_url.join(PATH).map_err(|_| FineosError::Refused("the URL is wrong".to_owned()))?;
            let request = self
                .client()
                .await?
                .post(url)
                .bearer_auth(token.expose_secret())
                .header("userid", self.settings.composer_user.clone())
                .header(CONTENT_TYPE, "application/xml; charset=utf-8")
                .body(body.to_owned());
            sending.registration(body);
            let answer = request.send().await.map_err(unavailable)?;
            let status = answer.status();
            if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && may_renew {
                // The token, or the secret that it came from, was changed on the other side.
                may_renew = false;
                self.forget(&token).await;
                continue;
            }
            let text = answer.text().await.map_err(unavailable)?;
            return read_answer(status, &text);
        }
    }

    async fn client(&self) -> Result<&Client, FineosError> {
        let build = async || {
            let client = Client::builder().connect_timeout(CONNECT).read_timeout(READ).timeout(CONNECT + READ).build();
            client.map_err(|error| FineosError::Unavailable(format!("no HTTP client: {}", error.without_url())))
        };
        self.client.get_or_try_init(build).await
    }

    /// The token, fetched if there is none that still holds. Others wait meanwhile, and share it.
    async fn token(&self, sending: &Sending<'_>) -> Result<SecretString, FineosError> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.value.clone());
        }
        let answer = match self.fetch_token(sending).await {
            Err(FineosError::Credentials(_)) => {
                self.secrets.forget(&self.settings.client_secret).await;
                self.fetch_token(sending).await?
            }
            other => other?,
        };
        let life = Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_LIFE));
        // A very short one is used for half its life.
        let until = Instant::now() + life.saturating_sub(LAST_SECONDS).max(life / 2);
        let value = answer.access_token.clone();
        *kept = Some(Token { value: answer.access_token, until });
        Ok(value)
    }

    async fn fetch_token(&self, sending: &Sending<'_>) -> Result<TokenAnswer, FineosError> {
        let secret = self.secrets.get(CLIENT_SECRET.name, &self.settings.client_secret).await;
        let secret = secret.map_err(|error| FineosError::Credentials(error.to_string()))?;
        let client = self.client().await?;
        let request = client
            .post(self.settings.oauth2_url.clone())
            .basic_auth(&self.settings.client_id, Some(secret.expose_secret()))
            .form(&[("grant_type", "client_credentials"), ("scope", SCOPE)])
            .build()
            .map_err(unavailable)?;
        sending.token(&request);
        let answer = client.execute(request).await.map_err(unavailable)?;
        let status = answer.status();
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            return Err(FineosError::Credentials(format!("the token's URL answered {status}")));
        }
        if !status.is_success() {
            return Err(FineosError::Unavailable(format!("the token's URL answered {status}")));
        }
        let unreadable =
            |_| FineosError::Unavailable("the token's URL answered something else than a token".to_owned());
        answer.json().await.map_err(unreadable)
    }

    /// Drops a token that was refused, and the secret behind it; not one that another call has fetched meanwhile.
    async fn forget(&self, refused: &SecretString) {
        let mut kept = self.token.lock().await;
        if kept.as_ref().is_some_and(|token| token.value.expose_secret() == refused.expose_secret()) {
            *kept = None;
            self.secrets.forget(&self.settings.client_secret).await;
        }
    }
}

fn unavailable(error: reqwest::Error) -> FineosError {
    let what = if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    FineosError::Unavailable(what.to_owned())
}

/// HTTP 200 can carry an error code. Its message may repeat what was sent, so it is left out.
fn read_answer(status: StatusCode, text: &str) -> Result<Option<String>, FineosError> {
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS || text.contains("ESOCKETTIMEDOUT") {
        return Err(FineosError::Unavailable(format!("it answered {status}")));
    }
    if !status.is_success() {
        return Err(FineosError::Refused(format!("it answered {status}")));
    }
    let answer: Answer = de::from_str(text)
        .map_err(|_| FineosError::Refused(format!("it answered {status} with something else than its XML")))?;
    match answer.error_code.as_deref().map(str::trim).filter(|code| code.bytes().any(|byte| byte != b'0')) {
        Some(code) => {
            let code: String =
                code.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(40).collect();
            Err(FineosError::Refused(format!("error code {code}")))
        }
        None => Ok(answer.result.and_then(|result| result.user_id).filter(|id| !id.trim().is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elements_stand_in_fineoss_order() {
        let email = Email::parse("zo&y@example.org").unwrap();
        let registration = Registration { employer: "1001", user_id: "pfml_leave_admin_1", email: &email };
        let expected = concat!(
            r#"<?xml version="1.0" encoding="utf-8"?>"#,
            r#"<CreateOrUpdateEmployerViewpointUserRequest "#,
            r#"xmlns="http://www.fineos.com/frontoffice/externaluserprovisioning/external">"#,
            "<partyReference>1001</partyReference><userID>pfml_leave_admin_1</userID>",
            "<fullName>Leave Administrator</fullName><emailAddress>zo&amp;y@example.org</emailAddress>",
            "<phone><contactAreaCode/><contactExtensionCode/><contactInternationalCode/><contactNumber/></phone>",
            "<userRole>AllPermissions</userRole><enabled>true</enabled></CreateOrUpdateEmployerViewpointUserRequest>",
        );
        assert_eq!(registration.to_xml().unwrap(), expected);
    }

    #[test]
    fn answers() {
        let ok = |text: &str| read_answer(StatusCode::OK, text);
        let confirmed = r#"<ns2:Response xmlns:ns2="http://www.fineos.com/x"><ns2:errorCode/><ns2:result>
            <ns2:partyReference>1</ns2:partyReference><ns2:userId>web-1</ns2:userId><ns2:userOID><a>1</a></ns2:userOID>
            <ns2:userAlreadyExisted>false</ns2:userAlreadyExisted></ns2:result></ns2:Response>"#;
        assert_eq!(ok(confirmed), Ok(Some("web-1".to_owned())));
        assert_eq!(ok("<r/>"), Ok(None));
        assert_eq!(ok("<r><errorCode>0</errorCode></r>"), Ok(None));
        let refused =
            ok("<r><errorCode>1000</errorCode><errorMessage>no a@example.org</errorMessage></r>").unwrap_err();
        assert_eq!(refused.to_string(), "FINEOS refused the registration (error code 1000)");
        assert!(matches!(ok("it works!"), Err(FineosError::Refused(_))));
        for (status, is_transient) in [(503, true), (504, true), (429, true), (422, false), (404, false), (403, false)]
        {
            let error = read_answer(StatusCode::from_u16(status).unwrap(), "").unwrap_err();
            assert_eq!(matches!(error, FineosError::Unavailable(_)), is_transient, "{status}");
        }
        assert!(matches!(read_answer(StatusCode::BAD_REQUEST, "ESOCKETTIMEDOUT"), Err(FineosError::Unavailable(_))));
    }

    #[test]
    fn off_needs_nothing() {
        assert!(FineosSettings::from_env(&Environment::default()).unwrap().is_none());
        let wrong = Environment::from_iter([("FINEOS_REGISTRATION", "perhaps")]);
        assert!(FineosSettings::from_env(&wrong).is_err());
    }

    #[test]
    fn a_path_is_put_under_the_url() {
        for root in ["https://f.example.org/services", "https://f.example.org/services/"] {
            let url = with_slash(root.parse().unwrap()).join(PATH).unwrap();
            assert_eq!(url.as_str(), format!("https://f.example.org/services/{PATH}"));
        }
    }
}
