//! `reeve authority`: who has the unit's authority key, and in how many hands.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use reeve_statement::key::file::Cost;
use serde_json::json;

use super::identity::{PassphraseArguments, failed, now, quoted};
use super::running::RunningNode;
use super::{CommandError, Global, Output, plain, rekey};
use crate::house::{
    Clerk, Entropy, House, MAX_FILE_BYTES, OpenShare, Passphrase, PassphraseSource, Share,
    check_together, combine, new_passphrase, read_passphrase, split,
};

/// What to do with the authority key.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Draw another authority key, and apply for its certificate
    Rekey(rekey::Rekey),
    /// Certify a subordinate's authority with the key that it applies for
    Certify(rekey::Certify),
    /// Take the certificate of the new key, and certify everything again with it
    Take(rekey::Take),
    /// Split the authority key into shares, any so many of which are the key
    Split(Split),
    /// Put the authority key together from shares, into this folder
    Combine(Combine),
    /// Write the authority's papers into a file: its key, what it issued and revoked
    Export(Export),
    /// Take the authority's papers into this folder, at another node of the home
    Import(Import),
}

/// How to split.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each share is a file with a passphrase of its own, which its keeper chooses: it is asked for share by share,
or read from the files of --share-passphrase-file, one for each share, in their order. Fewer shares than
needed say nothing about the key. keys/authority.key stays unless --remove is given; then nobody can
certify or revoke anything here before the shares come together.

Examples:
  reeve authority split --shares 5 --needed 3 --into /media/safe
  reeve authority split --shares 3 --needed 2 --into shares --remove")]
struct Split {
    /// How many shares to make, 2 to 16
    #[arg(long, value_name = "N")]
    shares: u8,
    /// How many of them are the key, 2 or more
    #[arg(long, value_name = "M")]
    needed: u8,
    /// The folder to write share-1.key, share-2.key and so on into
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
    /// Remove keys/authority.key once the shares were read back and give the key
    #[arg(long)]
    remove: bool,
    /// The file with the passphrase of a share; give it once for each, in their order
    #[arg(long, value_name = "FILE")]
    share_passphrase_file: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// What to put together.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Writes keys/authority.key, which must not be there, under a new passphrase. The key must be that of this
unit's authority. `reeve authority split --remove` takes it apart again.

Example:
  reeve authority combine share-2.key share-3.key share-5.key")]
struct Combine {
    /// The shares' files
    #[arg(value_name = "SHARE", required = true)]
    shares: Vec<PathBuf>,
    /// The file with the passphrase of a share; give it once for each, in the order of the shares
    #[arg(long, value_name = "FILE")]
    share_passphrase_file: Vec<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

/// Where to write.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For another node of this home, or for the safe. The key in it is as it is in keys/: encrypted.

Example:
  reeve authority export /media/stick/authority.papers")]
struct Export {
    /// The file, which must not be there
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What to take.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The passphrase is the one of the key in the papers. Start the node again afterwards, if it is to invite.

Example:
  reeve authority import /media/stick/authority.papers")]
struct Import {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArguments,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
    node: &dyn RunningNode,
) -> Result<(), CommandError> {
    let house = House::open(&global.home).map_err(failed)?;
    match &arguments.action {
        Action::Rekey(arguments) => rekey::rekey(arguments, &house, output),
        Action::Certify(arguments) => rekey::certify(arguments, &house, output, node),
        Action::Take(arguments) => rekey::take(arguments, house, output, node),
        Action::Split(arguments) => split_key(arguments, &house, output),
        Action::Combine(arguments) => combine_key(arguments, &house, output),
        Action::Export(arguments) => export(arguments, &house, output),
        Action::Import(arguments) => import(arguments, &house, output),
    }
}

fn split_key(arguments: &Split, house: &House, output: &Output) -> Result<(), CommandError> {
    let key = house.authority_key(&arguments.passphrase.read()?).map_err(failed)?;
    let unit = house.identity().and_then(|it| it.unit().cloned()).map_err(failed)?.to_string();
    let ways = passphrase_files(&arguments.share_passphrase_file, usize::from(arguments.shares))?;
    let mut passphrases = Vec::new();
    for (number, way) in (1..=arguments.shares).zip(&ways) {
        if way.is_none() {
            output
                .note(&format!("Share {number} of {}: its keeper's passphrase", arguments.shares));
        }
        let source = way.clone().map_or(PassphraseSource::Prompt, PassphraseSource::File);
        passphrases.push(new_passphrase(&source).map_err(failed)?);
    }
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    let texts = split(&key, &unit, arguments.needed, &passphrases, Cost::STANDARD, &mut clerk);
    let texts = texts.map_err(failed)?;
    std::fs::create_dir_all(&arguments.into).map_err(|reason| CommandError::File {
        doing: "cannot make the folder",
        path: arguments.into.clone(),
        reason,
    })?;
    let mut written = Vec::new();
    for (number, text) in (1_u8..).zip(&texts) {
        let path = arguments.into.join(format!("share-{number}.key"));
        write_new(&path, text.as_bytes())?;
        written.push(path);
    }
    // What cannot be read back must not be relied on.
    let opened = open_all(&written, &passphrases)?;
    if combine(&opened).map_err(failed)?.public() != key.public() {
        return Err(CommandError::Failed(
            "the shares do not give the key; keep the key".to_owned(),
        ));
    }
    if arguments.remove {
        house.remove_authority_key().map_err(failed)?;
    }
    let files: Vec<String> = written.iter().map(|it| it.display().to_string()).collect();
    let document = json!({
        "unit": unit,
        "key": key.public().to_string(),
        "shares": files,
        "needed": arguments.needed,
        "removed": arguments.remove,
    });
    output.show(&document, || {
        let stays = if arguments.remove {
            "keys/authority.key is removed: `reeve authority combine` puts it together when it is needed."
        } else {
            "keys/authority.key stays as it was; --remove takes it away."
        };
        format!(
            "{} shares, any {} of which are the key {}:\n  {}\nGive each to its keeper, and keep no copy. {stays}",
            files.len(),
            arguments.needed,
            key.public(),
            files.join("\n  "),
        )
    })
}

/// Where each share's passphrase comes from; none: it is asked for.
fn passphrase_files(
    given: &[PathBuf],
    shares: usize,
) -> Result<Vec<Option<PathBuf>>, CommandError> {
    if given.is_empty() {
        return Ok(vec![None; shares]);
    }
    if given.len() != shares {
        return Err(CommandError::Failed(format!(
            "expected --share-passphrase-file once for each of {shares} shares, found it {} times",
            given.len()
        )));
    }
    Ok(given.iter().cloned().map(Some).collect())
}

fn combine_key(arguments: &Combine, house: &House, output: &Output) -> Result<(), CommandError> {
    let shares: Vec<Share> =
        arguments.shares.iter().map(|it| read(it)).collect::<Result<_, _>>()?;
    check_together(&shares).map_err(failed)?;
    let ways = passphrase_files(&arguments.share_passphrase_file, shares.len())?;
    let mut opened = Vec::new();
    for (share, way) in shares.into_iter().zip(ways) {
        if way.is_none() {
            output
                .note(&format!("Share {} of {}: its keeper's passphrase", share.number, share.of));
        }
        let source = way.map_or(PassphraseSource::Prompt, PassphraseSource::File);
        let passphrase = read_passphrase(&source).map_err(failed)?;
        opened.push(share.open(&passphrase).map_err(failed)?);
    }
    let key = combine(&opened).map_err(failed)?;
    let passphrase = arguments.passphrase.choose()?;
    let mut entropy = Entropy::system();
    let mut clerk = Clerk::new(now(), &mut entropy);
    house.keep_authority_key(&key, &passphrase, Cost::STANDARD, &mut clerk).map_err(failed)?;
    let document = json!({ "key": key.public().to_string(), "shares": opened.len() });
    output.show(&document, || {
        format!(
            "{} shares gave the key {}; it is in keys/authority.key under the new passphrase.",
            opened.len(),
            key.public()
        )
    })
}

fn read(path: &Path) -> Result<Share, CommandError> {
    let text = read_text(path)?;
    Share::read(&text).map_err(|error| CommandError::Failed(format!("{}: {error}", path.display())))
}

fn open_all(paths: &[PathBuf], passphrases: &[Passphrase]) -> Result<Vec<OpenShare>, CommandError> {
    let opened = paths
        .iter()
        .zip(passphrases)
        .map(|(path, passphrase)| read(path)?.open(passphrase).map_err(failed));
    opened.collect()
}

fn export(arguments: &Export, house: &House, output: &Output) -> Result<(), CommandError> {
    let papers = house.authority_papers().map_err(failed)?;
    write_new(&arguments.file, papers.as_bytes())?;
    let file = arguments.file.display().to_string();
    output.show(&json!({ "file": file }), || {
        format!(
            "{} holds the authority's key (encrypted), what it issued and what it revoked.\nAt the other \
             node: reeve authority import {}",
            plain(&file),
            quoted(&file)
        )
    })
}

fn import(arguments: &Import, house: &House, output: &Output) -> Result<(), CommandError> {
    let text = read_text(&arguments.file)?;
    let passphrase = arguments.passphrase.read()?;
    let issued = house.take_authority_papers(&text, &passphrase).map_err(failed)?;
    output.show(&json!({ "issued": issued }), || {
        format!("The authority key is here now, and {issued} certificates that it issued.")
    })
}

pub(super) fn read_text(path: &Path) -> Result<zeroize::Zeroizing<String>, CommandError> {
    let error = |reason| CommandError::File { doing: "cannot read", path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(error)?.len();
    if length > MAX_FILE_BYTES {
        return Err(CommandError::Failed(format!("{}: too long", path.display())));
    }
    std::fs::read_to_string(path).map(zeroize::Zeroizing::new).map_err(error)
}

/// Writes a file for this user only, never over another.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    use std::io::Write as _;
    let error =
        |reason| CommandError::File { doing: "cannot write", path: path.to_owned(), reason };
    let mut file = std::fs::OpenOptions::new();
    let file = file.write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(error)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(error)
}
