//! A host that is not this machine: an address in a network of its own, from which there is a way to ports out here. What
//! runs there reaches a server under the address of another host, and the server, certificate and all, is the real one.
//!
//! The way is a socket in a folder, which both networks see: in there a small relay listens on the address and leads to
//! the socket, out here a thread leads from the socket to the port.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use tempfile::TempDir;

use super::cli::Cli;
use super::process;
use super::scratch;

/// The address, of those that RFC 5737 sets aside for examples.
pub const HOST: &str = "192.0.2.1";

/// Everything in there, and then the binary. The relay ends with the shell, however that ends.
const SCRIPT: &str = r#"ip link set lo up && ip address add "$1/32" dev lo || exit 99
"$2" -e "$3" "$1" "$4" & relay=$!
for _ in $(seq 500); do [ -e "$4/ready" ] && break; sleep 0.01; done
[ -e "$4/ready" ] || { echo 'the relay did not start' >&2; kill "$relay"; exit 99; }
rm "$4/ready"; shift 4; "$@"; code=$?; kill "$relay"; exit "$code""#;

const RELAY: &str = r#"const { readdirSync, writeFileSync } = require('node:fs');
const { createServer, connect } = require('node:net');
const [host, folder] = process.argv.slice(1), parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(), 200);
const relay = (port) => new Promise((listening) => createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ path: `${folder}/${port}`, allowHalfOpen: true });
  for (const [from, to] of [[near, far], [far, near]]) from.on('error', () => to.destroy()).pipe(to);
}).listen(Number(port), host, listening));
Promise.all(readdirSync(folder).map(relay)).then(() => writeFileSync(`${folder}/ready`, ''));"#;

/// Ports of [`HOST`] that lead to ports of 127.0.0.1.
pub struct Distance {
    folder: TempDir,
}

impl Distance {
    /// For each pair: the port over there, and where it leads.
    pub fn to(ways: &[(u16, u16)]) -> Self {
        let folder = scratch::folder("distance");
        for &(there, here) in ways {
            let listener = UnixListener::bind(folder.path().join(there.to_string()));
            let listener = listener.expect("listen on a socket of a folder");
            // It waits until this process ends.
            thread::spawn(move || listener.incoming().flatten().for_each(|stream| lead(stream, here)));
        }
        Self { folder }
    }

    /// The same command, run in that network.
    pub fn from(&self, cli: Cli) -> Cli {
        let mut words: Vec<OsString> =
            ["--map-root-user", "--net", "--", "sh", "-c", SCRIPT, "sh", HOST].map(OsString::from).into();
        words.insert(0, process::find("unshare").into());
        words.extend([process::find("node").into(), RELAY.into(), self.folder.path().into()]);
        cli.behind(words)
    }
}

fn lead(stream: UnixStream, port: u16) {
    thread::spawn(move || {
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        let (mut from, mut to) = (stream.try_clone()?, server.try_clone()?);
        let up = thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let (mut from, mut to) = (server, stream);
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
        up.join().expect("the other direction does not panic");
        Ok::<_, io::Error>(())
    });
}
