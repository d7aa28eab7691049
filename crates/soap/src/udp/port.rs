//! The sockets: for each address of ours one that asks or answers by it, for each interface and family one that hears what is said to everybody.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::task::{Context, Poll, ready};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use super::Group;
use super::interfaces::Interface;

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Asks the group by one of our addresses, and hears the answers: a port that the system chooses.
    Ask,
    /// Hears what is said to the group.
    Hear,
    /// Speaks to the group and answers by one of our addresses, and is asked there too: the group's own port.
    Answer,
}

/// Where a socket is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The interface's name.
    pub interface: String,
    /// Our address, or that of the group.
    pub address: IpAddr,
    /// What it is for.
    pub purpose: Purpose,
    index: u32,
    group: Group,
}

impl Place {
    /// One that asks or answers by this address of the interface.
    #[must_use]
    pub fn by(interface: &Interface, address: IpAddr, purpose: Purpose, group: Group) -> Self {
        Self { interface: interface.name.clone(), address, purpose, index: interface.index, group }
    }

    /// One that hears the group, for each family of these addresses of the interface.
    pub fn hearing(interface: &Interface, addresses: &[IpAddr], group: Group) -> impl Iterator<Item = Self> {
        let groups = [IpAddr::V4(group.v4), IpAddr::V6(group.v6)];
        let groups = groups.into_iter().filter(|group| addresses.iter().any(|one| one.is_ipv4() == group.is_ipv4()));
        groups.map(move |address| Self::by(interface, address, Purpose::Hear, group))
    }

    fn scoped(&self, address: Ipv6Addr, port: u16) -> SocketAddr {
        let bound_to_link = address.is_unicast_link_local() || address.is_multicast();
        SocketAddrV6::new(address, port, 0, if bound_to_link { self.index } else { 0 }).into()
    }
}

/// A socket in its place.
#[derive(Debug)]
pub struct Port {
    /// Where it is.
    pub place: Place,
    socket: UdpSocket,
}

impl Port {
    /// Opens it, within a runtime of tokio. The kernel may keep so many bytes for it.
    ///
    /// # Errors
    /// The system refuses: no such address any more, the port in use by a program that does not share it, no multicast.
    pub fn open(place: Place, received: usize) -> io::Result<Self> {
        let domain = if place.address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(received)?;
        match place.purpose {
            Purpose::Hear => hear(&socket, &place)?,
            Purpose::Ask | Purpose::Answer => speak(&socket, &place)?,
        }
        Ok(Self { place, socket: UdpSocket::from_std(socket.into())? })
    }

    /// Sends to the group of its family, on its interface.
    ///
    /// # Errors
    /// As the system says.
    pub async fn send(&self, datagram: &[u8]) -> io::Result<()> {
        let group = self.place.group;
        let to = match self.place.address {
            IpAddr::V4(_) => SocketAddrV4::new(group.v4, group.port).into(),
            IpAddr::V6(_) => self.place.scoped(group.v6, group.port),
        };
        self.send_to(datagram, to).await
    }

    /// Sends to somebody.
    ///
    /// # Errors
    /// As the system says.
    pub async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(datagram, to).await.map(|_| ())
    }

    /// A datagram and where it came from. A longer one than the buffer is cut, and then no message.
    ///
    /// # Errors
    /// As the system says.
    pub fn poll_receive(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buffer = ReadBuf::new(buffer);
        let source = ready!(self.socket.poll_recv_from(cx, &mut buffer))?;
        Poll::Ready(Ok((buffer.filled().len(), source)))
    }
}

/// Bound to our own address, so that answers come to it; no router passes on what it sends.
fn speak(socket: &Socket, place: &Place) -> io::Result<()> {
    let port = match place.purpose {
        Purpose::Answer => {
            // Other programs on this machine are found, or look, by the same port.
            socket.set_reuse_address(true)?;
            place.group.port
        }
        _ => 0,
    };
    match place.address {
        IpAddr::V4(address) => {
            socket.set_multicast_if_v4(&address)?;
            socket.set_multicast_ttl_v4(1)?;
            socket.bind(&SockAddr::from(SocketAddrV4::new(address, port)))
        }
        IpAddr::V6(address) => {
            socket.set_only_v6(true)?;
            socket.set_multicast_if_v6(place.index)?;
            socket.set_multicast_hops_v6(1)?;
            socket.bind(&SockAddr::from(place.scoped(address, port)))
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
            socket.bind(&SockAddr::from(SocketAddrV4::new(place.group.v4, place.group.port)))?;
            socket.join_multicast_v4_n(&place.group.v4, &InterfaceIndexOrAddress::Index(place.index))
        }
        IpAddr::V6(_) => {
            socket.set_only_v6(true)?;
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v6(false)?;
            socket.bind(&SockAddr::from(place.scoped(place.group.v6, place.group.port)))?;
            socket.join_multicast_v6(&place.group.v6, place.index)
        }
    }
}
