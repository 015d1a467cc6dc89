//! Deliberate faults, to show that the simulator's checks can fail.
//!
//! One of them may be chosen at start where the crate is built with the feature `bugs`, which nothing
//! but the simulator's own test asks for. Elsewhere a node has none of them, and every fault is
//! compiled away.

#[cfg(feature = "bugs")]
use reeve_policy::disclosure::Lapse;
use reeve_policy::disclosure::Lapses;

/// A fault that the core can be made to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Speaks before what it persisted is durable.
    SpeakEarly,
    /// Numbers a revision like the edition before it.
    ReuseEdition,
    /// Takes an older edition in place of a newer one.
    TakeOlder,
    /// Forgets that a figure changed while its last edition was on its way.
    LoseDirty,
    /// Tells what is under the floor.
    ForgetFloor,
    /// Does not listen to revocation lists.
    KeepRevoked,
    /// Signs after a start before the superior has said what it holds.
    SignUnasked,
    /// Forgets where its ledger ended when it stops.
    ForgetLedger,
    /// Does not take deleted records out of figures.
    IgnoreDeletes,
    /// Answers that a statement was accepted, and keeps nothing of it.
    AcceptUnkept,
    /// Does not send again what was under way when it stopped.
    NeverResend,
    /// Takes no answer for an acceptance.
    SilenceIsAcceptance,
    /// Leaves its newest subordinate out of every sum.
    LeaveOneOut,
    /// Counts a subordinate that is silent as one that has reported zero.
    SilenceIsZero,
    /// Counts a subordinate that declined, or has no report, as one that has reported zero.
    NoticeIsZero,
    /// Counts one unit more than each subordinate says has reported.
    OverClaim,
    /// Does not check the signature of a subordinate's ledger.
    BelieveLedgers,
    /// Takes statements of other units than the one that sends them.
    TakeForOthers,
    /// Takes a second statement as the edition that it holds.
    TakeTwice,
    /// Does not look whether certificates have ended.
    IgnoreEnds,
    /// Follows an older catalogue than it did.
    FollowOlder,
    /// Verifies as many statements at once as a peer sends.
    VerifyAll,
    /// Leaves notices out of its ledger.
    LeaveNoticesOut,
    /// Never cuts again at the top what it had cut before it was started.
    StandStill,
    /// Does not sign again what was signed under a certificate that has ended.
    NeverSignAnew,
    /// Sends what its home has not adopted.
    SendUnadopted,
    /// Goes on sending what it signed in a term that has ended.
    SendEndedTerm,
    /// Does not sign again in a new term what was never accepted in the one before.
    NeverSignAgain,
    /// Takes a declaration to be in force after its end.
    OutliveDeclarations,
    /// Forgets how strictly a figure was told before.
    ForgetTold,
    /// Does not look whether a period is due.
    ForgetCalendar,
    /// Tells every step of a protected figure.
    TellSteps,
    /// Looks at the table for each class, and not at what the finer class was told.
    TellClassesApart,
    /// Does not wait until a window closes.
    TellAtOnce,
    /// Tells every class the edition of the superior.
    TellAllTheSame,
    /// Goes on reporting after another node of its home was appointed.
    KeepReporting,
    /// Reports in another node's place and takes nothing of its office over.
    LeaveTheOffice,
    /// Does not believe an authority's key that the one before handed on.
    ForgetSuccession,
    /// Expects for ever whom its register named first.
    ExpectForEver,
    /// Takes units that have ended out of its register.
    ForgetUnits,
    /// Takes a period for reported once one of its sources has closed it.
    OneSourceIsEnough,
    /// Says of every revision that it is an update.
    EveryRevisionIsAnUpdate,
    /// Cosigns a subordinate's ledger without looking whether it goes on from the last one.
    CosignUnchecked,
    /// Leaves the store's files as they are after removing values from its rows.
    KeepBytes,
    /// Writes again what was expired or erased while it was away.
    BringBack,
    /// Freezes in its bulletins the edition before the last.
    FreezeOlder,
    /// Enters no change of its policy into its ledger.
    ChangeInSilence,
    /// Keeps no policy set behind what it decided.
    ForgetPolicies,
    /// Tells an auditor that its cosignature is kept, and does not keep it.
    ForgetCosignature,
    /// Goes back to the certificate of a hello that a later one overtook.
    BelieveLateHello,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 50] = [
        Self::SpeakEarly,
        Self::ReuseEdition,
        Self::TakeOlder,
        Self::LoseDirty,
        Self::ForgetFloor,
        Self::KeepRevoked,
        Self::SignUnasked,
        Self::ForgetLedger,
        Self::IgnoreDeletes,
        Self::AcceptUnkept,
        Self::NeverResend,
        Self::SilenceIsAcceptance,
        Self::LeaveOneOut,
        Self::SilenceIsZero,
        Self::NoticeIsZero,
        Self::OverClaim,
        Self::BelieveLedgers,
        Self::TakeForOthers,
        Self::TakeTwice,
        Self::IgnoreEnds,
        Self::FollowOlder,
        Self::VerifyAll,
        Self::LeaveNoticesOut,
        Self::StandStill,
        Self::NeverSignAnew,
        Self::SendUnadopted,
        Self::SendEndedTerm,
        Self::NeverSignAgain,
        Self::OutliveDeclarations,
        Self::ForgetTold,
        Self::ForgetCalendar,
        Self::TellSteps,
        Self::TellClassesApart,
        Self::TellAtOnce,
        Self::TellAllTheSame,
        Self::KeepReporting,
        Self::LeaveTheOffice,
        Self::ForgetSuccession,
        Self::ExpectForEver,
        Self::ForgetUnits,
        Self::OneSourceIsEnough,
        Self::EveryRevisionIsAnUpdate,
        Self::CosignUnchecked,
        Self::KeepBytes,
        Self::BringBack,
        Self::FreezeOlder,
        Self::ChangeInSilence,
        Self::ForgetPolicies,
        Self::ForgetCosignature,
        Self::BelieveLateHello,
    ];
}

/// The faults of a node: none, unless the crate was built to have some.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bugs {
    #[cfg(feature = "bugs")]
    chosen: Option<Bug>,
}

impl Bugs {
    /// With one fault.
    #[cfg(feature = "bugs")]
    #[must_use]
    pub const fn with(bug: Bug) -> Self {
        Self { chosen: Some(bug) }
    }

    /// Whether the node has this fault.
    #[cfg(feature = "bugs")]
    pub(crate) fn has(self, bug: Bug) -> bool {
        self.chosen == Some(bug)
    }

    /// The lapses of its disclosure.
    #[cfg(feature = "bugs")]
    pub(crate) const fn lapses(self) -> Lapses {
        match self.chosen {
            Some(Bug::TellSteps) => Lapses::with(Lapse::Step),
            Some(Bug::TellClassesApart) => Lapses::with(Lapse::Classes),
            _ => Lapses::none(),
        }
    }

    /// The lapses of its disclosure: none.
    #[cfg(not(feature = "bugs"))]
    pub(crate) const fn lapses(self) -> Lapses {
        Lapses::none()
    }

    /// Whether the node has this fault: it has none.
    #[cfg(not(feature = "bugs"))]
    pub(crate) const fn has(self, _: Bug) -> bool {
        false
    }
}
