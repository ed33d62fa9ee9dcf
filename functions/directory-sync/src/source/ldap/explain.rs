//! What goes wrong, in words that tell what to do. Servers' own words are left out, as they may hold people's DNs.

use std::{fmt, io};

use ldap3::{LdapError, LdapResult};
use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// With TLS, and with StartTLS where it is asked for.
    Connect,
    Bind,
    /// Which page of the search, from 1.
    Search(u64),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("when connecting"),
            Self::Bind => f.write_str("at the bind"),
            Self::Search(page) => write!(f, "at page {page} of the search"),
        }
    }
}

/// A result other than success. Names are those of RFC 4511, appendix A.
fn result(step: Step, result: &LdapResult) -> String {
    let told = match (result.rc, step) {
        (_, Step::Connect) => "the server refuses StartTLS: use ldaps://, or have StartTLS configured on the server",
        (1, _) => "the server had an internal error (operationsError)",
        (2, _) => "the server takes the request for malformed (protocolError)",
        (3, _) => "the server's time limit cut the search off (timeLimitExceeded): raise it for LDAP_BIND_USER_DN",
        (4, _) => {
            "the server's size limit cut the search off (sizeLimitExceeded): raise the limit, for paged searches too, for \
             LDAP_BIND_USER_DN"
        }
        (7, _) => "the server takes no simple bind (authMethodNotSupported)",
        (8, _) => {
            "the server asks for stronger authentication (strongerAuthRequired): use ldaps:// or LDAP_STARTTLS=true"
        }
        (10, _) => "the server says that another server has this (referral): name that one in LDAP_SERVER",
        (11, _) => {
            "an administrative limit cut the search off (adminLimitExceeded): set LDAP_PAGE_SIZE lower, or raise the limit \
             for LDAP_BIND_USER_DN"
        }
        (12, _) => "the server lacks what the search needs (unavailableCriticalExtension)",
        (13, _) => "the server wants encryption (confidentialityRequired): use ldaps:// or LDAP_STARTTLS=true",
        (18, _) => "the server cannot match LDAP_USER_FILTER (inappropriateMatching)",
        (32, Step::Bind) | (49, _) => return refused(&result.text),
        (32, _) => "LDAP_BASE_DN does not exist, or LDAP_BIND_USER_DN may not see it (noSuchObject)",
        (34, Step::Bind) => "LDAP_BIND_USER_DN is no DN (invalidDNSyntax)",
        (34, _) => "LDAP_BASE_DN is no DN (invalidDNSyntax)",
        (48, _) => "LDAP_BIND_USER_DN cannot log in with a password (inappropriateAuthentication)",
        (50, _) => "LDAP_BIND_USER_DN may not do this (insufficientAccessRights): let it read below LDAP_BASE_DN",
        (51, _) => "the server is busy (busy): run again later",
        (52, _) => "the server cannot serve now (unavailable): run again later",
        (53, _) => "the server will not do this (unwillingToPerform): its log tells why",
        (80, _) => "the server had an error without a name (other): its log tells which",
        (rc, _) => return format!("the server answers result {rc}: its log tells why"),
    };
    told.to_owned()
}

/// Active Directory tells why in its diagnostic text: `… AcceptSecurityContext error, data 52e, …`.
fn refused(text: &str) -> String {
    let code = text.split_once(", data ").map(|(_, rest)| rest.split(',').next().unwrap_or(rest).trim());
    let why = match code {
        Some("530") => ": it may not log in at this time",
        Some("531") => ": it may not log in from here",
        Some("532") => ": its password has expired",
        Some("533") => ": it is disabled",
        Some("701") => ": it has expired",
        Some("773") => ": its password must be changed first",
        Some("775") => ": it is locked",
        _ => "",
    };
    format!("the server refuses LDAP_BIND_USER_DN and its password (invalidCredentials){why}")
}

/// A request that had no result.
pub(super) fn failure(step: Step, error: &LdapError) -> String {
    match error {
        LdapError::LdapResult { result: refused } => result(step, refused),
        LdapError::Timeout { .. } => match step {
            Step::Connect => {
                "the server was not reached within LDAP_TIMEOUT: is its name right, and may this network reach it?"
            }
            Step::Bind | Step::Search(_) => "the server did not answer within LDAP_TIMEOUT",
        }
        .to_owned(),
        LdapError::Io { source } => io_failure(step, source),
        LdapError::Rustls { source } => tls_failure(source),
        LdapError::DNSName { .. } => "LDAP_SERVER's name cannot be in a certificate".to_owned(),
        error if is_loss(error) => LOST.to_owned(),
        other => other.to_string(),
    }
}

/// What the client library says when the connection is gone; why it is gone is told to whoever drives it.
pub(super) fn is_loss(error: &LdapError) -> bool {
    matches!(
        error,
        LdapError::EndOfStream
            | LdapError::OpSend { .. }
            | LdapError::ResultRecv { .. }
            | LdapError::IdScrubSend { .. }
    )
}

const LOST: &str = "the server ended the connection";

fn io_failure(step: Step, error: &io::Error) -> String {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        return tls_failure(tls);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there: is the port right, and is the server up?".to_owned(),
        io::ErrorKind::UnexpectedEof if step == Step::Connect => {
            "the server ended the connection while TLS was set up: does this port speak TLS? ldaps:// has 636, and ldap:// \
             with LDAP_STARTTLS=true has 389"
                .to_owned()
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => LOST.to_owned(),
        // What tokio's framing says of a message that is not whole.
        _ if error.to_string() == "bytes remaining on stream" => LOST.to_owned(),
        _ if error.to_string().contains("lookup address") => "its name cannot be resolved".to_owned(),
        _ => error.to_string(),
    }
}

fn tls_failure(error: &TlsError) -> String {
    let why = match error {
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "an authority that is not trusted has signed it: set LDAP_CA_PEM to that authority's certificate"
        }
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "it is not for the name in LDAP_SERVER: use a name that it holds",
        TlsError::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "it has expired: have it renewed"
        }
        TlsError::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "it is not valid yet: is a clock wrong?"
        }
        TlsError::InvalidCertificate(CertificateError::BadSignature) => {
            "its signature is wrong: is LDAP_CA_PEM an older certificate of the authority?"
        }
        TlsError::InvalidMessage(_) => {
            return "what answers does not speak TLS: ldaps:// has port 636, and ldap:// with LDAP_STARTTLS=true has 389"
                .to_owned();
        }
        TlsError::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion) => {
            return "the server knows no TLS that is taken here: it must offer TLS 1.2 or 1.3".to_owned();
        }
        TlsError::InvalidCertificate(other) => return format!("the server's certificate is not accepted: {other}"),
        other => return format!("TLS failed: {other}"),
    };
    format!("the server's certificate is not accepted: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(rc: u32, text: &str) -> LdapResult {
        LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls: Vec::new() }
    }

    #[test]
    fn results_tell_what_to_do_and_not_what_the_server_says() {
        for (rc, word) in [
            (3, "timeLimitExceeded"),
            (4, "sizeLimitExceeded"),
            (11, "LDAP_PAGE_SIZE"),
            (13, "LDAP_STARTTLS"),
            (32, "LDAP_BASE_DN"),
            (34, "LDAP_BASE_DN"),
            (50, "insufficientAccessRights"),
            (53, "unwillingToPerform"),
            (123, "result 123"),
        ] {
            let told = result(Step::Search(1), &answered(rc, "uid=ann,dc=example,dc=org"));
            assert!(told.contains(word) && !told.contains("ann"), "{rc}: {told}");
        }
        assert!(result(Step::Bind, &answered(34, "")).contains("LDAP_BIND_USER_DN"));
    }

    #[test]
    fn active_directory_tells_why_it_refuses() {
        let data = |code: &str| {
            format!("80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data {code}, v4563")
        };
        let told = |text: &str| result(Step::Bind, &answered(49, text));
        assert!(told(&data("533")).ends_with("it is disabled"));
        assert!(told(&data("52e")).ends_with("(invalidCredentials)"));
        assert!(told("").ends_with("(invalidCredentials)"));
    }

    #[test]
    fn tls_failures_tell_the_reason() {
        let told = |error: TlsError| {
            failure(Step::Connect, &LdapError::from(io::Error::new(io::ErrorKind::InvalidData, error)))
        };
        assert!(told(CertificateError::UnknownIssuer.into()).contains("set LDAP_CA_PEM"));
        assert!(told(CertificateError::NotValidForName.into()).contains("not for the name in LDAP_SERVER"));
        assert!(told(CertificateError::Expired.into()).contains("has expired"));
        assert!(told(rustls::InvalidMessage::InvalidContentType.into()).contains("does not speak TLS"));
    }
}
