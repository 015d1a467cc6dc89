//! `reeve authority rekey`, `certify` and `take`: another key for a unit's authority.

use std::path::PathBuf;

use reeve_statement::cert::{Loss, Reason, Serial};
use reeve_statement::key::file::Cost;
use serde_json::json;

use super::authority::{read_text, write_new};
use super::identity::{PassphraseArguments, failed, now};
use super::running::{RunningNode, taken};
use super::{CommandError, Output, plain};
use crate::house::{Clerk, Entropy, House, KeyApplication, PassphraseSource, new_passphrase};

/// Digits of a key that are compared at least: 64 bits.
const KEY_DIGITS: usize = 16;

/// What to apply for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Draws another key, keeps it in keys/authority.next.key, and writes the application for its certificate. The
present key signs the new one; --lost applies without it. Carry FILE to the superior (at the first unit, to
whoever has the root key), who certifies it with `reeve authority certify`; then `reeve authority take` here.

Examples:
  reeve authority rekey /media/stick/016.rekey
  reeve authority rekey /media/stick/016.rekey --lost")]
pub struct Rekey {
    /// The file to write, which must not be there
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The present key is lost, or was seen by others: it signs nothing
    #[arg(long)]
    lost: bool,
    /// Read the new key's passphrase from the first line of a file; else it is asked for
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// Whom to certify.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The certificate says how the new key followed, so that every node that knew the old one believes it, and it
is entered into the ledger. A key that the old one signed needs nothing else. One that replaces a lost or
compromised key is an act of this unit, which the subordinate and its peers are shown: compare the key over
another channel first. A compromised key is revoked at once.

Examples:
  reeve authority certify 016.rekey 016.answer
  reeve authority certify 016.rekey 016.answer --replace lost --key 5f0c9a1277ab3d10
  reeve authority certify it.rekey it.answer --root-key /media/safe/root.key")]
pub struct Certify {
    /// The application, as `reeve authority rekey` wrote it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file to write, which must not be there
    #[arg(value_name = "ANSWER")]
    answer: PathBuf,
    /// Replace the key without a signature of the old one
    #[arg(long, value_enum, value_name = "WHY", requires = "key")]
    replace: Option<Why>,
    /// The new key as it was told over another channel, or how it begins, 16 digits at least
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Certify the first unit's authority with the federation's root key from this file
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// Why a key is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Why {
    /// The key, or its passphrase, is lost
    Lost,
    /// The key was, or may have been, seen by others
    Compromised,
}

/// What to take.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The new key takes the place of the old one, and everything is certified again that the old one had
certified and that still counts: this node, its writer, the others of this home, subordinates. The running
node passes it on. The passphrase is the new key's.

Example:
  reeve authority take 016.answer")]
pub struct Take {
    /// The answer, as `reeve authority certify` wrote it
    #[arg(value_name = "ANSWER")]
    answer: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

pub(super) fn rekey(arguments: &Rekey, house: &House, output: &Output) -> Result<(), CommandError> {
    let old = if arguments.lost {
        None
    } else {
        Some(house.authority_key(&arguments.passphrase.read()?).map_err(failed)?)
    };
    let source = PassphraseSource::choose(arguments.new_passphrase_file.as_deref());
    let passphrase = new_passphrase(&source).map_err(failed)?;
    if arguments.file.exists() {
        let file = arguments.file.display();
        return Err(CommandError::Failed(format!("{file} is there already; name another file")));
    }
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    let applied = house.apply_for_key(old.as_ref(), &passphrase, Cost::STANDARD, &mut clerk);
    let (application, text) = applied.map_err(failed)?;
    write_new(&arguments.file, text.as_bytes())?;
    let (unit, key) = (application.unit.to_string(), application.key().to_string());
    let document = json!({ "unit": unit, "key": key, "signed": application.is_handed_on() });
    output.show(&document, || {
        let how = if application.is_handed_on() {
            "The present key signed it."
        } else {
            "No key signed it: tell the superior's people the key over another channel."
        };
        format!(
            "{unit} applies for the key {key} in {}.\n{how}\nThen: reeve authority take ANSWER",
            plain(&arguments.file.display().to_string())
        )
    })
}

pub(super) fn certify(
    arguments: &Certify,
    house: &House,
    output: &Output,
    node: &dyn RunningNode,
) -> Result<(), CommandError> {
    let text = read_text(&arguments.file)?;
    let application = KeyApplication::read(&text).map_err(failed)?;
    let key = application.key().to_string();
    if let Some(told) = &arguments.key {
        let told = told.trim().to_ascii_lowercase();
        if told.len() < KEY_DIGITS || !key.starts_with(&told) {
            return Err(CommandError::Failed(format!(
                "the application is of the key {key}, and {told:?} was told (expected {KEY_DIGITS} digits or \
                 more): nothing was issued"
            )));
        }
    }
    let loss = arguments.replace.map(|why| match why {
        Why::Lost => Loss::Lost,
        Why::Compromised => Loss::Compromised,
    });
    let passphrase = arguments.passphrase.read()?;
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    let compromised = arguments.replace == Some(Why::Compromised);
    let old: Vec<Serial> = house
        .issued()
        .map_err(failed)?
        .iter()
        .filter(|it| *it.key() == application.previous)
        .map(|it| it.serial().clone())
        .collect();
    let reason = Reason::AuthorityCompromise;
    let (chain, list) = if let Some(path) = &arguments.root_key {
        let root = house.root(path, &passphrase).map_err(failed)?;
        let chain = house.certify_first_key(&root, &application, loss, &mut clerk);
        let chain = chain.map_err(failed)?;
        let list = compromised.then(|| house.revoke_by_root(&root, &old, reason, &clerk));
        (chain, list)
    } else {
        let authority = house.authority(&passphrase).map_err(failed)?;
        let chain =
            house.certify_key(&authority, &application, loss, &mut clerk).map_err(failed)?;
        let list = compromised.then(|| house.revoke(&authority, &old, reason, &clerk));
        (chain, list)
    };
    let mut told = true;
    if arguments.root_key.is_none() {
        told = taken(node.renew(&chain.to_cbor()))?;
        if told {
            house.forget_renewal(&chain).map_err(failed)?;
        }
    }
    if let Some(list) = list.transpose().map_err(failed)? {
        let signed = list.signed();
        told &= taken(node.take_list(&signed.chain, &signed.list))?;
    }
    write_new(&arguments.answer, chain.to_pem().as_bytes())?;
    let unit = application.unit.to_string();
    let way = match arguments.replace {
        None => "signed by the key before it",
        Some(Why::Lost) => "in place of a lost one",
        Some(Why::Compromised) => "in place of a compromised one, which is revoked",
    };
    let document = json!({
        "unit": unit,
        "key": key,
        "replaced": arguments.replace.is_some(),
        "revoked": compromised,
        "node_told": told,
    });
    output.show(&document, || {
        let entered = if told {
            "It is in the ledger."
        } else {
            "The node is not running; it enters it into the ledger when it starts."
        };
        format!(
            "The authority of {unit} has the key {key} now, {way}. {entered}\nAt {unit}: reeve authority \
             take {}",
            plain(&arguments.answer.display().to_string())
        )
    })
}

pub(super) fn take(
    arguments: &Take,
    mut house: House,
    output: &Output,
    node: &dyn RunningNode,
) -> Result<(), CommandError> {
    let text = read_text(&arguments.answer)?;
    let passphrase = arguments.passphrase.read()?;
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    let rekeyed = house.take_key(&text, &passphrase, &mut clerk).map_err(failed)?;
    let mut told = true;
    for chain in &rekeyed.chains {
        if taken(node.renew(&chain.to_cbor()))? {
            house.forget_renewal(chain).map_err(failed)?;
        } else {
            told = false;
        }
    }
    let subjects: Vec<_> =
        rekeyed.chains.iter().map(|chain| chain.leaf().subject().to_owned()).collect();
    let document = json!({
        "key": rekeyed.key.to_string(),
        "certified_again": subjects,
        "node_told": told,
    });
    output.show(&document, || {
        let passed = if told {
            "The running node has them and passes them on."
        } else {
            "The node is not running; it passes them on when it starts."
        };
        format!(
            "The authority's key is {} now. Certified again: {}.\n{passed}\nOnce every node shows its new \
             certificate, the superior should revoke the old key's: reeve certificate revoke SERIAL --reason \
             superseded",
            rekeyed.key,
            plain(&subjects.join("; ")),
        )
    })
}
