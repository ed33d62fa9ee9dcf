//! What the stand-in shows and answers.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use quick_xml::escape::escape;

use super::signatures::Refusal;
use super::{AccountSpec, parameter};

const HTML: [(HeaderName, &str); 2] = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
const XML: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "application/xml; charset=utf-8")];

/// The page to sign in: the request's own parameters stand in the form, to be checked once more.
pub(super) fn sign_in(asked: &[(String, String)], wrong: bool) -> Response {
    let hidden: String = ["redirect_uri", "akid", "expires", "sig"]
        .iter()
        .map(|name| {
            let value = escape(parameter(asked, name).unwrap_or_default());
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n")
        })
        .collect();
    let told = if wrong { "<p role=\"alert\">This e-mail and password do not belong together.</p>\n" } else { "" };
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Sign in - stand-in for LabArchives</title>\n</head>\n<body>\n\
         <h1>Stand-in for LabArchives</h1>\n<p>This is not LabArchives.</p>\n{told}\
         <form method=\"post\" action=\"/api_user_login\">\n{hidden}\
         <p><label>E-mail <input type=\"email\" name=\"email\" autocomplete=\"username\"></label></p>\n\
         <p><label>Password <input type=\"password\" name=\"password\" autocomplete=\"current-password\"></label></p>\n\
         <p><button name=\"do\" value=\"sign-in\">Sign in</button>\n\
         <button name=\"do\" value=\"cancel\">Cancel</button></p>\n</form>\n</body>\n</html>\n"
    );
    (if wrong { StatusCode::UNAUTHORIZED } else { StatusCode::OK }, HTML, page).into_response()
}

/// As third parties saw it: notebooks have ids of their own, and the request stands in the answer.
pub(super) fn access_info(account: &AccountSpec, asked: &[(String, String)]) -> String {
    let (first, last) = account.name.split_once(' ').unwrap_or((&account.name, ""));
    let given = |name| escape(parameter(asked, name).unwrap_or_default());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<users>\n  <id>{}</id>\n  <fullname>{}</fullname>\n  \
         <first-name>{}</first-name>\n  <last-name>{}</last-name>\n  <email>{}</email>\n  \
         <notebooks type=\"array\">\n    <notebook>\n      <id>MTIzLjR8bm90ZWJvb2s=</id>\n      <name>Notes &amp; more</name>\n      \
         <is-default type=\"boolean\">true</is-default>\n    </notebook>\n  </notebooks>\n  <request>\n    \
         <class>users</class>\n    <method>user_access_info</method>\n    <login-or-email>{}</login-or-email>\n    \
         <akid>{}</akid>\n    <expires>{}</expires>\n    <sig>{}</sig>\n  </request>\n</users>\n",
        escape(&account.uid),
        escape(&account.name),
        escape(first),
        escape(last),
        escape(&account.email),
        given("login_or_email"),
        given("akid"),
        given("expires"),
        given("sig"),
    )
}

pub(super) fn xml(status: StatusCode, text: String) -> Response {
    (status, XML, text).into_response()
}

/// 400 with number and words.
pub(super) fn refused((code, words): Refusal) -> Response {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <error-code>{code}</error-code>\n  \
         <error-description>{words}</error-description>\n</error>\n"
    );
    xml(StatusCode::BAD_REQUEST, text)
}

/// A page of HTML where XML is due, as of a proxy before LabArchives.
pub(super) fn html(status: StatusCode) -> Response {
    let page = "<!doctype html><html><head><title>Maintenance</title></head><body><h1>Back soon<br></h1></body></html>";
    (status, HTML, page).into_response()
}
