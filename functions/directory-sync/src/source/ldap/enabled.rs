//! Whether an entry says that the person may log in.

use super::entry::Values;

/// Attributes where TRUE means disabled: of 389 Directory Server and FreeIPA, eDirectory, PingDirectory, and Active
/// Directory Lightweight Directory Services.
const LOCKS: &[&str] = &["nsAccountLock", "loginDisabled", "ds-pwp-account-disabled", "msDS-UserAccountDisabled"];

/// OpenLDAP's password policy: a time of zero is a lock that only an administrator lifts; any other is one by failed
/// logins, which passes (draft-behera-ldap-password-policy, 5.3.3).
const LOCKED_TIME: &str = "pwdAccountLockedTime";
const LOCKED_FOR_GOOD: &str = "000001010000Z";

/// Active Directory's flags of an account, and among them ACCOUNTDISABLE (MS-ADTS, 2.2.16).
const ACCOUNT_CONTROL: &str = "userAccountControl";
const ACCOUNT_DISABLE: i64 = 0x2;

/// Whether entries without this attribute are the rule: then its absence tells nothing about a wrong name.
pub(super) fn is_rare(attribute: &str) -> bool {
    is_lock(attribute) || attribute.eq_ignore_ascii_case(LOCKED_TIME)
}

fn is_lock(attribute: &str) -> bool {
    LOCKS.iter().any(|name| name.eq_ignore_ascii_case(attribute))
}

/// Whether the person may log in; they may where nothing is said.
///
/// # Errors
/// It is said in words that are not known, or several times; as an entry's fault, which does not repeat them.
pub(super) fn of(attribute: &str, values: &Values<'_>) -> Result<bool, String> {
    let text = match values {
        Values::None => return Ok(true),
        Values::Texts([text]) => text.trim(),
        Values::Texts(_) => return Err(format!("the attribute {attribute} has several values")),
        Values::Bytes(_) => return Err(format!("the attribute {attribute} holds bytes that are no text")),
    };
    if text.is_empty() {
        return Ok(true);
    }
    if attribute.eq_ignore_ascii_case(ACCOUNT_CONTROL) {
        let flags: i64 = text.parse().map_err(|_| format!("the attribute {attribute} is no number"))?;
        return Ok(flags & ACCOUNT_DISABLE == 0);
    }
    if attribute.eq_ignore_ascii_case(LOCKED_TIME) {
        return Ok(text != LOCKED_FOR_GOOD);
    }
    let said = match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "active" | "enabled" => true,
        "false" | "no" | "0" | "inactive" | "disabled" => false,
        _ => return Err(format!("the attribute {attribute} says neither yes nor no in a word that is known")),
    };
    Ok(said != is_lock(attribute))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(attribute: &str, text: &str) -> Result<bool, String> {
        of(attribute, &Values::Texts(&[text.to_owned()]))
    }

    #[test]
    fn flags_of_active_directory() {
        for (flags, enabled) in [("512", true), ("514", false), ("66048", true), ("66050", false), ("2", false)] {
            assert_eq!(told("useraccountcontrol", flags), Ok(enabled), "{flags}");
        }
        assert!(told("userAccountControl", "TRUE").is_err());
    }

    #[test]
    fn locks_are_the_other_way_round() {
        for attribute in LOCKS {
            assert_eq!(told(&attribute.to_uppercase(), "TRUE"), Ok(false), "{attribute}");
            assert_eq!(told(attribute, "false"), Ok(true), "{attribute}");
        }
        assert_eq!(told("pwdAccountLockedTime", "000001010000Z"), Ok(false));
        assert_eq!(told("pwdAccountLockedTime", "20261122100000Z"), Ok(true));
    }

    #[test]
    fn words() {
        for word in ["TRUE", "yes", "1", "Active", " enabled "] {
            assert_eq!(told("employeeType", word), Ok(true), "{word}");
        }
        for word in ["False", "no", "0", "inactive", "DISABLED"] {
            assert_eq!(told("employeeType", word), Ok(false), "{word}");
        }
        let told = told("employeeType", "retired").unwrap_err();
        assert!(told.contains("employeeType") && !told.contains("retired"), "{told}");
        assert_eq!(of("employeeType", &Values::None), Ok(true));
        assert!(of("employeeType", &Values::Texts(&["yes".to_owned(), "no".to_owned()])).is_err());
        assert!(of("employeeType", &Values::Bytes(&[vec![0xff]])).is_err());
    }
}
