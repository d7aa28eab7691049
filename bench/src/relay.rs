//! A path with a round trip: a TCP relay that hands on every byte a fixed time after it came, with any number of them on the way.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Most pieces on the way in one direction: of 64 KiB each, far more than any window here.
const ON_THE_WAY: usize = 16 * 1024;

/// A relay, on threads of its own. Dropping it ends it.
pub(crate) struct Relay {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Relay {
    /// Relays to `target`, each direction late by `delay`.
    pub(crate) fn start(target: SocketAddr, delay: Duration) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    // A target that is gone shows as a closed connection.
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    join(near, far, delay);
                });
            }
        });
        Ok(Self { address, _runtime: runtime })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn join(near: TcpStream, far: TcpStream, delay: Duration) {
    for stream in [&near, &far] {
        // Fails only when the stream is gone already, which the first read then tells.
        let _gone = stream.set_nodelay(true);
    }
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    for (from, to) in [(near_in, far_out), (far_in, near_out)] {
        let (sender, receiver) = mpsc::channel(ON_THE_WAY);
        tokio::spawn(take(from, sender, delay));
        tokio::spawn(give(to, receiver));
    }
}

async fn take(mut from: OwnedReadHalf, sender: mpsc::Sender<(Instant, Bytes)>, delay: Duration) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(64 * 1024);
        match from.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if sender.send((Instant::now() + delay, buffer.split().freeze())).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn give(mut to: OwnedWriteHalf, mut receiver: mpsc::Receiver<(Instant, Bytes)>) {
    while let Some((due, bytes)) = receiver.recv().await {
        tokio::time::sleep_until(due).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    #[test]
    fn bytes_arrive_whole_and_a_round_trip_late() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Relay::start(listener.local_addr().unwrap(), Duration::from_millis(20)).unwrap();
        let echo = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = vec![0; 100_000];
            stream.read_exact(&mut bytes).unwrap();
            stream.write_all(&bytes).unwrap();
        });
        let mut stream = std::net::TcpStream::connect(relay.address()).unwrap();
        let sent: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let begin = std::time::Instant::now();
        stream.write_all(&sent).unwrap();
        let mut back = vec![0; sent.len()];
        stream.read_exact(&mut back).unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(40));
        assert!(back == sent);
        echo.join().unwrap();
    }
}
