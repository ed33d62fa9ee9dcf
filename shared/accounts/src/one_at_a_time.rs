use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// A lock a key, made when it is asked for and gone when nobody holds or awaits it.
#[derive(Debug, Clone, Default)]
pub(crate) struct OneAtATime(Arc<Mutex<Locks>>);

type Locks = HashMap<String, Arc<tokio::sync::Mutex<()>>>;

/// Held until it is dropped.
pub(crate) struct Turn {
    key: String,
    all: OneAtATime,
    held: Option<OwnedMutexGuard<()>>,
}

impl OneAtATime {
    /// Waits until nobody else holds the key.
    pub(crate) async fn turn(&self, key: &str) -> Turn {
        let lock = self.locks().entry(key.to_owned()).or_default().clone();
        // Made before the wait, so that a caller who gives up while waiting tidies up too.
        let mut turn = Turn { key: key.to_owned(), all: self.clone(), held: None };
        turn.held = Some(lock.lock_owned().await);
        turn
    }

    fn locks(&self) -> MutexGuard<'_, Locks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut locks = self.all.locks();
        drop(self.held.take());
        // Others get their copy under the same lock, so a count of 1 is the map's own and stays so.
        if locks.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_holds_a_key_and_others_are_free() {
        let all = OneAtATime::default();
        let inside = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (all, inside) = (all.clone(), inside.clone());
                tokio::spawn(async move {
                    let _turn = all.turn("a").await;
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        let _other = all.turn("b").await;
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(all.locks().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_leaves_nothing_behind() {
        let all = OneAtATime::default();
        let turn = all.turn("a").await;
        assert!(tokio::time::timeout(Duration::from_millis(5), all.turn("a")).await.is_err());
        drop(turn);
        assert!(all.locks().is_empty());
    }
}
