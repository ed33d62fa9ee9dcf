//! Files in folders: whole or not at all, and under safe names. All of it blocks.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Most file systems take names of 255 bytes; an extension and a draft's own name come on top.
const LONGEST: usize = 180;

/// A file name for any text, a different one for each: lower-case letters, digits and `-`, `_` stand for themselves and
/// the rest is percent-encoded, so that no text leaves the folder, hides, or is another's on file systems that fold case.
/// A long one becomes its hash.
pub(crate) fn file_name(text: &str, extension: &str) -> String {
    let mut name = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    // What begins with `~` is no text's own name.
    if name.is_empty() {
        name.push('~');
    } else if name.len() > LONGEST {
        name = format!("~{}", hex::encode(Sha256::digest(text)));
    }
    format!("{name}.{extension}")
}

/// Puts a file in the place of what was there: whoever reads sees the whole old or the whole new one, also after a crash
/// or a loss of power.
///
/// # Errors
/// What could not be done to which file.
pub(crate) fn replace(path: &Path, body: &[u8]) -> Result<(), String> {
    let folder = make_parent(path)?;
    let written = (|| {
        let mut draft = drafts().tempfile_in(folder)?;
        draft.write_all(body)?;
        draft.as_file().sync_all()?;
        draft.persist(path).map_err(|error| error.error)?;
        // The name is the folder's data: without this it may be lost, and the old file come back.
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    })();
    written.map_err(|error: io::Error| cannot("write", path, &error))
}

/// Their owner alone may read them, which is the tempfile crate's way: states and reports name people.
fn drafts() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".draft-");
    builder
}

/// Makes the folder that a file is to stand in.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_parent(path: &Path) -> Result<&Path, String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    Ok(folder)
}

/// Makes a folder and those above it.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_folder(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| cannot("make the folder", folder, &error))
}

/// Opens a file that is only there to be locked.
///
/// # Errors
/// It cannot be opened or made.
pub(crate) fn open_lock(path: &Path) -> Result<File, String> {
    let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
    file.map_err(|error| cannot("open", path, &error))
}

/// What could not be done to which file, and why.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_safe() {
        for (text, name) in [
            ("people-export-0123abcd", "people-export-0123abcd.json"),
            ("people-export#9f", "people-export%239f.json"),
            ("../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd.json"),
            (".", "%2e.json"),
            ("", "~.json"),
            ("~", "%7e.json"),
            ("A\\ü\0", "%41%5c%c3%bc%00.json"),
        ] {
            assert_eq!(file_name(text, "json"), name);
        }
        let long = file_name(&"x".repeat(1_000), "json");
        assert!(long.starts_with('~') && long.len() < 80, "{long}");
        assert_ne!(long, file_name(&"x".repeat(1_001), "json"));
    }

    proptest! {
        #[test]
        fn no_two_texts_have_one_name_whatever_the_case(one in ".{0,80}", other in ".{0,80}") {
            let name = |text: &str| file_name(text, "lock").to_uppercase();
            prop_assert_eq!(name(&one) == name(&other), one == other);
            prop_assert!(name(&one).len() < 200);
        }
    }

    #[test]
    fn a_file_is_replaced_and_leaves_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a").join("b.json");
        replace(&path, b"old, and longer").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // A folder stands in the way.
        assert!(replace(&folder.path().join("a"), b"x").unwrap_err().starts_with("cannot write "));
        let names =
            |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        assert_eq!((names(folder.path()), names(&folder.path().join("a"))), (vec!["a".into()], vec!["b.json".into()]));
    }

    #[cfg(unix)]
    #[test]
    fn its_owner_alone_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        replace(&path, b"").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
