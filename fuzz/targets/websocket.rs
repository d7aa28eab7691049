//! Binary WebSocket messages as a byte stream (Uplink §5.1.1.2): the same bytes come out, however the input is cut; what we write
//! is read by the other end.

#![no_main]

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use libfuzzer_sys::fuzz_target;
use oriel_uplink::websocket::{Role, WebSocketBytes, decode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let step = usize::from(first >> 2) + 1;
    match first & 3 {
        0 => cut_differently(|| Role::Server, bytes, step),
        1 => cut_differently(|| Role::Client, bytes, step),
        2 => there_and_back(Role::Client, Role::Server, bytes, step),
        _ => there_and_back(Role::Server, Role::Client, bytes, step),
    }
});

fn cut_differently(role: impl Fn() -> Role, bytes: &[u8], step: usize) {
    let whole = decode(role(), bytes);
    let cut = read(role(), bytes, step);
    match (&whole, &cut) {
        (Ok(whole), Ok(cut)) => assert_eq!(whole, cut),
        (Err(whole), Err(cut)) => assert_eq!(whole.kind(), cut.kind()),
        _ => panic!("{whole:?}, but in pieces of {step} bytes {cut:?}"),
    }
    if let Ok(content) = whole {
        assert!(content.len() <= bytes.len(), "no more comes out than went in");
    }
}

fn there_and_back(writer: Role, reader: Role, content: &[u8], step: usize) {
    let output = RefCell::new(Vec::new());
    let mut stream = open(writer, Pipe { input: &[], step: usize::MAX, output: &output });
    let mut cx = Context::from_waker(Waker::noop());
    for piece in content.chunks(step) {
        let written = Pin::new(&mut stream).poll_write(&mut cx, piece);
        assert!(matches!(written, Poll::Ready(Ok(n)) if n == piece.len()), "{written:?}");
    }
    assert!(matches!(Pin::new(&mut stream).poll_flush(&mut cx), Poll::Ready(Ok(()))));
    assert_eq!(decode(reader, &output.borrow()).ok().as_deref(), Some(content));
}

fn open<'a>(role: Role, pipe: Pipe<'a>) -> WebSocketBytes<Pipe<'a>> {
    let mut cx = Context::from_waker(Waker::noop());
    match std::pin::pin!(WebSocketBytes::new(pipe, role)).poll(&mut cx) {
        Poll::Ready(stream) => stream,
        Poll::Pending => panic!("nothing is waited for"),
    }
}

fn read(role: Role, bytes: &[u8], step: usize) -> io::Result<Vec<u8>> {
    let output = RefCell::new(Vec::new());
    let mut stream = open(role, Pipe { input: bytes, step, output: &output });
    let mut cx = Context::from_waker(Waker::noop());
    let mut content = Vec::new();
    let mut chunk = [0; 100];
    loop {
        let mut buf = ReadBuf::new(&mut chunk);
        match Pin::new(&mut stream).poll_read(&mut cx, &mut buf) {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => return Ok(content),
            Poll::Ready(Ok(())) => content.extend_from_slice(buf.filled()),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => panic!("nothing is waited for"),
        }
    }
}

/// Input that comes in pieces, output that is kept.
struct Pipe<'a> {
    input: &'a [u8],
    step: usize,
    output: &'a RefCell<Vec<u8>>,
}

impl AsyncRead for Pipe<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (piece, rest) = self.input.split_at(self.input.len().min(self.step).min(buf.remaining()));
        buf.put_slice(piece);
        self.input = rest;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.output.borrow_mut().extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
