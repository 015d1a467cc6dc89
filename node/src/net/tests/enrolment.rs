//! The enrolment port and those who call it.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{QUIC, TCP, key, seed};
use crate::net::enrol::{
    EnrolCall, EnrolCommand, EnrolConfig, EnrolError, EnrolEvent, EnrolPort, enrol_call,
};
use crate::net::{DialFailure, NodeSeed, SendFailure};

fn node_seed(number: u8) -> NodeSeed {
    NodeSeed::new(seed(number).into())
}

async fn port(listen: &str) -> (EnrolPort, mpsc::Receiver<EnrolEvent>, String) {
    let config = EnrolConfig { seed: node_seed(1), listen: vec![listen.to_owned()], tap: None };
    let (port, mut events) = EnrolPort::spawn(&config).unwrap();
    match events.recv().await {
        Some(EnrolEvent::Listening { address }) => (port, events, address),
        other => panic!("{other:?}"),
    }
}

fn call(number: u8, address: &str) -> EnrolCall {
    EnrolCall {
        seed: node_seed(number),
        address: address.to_owned(),
        allow_private_addresses: true,
        timeout: Duration::from_secs(8),
    }
}

/// Answers every request with the caller's key.
fn answering(port: &EnrolPort, mut events: mpsc::Receiver<EnrolEvent>) {
    let commands = port.commands.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let EnrolEvent::Request { inbound, peer, bytes } = event {
                assert_eq!(bytes, b"invite");
                let bytes = peer.to_bytes().to_vec();
                commands.send(EnrolCommand::Respond { inbound, bytes }).await.unwrap();
            }
        }
    });
}

#[tokio::test]
async fn a_newcomer_asks_and_is_answered() {
    for listen in [TCP, QUIC] {
        let (port, events, address) = port(listen).await;
        answering(&port, events);
        let answer = enrol_call(&call(2, &address), b"invite".to_vec()).await.unwrap();
        assert_eq!(answer.server, key(1));
        assert_eq!(answer.bytes, key(2).to_bytes());
    }
}

#[tokio::test]
async fn a_newcomer_that_expects_another_node_says_nothing_to_this_one() {
    let (_port, mut events, address) = port(TCP).await;
    let other = key(3).to_peer_id().unwrap();
    let error = enrol_call(&call(2, &format!("{address}/p2p/{other}")), b"invite".to_vec())
        .await
        .unwrap_err();
    match error {
        EnrolError::Dial { reason: DialFailure::OtherPeer { found, .. }, .. } => {
            assert_eq!(found, Some(key(1)));
        }
        other => panic!("{other:?}"),
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, EnrolEvent::Request { .. }), "{event:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_not_answered_ends_at_its_timeout() {
    let (_port, _events, address) = port(TCP).await;
    let mut call = call(2, &address);
    call.timeout = Duration::from_millis(500);
    match enrol_call(&call, b"invite".to_vec()).await {
        Err(EnrolError::NoAnswer { reason: SendFailure::Deadline, .. }) => {}
        other => panic!("{other:?}"),
    }
    call.address = "/ip4/127.0.0.1/tcp/1".to_owned();
    assert!(matches!(
        enrol_call(&call, b"invite".to_vec()).await,
        Err(EnrolError::Dial { reason: DialFailure::Unreachable(_), .. })
    ));
    call.allow_private_addresses = false;
    assert!(matches!(enrol_call(&call, b"invite".to_vec()).await, Err(EnrolError::Address(_))));
}

#[tokio::test]
async fn a_crowd_of_newcomers_is_refused_beyond_four_and_told_apart() {
    let (_port, mut events, address) = port(TCP).await;
    let mut calls = Vec::new();
    for number in 2..12 {
        let call = call(number, &address);
        calls.push(tokio::spawn(async move { enrol_call(&call, b"invite".to_vec()).await }));
    }
    // Nobody is answered; four are waiting, the others are refused.
    let (mut waiting, mut refused) = (0, 0);
    while waiting + refused < 10 {
        match tokio::time::timeout(Duration::from_secs(5), events.recv()).await {
            Ok(Some(EnrolEvent::Request { .. })) => waiting += 1,
            Ok(Some(EnrolEvent::Refused { count, .. })) => refused += count,
            other => panic!("{other:?} after {waiting} and {refused}"),
        }
    }
    assert_eq!((waiting, refused), (4, 6));
    for call in calls {
        call.abort();
    }
}
