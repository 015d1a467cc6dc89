//! Attacks by altered bytes: a few by default, all of them with `REEVE_FULL=1`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use minicbor::{Decode, Encode};
use reeve_fuzz::mutate::Mutator;
use reeve_fuzz::{TARGETS, Target};
use reeve_protocol::wire::{
    Downward, Hello, HelloAnswer, HomeAnswer, HomeMessage, LedgerAnswer, LedgerMessage,
    ReportAnswer, Upward, decode,
};
use reeve_statement::cbor::{from_slice, to_vec};
use reeve_statement::completeness::Manifest;
use reeve_statement::limits::STATEMENT_BYTES;
use reeve_statement::statement::Statement;
use reeve_statement::table::Table;

fn is_full() -> bool {
    std::env::var_os("REEVE_FULL").is_some_and(|it| it == "1")
}

/// Feeds a target with so many mutated inputs; it panics if one is accepted that nobody signed, or has a
/// second encoding.
fn feed(name: &str, count: usize) {
    let target = Target::named(name).unwrap();
    let corpus = (target.seeds)();
    let mut mutator = Mutator::new(u64::try_from(count).unwrap(), target.words);
    for _ in 0..count {
        (target.run)(&mutator.next(&corpus));
    }
}

/// A million in full: statements, chains, lists, changes, and the messages that carry them, fewer of those
/// that take a node or a desk each to be read.
#[test]
fn attack_01_no_mutated_statement_message_or_chain_is_accepted() {
    let full = [
        ("statement", 250_000),
        ("chain", 300_000),
        ("lists", 300_000),
        ("change", 50_000),
        ("hello", 80_000),
        ("report", 9_000),
        ("home", 9_000),
        ("enrolment", 2_000),
    ];
    assert_eq!(full.iter().map(|(_, count)| count).sum::<usize>(), 1_000_000);
    for (name, count) in full {
        feed(name, if is_full() { count } else { 250 });
    }
}

/// Neither a cut, altered nor made-up backup does anything outside of the folder that it is restored into.
#[test]
fn no_mutated_backup_writes_elsewhere_or_is_restored_by_half() {
    feed("backup", if is_full() { 20_000 } else { 60 });
}

/// Ten million in full, over everything that has one encoding.
#[test]
fn attack_33_what_decodes_encodes_to_the_same_bytes() {
    let names = ["payload", "chunks", "record", "hello", "report", "questions", "statement"];
    for name in names {
        feed(name, if is_full() { 1_430_000 } else { 250 });
    }
}

/// One item of CBOR: where it stands, its major type, its argument, and the bytes of its head.
#[derive(Debug, Clone, Copy)]
struct Item {
    at: usize,
    major: u8,
    argument: u64,
    head: usize,
    end: usize,
}

/// The item at a place, and all that are in it, outermost first.
fn items(bytes: &[u8], at: usize, found: &mut Vec<Item>) -> usize {
    let initial = bytes[at];
    let (head, argument) = match initial & 0x1f {
        small @ 0..=23 => (1, u64::from(small)),
        width => {
            let width = 1_usize << (width - 24);
            let argument = bytes[at + 1..=at + width].iter();
            (1 + width, argument.fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
        }
    };
    let place = found.len();
    let major = initial >> 5;
    found.push(Item { at, major, argument, head, end: 0 });
    let count = usize::try_from(argument).unwrap_or_default();
    let end = match major {
        2 | 3 => at + head + count,
        4 => (0..count).fold(at + head, |at, _| items(bytes, at, found)),
        5 => (0..2 * count).fold(at + head, |at, _| items(bytes, at, found)),
        6 => items(bytes, at + head, found),
        _ => at + head,
    };
    found[place].end = end;
    end
}

/// A head with a number in so many bytes.
fn head(major: u8, argument: u64, width: usize) -> Vec<u8> {
    let code = match width {
        1 => 24,
        2 => 25,
        4 => 26,
        _ => 27,
    };
    [&[major << 5 | code], &argument.to_be_bytes()[8 - width..]].concat()
}

fn replaced(bytes: &[u8], from: usize, to: usize, by: &[u8]) -> Vec<u8> {
    [&bytes[..from], by, &bytes[to..]].concat()
}

/// The same content written otherwise, or with something added, as RFC 8949 allows and section 4.2.1 does
/// not.
fn second_spellings(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut found = Vec::new();
    items(bytes, 0, &mut found);
    let mut spellings = Vec::new();
    for item in &found {
        let Item { at, major, argument, head: length, end } = *item;
        if major != 7 {
            for width in [1, 2, 4, 8].into_iter().filter(|width| width + 1 > length) {
                let longer = head(major, argument, width);
                spellings.push(("a longer head", replaced(bytes, at, at + length, &longer)));
            }
        }
        if major == 0 {
            spellings.push(("a float", replaced(bytes, at, end, &[0xf9, 0x3c, 0x00])));
            let big = [&[0xc2, 0x48], argument.to_be_bytes().as_slice()].concat();
            spellings.push(("a big number", replaced(bytes, at, end, &big)));
        }
        if matches!(major, 2..=5) {
            // An indefinite length; of strings, one chunk.
            let inside = match major {
                2 | 3 => [&head(major, argument, 8), &bytes[at + length..end]].concat(),
                _ => bytes[at + length..end].to_vec(),
            };
            let open = [&[major << 5 | 31], inside.as_slice(), &[0xff]].concat();
            spellings.push(("an indefinite length", replaced(bytes, at, end, &open)));
        }
        if major == 5 && argument > 0 {
            spellings.extend(altered_maps(bytes, item, &found));
        }
    }
    spellings.retain(|(_, spelling)| spelling != bytes);
    spellings
}

/// A map with its first entry twice, with an unknown key, and with its entries in another order.
fn altered_maps(bytes: &[u8], map: &Item, found: &[Item]) -> Vec<(&'static str, Vec<u8>)> {
    let begin = map.at + map.head;
    let key = found.iter().find(|item| item.at == begin).unwrap();
    let value = found.iter().find(|item| item.at == key.end).unwrap();
    let first = &bytes[begin..value.end];
    let rest = &bytes[value.end..map.end];
    let more = minimal(5, map.argument + 1);
    let twice = [more.as_slice(), first, first, rest].concat();
    let unknown = [more.as_slice(), first, rest, &[0x19, 0x03, 0xe7, 0xf6]].concat();
    let turned = [&bytes[map.at..begin], rest, first].concat();
    [("a key twice", twice), ("an unknown key", unknown), ("another order", turned)]
        .map(|(what, map_bytes)| (what, replaced(bytes, map.at, map.end, &map_bytes)))
        .into()
}

fn minimal(major: u8, argument: u64) -> Vec<u8> {
    match u8::try_from(argument) {
        Ok(small @ 0..=23) => vec![major << 5 | small],
        Ok(_) => head(major, argument, 1),
        Err(_) => head(major, argument, 2),
    }
}

/// Whether any of these reads the bytes.
fn is_read<T: for<'b> Decode<'b, ()> + Encode<()>>(bytes: &[u8]) -> bool {
    decode::<T>(bytes).is_ok()
}

#[test]
fn attack_33_no_second_spelling_is_read() {
    let statement = |bytes: &[u8]| {
        from_slice::<Statement>("statement", bytes, STATEMENT_BYTES)
            .is_ok_and(|read| to_vec(&read) == bytes)
    };
    let tables = |bytes: &[u8]| {
        from_slice::<Table>("table", bytes, STATEMENT_BYTES).is_ok()
            || from_slice::<Manifest>("manifest", bytes, STATEMENT_BYTES).is_ok()
    };
    let hellos = |bytes: &[u8]| is_read::<Hello>(bytes) || is_read::<HelloAnswer>(bytes);
    let reports = |bytes: &[u8]| {
        is_read::<Upward>(bytes) || is_read::<Downward>(bytes) || is_read::<ReportAnswer>(bytes)
    };
    let homes = |bytes: &[u8]| is_read::<HomeMessage>(bytes) || is_read::<HomeAnswer>(bytes);
    let ledgers = |bytes: &[u8]| is_read::<LedgerMessage>(bytes) || is_read::<LedgerAnswer>(bytes);
    type Reads<'a> = &'a dyn Fn(&[u8]) -> bool;
    let readers: [(&str, Reads<'_>); 6] = [
        ("payload", &statement),
        ("chunks", &tables),
        ("hello", &hellos),
        ("report", &reports),
        ("home", &homes),
        ("questions", &ledgers),
    ];
    let mut tried = 0;
    for (name, reads) in readers {
        let seeds = (TARGETS.iter().find(|target| target.name == name).unwrap().seeds)();
        for seed in seeds.iter().filter(|seed| reads(seed)) {
            for (what, spelling) in second_spellings(seed) {
                tried += 1;
                // A float or a big number may happen to be another right message; nothing else may.
                assert!(!reads(&spelling), "{name}: {what} is read: {spelling:02x?}");
            }
        }
    }
    assert!(tried > 1_000, "only {tried} spellings tried");
}
