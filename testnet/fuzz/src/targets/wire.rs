//! Frames and the messages in them.

use futures::executor::block_on;
use futures::io::Cursor;
use minicbor::{Decode, Encode};
use reeve::enrol::{Admitted, Application, Invite};
use reeve::net::frame::{FrameError, read_frame};
use reeve_protocol::letter::{LETTER_BYTES, LETTER_VERSION, Letter, PARTS, Part, Unread};
use reeve_protocol::refusal::Refusal;
use reeve_protocol::wire::{
    Blob, CHANGES, DISTRIBUTED, Downward, FRAME_BYTES, HAVE_ENTRIES, Have, HavePage, Hello,
    HelloAnswer, HomeAnswer, HomeMessage, LedgerAnswer, LedgerMessage, OFFICE_ROWS, OfficeRow,
    ReportAnswer, Shown, SignedList, Upward, WIRE_VERSION, decode,
};
use reeve_statement::adoption::{Adopted, Adoption};
use reeve_statement::catalogue::RecipientClass;
use reeve_statement::cbor::to_vec;
use reeve_statement::digest::Digest;
use reeve_statement::statement::FigureId;
use reeve_statement::time::Timestamp;

use super::{certificates, statement, text, twin};
use crate::house::{NOW, house, path};

/// A frame: what is read is what was sent, and never more than was allowed.
pub fn frame(bytes: &[u8]) {
    for limit in [0, 64, FRAME_BYTES] {
        match block_on(read_frame(&mut Cursor::new(bytes), limit)) {
            Ok(read) => {
                assert!(read.len() <= limit, "more than was allowed");
                let (length, rest) = bytes.split_at(4);
                let announced = u32::from_be_bytes(length.try_into().unwrap());
                assert_eq!(usize::try_from(announced).unwrap(), read.len());
                assert_eq!(rest.get(..read.len()), Some(read.as_slice()));
            }
            Err(FrameError::TooLong { announced, limit: was }) => {
                assert!(announced > limit && was == limit);
            }
            Err(_) => {}
        }
    }
}

/// Seeds of [`frame`].
pub fn frame_seeds() -> Vec<Vec<u8>> {
    let framed = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length, bytes].concat()
    };
    let hello = framed(&to_vec(&our_hello()));
    vec![framed(b""), framed(b"payload"), vec![0xff; 8], hello]
}

/// Reads a message and holds it against its one encoding.
fn canonical<T>(bytes: &[u8]) -> Option<T>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    let message: T = decode(bytes).ok()?;
    assert_eq!(to_vec(&message), bytes, "a second encoding of a message");
    Some(message)
}

/// A list with its chain: both as whoever gets them reads them.
fn list(list: &SignedList) {
    let _ = list.issuer_chain();
    certificates::chain(&list.chain);
    certificates::lists(&list.list);
}

/// A hello or its answer.
pub fn hello(bytes: &[u8]) {
    let answered = match canonical::<HelloAnswer>(bytes) {
        Some(HelloAnswer::Welcome(hello)) => Some(hello),
        _ => None,
    };
    for hello in canonical::<Hello>(bytes).into_iter().chain(answered) {
        assert!(hello.writers.len() <= DISTRIBUTED);
        for chain in std::iter::once(&hello.chain).chain(hello.writers.iter().map(|it| &it.0)) {
            certificates::chain(chain);
        }
    }
}

fn our_hello() -> Hello {
    let unit = path("it/03/016");
    Hello {
        version: WIRE_VERSION,
        federation: house().roots.federation(),
        chain: house().node(&unit, "1", Some(1)).1.to_cbor(),
        clock: NOW,
        term: 1,
        catalogue_version: 1,
        writers: vec![Blob(house().writer(&unit, "health", &["case"]).1.to_cbor())],
        nodes: Vec::new(),
    }
}

/// Seeds of [`hello`].
pub fn hello_seeds() -> Vec<Vec<u8>> {
    vec![
        to_vec(&our_hello()),
        to_vec(&HelloAnswer::Welcome(our_hello())),
        to_vec(&HelloAnswer::Refused(Refusal::Malformed)),
    ]
}

/// Reports, what flows down, and the answers.
pub fn report(bytes: &[u8]) {
    if let Some(Upward::Deliver { statement, .. }) = canonical(bytes) {
        statement::statement(&statement.0);
    }
    match canonical(bytes) {
        Some(Downward::Have(page)) => assert!(page.figures.len() <= HAVE_ENTRIES),
        Some(Downward::Distribute { statements, lists }) => {
            assert!(statements.len() <= DISTRIBUTED && lists.len() <= DISTRIBUTED);
            statements.iter().for_each(|it| statement::statement(&it.0));
            lists.iter().for_each(list);
        }
        Some(Downward::Ask(signed)) => statement::statement(&signed.0),
        Some(Downward::Certificate(chain)) => certificates::chain(&chain.0),
        _ => {}
    }
    let _ = canonical::<ReportAnswer>(bytes);
    if let Ok(unread) = Unread::decode(bytes) {
        let letter = unread.unverified();
        assert!(letter.parts.len() <= PARTS);
        certificates::chain(&letter.chain);
        assert!(bytes.len() <= LETTER_BYTES);
    }
}

fn letter() -> Vec<u8> {
    let (key, chain) = house().node(&path("it/03/016"), "1", Some(1));
    let letter = Letter {
        version: LETTER_VERSION,
        federation: house().roots.federation(),
        chain: chain.to_cbor(),
        to: path("it/03"),
        written_at: NOW,
        mark: 1,
        answers: 0,
        parts: vec![Part::Up(Blob(vec![0])), Part::Chunk(Blob(vec![1])), Part::Down(Blob(vec![2]))],
    };
    letter.seal(&key)
}

/// Seeds of [`report`].
pub fn report_seeds() -> Vec<Vec<u8>> {
    let unit = path("it/03");
    let signed = statement::statement_seeds().swap_remove(1);
    let figure = FigureId {
        indicator: "cases".parse().unwrap(),
        period: Some("2026-02-28".parse().unwrap()),
        class: RecipientClass::Superior,
    };
    let have = Have { id: figure, term: 1, edition: 2, statement: Digest::of(b"statement") };
    let lists = vec![SignedList {
        chain: house().authority_chain(&unit).to_cbor(),
        list: house().list(&unit, "node it/03 1", 1),
    }];
    let statements = vec![Blob(signed.clone())];
    let checkpoint = String::from_utf8(statement::ledger_seeds().swap_remove(0)).unwrap();
    vec![
        letter(),
        to_vec(&Upward::Deliver {
            statement: Blob(signed.clone()),
            checkpoint: checkpoint.clone(),
        }),
        to_vec(&Upward::Ask { statement: Blob(signed), checkpoint: checkpoint.clone() }),
        to_vec(&Upward::Head(checkpoint)),
        to_vec(&Downward::Have(HavePage {
            figures: vec![have],
            page: 0,
            pages: 1,
            ledger_size: 3,
            term: 1,
            catalogue: 2,
        })),
        to_vec(&Downward::Distribute { statements, lists }),
        to_vec(&Downward::Fetch(Digest::of(b"chunk"))),
        to_vec(&Downward::Certificate(Blob(house().authority_chain(&unit).to_cbor()))),
        to_vec(&ReportAnswer::Accepted),
        to_vec(&ReportAnswer::Refused(Refusal::Malformed)),
        to_vec(&ReportAnswer::Chunk(Blob(b"chunk".to_vec()))),
        to_vec(&ReportAnswer::Statement(Blob(b"statement".to_vec()))),
    ]
}

/// An act of adoption: what it names has one encoding, and one entry.
fn act(bytes: &[u8]) {
    if let Some(act) = canonical::<Adoption>(bytes) {
        assert_ne!(act.entry(), Digest::of(bytes), "an act is no statement");
    }
}

/// Between the nodes of a home.
pub fn home(bytes: &[u8]) {
    match canonical(bytes) {
        Some(HomeMessage::List(signed)) => list(&signed),
        Some(HomeMessage::Fork(proof)) => twin::change(&proof.0),
        Some(HomeMessage::Writer(chain) | HomeMessage::Certificate(chain)) => {
            certificates::chain(&chain.0);
        }
        Some(HomeMessage::Catalogue(signed)) => statement::statement(&signed.0),
        Some(HomeMessage::Declarations(statements)) => {
            assert!(statements.len() <= DISTRIBUTED);
            statements.iter().for_each(|it| statement::statement(&it.0));
        }
        Some(HomeMessage::Adoptions(acts)) => {
            assert!(acts.len() <= DISTRIBUTED);
            acts.iter().for_each(|it| act(&it.0));
        }
        Some(HomeMessage::Seals { seals, sealers }) => {
            assert!(seals.len() <= DISTRIBUTED && sealers.len() <= DISTRIBUTED);
            seals.iter().for_each(|it| twin::seal(&it.0));
        }
        Some(HomeMessage::Office { rows, .. }) => assert!(rows.len() <= OFFICE_ROWS),
        Some(HomeMessage::Pull { .. } | HomeMessage::Nudge) | None => {}
    }
    if let Some(HomeAnswer::Changes { changes, .. }) = canonical(bytes) {
        assert!(changes.len() <= CHANGES);
        for (_, change) in changes {
            twin::change(&change.0);
        }
    }
}

/// Seeds of [`home`].
pub fn home_seeds() -> Vec<Vec<u8>> {
    let unit = path("it/03/016");
    let lists = SignedList {
        chain: house().authority_chain(&unit).to_cbor(),
        list: house().list(&unit, "node it/03/016 1", 1),
    };
    let writer = house().writer(&unit, "health", &["case"]).1.to_cbor();
    let acts = [
        Adopted::LegalBasis("Test Act, s. 1".to_owned()),
        Adopted::Definition {
            indicator: "cases".parse().unwrap(),
            definition: Digest::of(b"definition"),
        },
    ];
    let acts = acts.map(|what| {
        let (by, at) = ("operator".to_owned(), Timestamp::from_millis(1));
        Blob(to_vec(&Adoption { unit: unit.clone(), what, by, at }))
    });
    let acts = acts.to_vec();
    let changes = (1..).zip(twin::changes().into_iter().map(Blob)).collect();
    vec![
        to_vec(&HomeMessage::Pull { life: 1, after: 0, seals: None }),
        to_vec(&HomeMessage::Pull { life: 1, after: 0, seals: Some(Digest::of(b"seals")) }),
        to_vec(&HomeMessage::Seals {
            seals: vec![Blob(twin::signed_seal())],
            sealers: vec![Blob(house().node(&unit, "1", Some(1)).1.to_cbor())],
        }),
        to_vec(&HomeMessage::Nudge),
        to_vec(&HomeMessage::List(lists)),
        to_vec(&HomeMessage::Catalogue(Blob(statement::statement_seeds().swap_remove(3)))),
        to_vec(&HomeMessage::Writer(Blob(writer.clone()))),
        to_vec(&HomeMessage::Certificate(Blob(writer))),
        to_vec(&HomeMessage::Fork(Blob(twin::fork()))),
        to_vec(&HomeMessage::Adoptions(acts)),
        to_vec(&HomeMessage::Declarations(vec![Blob(statement::statement_seeds().swap_remove(3))])),
        to_vec(&HomeMessage::Office {
            rows: vec![
                OfficeRow { key: Blob(b"meta/register".to_vec()), value: Some(Blob(vec![0])) },
                OfficeRow { key: Blob(b"figure/1".to_vec()), value: None },
            ],
            ended: true,
        }),
        to_vec(&HomeAnswer::Changes { life: 1, changes, more: false }),
        to_vec(&HomeAnswer::Noted),
    ]
}

/// Questions about a ledger and their answers, and the lines that a person carries.
pub fn questions(bytes: &[u8]) {
    let _ = canonical::<LedgerMessage>(bytes);
    let _ = canonical::<LedgerAnswer>(bytes);
    if let Some(invite) = text(bytes).and_then(|line| line.parse::<Invite>().ok()) {
        let again: Invite = invite.to_string().parse().expect("what we print parses");
        assert_eq!(again, invite);
    }
    if let Some(application) = text(bytes).and_then(|line| line.parse::<Application>().ok()) {
        let again: Application = application.to_string().parse().expect("what we print parses");
        assert_eq!(again, application);
        let _ = application.key();
    }
    if let Some(admitted) = text(bytes).and_then(|line| line.parse::<Admitted>().ok()) {
        let again: Admitted = admitted.to_string().parse().expect("what we print parses");
        assert_eq!(again, admitted);
        let _ = admitted.federation();
    }
}

/// Seeds of [`questions`].
pub fn question_seeds() -> Vec<Vec<u8>> {
    vec![
        to_vec(&LedgerMessage::Head),
        to_vec(&LedgerMessage::Inclusion { index: 3, size: 7 }),
        to_vec(&LedgerAnswer::Head("note".to_owned())),
        to_vec(&LedgerAnswer::Proof(vec![Digest::of(b"a"), Digest::of(b"b")])),
        to_vec(&LedgerAnswer::Refused(Refusal::Malformed)),
        to_vec(&LedgerMessage::Witness(Shown {
            checkpoint: "note".to_owned(),
            before: Some("note".to_owned()),
            proof: vec![Digest::of(b"a")],
        })),
        to_vec(&LedgerAnswer::Cosigned("line".to_owned())),
        to_vec(&LedgerAnswer::Seen(7)),
        super::enrolment::invite_line().into_bytes(),
    ]
}
