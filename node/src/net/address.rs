//! Where a peer may be dialled: two shapes of multiaddress, resolved and judged before the dial.
//!
//! Accepted are `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT` and `.../udp/PORT/quic-v1`, each with or
//! without a trailing `/p2p/PEER`. Names are resolved here, with the system's resolver, and the
//! addresses that come out are judged like written ones; only literal addresses are handed to
//! libp2p, so a name cannot change its mind between the check and the dial (THREATS 37).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol as Part;
use thiserror::Error;

use super::limits::ADDRESSES_PER_PEER;
use super::peer::PeerKey;

/// Why an address is not dialled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It is not one of the two shapes.
    #[error(
        "`{address}` is not an address to dial; expected /ip4, /ip6 or /dns, then /tcp/PORT or \
         /udp/PORT/quic-v1"
    )]
    Shape {
        /// The address as given.
        address: String,
    },
    /// It names another peer than the one to be dialled.
    #[error("`{address}` names another peer than the one to be dialled")]
    OtherPeer {
        /// The address as given.
        address: String,
    },
    /// It leads to this machine, the local link or a private network.
    #[error(
        "{ip} is not a public address; set `allow_private_addresses` if peers are meant to be \
         reached there"
    )]
    Private {
        /// The address it leads to.
        ip: IpAddr,
    },
    /// No peer can ever be there (unspecified, multicast, broadcast).
    #[error("{ip} is not an address of one machine")]
    Impossible {
        /// The address it leads to.
        ip: IpAddr,
    },
    /// The name has no address.
    #[error("`{host}` could not be resolved: {reason}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    /// A name, and whether only IPv4 (true) or IPv6 (false) is wanted.
    Name(String, Option<bool>),
}

/// An address of one of the accepted shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAddress {
    host: Host,
    port: u16,
    quic: bool,
    peer: Option<PeerKey>,
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let shape = || AddressError::Shape { address: shortened(text) };
        let parsed = Multiaddr::from_str(text).map_err(|_| shape())?;
        let parts: Vec<Part<'_>> = parsed.iter().collect();
        let (host_part, port, quic, end) = match parts.as_slice() {
            [host, Part::Tcp(port), end @ ..] => (host, *port, false, end),
            [host, Part::Udp(port), Part::QuicV1, end @ ..] => (host, *port, true, end),
            _ => return Err(shape()),
        };
        let peer = match end {
            [] => None,
            [Part::P2p(peer)] => Some(PeerKey::from_peer_id(peer).ok_or_else(shape)?),
            _ => return Err(shape()),
        };
        let host = host(host_part).filter(|_| port != 0).ok_or_else(shape)?;
        Ok(Self { host, port, quic, peer })
    }
}

fn host(part: &Part<'_>) -> Option<Host> {
    Some(match part {
        Part::Ip4(ip) => Host::Ip((*ip).into()),
        Part::Ip6(ip) => Host::Ip((*ip).into()),
        Part::Dns(name) => Host::Name(name.to_string(), None),
        Part::Dns4(name) => Host::Name(name.to_string(), Some(true)),
        Part::Dns6(name) => Host::Name(name.to_string(), Some(false)),
        _ => return None,
    })
}

/// The text, cut to what fits a log line.
fn shortened(text: &str) -> String {
    text.chars().take(128).collect()
}

impl NodeAddress {
    /// The peer that the address names at its end.
    pub fn peer(&self) -> Option<PeerKey> {
        self.peer
    }

    /// The address, if it does not name another peer than `peer`.
    pub(super) fn for_peer(self, peer: PeerKey) -> Result<Self, AddressError> {
        match self.peer {
            Some(named) if named != peer => {
                Err(AddressError::OtherPeer { address: self.to_string() })
            }
            _ => Ok(self),
        }
    }

    /// The literal addresses to dial; an error if there is none that may be dialled.
    pub(super) async fn resolve(
        &self,
        allow_private: bool,
        timeout: Duration,
    ) -> Result<Vec<Multiaddr>, AddressError> {
        let ips = match &self.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name, only_v4) => look_up(name, self.port, *only_v4, timeout).await?,
        };
        let mut refused = None;
        let mut usable = Vec::new();
        for ip in ips {
            match judge(ip, allow_private) {
                Ok(()) => usable.push(self.literal(ip)),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if usable.is_empty() => Err(error),
            _ => Ok(usable),
        }
    }

    fn literal(&self, ip: IpAddr) -> Multiaddr {
        let address = Multiaddr::from(ip);
        if self.quic {
            address.with(Part::Udp(self.port)).with(Part::QuicV1)
        } else {
            address.with(Part::Tcp(self.port))
        }
    }
}

impl std::fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V4(ip)) => write!(f, "/ip4/{ip}")?,
            Host::Ip(IpAddr::V6(ip)) => write!(f, "/ip6/{ip}")?,
            Host::Name(name, None) => write!(f, "/dns/{name}")?,
            Host::Name(name, Some(true)) => write!(f, "/dns4/{name}")?,
            Host::Name(name, Some(false)) => write!(f, "/dns6/{name}")?,
        }
        if self.quic {
            write!(f, "/udp/{}/quic-v1", self.port)?;
        } else {
            write!(f, "/tcp/{}", self.port)?;
        }
        match self.peer.and_then(PeerKey::to_peer_id) {
            Some(peer) => write!(f, "/p2p/{peer}"),
            None => Ok(()),
        }
    }
}

async fn look_up(
    name: &str,
    port: u16,
    only_v4: Option<bool>,
    timeout: Duration,
) -> Result<Vec<IpAddr>, AddressError> {
    let unresolved = |reason: String| AddressError::Unresolved { host: shortened(name), reason };
    let found = tokio::time::timeout(timeout, tokio::net::lookup_host((name, port)))
        .await
        .map_err(|_| unresolved(format!("no answer within {timeout:?}")))?
        .map_err(|error| unresolved(error.to_string()))?;
    let ips: Vec<IpAddr> = found
        .map(|socket| socket.ip())
        .filter(|ip| only_v4.is_none_or(|v4| ip.is_ipv4() == v4))
        .take(ADDRESSES_PER_PEER)
        .collect();
    if ips.is_empty() {
        return Err(unresolved("it has no address of the wanted family".to_owned()));
    }
    Ok(ips)
}

/// Whether this address may be dialled.
fn judge(ip: IpAddr, allow_private: bool) -> Result<(), AddressError> {
    let inner = unwrapped(ip);
    if inner.is_unspecified() || inner.is_multicast() || inner == Ipv4Addr::BROADCAST {
        return Err(AddressError::Impossible { ip });
    }
    let private = match inner {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => is_private_v6(v6),
    };
    if private && !allow_private { Err(AddressError::Private { ip }) } else { Ok(()) }
}

/// The IPv4 address inside an IPv6 one that is only a way of writing or reaching it: mapped and
/// compatible (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056).
fn unwrapped(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let pair = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xFFFF) | (0x64, 0xFF9B, 0, 0, 0, 0) => pair(g, h),
        (0, 0, 0, 0, 0, 0) if g != 0 => pair(g, h),
        (0x2002, ..) => pair(b, c),
        _ => ip,
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT, RFC 6598
        || (a == 192 && b == 0 && c == 0) // protocol assignments, RFC 6890
        || (a == 198 && (b == 18 || b == 19)) // benchmarks, RFC 2544
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    ip.is_loopback()
        || a & 0xFE00 == 0xFC00 // unique local, RFC 4193
        || a & 0xFFC0 == 0xFE80 // link-local
        || a & 0xFFC0 == 0xFEC0 // site-local, RFC 3879
        || (a == 0x2001 && b == 0) // Teredo, RFC 4380: leads through a relay of the peer's choice
        || (a == 0x2001 && b == 0x0DB8) // documentation
        || (a == 0x64 && b == 0xFF9B) // NAT64 for local use, RFC 8215
        || a == 0x100 // discard, RFC 6666
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    async fn dialled(text: &str, allow_private: bool) -> Result<Vec<Multiaddr>, AddressError> {
        NodeAddress::from_str(text)?.resolve(allow_private, Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn attack_37_inner_addresses_are_refused_in_every_disguise() {
        let hosts = [
            "/ip4/127.0.0.1",
            "/ip4/127.8.9.10",
            "/ip4/10.0.0.1",
            "/ip4/172.16.0.1",
            "/ip4/172.31.255.255",
            "/ip4/192.168.1.1",
            "/ip4/169.254.169.254",
            "/ip4/0.0.0.0",
            "/ip4/0.1.2.3",
            "/ip4/100.64.0.1",
            "/ip4/100.127.255.255",
            "/ip4/192.0.0.8",
            "/ip4/198.18.0.1",
            "/ip4/198.19.255.255",
            "/ip4/203.0.113.7",
            "/ip4/224.0.0.1",
            "/ip4/239.1.1.1",
            "/ip4/240.0.0.1",
            "/ip4/255.255.255.255",
            "/ip6/::",
            "/ip6/::1",
            "/ip6/::ffff:127.0.0.1",
            "/ip6/::ffff:10.0.0.1",
            "/ip6/::ffff:169.254.169.254",
            "/ip6/::127.0.0.1",
            "/ip6/64:ff9b::7f00:1",
            "/ip6/64:ff9b::a00:1",
            "/ip6/64:ff9b:1::1",
            "/ip6/2002:7f00:1::1",
            "/ip6/2002:c0a8:101::1",
            "/ip6/fe80::1",
            "/ip6/febf::1",
            "/ip6/fec0::1",
            "/ip6/fc00::1",
            "/ip6/fdff::1",
            "/ip6/ff02::1",
            "/ip6/2001::1",
            "/ip6/2001:db8::1",
            "/ip6/100::1",
            "/dns/localhost",
            "/dns4/localhost",
        ];
        for host in hosts {
            for end in ["/tcp/4001", "/udp/4001/quic-v1"] {
                let text = format!("{host}{end}");
                let answer = dialled(&text, false).await;
                assert!(
                    matches!(
                        answer,
                        Err(AddressError::Private { .. } | AddressError::Impossible { .. })
                    ),
                    "{text}: {answer:?}"
                );
            }
        }
    }

    #[test]
    fn attack_37_other_shapes_are_refused() {
        let texts = [
            "",
            "/",
            "nonsense",
            "127.0.0.1:4001",
            "http://example.org/",
            "/ip4/192.0.2.1",
            "/tcp/4001",
            "/ip4/1.2.3.4/tcp/0",
            "/ip4/1.2.3.4/udp/4001",
            "/unix/tmp%2Fsocket",
            "/ip4/1.2.3.4/udp/4001/quic",
            "/ip4/1.2.3.4/tcp/80/ws",
            "/ip4/1.2.3.4/tcp/443/wss",
            "/memory/1",
            "/ip4/1.2.3.4/tcp/80/http",
            "/dnsaddr/example.org/tcp/4001",
            "/ip6zone/eth0/ip6/fe80::1/tcp/4001",
            "/ip4/1.2.3.4/tcp/4001/tcp/4002",
            "/ip4/1.2.3.4/udp/4001/quic-v1/webtransport",
            "/ip4/1.2.3.4/udp/4001/webrtc-direct",
            "/ip4/1.2.3.4/tcp/4001/p2p/12D3KooWEChVMMMzV8acJ53mJHrw1pQ27UAGkCxWXLJutbeUMvVu/p2p-circuit",
            "/ip4/1.2.3.4/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
            "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234",
        ];
        for text in texts {
            let answer = NodeAddress::from_str(text);
            assert!(matches!(answer, Err(AddressError::Shape { .. })), "{text}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn public_and_permitted_addresses_are_dialled() {
        for text in ["/ip4/8.8.8.8/tcp/4001", "/ip6/2606:4700::1/udp/4001/quic-v1"] {
            assert_eq!(dialled(text, false).await.unwrap(), vec![text.parse().unwrap()]);
        }
        let inner = "/ip4/127.0.0.1/tcp/4001";
        assert_eq!(dialled(inner, true).await.unwrap(), vec![inner.parse().unwrap()]);
        assert!(dialled("/ip4/224.0.0.1/tcp/4001", true).await.is_err());
    }

    #[test]
    fn an_address_of_another_peer_is_refused() {
        let text = "/ip4/8.8.8.8/tcp/4001/p2p/12D3KooWEChVMMMzV8acJ53mJHrw1pQ27UAGkCxWXLJutbeUMvVu";
        let address = NodeAddress::from_str(text).unwrap();
        assert_eq!(address.to_string(), text);
        assert!(address.clone().for_peer(address.peer().unwrap()).is_ok());
        assert!(address.for_peer(PeerKey::new([1; 32])).is_err());
    }
}
