//! Devices of bytes: TLS and the upgrade are right, what follows is up to the test.

use oriel_cloud::records::DeviceId;
use oriel_trust::Identity;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{HERE, House};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const CONTINUATION: u8 = 9;

/// What opens a tunnel.
pub(super) const UPGRADE: &[u8] =
    b"GET /up HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c-reverse\r\n\r\n";

/// One HTTP/2 frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// 80,000 bytes of header fields in five CONTINUATION frames: literals named `a`, of 0x7f + 15873 bytes as a prefixed integer.
pub(super) fn too_many_headers() -> Vec<u8> {
    let mut field = b"\0\x01a\x7f\x81\x7c".to_vec();
    field.extend(vec![b'b'; 16_000]);
    (0..5).flat_map(|n| frame(CONTINUATION, if n == 4 { 4 } else { 0 }, 1, &field)).collect()
}

/// A frame as it was read: kind, flags, stream, payload.
pub(super) type Frame = (u8, u8, u32, Vec<u8>);

pub(super) async fn read_frame(io: &mut (impl tokio::io::AsyncRead + Unpin)) -> std::io::Result<Frame> {
    let mut head = [0; 9];
    io.read_exact(&mut head).await?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    io.read_exact(&mut payload).await?;
    Ok((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
}

/// Reads up to the end of an HTTP/1.1 head.
pub(super) async fn read_head(io: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = io.read_u8().await else { break };
        head.push(byte);
    }
    String::from_utf8(head).unwrap()
}

/// A device of bytes whose tunnel stands: SETTINGS went both ways.
pub(super) struct RawDevice {
    pub(super) id: DeviceId,
    pub(super) io: TlsStream<TcpStream>,
}

impl House {
    /// A registered device whose tunnel was accepted; HTTP/2 has not begun on its side.
    pub(super) async fn upgraded(&self) -> RawDevice {
        let identity = Identity::self_signed("raw", &[]).unwrap();
        let id = self.register(identity.fingerprint()).await;
        let mut io = self.tls_as(Some(&identity), HERE).await;
        io.write_all(UPGRADE).await.unwrap();
        let head = read_head(&mut io).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        RawDevice { id, io }
    }

    /// A registered device whose tunnel stands.
    pub(super) async fn raw_device(&self) -> RawDevice {
        let mut device = self.upgraded().await;
        device.io.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        device.io.read_exact(&mut [0; 24]).await.unwrap();
        device.io.write_all(&frame(SETTINGS, 1, 0, &[])).await.unwrap();
        self.online(&device.id).await;
        device
    }

    /// Why the tunnels of a device closed, as the API tells it. Returns when they have.
    pub(super) async fn closed(&self, id: &DeviceId) -> String {
        for held in self.cloud.registry().presence(id).tunnels {
            held.tunnel.closed().await;
        }
        super::until("the release of a closed tunnel", || self.cloud.registry().presence(id).tunnels.is_empty()).await;
        let view = super::api::show(self, id).await;
        view["last_close"]["reason"].as_str().unwrap_or_else(|| panic!("no last_close: {view}")).to_owned()
    }
}

impl RawDevice {
    /// Reads frames until a request's HEADERS; its stream.
    pub(super) async fn request(&mut self) -> u32 {
        loop {
            let (kind, _, stream, _) = read_frame(&mut self.io).await.unwrap();
            if kind == HEADERS {
                return stream;
            }
        }
    }

    /// Writes `one` again and again until the cloud closes; what it sends is thrown away.
    pub(super) async fn flood(self, one: Vec<u8>) {
        let (mut read, mut write) = tokio::io::split(self.io);
        let sink = tokio::spawn(async move {
            let mut bytes = vec![0; 4096];
            while read.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
        });
        while !sink.is_finished() && write.write_all(&one).await.is_ok() {}
        sink.abort();
    }
}
