//! `reeve proof`: everything at hand that shows a figure to be what was signed, as a folder.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use reeve_audit::{
    CHECKPOINTS, CHUNKS, FIGURE, LISTS, LedgerProof, PROOFS, RECEIPTS, ROOTS, STATEMENTS, WITNESSES,
};
use reeve_statement::digest::Digest;
use reeve_statement::ledger::InclusionProof;
use reeve_statement::ledger::checkpoint::Checkpoint;
use reeve_statement::statement::{Body, Statement};
use serde::Serialize;

use super::asking::Node;
use super::editions::{EDITIONS, Kept, or_none};
use super::identity::failed;
use super::query::newest;
use super::{CommandError, Global, Output};
use crate::api::{Cosigned, Evidence, Figure, Proof, SentEntry};
use crate::client::{Client, escaped};
use crate::house::House;

/// Entries of what was sent that are asked for at once: as many as the node answers.
const PAGE: usize = 1_000;

/// Which figure, and where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The folder holds the figure's statement, the statements that it is made of, the register and the
catalogue that they stand on, the federation's roots, revocation lists, and proofs that what this unit
signed is in its ledger; never a record. What units below gave to others than this unit is not at hand
here: they make bundles of their own, and `reeve audit verify` checks all of them together.

Examples:
  reeve proof confirmed_by_day --period 2020-03-01 -o bundle/
  reeve proof beds_free --history -o bundle/")]
pub struct Arguments {
    /// The indicator; `reeve catalogue show` lists them
    indicator: String,
    /// The period: 2020-03-01, 2020-W10, 2020-03 or now; else the newest that has a figure
    #[arg(long)]
    period: Option<String>,
    /// The folder to make; it must not be there yet
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// With all earlier editions of the figure
    #[arg(long)]
    history: bool,
    #[command(flatten)]
    node: Node,
}

/// What was put together.
#[derive(Debug, Serialize)]
struct Made {
    folder: PathBuf,
    figure: String,
    period: String,
    edition: u64,
    federation: String,
    statements: usize,
    /// Statements that are named and are not at hand here.
    not_here: usize,
    /// Statements of this unit that are shown to be in its ledger.
    in_ledger: usize,
    /// Of them, those that are in a checkpoint which a witness has cosigned.
    witnessed: usize,
}

pub(super) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &Output,
) -> Result<(), CommandError> {
    let folder = &arguments.output;
    if folder.exists() {
        return Err(CommandError::Usage(format!(
            "{} is there already: name a folder that is not, so that bundles do not mix",
            folder.display()
        )));
    }
    let client = arguments.node.client(global)?;
    let indicator = escaped(&arguments.indicator);
    let period = match &arguments.period {
        Some(period) => period.clone(),
        None => newest(&client, &indicator, output.locale())?,
    };
    let figure: Figure =
        client.get(&format!("/v1/figures/{indicator}?period={}", escaped(&period)))?;
    let digest = figure.statement.as_deref().and_then(|digest| digest.parse::<Digest>().ok());
    let digest = digest.ok_or_else(|| {
        CommandError::Failed(format!(
            "nothing was signed yet of {} {period}: there is nothing to prove",
            arguments.indicator
        ))
    })?;
    let house = House::open(&global.home).map_err(failed)?;
    let mut collected = collect(&client, &house, digest, arguments.history)?;
    let federation = house.identity().map_err(failed)?.roots.federation().to_string();
    let made = Made {
        folder: folder.clone(),
        figure: arguments.indicator.clone(),
        period,
        edition: figure.edition,
        federation,
        statements: collected.statements.len(),
        not_here: collected.not_here,
        in_ledger: collected.in_ledger,
        witnessed: collected.witnessed,
    };
    collected.files.insert("README.txt".to_owned(), readme(&made).into_bytes());
    write(folder, &collected.files)?;
    output.show(&made, || describe(&made))
}

/// What a node has of a figure.
#[derive(Debug)]
pub struct Collected {
    /// The files of the bundle, by their places in its folder.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The statements among them.
    pub statements: BTreeMap<Digest, Statement>,
    /// How many statements and chunks are named and not at hand here.
    pub not_here: usize,
    /// How many statements of this unit are shown to be in its ledger.
    pub in_ledger: usize,
    /// Of them, how many are in a checkpoint that a witness has cosigned.
    pub witnessed: usize,
}

/// Asks a running node, whose house this is, for everything that it has of the figure that a statement tells,
/// or of the figures that a bulletin names.
///
/// # Errors
/// [`CommandError`] if the node does not answer, or what it keeps does not verify.
pub fn collect(
    client: &Client,
    house: &House,
    figure: Digest,
    history: bool,
) -> Result<Collected, CommandError> {
    let roots = &house.identity().map_err(failed)?.roots;
    let mut collecting = Collecting::new(client, Kept::new(client, house)?);
    collecting.file(FIGURE.to_owned(), format!("{figure}\n").into_bytes());
    collecting.file(ROOTS.to_owned(), roots.encode());
    collecting.file("roots.pem".to_owned(), roots.to_pem().into_bytes());
    collecting.everything(figure, history)?;
    collecting.prove()?;
    let Collecting { files, statements, not_here, in_ledger, witnessed, .. } = collecting;
    Ok(Collected { files, statements, not_here, in_ledger, witnessed })
}

/// A bundle on its way.
struct Collecting<'c> {
    client: &'c Client,
    kept: Kept<'c>,
    files: BTreeMap<String, Vec<u8>>,
    statements: BTreeMap<Digest, Statement>,
    not_here: usize,
    in_ledger: usize,
    witnessed: usize,
    /// Checkpoints that witnesses have cosigned, as they were asked for.
    cosigned: Vec<Cosigned>,
}

impl<'c> Collecting<'c> {
    const fn new(client: &'c Client, kept: Kept<'c>) -> Self {
        Self {
            client,
            kept,
            files: BTreeMap::new(),
            statements: BTreeMap::new(),
            not_here: 0,
            in_ledger: 0,
            witnessed: 0,
            cosigned: Vec::new(),
        }
    }

    fn file(&mut self, place: String, bytes: Vec<u8>) {
        self.files.insert(place, bytes);
    }

    fn in_folder(&mut self, (folder, ending): (&str, &str), name: &str, bytes: Vec<u8>) {
        self.files.insert(format!("{folder}/{name}.{ending}"), bytes);
    }

    /// The statement and all that it names, as far as the node has it.
    fn everything(&mut self, figure: Digest, history: bool) -> Result<(), CommandError> {
        let evidence: Evidence = self.client.get("/v1/evidence")?;
        for list in evidence.lists {
            // Every name is a digest, so that the folders of several units can be laid into one.
            let name = Digest::of(list.as_bytes()).to_string();
            self.in_folder(LISTS, &name, list.into_bytes());
        }
        let catalogue = evidence.catalogue.and_then(|digest| digest.parse::<Digest>().ok());
        let mut wanted: VecDeque<Digest> = catalogue.into_iter().chain([figure]).collect();
        let mut asked = BTreeSet::new();
        let mut before = 0;
        while let Some(digest) = wanted.pop_front() {
            if !asked.insert(digest) {
                continue;
            }
            let Some(statement) = self.statement(&digest)? else {
                self.not_here += 1;
                continue;
            };
            if let Body::Release(release) = &statement.body {
                self.chunks(release.table.chunk_digests())?;
                self.chunks(release.manifest.chunk_digests())?;
                if let Some(own) = &release.own {
                    self.chunks(own.chunk_digests())?;
                }
                wanted.extend(release.register);
                let manifest = release.manifest.join("manifest", |digest| {
                    self.files.get(&format!("{}/{digest}.{}", CHUNKS.0, CHUNKS.1)).cloned()
                });
                let direct = manifest.map(|manifest| manifest.direct).unwrap_or_default();
                wanted.extend(direct.iter().filter_map(|entry| entry.statement));
            }
            if let Body::Bulletin(bulletin) = &statement.body {
                wanted.extend(bulletin.figures().iter().map(|frozen| frozen.statement));
            }
            let previous = match &statement.body {
                Body::Release(release) => release.previous,
                Body::Notice(notice) => notice.previous,
                _ => None,
            };
            let first = self.statements.get(&figure).unwrap_or(&statement);
            let own = first.issuer == statement.issuer;
            if history && own && before < EDITIONS {
                before += 1;
                wanted.extend(previous);
            }
            self.statements.insert(digest, statement);
        }
        Ok(())
    }

    fn statement(&mut self, digest: &Digest) -> Result<Option<Statement>, CommandError> {
        let Some((statement, bytes)) = self.kept.statement(digest)? else { return Ok(None) };
        self.in_folder(STATEMENTS, &digest.to_string(), bytes);
        Ok(Some(statement))
    }

    fn chunks(&mut self, digests: &[Digest]) -> Result<(), CommandError> {
        for digest in digests {
            match self.kept.chunk(digest)? {
                Some(bytes) => self.in_folder(CHUNKS, &digest.to_string(), bytes),
                None => self.not_here += 1,
            }
        }
        Ok(())
    }

    /// That what this unit signed is in its ledger. The ledger of the present term is proved; of an
    /// earlier one no checkpoint is signed any more.
    fn prove(&mut self) -> Result<(), CommandError> {
        let note = self.client.bytes("/v1/ledger/checkpoint", "text/plain")?;
        let checkpoint = String::from_utf8_lossy(&note).into_owned();
        let head = Checkpoint::parse_unverified(&checkpoint)
            .map_err(|error| CommandError::Failed(error.to_string()))?;
        let mut left: BTreeSet<Digest> = self.statements.keys().copied().collect();
        let mut before = None;
        loop {
            let place = before.map(|index: u64| format!("&before={index}")).unwrap_or_default();
            let entries: Vec<SentEntry> =
                self.client.get(&format!("/v1/sent?limit={PAGE}{place}"))?;
            before = entries.last().map(|entry| entry.index);
            for entry in entries {
                let digest = entry.statement.parse::<Digest>().ok();
                let Some(digest) = digest.filter(|digest| left.remove(digest)) else { continue };
                self.prove_one(&digest, entry.index, head.size, &checkpoint)?;
            }
            if left.is_empty() || before.is_none_or(|index| index == 0) {
                return Ok(());
            }
        }
    }

    fn prove_one(
        &mut self,
        digest: &Digest,
        index: u64,
        size: u64,
        checkpoint: &str,
    ) -> Result<(), CommandError> {
        let cosigned = self.cosigned_with(index)?;
        let (size, checkpoint) = match &cosigned {
            Some(cosigned) => (cosigned.size, cosigned.checkpoint.as_str()),
            None => (size, checkpoint),
        };
        let proof: Proof =
            self.client.get(&format!("/v1/ledger/proof?index={index}&size={size}"))?;
        let Proof { hashes, receipt, .. } = proof;
        let hashes = hashes.iter().filter_map(|hash| hash.parse().ok()).collect();
        let proof = LedgerProof {
            index,
            path: InclusionProof { hashes },
            checkpoint: checkpoint.to_owned(),
        };
        self.in_folder(PROOFS, &digest.to_string(), proof.to_string().into_bytes());
        if let Some(receipt) = receipt.and_then(|text| hex::decode(text).ok()) {
            self.in_folder(RECEIPTS, &digest.to_string(), receipt);
        }
        self.in_ledger += 1;
        self.witnessed += usize::from(cosigned.is_some());
        Ok(())
    }

    /// The first cosigned checkpoint that holds an entry, or none yet; with it goes the one before, which
    /// shows that the entry is not older.
    fn cosigned_with(&mut self, index: u64) -> Result<Option<Cosigned>, CommandError> {
        let holds = |it: &&Cosigned| it.before <= index && index < it.size;
        if let Some(known) = self.cosigned.iter().find(holds) {
            return Ok(Some(known.clone()));
        }
        let Some(cosigned) = self.cosigned_after(index)? else {
            // The newest cosigned checkpoint that there is does not hold it.
            if let Some(newest) = self.cosigned_newest()? {
                self.witness(&newest);
            }
            return Ok(None);
        };
        self.witness(&cosigned);
        if let Some(before) = cosigned.before.checked_sub(1)
            && let Some(before) = self.cosigned_after(before)?
        {
            self.witness(&before);
        }
        self.cosigned.push(cosigned.clone());
        Ok(Some(cosigned))
    }

    fn cosigned_after(&self, size: u64) -> Result<Option<Cosigned>, CommandError> {
        or_none(self.client.get(&format!("/v1/ledger/cosigned?after={size}")))
    }

    fn cosigned_newest(&self) -> Result<Option<Cosigned>, CommandError> {
        or_none(self.client.get("/v1/ledger/cosigned"))
    }

    fn witness(&mut self, cosigned: &Cosigned) {
        let name = Digest::of(cosigned.checkpoint.as_bytes()).to_string();
        self.in_folder(CHECKPOINTS, &name, cosigned.checkpoint.clone().into_bytes());
        let also = cosigned.also.iter().map(|it| &it.chain);
        for chain in core::iter::once(&cosigned.chain).chain(also) {
            let digest = Digest::of(chain.as_bytes());
            self.in_folder(WITNESSES, &digest.to_string(), chain.clone().into_bytes());
        }
    }
}

/// Writes a bundle's files beside the folder first, so that it is there whole or not at all.
///
/// # Errors
/// [`CommandError::File`].
pub fn write(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), CommandError> {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    let unfinished = folder.with_file_name(name);
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |reason| CommandError::File { doing, path, reason }
    };
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(failed("cannot remove", &unfinished))?;
    }
    fs::create_dir_all(&unfinished).map_err(failed("cannot make", &unfinished))?;
    for (place, bytes) in files {
        let path = unfinished.join(place);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed("cannot make", parent))?;
        }
        fs::write(&path, bytes).map_err(failed("cannot write", &path))?;
    }
    fs::rename(&unfinished, folder).map_err(failed("cannot make", folder))
}

fn describe(made: &Made) -> String {
    let Made {
        folder, figure, period, edition, statements, not_here, in_ledger, witnessed, ..
    } = made;
    let missing = match not_here {
        0 => String::new(),
        some => format!("\n{some} statements that it names are not here: their units have them"),
    };
    format!(
        "{figure} {period}, edition {edition}, in {}: {statements} statements, {in_ledger} of them \
         shown to be in this unit's ledger, {witnessed} in what a witness has cosigned{missing}\n\nreeve audit verify {} --federation {}",
        folder.display(),
        folder.display(),
        made.federation
    )
}

fn readme(made: &Made) -> String {
    format!(
        "A proof bundle: {figure} {period}, edition {edition}.\n\n\
         figure.txt      digest of the statement that this is about: SHA-256 of the signed bytes\n\
        \x20               with an empty unprotected header\n\
         roots.cbor      the roots of federation {federation}; roots.pem: the same for other programs\n\
         statements/     signed statements (COSE_Sign1, RFC 9052), each with its certificate chain\n\
         chunks/         parts of large statements\n\
         revocation/     revocation lists (RFC 5280)\n\
         ledger/         proofs that a statement is in its issuer's ledger (C2SP tlog-proof), and the\n\
        \x20               same as COSE receipts (RFC 9942)\n\
         checkpoints/    the ledger as witnesses cosigned it (C2SP tlog-cosignature)\n\
         witnesses/      certificate chains of those witnesses\n\n\
         To check it, offline, with nothing else:\n\n\
        \x20   reeve-audit verify . --federation ID\n\n\
         where ID is the federation's id as you know it from elsewhere, not from this file.\n\
         docs/verify.md of the program says how to check a statement by hand, with openssl.\n",
        figure = made.figure,
        period = made.period,
        edition = made.edition,
        federation = made.federation,
    )
}
