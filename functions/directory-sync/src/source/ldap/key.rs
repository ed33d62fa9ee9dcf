//! Stable keys and external ids in their text form.

use super::entry::{Values, trimmed};

/// Binary GUIDs: of Active Directory, and the one that Microsoft's own synchronisation takes for it.
const GUIDS: &[&str] = &["objectGUID", "mS-DS-ConsistencyGuid"];

/// Binary ids that have no text form that all agree on: Active Directory's SID and eDirectory's GUID. They are told in hex.
const OCTETS: &[&str] = &["objectSid", "GUID"];

/// The one value of an attribute that identifies. Whether it is binary is told by its name alone: bytes are sometimes
/// text by chance, and must not change their form from person to person.
///
/// # Errors
/// It has several values, or one that is not of its kind; as an entry's fault.
pub(super) fn of(attribute: &str, values: &Values<'_>) -> Result<Option<Box<str>>, String> {
    let several = || format!("the attribute {attribute} has several values, and none of them identifies");
    let is_one_of = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(attribute));
    let bytes = match values {
        Values::None => return Ok(None),
        Values::Texts([text]) => text.as_bytes(),
        Values::Bytes([bytes]) => bytes,
        Values::Texts(_) | Values::Bytes(_) => return Err(several()),
    };
    if is_one_of(GUIDS) {
        let bytes =
            <[u8; 16]>::try_from(bytes).map_err(|_| format!("the attribute {attribute} is no GUID of 16 bytes"))?;
        return Ok(Some(guid(bytes)));
    }
    if is_one_of(OCTETS) {
        return Ok(trimmed(&hex::encode(bytes)));
    }
    match values {
        Values::Texts([text]) => Ok(trimmed(text)),
        _ => Err(format!(
            "the attribute {attribute} holds bytes that are no text, and is none of those that are known to"
        )),
    }
}

/// As Microsoft writes it: the first three groups have their bytes the other way round (MS-DTYP, 2.3.4).
fn guid(bytes: [u8; 16]) -> Box<str> {
    const ORDER: [&[usize]; 5] = [&[3, 2, 1, 0], &[5, 4], &[7, 6], &[8, 9], &[10, 11, 12, 13, 14, 15]];
    let group = |places: &[usize]| hex::encode(places.iter().map(|place| bytes[*place]).collect::<Vec<_>>());
    ORDER.map(group).join("-").into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(attribute: &str, bytes: &[&[u8]]) -> Result<Option<Box<str>>, String> {
        // As the client library sorts them.
        let texts: Result<Vec<_>, _> = bytes.iter().map(|bytes| String::from_utf8(bytes.to_vec())).collect();
        match texts {
            Ok(texts) => of(attribute, &Values::Texts(&texts)),
            Err(_) => of(attribute, &Values::Bytes(&bytes.iter().map(|bytes| bytes.to_vec()).collect::<Vec<_>>())),
        }
    }

    #[test]
    fn a_guid_is_told_as_microsoft_does() {
        let bytes: [u8; 16] = std::array::from_fn(|n| 0xf0 + u8::try_from(n).unwrap());
        let guid = told("objectguid", &[&bytes]).unwrap();
        assert_eq!(guid.as_deref(), Some("f3f2f1f0-f5f4-f7f6-f8f9-fafbfcfdfeff"));
        // Bytes that are text by chance.
        let guid = told("objectGUID", &[b" 123456789abcde "]).unwrap();
        assert_eq!(guid.as_deref(), Some("33323120-3534-3736-3839-616263646520"));
        assert!(told("objectGUID", &[b"short"]).unwrap_err().contains("16 bytes"));
    }

    #[test]
    fn other_bytes_are_hex_where_they_are_known_and_else_a_fault() {
        assert_eq!(told("objectSid", &[&[1, 2, 0xff]]).unwrap().as_deref(), Some("0102ff"));
        assert_eq!(told("objectSid", &[b"a"]).unwrap().as_deref(), Some("61"));
        assert!(told("employeeNumber", &[&[0xff]]).is_err());
    }

    #[test]
    fn one_value_identifies() {
        assert_eq!(told("employeeNumber", &[b" 17 "]).unwrap().as_deref(), Some("17"));
        assert_eq!(told("employeeNumber", &[b"  "]).unwrap(), None);
        assert!(told("employeeNumber", &[b"17", b"18"]).is_err());
        assert!(told("objectGUID", &[&[0xff; 16], &[0xfe; 16]]).is_err());
        assert_eq!(of("employeeNumber", &Values::None), Ok(None));
    }

    proptest! {
        #[test]
        fn each_guid_has_its_own_text(one: [u8; 16], other: [u8; 16]) {
            let (text, other_text) = (told("objectGUID", &[&one]).unwrap(), told("objectGUID", &[&other]).unwrap());
            prop_assert_eq!(text.as_ref().unwrap().len(), 36);
            prop_assert_eq!(one == other, text == other_text);
            let hex: String = text.unwrap().split('-').collect();
            let mut sorted = hex::decode(hex).unwrap();
            let mut bytes = one;
            sorted.sort_unstable();
            bytes.sort_unstable();
            prop_assert_eq!(&sorted[..], &bytes[..]);
        }
    }
}
