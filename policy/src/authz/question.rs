//! What is asked of a policy: who, what, of which thing, under which circumstances.
//!
//! Everything that can be asked is here as a type, so that no surface (peer protocol, HTTP, command
//! line, export, metrics) can ask something that another surface would be answered differently.

use core::fmt;
use std::collections::BTreeSet;

use reeve_statement::catalogue::{Indicator, RecipientClass};
use reeve_statement::digest::Digest;
use reeve_statement::names::{IndicatorId, KindId};
use reeve_statement::period::Period;
use reeve_statement::unit::UnitPath;

/// How a peer stands to this node's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// The unit one level up.
    Superior,
    /// A unit further up, a superior's superior.
    Above,
    /// A unit one level down.
    Subordinate,
    /// Another unit under the same superior.
    Neighbour,
    /// Any other unit of the federation.
    Other,
}

impl Relation {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::Superior, Self::Above, Self::Subordinate, Self::Neighbour, Self::Other];

    /// How `peer` stands to `own`.
    #[must_use]
    pub fn between(own: &UnitPath, peer: &UnitPath) -> Self {
        if own.is_child_of(peer) {
            Self::Superior
        } else if own != peer && own.is_within(peer) {
            Self::Above
        } else if peer.is_child_of(own) {
            Self::Subordinate
        } else if own != peer && own.parent().is_some() && own.parent() == peer.parent() {
            Self::Neighbour
        } else {
            Self::Other
        }
    }

    /// The class of recipient whose floor binds. A subordinate sees its superior's figure as a
    /// neighbour does: what it learns there is its neighbours' part.
    #[must_use]
    pub const fn recipient_class(self) -> RecipientClass {
        match self {
            Self::Superior | Self::Above => RecipientClass::Superior,
            Self::Subordinate | Self::Neighbour => RecipientClass::Neighbour,
            Self::Other => RecipientClass::Public,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Superior => "superior",
            Self::Above => "above",
            Self::Subordinate => "subordinate",
            Self::Neighbour => "neighbour",
            Self::Other => "other",
        }
    }
}

/// A peer jurisdiction, as its verified certificate names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where it stands.
    pub path: UnitPath,
    /// How it stands to this unit.
    pub relation: Relation,
    /// Whether its certificate carries the auditor action.
    pub auditor: bool,
}

/// The role of a local access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Runs the node.
    Operator,
    /// Writes records of named kinds.
    Writer,
    /// Sees figures of named areas and indicators.
    Viewer,
    /// Sees what left the house and why.
    Auditor,
}

impl Role {
    /// The role's name, as in tokens and policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Writer => "writer",
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Operator, Self::Writer, Self::Viewer, Self::Auditor]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// Which things a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope<T: Ord> {
    /// Every one, also those added later.
    All,
    /// These only; an empty set is none.
    Only(BTreeSet<T>),
}

/// A person or program of this jurisdiction, known by an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The token's name; never its secret.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Kinds it may touch, as far as its role lets it.
    pub kinds: Scope<KindId>,
    /// Areas it may ask for.
    pub areas: Scope<UnitPath>,
    /// Indicators it may ask for.
    pub indicators: Scope<IndicatorId>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Another jurisdiction.
    Unit(Peer),
    /// Somebody of this one.
    Person(Person),
}

macro_rules! actions {
    ($($variant:ident = $name:literal, $doc:literal;)+) => {
        /// What is to be done. The names are those of the committed schema.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(#[doc = $doc] $variant,)+
        }

        impl Action {
            /// Every action there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The action's name in policies.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

actions! {
    Pull = "pull", "A peer asks for a figure once.";
    Subscribe = "subscribe", "A peer asks for a figure and all its later editions.";
    Query = "query", "A person looks at a figure.";
    AdoptIndicator = "adopt_indicator", "A person consents to send an indicator at all.";
    ReadRecord = "read_record", "A person reads the fields of a record.";
    WriteRecord = "write_record", "A person inserts, changes or deletes a record.";
    Import = "import", "A person imports a file; no field is read back.";
    ClosePeriod = "close_period", "A person declares that a source is complete for a period.";
    ReadStatus = "read_status", "Who is connected, what is late, how the store fares.";
    ReadMetrics = "read_metrics", "Counters for Prometheus.";
    ReadSent = "read_sent", "Everything that left the house.";
    ReadDecisions = "read_decisions", "Why something left the house or did not.";
    ReadPolicy = "read_policy", "The policy set, explain and preview.";
    ReadCatalogue = "read_catalogue", "The catalogue.";
    ReadSchema = "read_schema", "The schema.";
    ReadRegister = "read_register", "The register.";
    ReadCertificates = "read_certificates", "Certificates and revocation lists.";
    ReadLedger = "read_ledger", "Checkpoints, entries and proofs of the ledger.";
    ChangePolicy = "change_policy", "Replace the policy set.";
    ChangeSchema = "change_schema", "Replace the schema.";
    PublishCatalogue = "publish_catalogue", "Sign a catalogue and send it down.";
    PublishRegister = "publish_register", "Sign a register of subordinates.";
    DeclareResponse = "declare_response", "Sign a declaration of an emergency response level.";
    PublishBulletin = "publish_bulletin", "Freeze figures as they stand in a signed bulletin.";
    ManageTokens = "manage_tokens", "Make and revoke access tokens.";
    ManageCertificates = "manage_certificates", "Issue, renew and revoke certificates.";
    ManagePeers = "manage_peers", "Invite, admit and drop peers.";
    ManageStore = "manage_store", "Verify, export and compact the store.";
    StopNode = "stop_node", "Stop the node.";
}

impl Action {
    /// Whether figures leave the house by this action.
    #[must_use]
    pub const fn sends_figures(self) -> bool {
        matches!(self, Self::Pull | Self::Subscribe)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a decision is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// An indicator of the catalogue.
    Indicator(Box<Indicator>),
    /// A kind of record.
    Kind {
        /// Its name.
        id: KindId,
        /// Whether its records are about persons.
        personal: bool,
    },
    /// This unit's node.
    Node(UnitPath),
}

/// The circumstances. What an action does not use stays at its default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Circumstances {
    /// What the figure is for (pull, subscribe).
    pub purpose: String,
    /// The law the peer names (pull, subscribe).
    pub legal_basis: Option<String>,
    /// Which period (pull, subscribe, query).
    pub period: Option<Period>,
    /// Which area a person asks for (query).
    pub area: Option<UnitPath>,
    /// Whether a person asks for the unit's own table as it is, unprotected (query).
    pub own: bool,
    /// The declared emergency response level; 0 is none.
    pub response_level: u8,
    /// Digests of the declarations that it follows from.
    pub declarations: Vec<Digest>,
    /// Digest of the act by which this home adopted the indicator; none: by its settings (pull,
    /// subscribe).
    pub adoption: Option<Digest>,
}

/// One question to a policy set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who asks.
    pub principal: Principal,
    /// What is to be done.
    pub action: Action,
    /// To or with what.
    pub resource: Resource,
    /// Under which circumstances.
    pub circumstances: Circumstances,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.principal {
            Principal::Unit(peer) => write!(f, "unit {} ({})", peer.path, peer.relation.name())?,
            Principal::Person(person) => write!(f, "{} {:?}", person.role.name(), person.name)?,
        }
        write!(f, ": {} ", self.action)?;
        match &self.resource {
            Resource::Indicator(indicator) => write!(f, "indicator {}", indicator.id)?,
            Resource::Kind { id, .. } => write!(f, "kind {id}")?,
            Resource::Node(path) => write!(f, "node {path}")?,
        }
        if let Some(period) = &self.circumstances.period {
            write!(f, " for {period}")?;
        }
        if let Some(area) = &self.circumstances.area {
            write!(f, " in {area}")?;
        }
        if self.circumstances.response_level > 0 {
            write!(f, " at response level {}", self.circumstances.response_level)?;
        }
        if self.circumstances.own {
            f.write_str(", own table as it is")?;
        }
        Ok(())
    }
}
