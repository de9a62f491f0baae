//! Tenants on one PostgREST, against a loop that does nothing but send the same requests on connections that it keeps.
//!
//! Between either side and PostgREST stands the same small forwarder, which drops `/rest/v1` and looks at nothing else:
//! the tests' gateway opens a connection for each request, and its time would hide that of the two sides.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Instant;

use boothds::cipher::{EncryptionKey, KeyRing};

use super::ground::Fleet;
use super::timed::{Timed, run};
use crate::measure::{Target, best, note, verdict};
use crate::support::fleet::TenantRow;
use crate::support::listener::Listener;
use crate::support::postgres::cluster;
use crate::support::postgrest::{PostgRest, anon_key, service_key, supabase_database};

const ROUNDS: usize = 5;
const TENANTS: usize = 1000;
const CONCURRENCY: usize = 32;

/// Measures the binary and the loop, in turns.
pub fn measure() {
    let database = supabase_database(cluster(), "rest");
    let postgrest = PostgRest::start(cluster(), &database);
    let port = postgrest.port();
    let forwarder = Listener::start(move |client| drop(forward(client, port)));
    let key = EncryptionKey::generate();
    let ring = KeyRing::new(key.clone(), Vec::new());
    let url = format!("http://127.0.0.1:{}", forwarder.port());
    let row = |number| {
        let row = TenantRow::new(&format!("tenant-{number}"));
        row.data_source(&url, &ring.seal(&anon_key()), &ring.seal(&service_key()))
    };
    let rows: Vec<TenantRow> = (0..TENANTS).map(row).collect();
    let fleet = Fleet::listing(key, &rows);
    let concurrency = CONCURRENCY.to_string();
    let args =
        ["test-connection", "--all", "--role", "service", "--rls", "off", "--concurrency", &concurrency];
    let args = [&args[..], &["--format", "jsonl"]].concat();
    fleet.check(&args, TENANTS);

    let words = [&[env!("CARGO_BIN_EXE_boothds")], &args[..]].concat();
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(run(&words, &fleet.variables(), ""));
        raw.push(ask_all(forwarder.port(), &ids));
    }
    let (ours, raw) = (Timed::best(&ours), best(raw));
    note(&format!(
        "{TENANTS} tenants on one PostgREST, {CONCURRENCY} at a time: {:.0} ms with start, list and report ({:.0} ms of \
         processor time), the raw loop {raw:.0} ms",
        ours.wall, ours.cpu
    ));
    let what = format!("{TENANTS} tenants on one PostgREST, wall time to a raw loop");
    verdict(&what, ours.wall / raw, "", Target::AtMost(1.3));
}

/// Hands a connection's requests on without the prefix, and the answers back as they come.
fn forward(client: TcpStream, port: u16) -> io::Result<()> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    server.set_nodelay(true)?;
    let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
    let down = thread::spawn(move || io::copy(&mut answers, &mut back));
    let mut requests = BufReader::new(client);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if requests.read_until(b'\n', &mut head)? == 0 {
                server.shutdown(std::net::Shutdown::Both)?;
                drop(down.join());
                return Ok(());
            }
        }
        let rest = head.strip_prefix(b"GET /rest/v1").ok_or(io::ErrorKind::InvalidData)?;
        server.write_all(&[b"GET ", rest].concat())?;
    }
}

/// Asks for every tenant once, on as many connections as the binary has requests in flight; returns milliseconds.
fn ask_all(port: u16, ids: &[&str]) -> f64 {
    let key = service_key();
    let start = Instant::now();
    thread::scope(|scope| {
        for some in ids.chunks(ids.len().div_ceil(CONCURRENCY)) {
            let key = &key;
            scope.spawn(move || ask(port, key, some).expect("ask PostgREST"));
        }
    });
    start.elapsed().as_secs_f64() * 1e3
}

fn ask(port: u16, key: &str, ids: &[&str]) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    for id in ids {
        let request = format!(
            "GET /rest/v1/accounts?select=id&tenant_id=eq.{id}&limit=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
             apikey: {key}\r\nAuthorization: Bearer {key}\r\nAccept: application/json\r\nAccept-Profile: public\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        skip_answer(&mut reader)?;
    }
    Ok(())
}

/// Reads an answer of 200 to its end: chunks, or a body of a given length.
fn skip_answer(reader: &mut BufReader<TcpStream>) -> io::Result<()> {
    let line = |reader: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        reader.read_line(&mut line).map(|_| line.trim_end().to_ascii_lowercase())
    };
    let first = line(reader)?;
    if !first.starts_with("http/1.1 200") {
        return Err(io::Error::other(first));
    }
    let mut length = None;
    loop {
        let field = line(reader)?;
        if field.is_empty() {
            break;
        }
        if let Some(value) = field.strip_prefix("content-length:") {
            length = Some(value.trim().parse::<usize>().map_err(io::Error::other)?);
        }
    }
    let skip = |reader: &mut BufReader<TcpStream>, length| reader.read_exact(&mut vec![0; length]);
    if let Some(length) = length {
        return skip(reader, length);
    }
    loop {
        let size = usize::from_str_radix(&line(reader)?, 16).map_err(io::Error::other)?;
        skip(reader, size + 2)?;
        if size == 0 {
            return Ok(());
        }
    }
}
