//! Old copies of a node's store, put back; a second process on the same folder; a copy of a whole machine.
//!
//! A unit must never say two things under one number. Its store alone cannot know that it is an old one:
//! the superior does, for it remembers the ledger that it was shown. So an old copy must be noticed and
//! sign nothing, and with the newest copy the node goes on as if nothing had been.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use reeve::api::{Operation, WriteRequest, Written};
use reeve::clock::wall;
use reeve::config::Engine;
use reeve::house::House;

use super::book::{Book, held_by};
use super::cases::{DAYS, case};
use super::figures::{Counts, add, records, wait};
use super::{TrialError, broken, raise, stores};
use crate::processes::{Houses, Launcher, Leash, Process, ProcessError, Processes, SERVING};
use crate::stopwatch::now;

/// The superior, and the unit whose store is put back.
const UNITS: [&str; 2] = ["it", "it/03"];

/// Cases written between two copies.
const CASES: u32 = 5;

/// How long an old copy is watched after it was noticed: it must sign nothing.
const WATCHED: Duration = Duration::from_millis(500);

/// Longest wait for a second process on a folder to give up.
const REFUSED: Duration = Duration::from_secs(20);

/// What to do.
#[derive(Debug, Clone)]
pub struct CopiesSpec {
    /// Where the nodes' folders are made.
    pub folder: PathBuf,
    /// Their store engine.
    pub engine: Engine,
    /// How many old copies are put back.
    pub copies: u32,
    /// How often a second process is started on the folder.
    pub twins: u32,
    /// How often a copy of the whole machine is started beside it.
    pub clones: u32,
    /// How often its store is damaged, and put in order by the procedure in docs/operate.md.
    pub damaged: u32,
    /// Longest time until an old copy is noticed, and until figures are right.
    pub within: Duration,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct CopiesReport {
    /// From an old copy's serving until it was noticed.
    pub noticed: Vec<Duration>,
    /// Of those, how many had written while the superior was away.
    pub alone: u32,
    /// Second processes that were refused.
    pub twins: u32,
    /// Copies of the machine, of which one was told that it is not the newest.
    pub clones: u32,
    /// Damaged stores that were refused, named, and put in order.
    pub damaged: u32,
    /// Editions of figures, each of one statement.
    pub editions: usize,
}

/// Runs the trial, and tells what it has done how often. Blocks; letting go of the leash ends it with an
/// error.
///
/// # Errors
/// [`TrialError`]: an old copy was believed, or the newest was not.
pub fn run(
    spec: &CopiesSpec,
    leash: &Leash,
    mut told: impl FnMut(&str, u32),
) -> Result<CopiesReport, TrialError> {
    let (houses, processes) = raise(&spec.folder, &UNITS, spec.engine, leash)?;
    let Some((_, house, _)) = houses.list().get(1) else { return Err(nobody()) };
    let mut trial = Trial {
        spec,
        processes,
        store: house.store_folder(),
        written: 0,
        book: Book::default(),
        report: CopiesReport::default(),
    };
    trial.write()?;
    trial.right()?;
    for copy in 0..spec.copies {
        told("old copies", copy);
        trial.old_copy(copy % 2 == 1)?;
    }
    for twin in 0..spec.twins {
        told("second processes", twin);
        trial.twin()?;
    }
    for clone in 0..spec.clones {
        told("copies of it all", clone);
        trial.clone_of_all(clone, house, leash)?;
    }
    for damaged in 0..spec.damaged {
        told("damaged stores", damaged);
        trial.damaged()?;
    }
    trial.end(&houses)
}

struct Trial<'a> {
    spec: &'a CopiesSpec,
    processes: Processes,
    store: PathBuf,
    written: u32,
    book: Book,
    report: CopiesReport,
}

fn nobody() -> TrialError {
    TrialError::Trial("there is no such node".to_owned())
}

impl Trial<'_> {
    fn nation(&mut self) -> Result<&mut Process, TrialError> {
        self.processes.list_mut().first_mut().ok_or_else(nobody)
    }

    fn unit(&mut self) -> Result<&mut Process, TrialError> {
        self.processes.list_mut().get_mut(1).ok_or_else(nobody)
    }

    /// Writes some cases, all new.
    fn write(&mut self) -> Result<(), TrialError> {
        let from = self.written;
        self.written += CASES;
        write_to(self.unit()?, from)
    }

    /// What the nation must show; waits until it does, and reads what was said.
    fn right(&mut self) -> Result<(), TrialError> {
        let within = self.spec.within;
        let expected = self.expected()?;
        wait(self.nation()?, &DAYS, &expected, now(), within)?;
        let list = self.processes.list();
        let (Some(nation), Some(unit)) = (list.first(), list.get(1)) else { return Err(nobody()) };
        for entry in self.book.read(unit)? {
            // A figure may be right before its last edition was acknowledged.
            eventually_held(nation, &entry, within)?;
        }
        self.book.read(nation).map(drop)
    }

    fn expected(&mut self) -> Result<Counts, TrialError> {
        let above = self.nation()?.unit.clone();
        let unit = self.unit()?;
        let held = records(&unit.unit, &unit.writer()?)?;
        let mut expected = Counts::new();
        add(&mut expected, &above, &unit.unit, &held);
        Ok(expected)
    }

    fn restart(&mut self) -> Result<(), TrialError> {
        let unit = self.unit()?;
        unit.launch()?;
        Ok(unit.serving(SERVING)?)
    }

    /// A copy is made, the node goes on and reports, and the copy is put back; then the newest store.
    fn old_copy(&mut self, alone: bool) -> Result<(), TrialError> {
        let (old, newest) = (self.store.with_extension("old"), self.store.with_extension("newest"));
        self.unit()?.kill();
        copy_folder(&self.store, &old)?;
        self.restart()?;
        self.write()?;
        self.right()?;
        let expected = self.expected()?;
        self.unit()?.kill();
        fs::rename(&self.store, &newest).map_err(system(&newest))?;
        fs::rename(&old, &self.store).map_err(system(&old))?;
        if alone {
            self.nation()?.kill();
        }
        self.restart()?;
        let from = self.written;
        if alone {
            // It works on, and nobody tells it; then the superior comes back.
            write_to(self.unit()?, from)?;
            let nation = self.nation()?;
            nation.launch()?;
            nation.serving(SERVING)?;
            self.report.alone += 1;
        }
        let took = self.noticed()?;
        self.report.noticed.push(took);
        let signed = self.unit()?.status()?.ledger_size;
        write_to(self.unit()?, from + CASES)?;
        std::thread::sleep(WATCHED);
        let unit = self.unit()?;
        if unit.status()?.ledger_size != signed {
            return Err(broken(&unit.unit, "an old copy signed on after it was noticed"));
        }
        let within = self.spec.within;
        wait(self.nation()?, &DAYS, &expected, now(), within)?;
        self.unit()?.kill();
        fs::remove_dir_all(&self.store).map_err(system(&self.store))?;
        fs::rename(&newest, &self.store).map_err(system(&newest))?;
        self.restart()?;
        self.written += 2 * CASES;
        self.write()?;
        self.right()?;
        let unit = self.unit()?;
        match unit.status()?.superior_ledger {
            None => Ok(()),
            Some(_) => Err(broken(&unit.unit, "the newest store was taken for an old one")),
        }
    }

    /// Waits until the node was told that its superior holds more of its ledger than it does.
    fn noticed(&mut self) -> Result<Duration, TrialError> {
        let within = self.spec.within;
        let unit = self.unit()?;
        let began = now();
        while unit.status()?.superior_ledger.is_none() {
            if began.elapsed() > within {
                return Err(broken(&unit.unit, "an old copy of its store was not noticed"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(began.elapsed())
    }

    /// A second process on the folder must give up by itself, and say why.
    fn twin(&mut self) -> Result<(), TrialError> {
        let unit = self.unit()?;
        let said = unit.folder.join("twin.log");
        let log = fs::File::create(&said).map_err(system(&said))?;
        let mut twin = Command::new(&unit.launcher().binary)
            .arg("--home")
            .arg(&unit.folder)
            .args(["run", "--until-eof"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(system(&said))?;
        let began = now();
        let status = loop {
            if let Some(status) = twin.try_wait().map_err(system(&said))? {
                break Some(status);
            }
            if began.elapsed() > REFUSED {
                // Whatever it is doing, it must not go on.
                let _ = twin.kill();
                let _ = twin.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let text = fs::read_to_string(&said).map_err(system(&said))?;
        let refused = status.is_some_and(|status| !status.success()) && text.contains("in use");
        if !refused {
            let what = format!("a second process on its folder ended with {status:?}: {text}");
            return Err(broken(&unit.unit, what));
        }
        unit.check()?;
        unit.status()?;
        self.report.twins += 1;
        Ok(())
    }

    /// A copy of the whole folder runs beside the node, and both are written to. The superior takes one of
    /// two statements with one number, and tells the other node that it is not the newest.
    fn clone_of_all(
        &mut self,
        number: u32,
        house: &House,
        leash: &Leash,
    ) -> Result<(), TrialError> {
        let other = self.spec.folder.join(format!("clone-{number}"));
        self.unit()?.kill();
        copy_folder(house.folder(), &other)?;
        self.restart()?;
        let launcher = Launcher::beside(leash)?;
        let house = House::open(&other).map_err(TrialError::from)?;
        let twin = Process::start(&launcher, &self.unit()?.unit.clone(), &house)?;
        let began = now();
        loop {
            self.written += CASES;
            let from = self.written;
            write_to(self.unit()?, from)?;
            write_to(&twin, from + 10_000)?;
            let told = |process: &Process| -> Result<bool, TrialError> {
                let status = process.status()?;
                Ok(status.superior_ledger.is_some() || !status.refused.is_empty())
            };
            let (first, second) = (told(self.unit()?)?, told(&twin)?);
            if first || second {
                break;
            }
            if began.elapsed() > self.spec.within {
                return Err(broken(&twin.unit, "two machines of one node were not noticed"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let newest = twin.status()?.superior_ledger.is_none() && twin.status()?.refused.is_empty();
        self.unit()?.kill();
        twin.kill();
        if newest {
            // The superior holds what the copy said: its store is the newest one.
            fs::remove_dir_all(&self.store).map_err(system(&self.store))?;
            copy_folder(&house.store_folder(), &self.store)?;
            self.book = Book::default();
        }
        fs::remove_dir_all(&other).map_err(system(&other))?;
        self.restart()?;
        self.written += CASES;
        self.write()?;
        self.right()?;
        self.report.clones += 1;
        Ok(())
    }

    /// The procedure for a damaged store: it is refused and named, the newest copy is put back, and the node
    /// reports as before.
    fn damaged(&mut self) -> Result<(), TrialError> {
        let (copy, bad) = (self.store.with_extension("copy"), self.store.with_extension("damaged"));
        self.write()?;
        self.right()?;
        let unit = self.unit()?;
        unit.stop();
        verify(unit, Some(0), "The store is whole")?;
        copy_folder(&self.store, &copy)?;
        spoil(&self.store.join(self.spec.engine.name()))?;
        let unit = self.unit()?;
        verify(unit, Some(5), "A damaged store")?;
        unit.launch()?;
        match unit.serving(SERVING) {
            Err(ProcessError::Ended { .. }) => {}
            Err(other) => return Err(other.into()),
            Ok(()) => return Err(broken(&unit.unit, "it runs on a damaged store")),
        }
        fs::rename(&self.store, &bad).map_err(system(&bad))?;
        fs::rename(&copy, &self.store).map_err(system(&copy))?;
        verify(self.unit()?, Some(0), "The store is whole")?;
        self.restart()?;
        self.right()?;
        self.write()?;
        self.right()?;
        fs::remove_dir_all(&bad).map_err(system(&bad))?;
        self.report.damaged += 1;
        Ok(())
    }

    /// Stops the nodes; in what they left, every edition is one statement.
    fn end(self, houses: &Houses) -> Result<CopiesReport, TrialError> {
        let Self { processes, mut book, mut report, .. } = self;
        processes.stop();
        for (unit, house, _) in houses.list().iter().rev() {
            let others = houses.list().iter().map(|(other, ..)| other);
            let below: Vec<_> =
                others.filter(|other| other.parent().as_ref() == Some(unit)).cloned().collect();
            stores::check(&mut book, unit, house, &below, wall())?;
        }
        report.editions = book.size().1;
        Ok(report)
    }
}

/// `reeve verify` of a stopped node: how it ends, and what it says among other things.
fn verify(process: &Process, code: Option<i32>, says: &str) -> Result<(), TrialError> {
    let binary = &process.launcher().binary;
    let done = Command::new(binary).arg("--home").arg(&process.folder).arg("verify").output();
    let done = done.map_err(system(binary))?;
    let said = String::from_utf8_lossy(&done.stdout);
    if done.status.code() == code && said.contains(says) {
        return Ok(());
    }
    let what = format!("verify ended with {}, and not {code:?} and {says:?}: {said}", done.status);
    Err(broken(&process.unit, what))
}

/// Flips a byte in every page of an engine's largest file.
fn spoil(engine: &Path) -> Result<(), TrialError> {
    const PAGE: usize = 4096;
    let file = if engine.is_dir() { engine.join("db") } else { engine.to_owned() };
    let mut bytes = fs::read(&file).map_err(system(&file))?;
    for byte in bytes.iter_mut().skip(PAGE / 2).step_by(PAGE) {
        *byte ^= 0x10;
    }
    fs::write(&file, bytes).map_err(system(&file))
}

fn write_to(process: &Process, from: u32) -> Result<(), TrialError> {
    let writer = process.writer()?;
    for number in from..from + CASES {
        let day = DAYS.into_iter().cycle().nth(usize::try_from(number).unwrap_or(0) % DAYS.len());
        let record = case(day.unwrap_or_default(), number % 100, "female", "");
        let operations = vec![Operation::Put { id: format!("c{number}"), record }];
        let written: Result<Written, _> =
            writer.send("POST", "/v1/records/case", &WriteRequest { operations });
        written.map_err(|error| process.failed(error))?;
    }
    Ok(())
}

fn eventually_held(
    superior: &Process,
    entry: &reeve::api::SentEntry,
    within: Duration,
) -> Result<(), TrialError> {
    let began = now();
    loop {
        match held_by(superior, entry) {
            Err(TrialError::Broken { .. }) if began.elapsed() < within => {
                std::thread::sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

fn system(path: &Path) -> impl Fn(std::io::Error) -> TrialError + use<> {
    let path = path.to_owned();
    move |reason| ProcessError::System { path: path.clone(), reason }.into()
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), TrialError> {
    fs::create_dir_all(to).map_err(system(to))?;
    for found in fs::read_dir(from).map_err(system(from))? {
        let path = found.map_err(system(from))?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            copy_folder(&path, &to.join(name))?;
        } else {
            fs::copy(&path, to.join(name)).map_err(system(&path))?;
        }
    }
    Ok(())
}
