use std::io;
use std::net::SocketAddr;

use thiserror::Error;

/// Why the server did not start. Every one of them asks the operator.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The address can be reached from other machines, and nothing would guard it.
    #[error(
        "serve the page on {address}: other machines could read it and no token guards it; \
         set LAPWING_TOKEN to 16 or more letters and digits, or bind to 127.0.0.1"
    )]
    AddressNeedsToken {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Somebody else listens there.
    #[error(
        "serve the page on {address}: port {port} is in use; choose another one, or port 0 for any free one",
        port = address.port()
    )]
    PortInUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("serve the page on {address}: {source}; choose an address of this machine and a port you may open")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The token cannot travel in a header, a cookie and a link alike, or is too easily guessed.
    #[error("read LAPWING_TOKEN: {fault}; use 16 to 256 letters, digits, `-`, `.`, `_` or `~`")]
    TokenUnusable {
        /// What is wrong with it; never the token itself.
        fault: &'static str,
    },
    /// The thread or its runtime could not be made.
    #[error("start the server's thread: {source}; the machine is short of threads or file descriptors")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}
