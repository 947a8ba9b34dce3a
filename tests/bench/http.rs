//! HTTP/1.1 over a kept connection, as little of it as the load needs: whole messages with a `content-length`.
//! What the driver and the fakes cost is taken from the two cores that are measured.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room for a read: larger than most messages.
const READ_BYTES: usize = 16 * 1024;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// A connection that carries one message after the other.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that belong to the message that was handed out last.
    taken: usize,
}

/// A request or a response.
pub(crate) struct Message<'a> {
    /// Its first line and its headers.
    pub(crate) head: &'a [u8],
    /// Its body.
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Takes over a connection that is open.
    pub(crate) fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
            taken: 0,
        })
    }

    /// Sends bytes as they are.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Waits for the next message; none when the peer has closed the connection between two of them.
    pub(crate) async fn read(&mut self) -> Result<Option<Message<'_>>> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let (mut searched, mut end_of_head) = (0, None);
        loop {
            if end_of_head.is_none() {
                end_of_head =
                    find(&self.buffer[searched..], END_OF_HEAD).map(|at| searched + at + END_OF_HEAD.len());
                searched = self.buffer.len().saturating_sub(END_OF_HEAD.len() - 1);
            }
            if let Some(head) = end_of_head {
                let whole = head + content_length(&self.buffer[..head])?;
                if self.buffer.len() >= whole {
                    self.taken = whole;
                    return Ok(Some(Message {
                        head: &self.buffer[..head],
                        body: &self.buffer[head..whole],
                    }));
                }
            }
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                let between = self.buffer.is_empty();
                return if between {
                    Ok(None)
                } else {
                    Err(ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }
}

impl Message<'_> {
    /// The status of a response.
    pub(crate) fn status(&self) -> Option<u16> {
        let line = self.head.split(|byte| *byte == b'\r').next()?;
        let status = line.split(|byte| *byte == b' ').nth(1)?;
        std::str::from_utf8(status).ok()?.parse().ok()
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        found
            .eq_ignore_ascii_case(name.as_bytes())
            .then(|| std::str::from_utf8(value).ok().map(str::trim))?
    })
}

fn content_length(head: &[u8]) -> Result<usize> {
    match header(head, "content-length") {
        Some(length) => length
            .parse()
            .map_err(|_| Error::new(ErrorKind::InvalidData, "content-length is no number")),
        None => Ok(0),
    }
}

/// Where `needle` begins.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
