//! One HTTP/1.1 connection of a client, byte by byte: next to nothing of the load generator's own, so that it is not what is measured.

use anyhow::{Context as _, bail, ensure};
use oriel_soap::auth::DigestClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that is kept.
pub(super) struct Line {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
    /// How much of the buffer was read already.
    done: usize,
    message: Vec<u8>,
}

/// An answer's head.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) challenges: Vec<String>,
    start: usize,
    end: usize,
}

/// The account, and what is known of the server's challenge.
pub(super) struct Login {
    client: DigestClient,
    /// The one algorithm that is answered.
    algorithm: &'static str,
}

impl Login {
    pub(super) fn new(user: &str, password: &str, algorithm: &'static str) -> Self {
        Self { client: DigestClient::new(user, password), algorithm }
    }
}

impl Line {
    pub(super) async fn to(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_owned())?;
        stream.set_nodelay(true)?;
        let host = address.to_owned();
        Ok(Self { stream, host, buffer: Vec::with_capacity(64 * 1024), done: 0, message: Vec::new() })
    }

    /// Sends a request and reads all of its answer.
    pub(super) async fn exchange(
        &mut self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        self.message.clear();
        let host = &self.host;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/soap+xml; charset=utf-8\r\n\
             User-Agent: oriel-bench\r\nContent-Length: {length}\r\n"
        );
        self.message.extend_from_slice(head.as_bytes());
        if let Some(authorization) = authorization {
            for part in ["Authorization: ", authorization, "\r\n"] {
                self.message.extend_from_slice(part.as_bytes());
            }
        }
        self.message.extend_from_slice(b"\r\n");
        self.message.extend_from_slice(body);
        self.stream.write_all(&self.message).await?;
        self.read().await
    }

    /// The same as an account: a challenge is answered, and counted on from then on.
    pub(super) async fn as_account(&mut self, login: &mut Login, path: &str, body: &[u8]) -> anyhow::Result<Answer> {
        let mut authorization = login.client.again("POST", path);
        for _ in 0..2 {
            let answer = self.exchange("POST", path, authorization.as_deref(), body).await?;
            if answer.status != 401 {
                return Ok(answer);
            }
            let named = format!("algorithm={},", login.algorithm);
            let wanted = answer.challenges.iter().map(String::as_str).filter(|one| one.contains(&named));
            authorization = login.client.answer(wanted, "POST", path);
            ensure!(authorization.is_some(), "the account is refused");
        }
        bail!("the account is refused again")
    }

    /// The body of the answer that was read last.
    pub(super) fn body(&self, answer: &Answer) -> &[u8] {
        &self.buffer[answer.start..answer.end]
    }

    async fn read(&mut self) -> anyhow::Result<Answer> {
        self.buffer.drain(..self.done);
        self.done = 0;
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let head = std::str::from_utf8(&self.buffer[..end])?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("a status")?;
        let mut length = 0;
        let mut challenges = Vec::new();
        for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            } else if name.eq_ignore_ascii_case("www-authenticate") {
                challenges.push(value.trim().to_owned());
            }
        }
        while self.buffer.len() < end + length {
            self.more().await?;
        }
        self.done = end + length;
        Ok(Answer { status, challenges, start: end, end: self.done })
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server has closed the connection");
        Ok(())
    }
}
