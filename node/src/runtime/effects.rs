//! Carrying out effects.

use std::time::Duration;

use reeve_protocol::Effect;
use reeve_protocol::Input;
use reeve_protocol::effect::{Load, Loaded, Row, Ticket};
use reeve_protocol::local::Answer;

use super::{Loop, Renewed, RunError, translate};
use crate::net::{NetCommand, PeerKey};
use crate::store::{Batch, ScanLimit, StoreError, StoreHandle};

/// How long until the store's files are rewritten again, if that failed.
const REWRITE_AGAIN: Duration = Duration::from_secs(60);

impl Loop {
    pub(super) async fn carry_out(&mut self, effect: Effect) -> Result<(), RunError> {
        match effect {
            Effect::Persist { ticket, rows } => self.persist(ticket, rows).await?,
            Effect::Load { load, what } => {
                let store = self.store.clone();
                self.pending.push(Box::pin(async move {
                    let loaded = store.call(move |store| read(store, what)).await?;
                    Ok(Input::Loaded(load, loaded))
                }));
            }
            Effect::Rewrite => {
                let store = self.store.clone();
                self.pending.push(Box::pin(async move {
                    rewrite(&store).await?;
                    Ok(Input::Rewritten)
                }));
            }
            Effect::Compute { job, what } => {
                let work = tokio::task::spawn_blocking(move || what.run());
                self.pending.push(Box::pin(async move {
                    let result = work.await.map_err(|_| crate::store::StoreError::Closed)?;
                    Ok(Input::Computed(job, Box::new(result)))
                }));
            }
            Effect::Send { request, peer, channel, bytes } => {
                self.outgoing.push_back(NetCommand::Send {
                    request: crate::net::RequestId(request.0),
                    peer: PeerKey::new(peer.0),
                    protocol: translate::protocol(channel),
                    bytes,
                });
            }
            Effect::Respond { inbound, bytes } => {
                let inbound = crate::net::InboundId(inbound.0);
                self.outgoing.push_back(NetCommand::Respond { inbound, bytes });
            }
            Effect::Reply { ask, answer } => {
                if let Some(reply) = self.asking.remove(&ask) {
                    // Whoever went away does not need the answer.
                    let _ = reply.send(self.complete(*answer));
                }
            }
            Effect::WakeAt(at) => self.wake = Some(at),
            Effect::Allow(peers) => {
                let peers = peers.into_iter().map(|peer| PeerKey::new(peer.0)).collect();
                self.outgoing.push_back(NetCommand::Allow(peers));
            }
            Effect::Dial { peer, addresses } => {
                let peer = PeerKey::new(peer.0);
                self.outgoing.push_back(NetCommand::Dial { peer, addresses });
            }
            Effect::Renewed { node, writer } => {
                let renewed = Renewed { node, writer };
                self.present.send_modify(|presence| presence.renewed = Some(renewed.into()));
            }
            Effect::Disconnect(peer) => {
                let peer = PeerKey::new(peer.0);
                self.outgoing.push_back(NetCommand::Disconnect { peer });
            }
        }
        Ok(())
    }

    async fn persist(&mut self, ticket: Ticket, rows: Vec<Row>) -> Result<(), RunError> {
        let mut batch = Batch::new();
        for (key, value) in rows {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            };
        }
        let committing = self.store.commit(ticket.0, batch).await?;
        self.pending.push(Box::pin(async move {
            committing.done().await.result?;
            Ok(Input::Persisted(ticket))
        }));
        Ok(())
    }

    /// Metrics are the core's counts and the network's.
    fn complete(&self, answer: Answer) -> Answer {
        let Answer::Metrics(mut counters) = answer else { return answer };
        for (name, label, count) in self.counters.iter() {
            counters.add(name, label, count);
        }
        Answer::Metrics(counters)
    }
}

/// Rewrites the store's files, again and again while it fails before anything was replaced: the disk may be
/// full.
async fn rewrite(store: &StoreHandle) -> Result<(), StoreError> {
    loop {
        match store.rewrite().await {
            Ok(()) => {
                tracing::info!(
                    "the store's files are rewritten: what was removed is gone from them"
                );
                return Ok(());
            }
            Err(error @ (StoreError::Halted | StoreError::Closed | StoreError::Stalled { .. })) => {
                return Err(error);
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    "the store's files still hold what was removed: rewriting them is tried again"
                );
            }
        }
        tokio::time::sleep(REWRITE_AGAIN).await;
    }
}

fn read(store: &crate::store::Store, what: Load) -> Result<Loaded, crate::store::StoreError> {
    match what {
        Load::Get(keys) => {
            let values = keys.iter().map(|key| store.get(key)).collect::<Result<_, _>>()?;
            Ok(Loaded::Values(values))
        }
        Load::Scan { prefix, after, limit } => {
            // The core takes a short page for the last one, so bytes must not cut it short.
            let limit = ScanLimit { rows: limit, bytes: usize::MAX };
            Ok(Loaded::Rows(store.scan(&prefix, after.as_deref(), limit)?.rows))
        }
    }
}
