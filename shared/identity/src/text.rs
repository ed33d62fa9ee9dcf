use unicode_normalization::UnicodeNormalization;

use crate::Refusal;

/// The form under which two spellings are one: trim → NFC → Unicode lowercase → NFC.
///
/// NFC comes twice, as lowercasing can leave a sequence that composes further.
pub(crate) fn key_form(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        // Most are; ASCII is NFC already.
        return text.to_ascii_lowercase();
    }
    let composed: String = text.nfc().collect();
    composed.to_lowercase().nfc().collect()
}

/// Refuses what no identifier may be: empty, or with control characters.
pub(crate) fn check(what: &'static str, text: &str) -> Result<(), Refusal> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    if text.trim().is_empty() {
        return Err(Refusal::Empty { what });
    }
    match text.chars().enumerate().find(|(_, c)| c.is_control()) {
        Some((index, c)) => Err(Refusal::Control { what, code: c.into(), position: index + 1 }),
        None => Ok(()),
    }
}

pub(crate) fn check_length(what: &'static str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.len() > limit {
        return Err(Refusal::TooLong { what, bytes: text.len(), limit });
    }
    Ok(())
}
