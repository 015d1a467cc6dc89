//! The enrolment port at work: what newcomers say goes to the desk, what the desk issues is kept
//! before it is answered, whom it admits is told to the core.

use std::sync::Arc;
use std::time::Duration;

use reeve_policy::authz::Role;
use reeve_protocol::local::{Answer, Question};
use reeve_statement::cert::Certificate;
use reeve_statement::unit::{UnitId, UnitPath};
use tokio::sync::{mpsc, oneshot, watch};

use super::{NodeHandle, RunError, local_person};
use crate::clock::wall;
use crate::enrol::{
    AdmissionOrder, Admitted, EnrolDesk, EnrolRefusal, InviteOrder, OrderError, Reach,
};
use crate::house::{Authority, Clerk, Entropy, FIRST_TERM, House};
use crate::net::enrol::{EnrolCommand, EnrolConfig, EnrolEvent, EnrolPort};
use crate::net::{InboundId, NodeSeed, Tap};

/// Invites that may be ordered at once: a person makes them one by one.
const ORDERS: usize = 4;

/// How often expired invites are forgotten, and with the last of them the authority key.
const SWEEP: Duration = Duration::from_secs(10);

struct Order {
    what: Ordered,
    house: House,
    authority: Authority,
    reply: oneshot::Sender<Result<String, OrderError>>,
}

/// What is ordered.
enum Ordered {
    Invite(InviteOrder),
    Admission(AdmissionOrder),
}

impl Ordered {
    const fn order(&self) -> &InviteOrder {
        match self {
            Self::Invite(order) => order,
            Self::Admission(admission) => &admission.order,
        }
    }
}

/// A handle on the enrolment port.
#[derive(Debug, Clone)]
pub struct Porter {
    house: Arc<House>,
    orders: mpsc::Sender<Order>,
    addresses: watch::Receiver<Vec<String>>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Order")
    }
}

impl Porter {
    /// Makes an invite; its line is for the newcomer alone.
    ///
    /// # Errors
    /// [`OrderError`]: the passphrase is wrong, the order cannot be fulfilled.
    pub async fn invite(&self, order: InviteOrder) -> Result<String, OrderError> {
        self.order(Ordered::Invite(order)).await
    }

    /// Certifies whoever applies by file; the line is the answer.
    ///
    /// # Errors
    /// [`OrderError`]: the passphrase is wrong, the application is another's or cannot be fulfilled.
    pub async fn admit(&self, order: AdmissionOrder) -> Result<String, OrderError> {
        self.order(Ordered::Admission(order)).await
    }

    async fn order(&self, what: Ordered) -> Result<String, OrderError> {
        let folder = self.house.folder().to_owned();
        let unlocked = tokio::task::spawn_blocking(move || {
            // Read anew: certificates may have been renewed since the start.
            let house = House::open(&folder)?;
            let authority = what.order().unlock(&house)?;
            Ok::<_, OrderError>((what, house, authority))
        })
        .await
        .map_err(|_| OrderError::Closed)?;
        let (what, house, authority) = unlocked?;
        let (reply, made) = oneshot::channel();
        let sent = self.orders.send(Order { what, house, authority, reply }).await;
        sent.map_err(|_| OrderError::Closed)?;
        made.await.map_err(|_| OrderError::Closed)?
    }

    /// Where newcomers reach the port.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.addresses.borrow().clone()
    }
}

/// Opens the port of a running node; it closes when the node's handle is gone.
pub(super) async fn open(
    house: Arc<House>,
    node: NodeHandle,
    tap: Option<Tap>,
) -> Result<Porter, RunError> {
    let desk = EnrolDesk::new(&house).map_err(|error| RunError::House(Box::new(error)))?;
    let config = EnrolConfig {
        seed: NodeSeed::new(house.node_key().seed()),
        listen: house.config().net.enrolment.clone(),
        tap,
    };
    let (port, events) = EnrolPort::spawn(&config)?;
    let (orders, ordered) = mpsc::channel(ORDERS);
    let (announce, addresses) = watch::channel(Vec::new());
    let service =
        Service { house: Arc::clone(&house), node, desk, entropy: Entropy::system(), announce };
    tokio::spawn(service.run(port, events, ordered));
    Ok(Porter { house, orders, addresses })
}

struct Service {
    house: Arc<House>,
    node: NodeHandle,
    desk: EnrolDesk,
    entropy: Entropy,
    announce: watch::Sender<Vec<String>>,
}

impl Service {
    async fn run(
        mut self,
        port: EnrolPort,
        mut events: mpsc::Receiver<EnrolEvent>,
        mut ordered: mpsc::Receiver<Order>,
    ) {
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                () = self.node.stopped() => break,
                event = events.recv() => match event {
                    Some(event) => self.on_event(&port, event).await,
                    None => break,
                },
                order = ordered.recv() => match order {
                    Some(order) => self.on_order(order).await,
                    None => break,
                },
                _ = sweep.tick() => self.desk.expire(wall()),
            }
        }
        // The port closes with its handle.
        drop(port);
    }

    /// The reporting term for a unit's next node: the one after the last that was heard of.
    async fn next_term(&self, unit: &str) -> u64 {
        let operator = local_person("enrolment", Role::Operator);
        let Answer::Status(status) = self.node.ask(operator, Question::Status).await else {
            return FIRST_TERM;
        };
        let heard = status.subordinates.iter().find(|it| it.unit.as_str() == unit);
        heard.and_then(|it| it.term).map_or(FIRST_TERM, |term| term.saturating_add(1))
    }

    async fn on_order(&mut self, order: Order) {
        let Order { what, house, authority, reply } = order;
        if let Err(error) = self.desk.follow(&house) {
            tracing::warn!(%error, "newcomers are shown older certificates");
        }
        let enrolment = self.announce.borrow().clone();
        let reach = Reach::new(self.house.config(), self.node.addresses(), enrolment);
        let term = self.next_term(&what.order().unit).await;
        let made = match &what {
            Ordered::Invite(order) => {
                let mut clerk = Clerk::new(wall(), &mut self.entropy);
                let made = self.desk.invite(order, authority, term, &reach, &mut clerk);
                made.map(|invite| invite.to_string())
            }
            Ordered::Admission(order) if !self.is_free(order).await => {
                Err(EnrolRefusal::NotReceived.into())
            }
            Ordered::Admission(order) => {
                let mut clerk = Clerk::new(wall(), &mut self.entropy);
                let made = self.desk.admit(order, &authority, term, &reach, &mut clerk);
                match made {
                    Ok((admitted, issued)) => self.admitted(order, &admitted, &issued).await,
                    Err(error) => Err(error),
                }
            }
        };
        // Whoever went away does not need the invite, which expires, nor the answer: who applies again is
        // certified again.
        let _ = reply.send(made);
    }

    /// Whether a unit may join here: it stood nowhere else, or was let go there.
    async fn may_join(&self, unit: UnitId, from: UnitPath) -> bool {
        let operator = local_person("enrolment", Role::Operator);
        let question = Question::MayJoin { unit, from };
        matches!(self.node.ask(operator, question).await, Answer::Done)
    }

    /// The same of a unit that applies by file; what cannot be read is refused later, with the reason.
    async fn is_free(&self, order: &AdmissionOrder) -> bool {
        let Ok(application) = order.application() else { return true };
        let Some(from) = application.came_from.clone() else { return true };
        self.may_join(application.unit_id().clone(), from).await
    }

    /// Keeps and enters what was issued for an application before its answer is given to anybody.
    async fn admitted(
        &self,
        order: &AdmissionOrder,
        admitted: &Admitted,
        issued: &[Certificate],
    ) -> Result<String, OrderError> {
        issued.iter().try_for_each(|certificate| self.house.record_issued(certificate))?;
        if !self.are_entered(issued).await {
            return Err(OrderError::NotEntered);
        }
        if order.auditor {
            // Nothing is expected of it.
            return Ok(admitted.to_string());
        }
        let application = order.application()?;
        let question = Question::Expect {
            unit: application.unit_id().clone(),
            names: order.order.titles(),
            time_zone: order.order.time_zone.clone().or(Some(application.time_zone)),
        };
        let operator = local_person("enrolment", Role::Operator);
        match self.node.ask(operator, question).await {
            Answer::Done => Ok(admitted.to_string()),
            _ => Err(OrderError::NotEntered),
        }
    }

    async fn on_event(&mut self, port: &EnrolPort, event: EnrolEvent) {
        match event {
            EnrolEvent::Listening { address } => {
                tracing::info!(%address, "newcomers can join");
                self.announce.send_modify(|addresses| addresses.push(address));
            }
            EnrolEvent::ListenerClosed { addresses, reason } => {
                tracing::error!(?addresses, %reason, "newcomers cannot join any more");
                self.announce.send_modify(|held| held.retain(|it| !addresses.contains(it)));
            }
            EnrolEvent::Request { inbound, bytes, .. } => {
                self.on_request(port, inbound, &bytes).await;
            }
            EnrolEvent::Refused { what, count, .. } => {
                tracing::debug!(%what, count, "refused at the enrolment port");
            }
        }
    }

    /// Enters certificates into the ledger; nobody is given one before.
    async fn are_entered(&self, issued: &[Certificate]) -> bool {
        if issued.is_empty() {
            return true;
        }
        let certificates = issued.iter().map(|it| it.der().to_vec()).collect();
        let question = Question::Issue { certificates, by: "enrolment".to_owned() };
        let operator = local_person("enrolment", Role::Operator);
        matches!(self.node.ask(operator, question).await, Answer::Done)
    }

    async fn on_request(&mut self, port: &EnrolPort, inbound: InboundId, bytes: &[u8]) {
        let mut handled = {
            let mut clerk = Clerk::new(wall(), &mut self.entropy);
            self.desk.handle(bytes, &mut clerk)
        };
        if let Some((unit, from)) = handled.moved.take()
            && !self.may_join(unit, from).await
        {
            handled = EnrolDesk::turn_away();
        }
        if let Some(refused) = &handled.refused {
            tracing::warn!(%refused, "a newcomer was refused");
        }
        // Nothing is said of what is not kept: the newcomer asks again and gets the same answer.
        if let Err(error) = handled.keep(&self.house) {
            return tracing::error!(%error, "what was issued could not be kept");
        }
        if !self.are_entered(&handled.issued).await {
            return tracing::error!("what was issued could not be entered into the ledger");
        }
        for certificate in &handled.issued {
            tracing::info!(serial = %certificate.serial(), name = certificate.dns_name(), "issued");
        }
        if let Some(admission) = &handled.admission {
            let operator = local_person("enrolment", Role::Operator);
            match self.node.ask(operator, admission.question()).await {
                Answer::Done => {
                    if let Err(error) = self.house.forget_admission(admission) {
                        tracing::warn!(%error, "an admission is kept although it was carried out");
                    }
                }
                _ => tracing::warn!(
                    "a newcomer was not admitted; it is tried again at the next start"
                ),
            }
        }
        let respond = EnrolCommand::Respond { inbound, bytes: handled.response };
        if port.commands.send(respond).await.is_err() {
            tracing::warn!("the enrolment port is closed");
        }
    }
}
