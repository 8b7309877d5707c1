//! One connection inside a container's network: `nsenter … dmc --relay PORT`.
//!
//! Standard input goes to the port, what comes back goes to standard output. The connection stays
//! open for writing until the answer is complete, as servers take its end for a client that left.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::ExitCode;

/// Connects standard input and output with a port of loopback.
pub(crate) fn between(port: u16) -> ExitCode {
    match connect(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(crate::error::FAILED),
    }
}

fn connect(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    io::copy(&mut io::stdin().lock(), &mut stream)?;
    let mut out = io::stdout().lock();
    io::copy(&mut stream, &mut out)?;
    out.flush()
}
