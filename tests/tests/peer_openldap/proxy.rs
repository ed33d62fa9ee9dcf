//! Stands between the source and an LDAP server, and breaks off or falls silent where it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Entries of a page that pass before a fault in it.
const PASSING: usize = 10;

/// What becomes of a connection. Pages count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is cut in the middle of an entry of this page.
    CutIn(usize),
    /// It is cut a byte before this page's result is whole.
    CutResult(usize),
    /// It is cut when this page is whole.
    CutAfter(usize),
    /// Nothing comes any more from the middle of this page on.
    Silence(usize),
}

/// A proxy on loopback. Dropping it stops it.
pub(crate) struct Proxy {
    pub(crate) url: String,
    results: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Before the server at `target`, which is `ldap://host:port`.
    pub(crate) async fn start(target: &str, fault: Fault) -> std::io::Result<Self> {
        let target = target.trim_start_matches("ldap://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("ldap://{}", listener.local_addr()?);
        let results = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&results);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.unwrap();
                // An error is a side that has left.
                let _ = pass(client, server, fault, &counted).await;
            }
        });
        Ok(Self { url, results, task })
    }

    /// How many pages' results have passed whole.
    pub(crate) fn results(&self) -> usize {
        self.results.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, server: TcpStream, fault: Fault, results: &AtomicUsize) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let upwards = async move { tokio::io::copy(&mut from_client, &mut to_server).await.map(|_| ()) };
    let downwards = async move {
        let (mut buffer, mut page, mut entries) = (Vec::new(), 1, 0);
        while from_server.read_buf(&mut buffer).await? > 0 {
            let mut passed = 0;
            while let Some(message) = message(&buffer[passed..]) {
                passed += message.len();
                match operation(message) {
                    ENTRY => entries += 1,
                    RESULT => (page, entries) = (page + 1, 0),
                    _ => {}
                }
                match fault {
                    Fault::CutIn(at) if page == at && entries > PASSING => {
                        return to_client.write_all(&message[..message.len() / 2]).await;
                    }
                    Fault::CutResult(at) if page == at + 1 => {
                        return to_client.write_all(&message[..message.len() - 1]).await;
                    }
                    Fault::Silence(at) if page == at && entries > PASSING => std::future::pending().await,
                    _ => {}
                }
                to_client.write_all(message).await?;
                if operation(message) == RESULT {
                    results.fetch_add(1, Ordering::SeqCst);
                    if fault == Fault::CutAfter(page - 1) {
                        return Ok(());
                    }
                }
            }
            buffer.drain(..passed);
        }
        Ok(())
    };
    tokio::select! {
        ended = upwards => ended,
        ended = downwards => ended,
    }
}

/// SearchResultEntry and SearchResultDone (RFC 4511, 4.5.2).
const ENTRY: u8 = 0x64;
const RESULT: u8 = 0x65;

/// The first message, if it is there whole: a BER sequence, whose length has a byte, or its own length and so many bytes.
fn message(buffer: &[u8]) -> Option<&[u8]> {
    let (header, length) = header(buffer)?;
    buffer.get(..header + length)
}

fn header(buffer: &[u8]) -> Option<(usize, usize)> {
    match usize::from(*buffer.get(1)?) {
        length @ ..=0x7f => Some((2, length)),
        bytes => {
            let bytes = buffer.get(2..2 + bytes - 0x80)?;
            Some((2 + bytes.len(), bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))))
        }
    }
}

/// What a message is: the byte after its id.
fn operation(message: &[u8]) -> u8 {
    let (start, _) = header(message).unwrap();
    let (id, length) = header(&message[start..]).unwrap();
    message[start + id + length]
}
