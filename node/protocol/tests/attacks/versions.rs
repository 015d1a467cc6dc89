//! Attack 53: other versions than those that this node knows.

use reeve_protocol::effect::Channel;
use reeve_protocol::refusal::Refusal;
use reeve_protocol::wire::{Hello, HelloAnswer, ReportAnswer, WIRE_VERSION, decode};
use reeve_statement::cbor::to_vec;
use reeve_statement::statement::VERSION;

use crate::world::hostile::Hostile;
use crate::world::{CATALOGUE, World};
use crate::{day, greet, held};

#[test]
fn attack_53_another_version_of_the_wire_or_of_statements_is_refused_by_name() {
    let mut world = World::new();
    let nation = world.add("it");
    world.publish_catalogue(nation, "it", CATALOGUE);
    let mut peer = Hostile::admit(&mut world, nation, "it/05", 1);
    for version in [0, WIRE_VERSION - 1, WIRE_VERSION + 1, u16::MAX] {
        peer.connect(&mut world, nation);
        let hello = Hello {
            version,
            federation: world.registry.roots.federation(),
            chain: peer.chain.to_cbor(),
            clock: world.time().wall,
            term: 1,
            catalogue_version: 0,
            writers: Vec::new(),
            nodes: Vec::new(),
        };
        let bytes = peer.frame(&mut world, nation, Channel::Hello, to_vec(&hello));
        let answer: HelloAnswer = decode(&bytes).unwrap();
        assert!(matches!(answer, HelloAnswer::Refused(Refusal::OtherVersion)), "{answer:?}");
    }
    greet(&mut world, &peer, nation);
    for version in [0, VERSION + 1, u16::MAX] {
        let other = peer.signed(&world, &day(0), 1, |statement| statement.version = version);
        let answer = peer.deliver(&mut world, nation, &other);
        assert_eq!(answer, ReportAnswer::Refused(Refusal::Malformed), "version {version}");
    }
    assert!(held(&world, nation).is_empty());
    let right = peer.notice(&world, &day(0), 1);
    assert_eq!(peer.deliver(&mut world, nation, &right), ReportAnswer::Accepted);
}
