//! The state while a run changes it: written only where it differs from what is kept.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use crosswalk_reconcile::Fingerprint;
use crosswalk_runs::files::{Files, FilesError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::state::State;

const FOLDER: &str = "state/directory-sync/";
const SUFFIX: &str = ".txt";

/// Where a sync's state is kept.
#[derive(Debug, Clone)]
pub struct StateFile {
    files: Files,
    key: String,
    swap_key: String,
    /// Of what is kept, as far as this run wrote or read it.
    kept: Option<Fingerprint>,
}

impl StateFile {
    /// Of the sync of this name.
    pub fn new(files: &Files, sync: &str) -> Self {
        Self {
            files: files.clone(),
            key: format!("{FOLDER}{sync}{SUFFIX}"),
            swap_key: format!("{FOLDER}{sync}.swap.json"),
            kept: None,
        }
    }

    /// The state that is kept; none before the first run.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub async fn load(&mut self) -> Result<Option<State>, FilesError> {
        let Some(text) = self.files.get(&self.key).await? else { return Ok(None) };
        self.kept = Some(Fingerprint::of(&text));
        State::parse(&text).map(Some).map_err(|problem| {
            FilesError(format!(
                "the state {} in {} {problem}. Restore it from an earlier version; without it the next run counts as a first \
                 one, which adopts accounts by their e-mail and knows of nobody who left",
                self.key, self.files
            ))
        })
    }

    /// Puts the state in the place of the kept one, if they differ.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn save(&mut self, state: &State) -> Result<(), FilesError> {
        let text = state.text();
        let print = Fingerprint::of(&text);
        if self.kept != Some(print) {
            self.files.put(&self.key, text, "text/plain; charset=utf-8").await?;
            self.kept = Some(print);
        }
        Ok(())
    }

    /// The accounts of a target that other syncs manage: the sync's name by the account's id.
    ///
    /// # Errors
    /// The states cannot be listed or read, or one is damaged.
    pub async fn managed_by_others(&self, target: &str) -> Result<HashMap<Box<str>, Arc<str>>, FilesError> {
        let mut managed = HashMap::new();
        for key in self.files.keys(FOLDER).await? {
            let Some(name) = key.strip_prefix(FOLDER).and_then(|key| key.strip_suffix(SUFFIX)) else { continue };
            if key == self.key {
                continue;
            }
            let mut other = Self::new(&self.files, name);
            let Some(state) = other.load().await?.filter(|state| state.target == target) else { continue };
            let name: Arc<str> = name.into();
            let accounts = state.people.into_values().filter_map(|person| person.account);
            managed.extend(accounts.map(|account| (account, name.clone())));
        }
        Ok(managed)
    }

    /// The swap of two e-mails that an earlier run may not have completed.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn swap<T: DeserializeOwned>(&self) -> Result<Option<T>, FilesError> {
        let Some(text) = self.files.get(&self.swap_key).await? else { return Ok(None) };
        serde_json::from_slice(&text)
            .map_err(|error| FilesError(format!("{} in {} does not read: {error}", self.swap_key, self.files)))
    }

    /// Notes a swap before it begins, and that it is over.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn keep_swap(&self, intent: Option<&impl Serialize>) -> Result<(), FilesError> {
        let text = serde_json::to_vec(&intent)
            .map_err(|error| FilesError(format!("{} cannot be written: {error}", self.swap_key)))?;
        self.files.put(&self.swap_key, Bytes::from(text), "application/json").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_state_is_written_only_where_it_differs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/directory-sync/staff.txt");
        let mut file = StateFile::new(&Files::Folder(folder.path().to_owned()), "staff");
        assert_eq!(file.load().await.unwrap(), None);
        let state = State { target: "pool".to_owned(), ..State::default() };
        file.save(&state).await.unwrap();
        assert_eq!(file.load().await.unwrap().as_ref(), Some(&state));
        std::fs::remove_file(&path).unwrap();
        file.save(&state).await.unwrap();
        assert!(!path.exists(), "nothing differs from what was kept");
        file.save(&State { known: 1, ..state }).await.unwrap();
        assert!(path.exists());
    }

    #[tokio::test]
    async fn what_other_syncs_manage_of_a_target_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        for (sync, target, account) in [("staff", "pool", "1"), ("guests", "pool", "2"), ("others", "another", "3")] {
            let people = [("k".into(), crate::state::Managed::created(account.into()))].into();
            let state = State { target: target.to_owned(), people, ..State::default() };
            StateFile::new(&files, sync).save(&state).await.unwrap();
        }
        StateFile::new(&files, "guests").keep_swap(None::<&()>).await.unwrap();
        let managed = StateFile::new(&files, "staff").managed_by_others("pool").await.unwrap();
        assert_eq!(managed.iter().map(|(id, sync)| (&**id, &**sync)).collect::<Vec<_>>(), [("2", "guests")]);
    }

    #[tokio::test]
    async fn a_damaged_state_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        files.put("state/directory-sync/staff.txt", Bytes::from_static(b"{}"), "text/plain").await.unwrap();
        let told = StateFile::new(&files, "staff").load().await.unwrap_err().to_string();
        assert!(told.contains("staff.txt") && told.contains("Restore it"), "{told}");
    }
}
