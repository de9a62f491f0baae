//! As much of HTTP/1.1 as the gateway in front of PostgREST needs: no chunks in, no continuation, no trailers.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The header fields in order, names as they were spelled.
    pub headers: Vec<(String, String)>,
    /// The body, by `Content-Length`.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields, without `Content-Length` and `Connection`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The first field of that name, in any case.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Reads the next request of a connection; nothing when it ends instead, or sends something else.
pub fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let (first, headers) = read_head(reader).ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let length = header(&headers, "content-length").map_or(Some(0), |length| length.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}

/// Sends a request on a connection of its own and reads the whole answer. It says HTTP/1.0, so that the answer
/// comes without chunks and ends with the connection.
pub fn send(port: u16, request: &Request) -> io::Result<Answer> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut head = format!("{} {} HTTP/1.0\r\nConnection: close\r\n", request.method, request.path);
    write_fields(&mut head, &request.headers);
    stream.write_all(&[head.as_bytes(), b"\r\n", &request.body].concat())?;
    let mut reader = BufReader::new(stream);
    let (first, headers) = read_head(&mut reader)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status in {first:?}")))?;
    let mut body = Vec::new();
    reader.read_to_end(&mut body)?;
    let own = |name: &str| {
        ["content-length", "connection", "transfer-encoding", "keep-alive"]
            .iter()
            .any(|hop| name.eq_ignore_ascii_case(hop))
    };
    let headers = headers.into_iter().filter(|(name, _)| !own(name)).collect();
    Ok(Answer { status, headers, body })
}

/// Asks with GET and no header field but `Host`.
pub fn get(port: u16, path: &str) -> io::Result<Answer> {
    let headers = vec![("Host".to_owned(), format!("127.0.0.1:{port}"))];
    send(port, &Request { method: "GET".to_owned(), path: path.to_owned(), headers, body: Vec::new() })
}

/// Writes an answer with its length; that to a HEAD has neither length nor body.
pub fn write_answer(stream: &mut TcpStream, answer: &Answer, method: &str) -> io::Result<()> {
    if method == "HEAD" {
        return stream.write_all(head_of(answer, None).as_bytes());
    }
    stream.write_all(&[head_of(answer, Some(answer.body.len())).as_bytes(), &answer.body].concat())
}

/// The head of an answer, with the blank line and the length that it claims.
pub fn head_of(answer: &Answer, length: Option<usize>) -> String {
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    if let Some(length) = length {
        write!(head, "Content-Length: {length}\r\n").expect("write to a string");
    }
    write_fields(&mut head, &answer.headers);
    head + "\r\n"
}

fn write_fields(head: &mut String, fields: &[(String, String)]) {
    for (name, value) in fields {
        write!(head, "{name}: {value}\r\n").expect("write to a string");
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200..300 => "OK",
        300..400 => "Redirect",
        400..500 => "Client Error",
        _ => "Server Error",
    }
}

fn read_head(reader: &mut impl BufRead) -> io::Result<(String, Vec<(String, String)>)> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.is_empty() { Err(io::Error::from(io::ErrorKind::UnexpectedEof)) } else { Ok(line) }
    };
    let first = line()?.trim_end().to_owned();
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let line = line.trim_end();
        if line.is_empty() {
            return Ok((first, headers));
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| io::Error::other("a header field without a colon"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}
