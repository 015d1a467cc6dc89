//! Requests and responses between two nodes that mean well.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{QUIC, TCP, TestNode, key, pair};
use crate::net::{Direction, NetEvent, Protocol, RequestId, SendFailure, Tap};

/// Both directions over the one connection that the subordinate dialled, in every protocol, with
/// the longest frames.
async fn talk_both_ways(listen: &str) {
    let (mut superior, mut subordinate) = pair(listen, |_| {}).await;
    for (number, protocol) in (0_u64..).zip(Protocol::BETWEEN_NODES.iter().copied()) {
        let question = vec![7; protocol.max_request()];
        let answer = vec![9; protocol.max_response()];
        for (asks, answers) in [(&mut superior, &mut subordinate)] {
            exchange(asks, answers, number, protocol, &question, &answer).await;
            exchange(answers, asks, number, protocol, &question, &answer).await;
        }
    }
}

async fn exchange(
    asks: &mut TestNode,
    answers: &mut TestNode,
    number: u64,
    protocol: Protocol,
    question: &[u8],
    answer: &[u8],
) {
    asks.send(number, answers.key, protocol, question).await;
    let (inbound, peer, found, bytes) = answers.request().await;
    assert_eq!((peer, found), (asks.key, protocol));
    assert_eq!(bytes, question);
    answers.respond(inbound, answer.to_vec()).await;
    assert_eq!(asks.response(number).await.unwrap(), answer);
}

#[tokio::test]
async fn two_nodes_talk_both_ways_over_tcp() {
    talk_both_ways(TCP).await;
}

#[tokio::test]
async fn two_nodes_talk_both_ways_over_quic() {
    talk_both_ways(QUIC).await;
}

#[tokio::test]
async fn many_requests_at_once_are_all_answered() {
    for listen in [TCP, QUIC] {
        let (superior, mut subordinate) = pair(listen, |_| {}).await;
        let to = superior.key;
        let _echo = superior.echo();
        for number in 0..200 {
            subordinate.send(number, to, Protocol::Report, &number.to_be_bytes()).await;
        }
        let mut open: Vec<u64> = (0..200).collect();
        while !open.is_empty() {
            let (request, bytes) = subordinate
                .until("a response", |event| match event {
                    NetEvent::Response { request, result, .. } => Some((request, result.unwrap())),
                    _ => None,
                })
                .await;
            let RequestId(number) = request;
            assert_eq!(bytes[..8], number.to_be_bytes());
            open.retain(|one| *one != number);
        }
    }
}

#[tokio::test]
async fn a_request_without_an_answer_ends_at_its_deadline() {
    let limit = Duration::from_millis(600);
    let (mut superior, mut subordinate) = pair(TCP, |limits| limits.request_deadline = limit).await;
    let start = Instant::now();
    subordinate.send(1, superior.key, Protocol::Report, b"?").await;
    let (late, ..) = superior.request().await;
    assert_eq!(subordinate.response(1).await, Err(SendFailure::Deadline));
    assert!(start.elapsed() >= limit && start.elapsed() < limit * 3, "{:?}", start.elapsed());
    // An answer after that is lost, and nothing else is.
    superior.respond(late, b"late".to_vec()).await;
    subordinate.send(2, superior.key, Protocol::Report, b"?").await;
    let (inbound, ..) = superior.request().await;
    superior.respond(inbound, b"in time".to_vec()).await;
    assert_eq!(subordinate.response(2).await.unwrap(), b"in time");
}

#[tokio::test]
async fn what_cannot_be_sent_fails_at_once_and_says_why() {
    let (superior, mut subordinate) = pair(TCP, |_| {}).await;
    subordinate.send(1, key(9), Protocol::Report, b"?").await;
    assert_eq!(subordinate.response(1).await, Err(SendFailure::NotConnected));

    let long = vec![0; Protocol::Report.max_request() + 1];
    subordinate.send(2, superior.key, Protocol::Report, &long).await;
    assert!(matches!(subordinate.response(2).await, Err(SendFailure::TooLong { .. })));

    // Nodes do not speak the enrolment protocol among themselves.
    subordinate.send(3, superior.key, Protocol::Enrol, b"?").await;
    assert_eq!(subordinate.response(3).await, Err(SendFailure::Unsupported));
}

#[tokio::test]
async fn an_overlong_answer_of_ours_is_not_sent() {
    let (mut superior, mut subordinate) = pair(TCP, |_| {}).await;
    subordinate.send(1, superior.key, Protocol::Hello, b"?").await;
    let (inbound, ..) = superior.request().await;
    superior.respond(inbound, vec![0; Protocol::Hello.max_response() + 1]).await;
    assert!(subordinate.response(1).await.is_err());
    superior
        .until("the mistake to be told", |event| match event {
            NetEvent::Refused { what: crate::net::Refusal::OverlongResponse, .. } => Some(()),
            _ => None,
        })
        .await;
}

type Crossing = (Direction, Vec<u8>);

#[tokio::test]
async fn a_tap_sees_every_byte_that_crosses() {
    let seen: Arc<Mutex<Vec<Crossing>>> = Arc::default();
    let looking = Arc::clone(&seen);
    let (mut superior, address) = TestNode::listening(1, TCP, |_| {}).await;
    let mut subordinate = TestNode::start(2, |config| {
        config.tap = Some(Tap::new(move |way, _, _, bytes| {
            looking.lock().unwrap().push((way, bytes.to_vec()));
        }));
    });
    superior.allow(&[subordinate.key]).await;
    subordinate.allow(&[superior.key]).await;
    subordinate.dial(superior.key, &address).await;
    subordinate.connected(superior.key).await;
    exchange(&mut subordinate, &mut superior, 1, Protocol::Report, b"out", b"back").await;
    exchange(&mut superior, &mut subordinate, 1, Protocol::Home, b"in", b"reply").await;
    let seen = seen.lock().unwrap().clone();
    let expected: [(Direction, &[u8]); 4] = [
        (Direction::Sent, b"out"),
        (Direction::Received, b"back"),
        (Direction::Received, b"in"),
        (Direction::Sent, b"reply"),
    ];
    assert_eq!(seen, expected.map(|(way, bytes)| (way, bytes.to_vec())));
}
