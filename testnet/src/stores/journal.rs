//! What a power loss could have left: images of a folder, made of the journal that the disk shim kept.
//!
//! The journal holds every write, every change of a name and every sync, in their order. An image is made
//! for a moment in it:
//!
//! - what a file was sent before its last successful `fsync` or `fdatasync` is there;
//! - what it was sent since then is there by lot: all, nothing, the first so many, or any of the writes, any
//!   of their pages, any of their sectors, and one may end in the middle of a sector;
//! - so is what was pending at a sync that failed, also after a later one that succeeded;
//! - a file that was made, renamed or removed is so for certain after its folder was synced; without that,
//!   the first so many changes of each folder are, by lot. A file's own sync does not save its name.
//!
//! This is stricter than common file systems, which keep the order of names and save a name with its file.
//! Not played: a drive that lies about syncing, damage to what was synced before (other trials flip bits),
//! and folders other than the one watched.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::worker::{ACKNOWLEDGED, OPENED};

/// Bytes before an entry's own: four numbers.
const HEAD_BYTES: usize = 32;

/// What a drive writes at once, at least.
const SECTOR: usize = 512;

/// What the kernel writes back at once.
const PAGE: usize = 4096;

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system.
    #[error("{}: {reason}", path.display())]
    System {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// It does not make sense.
    #[error("the journal's entry {entry}: {what}")]
    Entry {
        /// Which.
        entry: usize,
        /// What is wrong.
        what: String,
    },
}

/// A change of one file.
#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not synced yet.
    Pending,
    /// Pending when a sync failed: no later sync can be trusted to have it.
    Doomed,
    /// Synced.
    Durable,
}

/// A file or a folder.
#[derive(Debug, Clone, Default)]
struct Object {
    is_folder: bool,
    base: Vec<u8>,
    changes: Vec<(Change, State)>,
    /// Of a folder: changes of names in it, in their order, and how many of them are durable.
    names: Vec<Name>,
    durable_names: usize,
}

/// A change of a name in a folder.
#[derive(Debug, Clone)]
struct Name {
    name: String,
    /// What it names from now on; none: nothing.
    object: Option<usize>,
    /// The name that it had before, if this is a rename.
    instead_of: Option<String>,
}

/// An entry of the journal.
#[derive(Debug, Clone)]
struct Entry {
    kind: u8,
    inode: u64,
    at: u64,
    bytes: Vec<u8>,
}

/// A journal, and the folder as it was before.
#[derive(Debug)]
pub struct Journal {
    base: BTreeMap<PathBuf, Option<Vec<u8>>>,
    entries: Vec<Entry>,
}

impl Journal {
    /// What is in the folder before the journal begins: read it before the process starts.
    ///
    /// # Errors
    /// [`JournalError::System`].
    pub fn begin(folder: &Path) -> Result<Self, JournalError> {
        let mut base = BTreeMap::new();
        if folder.exists() {
            read_folder(folder, folder, &mut base)?;
        }
        Ok(Self { base, entries: Vec::new() })
    }

    /// Reads what was written since. An entry that is cut short, because the process was killed in
    /// the middle of it, is the last and is left out.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read(&mut self, journal: &Path) -> Result<(), JournalError> {
        let bytes = fs::read(journal).map_err(at(journal))?;
        let mut rest = bytes.as_slice();
        while let Some((entry, after)) = entry(rest) {
            self.entries.push(entry);
            rest = after;
        }
        Ok(())
    }

    /// How many moments there are.
    #[must_use]
    pub fn moments(&self) -> usize {
        self.entries.len().saturating_add(1)
    }

    /// Whether a fault of the shim was met.
    #[must_use]
    pub fn met_fault(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.kind, b'E' | b'F'))
    }

    /// The last batch that was acknowledged, or found when the store was opened, before a moment.
    #[must_use]
    pub fn acknowledged(&self, moment: usize) -> u64 {
        let said = self.entries.iter().take(moment).filter(|entry| entry.kind == b'A');
        let said: Vec<u8> = said.flat_map(|entry| entry.bytes.iter().copied()).collect();
        let text = String::from_utf8_lossy(&said);
        let numbers = text.lines().filter_map(|line| {
            let number = line.strip_prefix(ACKNOWLEDGED).or_else(|| line.strip_prefix(OPENED))?;
            number.trim().parse().ok()
        });
        numbers.max().unwrap_or(0)
    }

    /// Makes an image of a moment in a folder that is not there yet. What chance left is drawn.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn image(
        &self,
        moment: usize,
        random: &mut ChaCha8Rng,
        into: &Path,
    ) -> Result<(), JournalError> {
        let mut disk = Disk::of(&self.base);
        for (number, entry) in self.entries.iter().take(moment).enumerate() {
            disk.apply(entry).map_err(|what| JournalError::Entry { entry: number, what })?;
        }
        disk.write(0, Lot::draw(random), random, into)
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> JournalError + use<> {
    let path = path.to_owned();
    move |reason| JournalError::System { path: path.clone(), reason }
}

fn read_folder(
    folder: &Path,
    root: &Path,
    into: &mut BTreeMap<PathBuf, Option<Vec<u8>>>,
) -> Result<(), JournalError> {
    for found in fs::read_dir(folder).map_err(at(folder))? {
        let path = found.map_err(at(folder))?.path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_owned();
        if path.is_dir() {
            into.insert(name, None);
            read_folder(&path, root, into)?;
        } else {
            into.insert(name, Some(fs::read(&path).map_err(at(&path))?));
        }
    }
    Ok(())
}

fn entry(bytes: &[u8]) -> Option<(Entry, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let mut numbers = head.chunks(8).filter_map(|number| number.try_into().ok());
    let mut number = || numbers.next().map(u64::from_ne_bytes);
    let (kind, inode, at, count) = (number()?, number()?, number()?, number()?);
    let (own, rest) = rest.split_at_checked(usize::try_from(count).ok()?)?;
    let kind = u8::try_from(kind).ok()?;
    Some((Entry { kind, inode, at, bytes: own.to_vec() }, rest))
}

/// Which of the pending changes are there.
#[derive(Debug, Clone, Copy)]
enum Lot {
    Nothing,
    All,
    /// The first so many thousandths of each file's.
    First(u32),
    /// Each write or not.
    Writes,
    /// Each page of each write or not.
    Pages,
    /// Each sector of each write or not.
    Sectors,
    /// The first so many thousandths, and the next one ends anywhere.
    Torn(u32),
}

impl Lot {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        match random.random_range(0..8) {
            0 => Self::Nothing,
            1 => Self::All,
            2 => Self::First(random.random_range(0..1_000)),
            3 => Self::Writes,
            4 => Self::Pages,
            5 | 6 => Self::Sectors,
            _ => Self::Torn(random.random_range(0..1_000)),
        }
    }

    /// The parts of a pending change that are there, as from and to.
    fn parts(
        self,
        (number, pending): (usize, usize),
        bytes: usize,
        random: &mut ChaCha8Rng,
    ) -> Vec<(usize, usize)> {
        let whole = vec![(0, bytes)];
        let first = |thousandths: u32| {
            let share = usize::try_from(thousandths).unwrap_or(0);
            pending.saturating_mul(share) / 1_000
        };
        match self {
            Self::Nothing => Vec::new(),
            Self::All => whole,
            Self::First(share) if number < first(share) => whole,
            Self::First(_) => Vec::new(),
            Self::Writes if random.random() => whole,
            Self::Writes => Vec::new(),
            Self::Pages => pieces(bytes, PAGE, random),
            Self::Sectors => pieces(bytes, SECTOR, random),
            Self::Torn(share) if number < first(share) => whole,
            Self::Torn(share) if number == first(share) => {
                vec![(0, random.random_range(0..=bytes))]
            }
            Self::Torn(_) => Vec::new(),
        }
    }
}

fn pieces(bytes: usize, size: usize, random: &mut ChaCha8Rng) -> Vec<(usize, usize)> {
    let starts = (0..bytes.max(1)).step_by(size);
    let each = starts.map(|from| (from, from.saturating_add(size).min(bytes)));
    each.filter(|_| random.random()).collect()
}

/// Files and folders, as the journal has them. The folder itself is object 0.
#[derive(Debug, Default)]
struct Disk {
    objects: Vec<Object>,
    by_inode: BTreeMap<u64, usize>,
    /// What is where now.
    by_path: BTreeMap<PathBuf, usize>,
}

impl Disk {
    fn of(base: &BTreeMap<PathBuf, Option<Vec<u8>>>) -> Self {
        let mut disk = Self::default();
        disk.objects.push(Object { is_folder: true, ..Object::default() });
        disk.by_path.insert(PathBuf::new(), 0);
        for (path, content) in base {
            let object = Object {
                is_folder: content.is_none(),
                base: content.clone().unwrap_or_default(),
                ..Object::default()
            };
            disk.add(path, object);
        }
        for object in &mut disk.objects {
            object.durable_names = object.names.len();
        }
        disk
    }

    fn add(&mut self, path: &Path, object: Object) -> Option<usize> {
        let number = self.objects.len();
        self.objects.push(object);
        self.name(path, Some(number), None)?;
        Some(number)
    }

    /// Changes what a path names.
    fn name(
        &mut self,
        path: &Path,
        object: Option<usize>,
        instead_of: Option<String>,
    ) -> Option<()> {
        let folder = *self.by_path.get(path.parent()?)?;
        let name = path.file_name()?.to_str()?.to_owned();
        let names = &mut self.objects.get_mut(folder)?.names;
        names.push(Name { name, object, instead_of });
        match object {
            Some(object) => self.by_path.insert(path.to_owned(), object),
            None => self.by_path.remove(path),
        };
        Some(())
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), String> {
        let text = || String::from_utf8_lossy(&entry.bytes).into_owned();
        match entry.kind {
            b'C' | b'M' => {
                let object = Object { is_folder: entry.kind == b'M', ..Object::default() };
                let path = PathBuf::from(text());
                let known = path.as_os_str().is_empty().then_some(0);
                let number = known.or_else(|| self.add(&path, object));
                self.by_inode.insert(entry.inode, number.ok_or("it is made nowhere")?);
            }
            b'O' => {
                let path = PathBuf::from(text());
                let number = self.by_path.get(&path).copied();
                let number = number.ok_or_else(|| format!("{} is nowhere", path.display()))?;
                self.by_inode.insert(entry.inode, number);
            }
            b'U' => {
                self.name(Path::new(&text()), None, None).ok_or("it is removed from nowhere")?;
            }
            b'R' => self.rename(&text())?,
            b'W' | b'T' => {
                let at = usize::try_from(entry.at).map_err(|error| error.to_string())?;
                let change = match entry.kind {
                    b'W' => Change::Write { at, bytes: entry.bytes.clone() },
                    _ => Change::Length(at),
                };
                self.object(entry.inode)?.changes.push((change, State::Pending));
            }
            b'S' => self.object(entry.inode)?.sync(),
            b'F' => self.object(entry.inode)?.sync_failed(),
            b'A' | b'E' => {}
            other => return Err(format!("its kind is {other}")),
        }
        Ok(())
    }

    fn rename(&mut self, both: &str) -> Result<(), String> {
        let (from, to) = both.split_once('\0').ok_or("a rename of one name")?;
        let (from, to) = (Path::new(from), Path::new(to));
        if from.parent() != to.parent() {
            return Err("a rename from folder to folder, which images do not play".to_owned());
        }
        let object = self.by_path.remove(from).ok_or("a rename of nothing")?;
        // What is in a folder goes with it.
        let inside: Vec<PathBuf> =
            self.by_path.keys().filter(|path| path.starts_with(from)).cloned().collect();
        for path in inside {
            if let (Some(object), Ok(rest)) = (self.by_path.remove(&path), path.strip_prefix(from))
            {
                self.by_path.insert(to.join(rest), object);
            }
        }
        let old = from.file_name().map(|name| name.to_string_lossy().into_owned());
        self.name(to, Some(object), old).ok_or("a rename to nowhere")?;
        Ok(())
    }

    fn object(&mut self, inode: u64) -> Result<&mut Object, String> {
        let number = self.by_inode.get(&inode).copied();
        number
            .and_then(|number| self.objects.get_mut(number))
            .ok_or_else(|| format!("inode {inode} was never opened"))
    }

    /// Writes a folder as a power loss could have left it.
    fn write(
        &self,
        folder: usize,
        lot: Lot,
        random: &mut ChaCha8Rng,
        into: &Path,
    ) -> Result<(), JournalError> {
        fs::create_dir(into).map_err(at(into))?;
        let Some(object) = self.objects.get(folder) else { return Ok(()) };
        for (name, number) in object.names_left(random) {
            let Some(object) = self.objects.get(number) else { continue };
            let path = into.join(name);
            if object.is_folder {
                self.write(number, lot, random, &path)?;
            } else {
                fs::write(&path, object.content(lot, random)).map_err(at(&path))?;
            }
        }
        Ok(())
    }
}

impl Object {
    fn sync(&mut self) {
        self.durable_names = self.names.len();
        for (_, state) in &mut self.changes {
            if *state == State::Pending {
                *state = State::Durable;
            }
        }
    }

    fn sync_failed(&mut self) {
        for (_, state) in &mut self.changes {
            if *state == State::Pending {
                *state = State::Doomed;
            }
        }
    }

    /// The names in a folder: what is durable, and the first so many of the others.
    fn names_left(&self, random: &mut ChaCha8Rng) -> BTreeMap<String, usize> {
        let left = random.random_range(self.durable_names..=self.names.len());
        let mut names = BTreeMap::new();
        for change in self.names.iter().take(left) {
            if let Some(old) = &change.instead_of {
                names.remove(old);
            }
            match change.object {
                Some(object) => names.insert(change.name.clone(), object),
                None => names.remove(&change.name),
            };
        }
        names
    }

    /// A file's bytes: what is durable, and of the rest what chance left.
    fn content(&self, lot: Lot, random: &mut ChaCha8Rng) -> Vec<u8> {
        let mut content = self.base.clone();
        let pending = self.changes.iter().filter(|(_, state)| *state != State::Durable).count();
        let mut number = 0_usize;
        for (change, state) in &self.changes {
            let bytes = match change {
                Change::Write { bytes, .. } => bytes.len(),
                Change::Length(_) => 0,
            };
            let parts = if *state == State::Durable {
                vec![(0, bytes)]
            } else {
                number = number.saturating_add(1);
                lot.parts((number.saturating_sub(1), pending), bytes, random)
            };
            for (from, to) in parts {
                change.apply(&mut content, from, to);
            }
        }
        content
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>, from: usize, to: usize) {
        match self {
            Self::Length(length) => content.resize(*length, 0),
            Self::Write { at, bytes } => {
                let (start, end) = (at.saturating_add(from), at.saturating_add(to));
                if content.len() < end {
                    content.resize(end, 0);
                }
                if let (Some(place), Some(part)) =
                    (content.get_mut(start..end), bytes.get(from..to))
                {
                    place.copy_from_slice(part);
                }
            }
        }
    }
}
