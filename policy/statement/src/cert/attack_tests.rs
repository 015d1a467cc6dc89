//! Attack 21: chains that reach for another area, made in every way that we know of.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures by the machine's clock"
)]

use std::time::{Duration, Instant};

use der::oid::AssociatedOid as _;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName};

use super::testing::{
    DAY_MILLIS, Line, NOW, forge, key, line, line_in, replace, with_authority_key,
};
use super::{Certificate, Chain, CrlSet, MAX_CHAIN, VerifiedChain, build, verify_chain};

#[path = "../../../../testnet/tests/counts/mod.rs"]
mod counts;

/// Longest that the verdict about one chain may take on average.
const EACH: Duration = Duration::from_millis(10);

/// Units whose names look alike.
const ALIKE: [(&str, &str); 6] = [
    ("440300", "4403001"),
    ("4403001", "440300"),
    ("3001", "44-3001"),
    ("03", "3"),
    ("o1", "01"),
    ("rn", "m"),
];

/// Names that are not one plain DNS name, or not the one of the claims.
const NAMES: [&str; 12] = [
    "*.it.reeve.example",
    "*",
    "03.IT.reeve.example",
    "03..it.reeve.example",
    ".03.it.reeve.example",
    "03.it.reeve.example.",
    "03.it.reeve.example\0.evil.test",
    "03.it.reeve.examp1e",
    "04.03.it.reeve.example",
    "it.reeve.example",
    "xn--03-7ed.it.reeve.example",
    "",
];

/// What an attacker presents: a chain, or bytes that are not even one.
type Attempt = Option<Chain>;

fn chance(seed: usize) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(u64::try_from(seed).unwrap())
}

fn reissue(own: &Line, template: &Certificate) -> Attempt {
    let (signer, issuer) = own.authorities.last().unwrap();
    let forged = forge(issuer, signer, template, |leaf| with_authority_key(leaf, issuer));
    Chain::new(Certificate::from_der(&forged).ok()?, own.above()).ok()
}

/// A unit certifies a node or an authority of a unit that only looks like its own.
fn look_alike(n: usize) -> Attempt {
    let (own, other) = ALIKE[n % ALIKE.len()];
    let (own, other) = (line(&format!("cn/{own}")), line(&format!("cn/{other}")));
    match n / ALIKE.len() % 2 {
        0 => reissue(&own, other.node("1").1.leaf()),
        _ => reissue(&own, &other.subordinate("1", |_| {}).1),
    }
}

/// A superior certifies a node of its subordinate, or skips a level; or a subordinate one of its
/// superior.
fn other_level(n: usize) -> Attempt {
    let [top, middle, low] = ["it", "it/03", "it/03/016"].map(line);
    match n % 4 {
        0 => reissue(&middle, low.node("1").1.leaf()),
        1 => reissue(&top, low.node("1").1.leaf()),
        2 => reissue(&top, &low.authorities.last().unwrap().1),
        _ => reissue(&low, middle.node("1").1.leaf()),
    }
}

/// A node issues as if it were an authority, its certificate with or without the bit for it.
fn leaf_as_issuer(n: usize) -> Attempt {
    let own = line("it/03");
    let (secret, chain) = own.node("1");
    let mut issuer = chain.leaf().clone();
    if n.is_multiple_of(2) {
        let (signer, above) = own.authorities.last().unwrap();
        let constraints = BasicConstraints { ca: true, path_len_constraint: None };
        let with_bit = forge(above, signer, chain.leaf(), |leaf| {
            replace(leaf, build::extension(BasicConstraints::OID, true, &constraints).unwrap());
        });
        issuer = Certificate::from_der(&with_bit).ok()?;
    }
    let template = own.node(&format!("{n}")).1;
    let forged = forge(&issuer, &secret, template.leaf(), |it| with_authority_key(it, &issuer));
    let mut above = vec![issuer];
    above.extend(own.above());
    Chain::new(Certificate::from_der(&forged).ok()?, above).ok()
}

/// Another name than that of the claims, or one that is no name.
fn other_name(n: usize) -> Attempt {
    let own = line("it/03");
    let (signer, issuer) = own.authorities.last().unwrap();
    let (_, chain) = own.node("1");
    let name = build::alternative_name(NAMES[n % NAMES.len()]).ok()?;
    let forged = forge(issuer, signer, chain.leaf(), |leaf| {
        let extension = build::extension(SubjectAltName::OID, n % 24 >= 12, &name).unwrap();
        replace(leaf, extension);
    });
    Chain::new(Certificate::from_der(&forged).ok()?, own.above()).ok()
}

/// Genuine certificates in another order, repeated, or with one missing.
fn shuffled(n: usize) -> Attempt {
    let mut random = chance(n);
    let (own, beside) = (line("it/03/016/a/b"), line("it/04/016/a/b"));
    let (_, chain) = own.node("1");
    let genuine = own.above();
    let mut above = genuine.clone();
    while above == genuine {
        match n % 4 {
            0 => above.shuffle(&mut random),
            1 => drop(above.remove(random.random_range(0..above.len()))),
            2 => {
                let twice = above[random.random_range(0..above.len())].clone();
                above.insert(random.random_range(0..=above.len()), twice);
            }
            _ => {
                let at = random.random_range(0..above.len() - 1);
                above[at] = beside.above()[at].clone();
            }
        }
    }
    Chain::new(chain.leaf().clone(), above).ok()
}

/// Two authorities that certify each other, round and round, up to a hundred deep.
fn loop_of_two(n: usize) -> Attempt {
    let own = line("it/03");
    let depth = 3 + n % 98;
    let (_, chain) = own.node("1");
    let pair = own.above();
    let above: Vec<Certificate> = pair.iter().cycle().take(depth).cloned().collect();
    if above == pair {
        return None;
    }
    let ders: Vec<Vec<u8>> =
        core::iter::once(chain.leaf()).chain(&above).map(|it| it.der().to_vec()).collect();
    let read = Chain::from_ders(&ders);
    assert!(depth < MAX_CHAIN || read.is_err(), "{depth} certificates are too many to look at");
    read.ok()
}

/// Signed by somebody else, in the right names; or the issuer's key under another name.
fn other_key(n: usize) -> Attempt {
    let own = line("it/03");
    let (signer, issuer) = own.authorities.last().unwrap();
    let (_, chain) = own.node("1");
    let thief = key(&format!("thief {n}"));
    let forged = match n % 2 {
        0 => forge(issuer, &thief, chain.leaf(), |_| {}),
        _ => forge(issuer, signer, chain.leaf(), |leaf| {
            leaf.issuer = line("it/04").issuer().certificate().parsed().subject.clone();
        }),
    };
    Chain::new(Certificate::from_der(&forged).ok()?, own.above()).ok()
}

/// The same units in another federation.
fn other_federation(n: usize) -> Attempt {
    Some(line_in(&format!("f{n}.example"), "it/03").node("1").1)
}

/// Genuine certificates after their time, or before it.
fn other_time(n: usize) -> (Attempt, i64) {
    let days = 181 + i64::try_from(n % 3_000).unwrap();
    let days = if n.is_multiple_of(2) { days } else { -days };
    (Some(line("it/03").node("1").1), days * DAY_MILLIS)
}

fn judge(own: &Line, chain: &Chain, after: i64) -> Option<VerifiedChain> {
    verify_chain(chain, &own.roots, &CrlSet::default(), NOW.plus_millis(after)).ok()
}

#[test]
fn attack_21_no_chain_reaches_beyond_its_area() {
    let ways: [fn(usize) -> (Attempt, i64); 9] = [
        |n| (look_alike(n), 0),
        |n| (other_level(n), 0),
        |n| (leaf_as_issuer(n), 0),
        |n| (other_name(n), 0),
        |n| (shuffled(n), 0),
        |n| (loop_of_two(n), 0),
        |n| (other_key(n), 0),
        |n| (other_federation(n), 0),
        other_time,
    ];
    let own = line("it");
    // All of these hang from one root: what is refused is not refused for that.
    for path in ["it/03", "it/03/016", "cn/440300", "cn/4403001", "it/03/016/a/b"] {
        assert!(judge(&own, &line(path).node("1").1, 0).is_some(), "{path} is genuine");
    }
    let tries = counts::count(270, 5_000);
    let (mut judged, mut took) = (0, Duration::ZERO);
    for n in 0..tries {
        let (chain, after) = ways[n % ways.len()](n / ways.len());
        let Some(chain) = chain else { continue };
        let began = Instant::now();
        let verdict = judge(&own, &chain, after);
        took += began.elapsed();
        judged += 1;
        assert!(verdict.is_none(), "try {n} is accepted as {verdict:?}");
    }
    assert!(judged > tries / 2, "only {judged} of {tries} were chains at all");
    let each = took / u32::try_from(judged).unwrap();
    assert!(each < EACH, "a verdict takes {each:?} on average");
}
