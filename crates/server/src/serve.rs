use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::access::{Guard, Token};
use crate::connections::Connections;
use crate::error::ServerError;
use crate::routes::{Desk, router};
use crate::watch::Watch;

/// The port of the page unless another one is chosen.
pub const DEFAULT_PORT: u16 = 8484;
/// How long requests under way may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// Where to listen and what to ask for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address to listen on; port 0 takes any free one.
    pub address: SocketAddr,
    /// Token that callers must show. Without one only loopback addresses are served.
    pub token: Option<Token>,
}

impl Default for Options {
    /// Loopback on [`DEFAULT_PORT`], without a token.
    fn default() -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, DEFAULT_PORT).into(), token: None }
    }
}

/// A server that answers on a thread of its own. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens and answers until stopped; when this returns, connections are already taken.
    /// Errors: `AddressNeedsToken`, `PortInUse`, `Bind`, `Thread`.
    pub fn start(options: Options, watch: Arc<dyn Watch>) -> Result<Self, ServerError> {
        let loopback = options.address.ip().to_canonical().is_loopback();
        if !loopback && options.token.is_none() {
            return Err(ServerError::AddressNeedsToken { address: options.address });
        }
        let (listener, address) = listen(options.address)?;
        let runtime = runtime().map_err(|source| ServerError::Thread { source })?;
        let desk = Desk { watch, guard: Arc::new(Guard { token: options.token, loopback }) };
        let (stop, stopping) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("server".into())
            .spawn(move || answer(&runtime, listener, desk, stopping))
            .map_err(|source| ServerError::Thread { source })?;
        info!(%address, "page is served");
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// The address it listens on, with the port that was found if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests under way end for at most two seconds, and joins the thread.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.stop.send_replace(true);
        let Some(thread) = self.thread.take() else { return };
        if thread.join().is_err() {
            error!("the server's thread panicked");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.join();
    }
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::PortInUse { address },
        _ => ServerError::Bind { address, source },
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let found = listener.local_addr().map_err(failed)?;
    Ok((listener, found))
}

/// One thread is plenty: answers are copies of a few kilobytes, and the hot loop needs the cores.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}

fn answer(runtime: &Runtime, listener: TcpListener, desk: Desk, stopping: watch::Receiver<bool>) {
    runtime.block_on(async {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => Connections::new(listener),
            Err(error) => return error!(%error, "page is not served"),
        };
        let serving = axum::serve(listener, router(desk)).with_graceful_shutdown(stopped(stopping.clone()));
        tokio::select! {
            result = serving => match result {
                Ok(()) => info!("server stopped"),
                Err(error) => error!(%error, "server stopped"),
            },
            () = stopped_and_waited(stopping) => warn!("server stopped with connections still open"),
        }
    });
}

/// Ends when the stop is asked for, or its owner is gone.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    // The error says that the owner is gone, which is the same wish.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn stopped_and_waited(stopping: watch::Receiver<bool>) {
    stopped(stopping).await;
    tokio::time::sleep(GRACE).await;
}
