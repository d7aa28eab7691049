//! The PROXY protocol's header, versions 1 and 2, before TLS begins. Only listed peers send one, and they always do.

use std::io;
use std::net::IpAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

const SIGNATURE: &[u8] = v2::PROTOCOL_PREFIX;
/// The longest header of version 1, line end included.
const LONGEST_V1: usize = 107;
/// More than addresses and every TLV that a load balancer sends.
const LONGEST_V2: usize = 2048;

/// Reads exactly the header. `None`: the peer speaks for itself (LOCAL or UNKNOWN), as health checks do.
///
/// # Errors
/// When there is no header, or a damaged one.
pub(super) async fn read<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Option<IpAddr>> {
    let mut head = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut head).await?;
    if head == SIGNATURE {
        head.resize(16, 0);
        stream.read_exact(&mut head[12..]).await?;
        let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
        if length > LONGEST_V2 {
            return Err(refused("it is too long"));
        }
        head.resize(16 + length, 0);
        stream.read_exact(&mut head[16..]).await?;
        return version2(&head);
    }
    if !head.starts_with(b"PROXY ") {
        return Err(refused("there is none"));
    }
    while !head.ends_with(b"\r\n") {
        if head.len() >= LONGEST_V1 {
            return Err(refused("it is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    let header = v1::Header::try_from(head.as_slice()).map_err(|e| refused(&e.to_string()))?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(addresses) => Some(addresses.source_address.into()),
        v1::Addresses::Tcp6(addresses) => Some(addresses.source_address.into()),
        v1::Addresses::Unknown => None,
    })
}

fn version2(head: &[u8]) -> io::Result<Option<IpAddr>> {
    let header = v2::Header::try_from(head).map_err(|e| refused(&e.to_string()))?;
    if header.command == v2::Command::Local {
        return Ok(None);
    }
    Ok(match header.addresses {
        v2::Addresses::IPv4(addresses) => Some(addresses.source_address.into()),
        v2::Addresses::IPv6(addresses) => Some(addresses.source_address.into()),
        _ => None,
    })
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a PROXY protocol header is required here: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn source(mut bytes: &[u8]) -> (io::Result<Option<IpAddr>>, usize) {
        (read(&mut bytes).await, bytes.len())
    }

    fn v2_header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, body].concat()
    }

    #[tokio::test]
    async fn both_versions_name_the_source_and_leave_what_follows() {
        let text = b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 443\r\n\x16\x03";
        let (found, left) = source(text).await;
        assert_eq!((found.unwrap(), left), (Some("192.0.2.7".parse().unwrap()), 2));
        let mut binary = v2_header(0x21, 0x11, &[192, 0, 2, 7, 192, 0, 2, 1, 0x0f, 0xa0, 1, 0xbb]);
        binary.extend_from_slice(b"\x16\x03");
        let (found, left) = source(&binary).await;
        assert_eq!((found.unwrap(), left), (Some("192.0.2.7".parse().unwrap()), 2));
        let (found, _) = source(b"PROXY TCP6 2001:db8::7 2001:db8::1 4000 443\r\n").await;
        assert_eq!(found.unwrap(), Some("2001:db8::7".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_health_check_speaks_for_itself() {
        assert_eq!(source(b"PROXY UNKNOWN\r\n").await.0.unwrap(), None);
        assert_eq!(source(&v2_header(0x20, 0, &[])).await.0.unwrap(), None);
    }

    #[tokio::test]
    async fn no_header_or_a_damaged_one_is_refused() {
        for bytes in [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            [b"PROXY ".as_slice(), &[b'x'; 200]].concat(),
            b"PROXY TCP4 nowhere 192.0.2.1 1 2\r\n".to_vec(),
            v2_header(0x21, 0x11, &[1, 2]),
            v2_header(0x21, 0x11, &[0; 4096]),
            b"PROX".to_vec(),
        ] {
            source(&bytes).await.0.unwrap_err();
        }
    }
}
