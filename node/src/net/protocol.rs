//! The protocols of the wire: their names and the size of their frames. Each is one request and
//! one response on a stream of its own. What the frames mean is the protocol core's business.

/// One protocol between nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// First words on a connection: chain, versions, clock.
    Hello,
    /// Records, between the nodes of one home.
    Home,
    /// Requests, releases, notices.
    Report,
    /// Checkpoints and proofs.
    Ledger,
    /// Newcomers; spoken on the enrolment port only.
    Enrol,
}

/// Largest request frame, in bytes.
const REQUEST: usize = 64 * 1024;
/// Largest frame of any kind, in bytes: a statement fits.
const FRAME: usize = 256 * 1024;

impl Protocol {
    /// What a node speaks with its peers.
    pub const BETWEEN_NODES: &'static [Self] =
        &[Self::Hello, Self::Home, Self::Report, Self::Ledger];
    /// What is spoken on the enrolment port.
    pub const ENROLMENT: &'static [Self] = &[Self::Enrol];

    /// This one and no other.
    pub(super) const fn alone(self) -> &'static [Self] {
        match self {
            Self::Hello => &[Self::Hello],
            Self::Home => &[Self::Home],
            Self::Report => &[Self::Report],
            Self::Ledger => &[Self::Ledger],
            Self::Enrol => Self::ENROLMENT,
        }
    }

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "/reeve/hello/1",
            Self::Home => "/reeve/home/1",
            Self::Report => "/reeve/report/1",
            Self::Ledger => "/reeve/ledger/1",
            Self::Enrol => "/reeve/enrol/1",
        }
    }

    /// The longest request, in bytes.
    pub const fn max_request(self) -> usize {
        match self {
            // A delivery carries a whole statement; what a home passes on, a revocation list or two
            // changes that prove a fork.
            Self::Report | Self::Home => FRAME,
            Self::Hello | Self::Ledger | Self::Enrol => REQUEST,
        }
    }

    /// The longest response, in bytes.
    pub const fn max_response(self) -> usize {
        match self {
            Self::Home | Self::Report | Self::Ledger => FRAME,
            Self::Hello | Self::Enrol => REQUEST,
        }
    }
}

impl AsRef<str> for Protocol {
    fn as_ref(&self) -> &str {
        self.name()
    }
}
