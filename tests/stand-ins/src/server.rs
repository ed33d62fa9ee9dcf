//! What serves a stand-in: a thread, a runtime, a port on loopback, and connections that can be broken.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;
use tower::ServiceExt as _;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An answer that is none: the connection is closed instead.
#[derive(Debug, Clone, Copy)]
struct Broken;

impl Server {
    /// Serves on a free port of 127.0.0.1.
    pub(crate) fn start(name: &'static str, router: Router) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("a stand-in cannot listen on loopback")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(name)
            .enable_all()
            .build()
            .context("cannot start a stand-in's runtime")?;
        let (stop, stopped) = oneshot::channel();
        // Connections queue in the listener from here on, so nobody needs to wait until the thread runs.
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = accept(listener, router) => {}
                    _ = stopped => {}
                }
            });
            // Connections that a client keeps open must not hold up the stop.
            runtime.shutdown_timeout(Duration::from_millis(500));
        })?;
        Ok(Self { url, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, router: Router) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return eprintln!("a stand-in does not start: {error}"),
    };
    loop {
        // What fails here is one connection that its client gave up.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let answer = router.clone().oneshot(request.map(Body::new));
                async move {
                    let answer = answer.await.unwrap_or_else(|never: Infallible| match never {});
                    if answer.extensions().get::<Broken>().is_some() {
                        return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
                    }
                    Ok(answer)
                }
            });
            // An error is a connection that was broken on demand, or that its client broke.
            let _ =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Closes the connection without an answer.
pub(crate) fn broken() -> Response {
    let mut answer = ().into_response();
    answer.extensions_mut().insert(Broken);
    answer
}

/// Sends the first half of a body whose length was announced as the whole, then closes the connection.
pub(crate) fn cut(mut answer: Response, body: &Bytes) -> Response {
    let half = body.slice(..body.len() / 2);
    let pieces = stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) => Some((Ok(half), None)),
            None => {
                // The half goes out first: hyper writes what it has whenever the body has nothing ready.
                tokio::task::yield_now().await;
                Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)), None))
            }
        }
    });
    answer.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    *answer.body_mut() = Body::from_stream(pieces);
    answer
}

/// Counts what is under way at once.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    /// Until the answer is dropped, one more is under way.
    pub(crate) fn enter(&self) -> impl Drop {
        struct Leave<'a>(&'a Gauge);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.now.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Leave(self)
    }

    /// The most at once since the last reset.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// What is under way.
    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    /// Begins anew.
    pub(crate) fn reset(&self) {
        self.most.store(self.now.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}
