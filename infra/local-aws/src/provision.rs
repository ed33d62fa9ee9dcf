//! Makes table, bucket, pool and queue from one description, with plain SDK calls: on the embedded AWS or on another
//! emulator. What stands already is left as it is.

mod bucket;
mod pool;
mod queue;
mod table;

use aws_config::SdkConfig;

pub use table::provision_table;

/// The names to make things under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The table.
    pub table: String,
    /// The bucket.
    pub bucket: String,
    /// The user pool's name (its id is the pool's own).
    pub pool: String,
    /// The import queue; its dead-letter queue is `<queue>-dead`.
    pub queue: String,
}

/// `crosswalk`, `crosswalk`, `crosswalk`, `crosswalk-imports`.
impl Default for Names {
    fn default() -> Self {
        Self {
            table: "crosswalk".into(),
            bucket: "crosswalk".into(),
            pool: "crosswalk".into(),
            queue: "crosswalk-imports".into(),
        }
    }
}

/// What stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// The table's name.
    pub table: String,
    /// The bucket's name.
    pub bucket: String,
    /// The user pool's id.
    pub pool_id: String,
    /// The import queue's URL.
    pub queue_url: String,
    /// The dead-letter queue's URL.
    pub dead_letter_queue_url: String,
}

/// Makes sure that all of it stands: the table with its index and TTL, the bucket whose `imports/` objects raise events
/// into the queue, the pool that signs in by e-mail, the queue with its dead-letter queue.
///
/// # Errors
/// A call that failed, by name.
pub async fn provision(config: &SdkConfig, names: &Names) -> anyhow::Result<Provisioned> {
    let rest = async {
        let (queue, dead) = queue::provision_queues(config, &names.queue).await?;
        bucket::provision_bucket(config, &names.bucket, &queue.arn).await?;
        Ok((queue, dead))
    };
    let ((), pool_id, (queue, dead)) =
        futures::try_join!(provision_table(config, &names.table), pool::provision_pool(config, &names.pool), rest)?;
    Ok(Provisioned {
        table: names.table.clone(),
        bucket: names.bucket.clone(),
        pool_id,
        queue_url: queue.url,
        dead_letter_queue_url: dead.url,
    })
}
