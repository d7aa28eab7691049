//! The sockets: one that asks for each address of ours, one that hears what is said to everybody for each interface and family.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::task::{Context, Poll, ready};

use oriel_onvif::discovery::{GROUP_V4, GROUP_V6};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use super::Options;
use super::interfaces::Interface;

/// What the kernel may keep for us, in bytes: many cameras answer within half a second.
const RECEIVED: usize = 1 << 20;

/// What a socket is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) interface: String,
    index: u32,
    /// Our address that it asks by, or the group that it hears.
    address: IpAddr,
    /// It asks.
    pub(super) asks: bool,
    port: u16,
}

impl Place {
    /// Those of an interface.
    pub(super) fn all(interface: &Interface, options: &Options) -> Vec<Self> {
        let place = |address, asks| Self {
            interface: interface.name.clone(),
            index: interface.index,
            address,
            asks,
            port: options.port,
        };
        let mut places: Vec<Self> = interface.addresses.iter().map(|address| place(*address, true)).collect();
        for group in [IpAddr::V4(GROUP_V4), IpAddr::V6(GROUP_V6)] {
            if options.listen && interface.addresses.iter().any(|address| address.is_ipv4() == group.is_ipv4()) {
                places.push(place(group, false));
            }
        }
        places
    }

    fn scoped(&self, address: Ipv6Addr, port: u16) -> SocketAddr {
        let bound_to_link = address.is_unicast_link_local() || address.is_multicast();
        SocketAddrV6::new(address, port, 0, if bound_to_link { self.index } else { 0 }).into()
    }
}

/// A socket in its place.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) place: Place,
    socket: UdpSocket,
}

impl Port {
    pub(super) fn open(place: Place) -> io::Result<Self> {
        let socket = match place.address {
            IpAddr::V4(_) => Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?,
            IpAddr::V6(_) => Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?,
        };
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(RECEIVED)?;
        match place.asks {
            true => ask(&socket, &place)?,
            false => hear(&socket, &place)?,
        }
        Ok(Self { place, socket: UdpSocket::from_std(socket.into())? })
    }

    /// Sends to the group of its family, on its interface.
    pub(super) async fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let group = match self.place.address {
            IpAddr::V4(_) => SocketAddrV4::new(GROUP_V4, self.place.port).into(),
            IpAddr::V6(_) => self.place.scoped(GROUP_V6, self.place.port),
        };
        self.socket.send_to(datagram, group).await.map(|_| ())
    }

    /// A datagram and where it came from. A longer one than the buffer is cut, and then no message.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buffer = ReadBuf::new(buffer);
        let source = ready!(self.socket.poll_recv_from(cx, &mut buffer))?;
        Poll::Ready(Ok((buffer.filled().len(), source)))
    }
}

/// Bound to our own address, so that answers come to it; no router passes on what it sends.
fn ask(socket: &Socket, place: &Place) -> io::Result<()> {
    match place.address {
        IpAddr::V4(address) => {
            socket.set_multicast_if_v4(&address)?;
            socket.set_multicast_ttl_v4(1)?;
            socket.bind(&SockAddr::from(SocketAddrV4::new(address, 0)))
        }
        IpAddr::V6(address) => {
            socket.set_only_v6(true)?;
            socket.set_multicast_if_v6(place.index)?;
            socket.set_multicast_hops_v6(1)?;
            socket.bind(&SockAddr::from(place.scoped(address, 0)))
        }
    }
}

/// Bound to the group, so that nothing is taken from a device on this machine that is asked by unicast; other programs hear the group too.
fn hear(socket: &Socket, place: &Place) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    match place.address {
        IpAddr::V4(_) => {
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v4(false)?;
            socket.bind(&SockAddr::from(SocketAddrV4::new(GROUP_V4, place.port)))?;
            socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(place.index))
        }
        IpAddr::V6(_) => {
            socket.set_only_v6(true)?;
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v6(false)?;
            socket.bind(&SockAddr::from(place.scoped(GROUP_V6, place.port)))?;
            socket.join_multicast_v6(&GROUP_V6, place.index)
        }
    }
}
