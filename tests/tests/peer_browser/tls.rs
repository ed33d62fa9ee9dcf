//! A router behind TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tower::ServiceExt as _;

/// A server on loopback. Dropping it stops it.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

/// A port, before it is known what is served there.
pub(crate) struct Port {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Port {
    /// With the certificate `server.pem` and its key, in the folder.
    pub(crate) async fn bind(folder: &Path) -> Self {
        let certificates =
            CertificateDer::pem_file_iter(folder.join("server.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(crate) fn serve(self, router: Router) -> Served {
        let address = self.address();
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = self.listener.accept().await else { continue };
                let (acceptor, router) = (self.acceptor.clone(), router.clone());
                tokio::spawn(async move {
                    // A browser closes connections that it has opened beforehand and does not need.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request: hyper::Request<Incoming>| {
                        let answer = router.clone().oneshot(request.map(Body::new));
                        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
                    });
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Served { address, task }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}
