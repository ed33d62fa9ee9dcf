//! An LDAP directory, read by paged searches (RFC 2696).
//!
//! One connection: it is encrypted (`tls`), bound by name and password, and searched page by page (`search`). Each page's
//! result is looked at, and only a search whose last page says that it is the last makes a snapshot. Referrals are
//! counted, not followed.
//!
//! What an entry holds is taken by `entry`: ids by `key`, and whether the person may log in by `enabled`. What goes
//! wrong is told by `explain`, without any DN but the base's.

use std::time::Duration;

use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::Secrets;
use futures::future::{Either, select};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings};
use secrecy::{ExposeSecret, SecretString};

use super::{Read, ReadError};
use explain::Step;
use search::{Failure, Search};
pub use settings::{LdapFields, LdapSettings, SETTINGS};

mod enabled;
mod entry;
mod explain;
mod key;
mod search;
mod settings;
#[cfg(test)]
mod tests;
mod tls;

/// How long the farewell may take, once all is read.
const UNBIND: Duration = Duration::from_secs(1);

/// Reads all entries that the filter finds below the base DN.
///
/// # Errors
/// [`ReadError`].
pub async fn read(
    settings: &LdapSettings,
    secrets: &Secrets,
    deadline: Deadline,
    read: &(dyn Fn(u64) + Send + Sync),
) -> Result<Read, ReadError> {
    let whole = Box::pin(whole(settings, secrets, read));
    let Some(left) = deadline.left() else { return whole.await };
    match tokio::time::timeout(left, whole).await {
        Ok(read) => read,
        Err(_) => Err(ReadError::Source(format!(
            "{} was not read to the end before the invocation's time was up: give the function a longer timeout, or let \
             LDAP_USER_FILTER find fewer",
            settings.server()
        ))),
    }
}

async fn whole(
    settings: &LdapSettings,
    secrets: &Secrets,
    read: &(dyn Fn(u64) + Send + Sync),
) -> Result<Read, ReadError> {
    let password = secrets.get(settings::BIND_PASSWORD.name, &settings.bind_password).await?;
    let mut options = LdapConnSettings::new().set_conn_timeout(settings.timeout).set_starttls(settings.starttls);
    if let Some(source) = &settings.ca_pem {
        let pem = secrets.get(settings::CA_PEM.name, source).await?;
        options = options.set_config(tls::trusting(pem.expose_secret()).map_err(ReadError::Source)?);
    } else {
        tls::provide();
    }
    let told = |failure| told(settings, failure);
    if settings.bind_dn.is_empty() || password.expose_secret().is_empty() {
        // Servers take it for an anonymous bind and answer with success (RFC 4513, 5.1.1 and 5.1.2).
        let why = "LDAP_BIND_USER_DN or its password is empty, which would be an anonymous bind: set both";
        return Err(told(Failure::Told(Step::Bind, why)));
    }
    let connecting = Box::pin(LdapConnAsync::from_url_with_settings(options, &settings.server));
    let (connection, ldap) = connecting.await.map_err(|error| told(Failure::Failed(Step::Connect, error)))?;

    // The connection is driven beside the search, not in a task of its own: it ends with this future, and its reason for
    // ending is known here.
    let work = Box::pin(bound(settings, ldap, &password, read));
    match select(work, Box::pin(connection.drive())).await {
        Either::Left((done, _)) => done.map_err(told),
        // What came before the connection ended may be all.
        Either::Right((ended, work)) => work.await.map_err(|failure| told(failure.because(ended.err()))),
    }
}

/// Binds, searches, and takes leave.
async fn bound(
    settings: &LdapSettings,
    mut ldap: Ldap,
    password: &SecretString,
    read: &(dyn Fn(u64) + Send + Sync),
) -> Result<Read, Failure> {
    let binding = ldap.with_timeout(settings.timeout).simple_bind(&settings.bind_dn, password.expose_secret());
    let bound = Box::pin(binding).await.and_then(|result| result.success());
    bound.map_err(|error| Failure::Failed(Step::Bind, error))?;
    let done = Search::new(settings).run(&mut ldap, read).await?;
    if let Err(error) = Box::pin(ldap.with_timeout(UNBIND).unbind()).await {
        tracing::debug!(%error, "the LDAP server was left without a farewell");
    }
    Ok(done)
}

fn told(settings: &LdapSettings, failure: Failure) -> ReadError {
    let (step, why) = match failure {
        Failure::Incomplete(why) => return why.into(),
        Failure::Failed(step, error) => (step, explain::failure(step, &error)),
        Failure::Told(step, why) => (step, why.to_owned()),
    };
    ReadError::Source(format!("{} was not read: {step}, {why}", settings.server()))
}
