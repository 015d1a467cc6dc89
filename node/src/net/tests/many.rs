//! Many nodes in one process, as the test network runs them.

use std::collections::BTreeSet;

use super::{TCP, TestNode, key};
use crate::net::{NetEvent, PeerKey, Protocol, Refusal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_nodes_live_in_one_process() {
    const SUBORDINATES: u8 = 29;
    let (mut superior, address) = TestNode::listening(200, TCP, |_| {}).await;
    let names: Vec<_> = (1..=SUBORDINATES).map(key).collect();
    superior.allow(&names).await;
    let mut echoes = Vec::new();
    for number in 1..=SUBORDINATES {
        let subordinate = TestNode::start(number, |_| {});
        subordinate.allow(&[superior.key]).await;
        subordinate.dial(superior.key, &address).await;
        echoes.push(subordinate.echo());
    }
    let mut answered = BTreeSet::new();
    while answered.len() < names.len() {
        let event = superior.until("the next event", Some).await;
        match event {
            NetEvent::Connected { peer, .. } => {
                superior.send(number_of(&names, peer), peer, Protocol::Report, b"report").await;
            }
            NetEvent::Response { peer, result, .. } => {
                assert_eq!(result.unwrap(), b"report!");
                assert!(answered.insert(peer), "one answer each");
            }
            // They all come from one address at once; those above its limit try again.
            NetEvent::Refused { what: Refusal::TooManyFromAddress, .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

fn number_of(names: &[PeerKey], peer: PeerKey) -> u64 {
    names.iter().position(|name| *name == peer).unwrap() as u64
}
