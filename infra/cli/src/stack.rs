//! All of Crosswalk on a local AWS: what `demo` and `up` run.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use crosswalk_csv_import::{ImportSettings, Importer, handler};
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::Table;
use crosswalk_labarchives_registration::{self as registration, Registration, RegistrationSettings};
use crosswalk_local_aws::provision::{Names, Provisioned, provision};
use crosswalk_local_aws::{LocalAws, Storage, event_source};
use crosswalk_mapping_api::{Api, ApiSettings, router};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::target::{names, start, with};

/// How many files are imported at the same time.
const IMPORTS_AT_ONCE: usize = 4;

/// A local AWS, made ready, with csv-import on its queue and the API beside it.
pub(crate) struct Stack {
    /// The AWS.
    pub(crate) aws: LocalAws,
    /// What was made there.
    pub(crate) made: Provisioned,
    /// Where the API listens.
    pub(crate) api_url: String,
    /// Whether the registration pages stand beside it.
    pub(crate) registers: bool,
    stop: watch::Sender<bool>,
    imports: JoinHandle<()>,
    api: JoinHandle<std::io::Result<()>>,
}

impl Stack {
    /// Starts all of it, and returns when it serves. `environment` gives the settings beside those that name what is made.
    ///
    /// # Errors
    /// A port is taken, the folder is in use, or a setting does not do.
    pub(crate) async fn start(
        storage: Storage,
        port: u16,
        api_port: u16,
        environment: Environment,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", api_port)).await.with_context(|| {
            format!("port {api_port} of 127.0.0.1 is taken; give another one to the API with --api-port, or 0 for any free one")
        })?;
        let api_url = format!("http://{}", listener.local_addr()?);
        let aws = start(storage, port).await?;
        let config = aws.sdk_config();
        let made = provision(&config, &Names::default()).await?;
        // On loopback nobody signs in; anywhere else the API refuses requests without an authorizer's claims.
        let environment = names(aws.endpoint(), &made.table, &made.bucket, &made.pool_id)
            .fold(environment, with)
            .with("CROSSWALK_AUTH", "none");
        let (clock, entropy) = (Clock::system(), Entropy::system());
        let import_settings = ImportSettings::from_env(&environment)?;
        let api_settings = ApiSettings::from_env(&environment)?;
        let registers = registration::are_wanted(&environment);
        let registration = match (registers, environment.get("REGISTRATION_URL")) {
            (false, _) => None,
            (true, Some(_)) => Some(RegistrationSettings::from_env(&environment)?),
            (true, None) => {
                Some(RegistrationSettings::from_env(&environment.clone().with("REGISTRATION_URL", &api_url))?)
            }
        };

        let (stop, stopped) = watch::channel(false);
        let importer = Arc::new(Importer::new(&config, import_settings, clock.clone(), entropy.clone()));
        let imports = tokio::spawn({
            let (config, queue_url, stopped) = (config.clone(), made.queue_url.clone(), stopped.clone());
            async move {
                let handle = move |event| {
                    let importer = Arc::clone(&importer);
                    async move { handler::handle(&importer, event, Deadline::NONE).await }
                };
                event_source::poll(&config, &queue_url, IMPORTS_AT_ONCE, handle, stopped).await;
            }
        });
        let mut router = router(Api::new(&config, api_settings, clock.clone(), entropy.clone()));
        if let Some(settings) = registration {
            router = router.merge(registration::routes(Registration::new(&config, settings, clock, entropy)?));
        }
        let api = tokio::spawn({
            let mut stopped = stopped;
            async move {
                let stop = async move {
                    // An error means that the sender is gone, which is a stop as well.
                    let _ = stopped.wait_for(|stop| *stop).await;
                };
                axum::serve(listener, router).with_graceful_shutdown(stop).await
            }
        });
        Ok(Self { aws, made, api_url, registers, stop, imports, api })
    }

    /// The table that was made.
    pub(crate) fn table(&self) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.aws.sdk_config()), &self.made.table)
    }

    /// Waits until a part of it ends by itself, which none should.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        tokio::select! {
            ended = &mut self.imports => anyhow::anyhow!("the import queue is no longer read: {ended:?}"),
            ended = &mut self.api => anyhow::anyhow!("the API no longer listens: {ended:?}"),
        }
    }

    /// Takes no more work, and lets what is under way end within `grace`; says whether it did.
    pub(crate) async fn stop(self, grace: Duration) -> bool {
        let Self { aws, stop, mut imports, mut api, .. } = self;
        let _ = stop.send(true);
        let ended = tokio::time::timeout(grace, async { tokio::join!(&mut imports, &mut api) }).await.is_ok();
        imports.abort();
        api.abort();
        // Stopping waits for its thread, which must not hold up this runtime's.
        let _ = tokio::task::spawn_blocking(move || drop(aws)).await;
        ended
    }
}
