//! Attacks by files: names that leave a folder, cells that a spreadsheet would run, bombs. Some by
//! default, all with `REEVE_FULL=1`.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

fn is_full() -> bool {
    std::env::var_os("REEVE_FULL").is_some_and(|it| it == "1")
}

/// Every path below a folder.
fn tree(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(tree(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

/// Names that lead out of a folder, if anybody took them for paths.
fn wicked_name(random: &mut ChaCha8Rng) -> String {
    const PARTS: [&str; 14] = [
        "..",
        "../",
        "..\\",
        "/",
        "//",
        "/etc/",
        "C:\\",
        "%2e%2e%2f",
        "..%2f",
        "\u{2024}.",
        "a",
        ".",
        "\\\\host\\share\\",
        "~/",
    ];
    let parts = random.random_range(1..8);
    (0..parts).map(|_| PARTS[random.random_range(0..PARTS.len())]).collect()
}

/// No name of a file, no id and no unit in one decides where something is written: rejects go where the
/// operator said, over a link and not through it.
#[test]
fn attack_34_no_name_in_or_of_a_file_leads_anywhere() {
    let count = if is_full() { 2_000 } else { 200 };
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(&outside, "untouched").unwrap();
    let rejects = inside.join("rejects.csv");
    let text = MAPPING.replace("[closes]", "[unit]\ncolumn = \"unit\"\n[closes]");
    let mapping = mapping(&text);
    let mut random = ChaCha8Rng::seed_from_u64(34);
    for number in 0..count {
        for link in [&rejects, &inside.join("rejects.csv.partial")] {
            let _ = std::fs::remove_file(link);
            std::os::unix::fs::symlink(&outside, link).unwrap();
        }
        let [name, id, unit] = [0; 3].map(|_| wicked_name(&mut random));
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let bytes = format!(
            "number,date,sex,age,unit\n{},2020-03-01,M,4,{}\n{},never,M,4,03\n",
            quoted(&id),
            quoted(&unit),
            quoted(&name)
        );
        let input = Input::Memory { name: name.clone(), bytes: Arc::from(bytes.as_bytes()) };
        let options = ImportOptions {
            max_rejects: 9,
            reject_file: Some(rejects.clone()),
            ..ImportOptions::default()
        };
        let checked = check(&input, &mapping, &options).unwrap();
        assert!(checked.summary().rejected >= 1, "{number}");
        assert!(!rejects.is_symlink(), "{number}: written through a link");
        assert_eq!(tree(folder.path()), [inside.clone(), rejects.clone(), outside.clone()]);
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "untouched");
    }
}

/// Whether a spreadsheet would take a cell for a formula.
fn is_formula(cell: &str) -> bool {
    let first = cell.trim_start_matches(' ').chars().next();
    first.is_some_and(|it| "=+-@\t\r\n|%\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(it))
}

#[test]
fn attack_35_no_cell_of_the_reject_file_is_a_formula() {
    const STARTS: [&str; 13] =
        ["=", "+", "-", "@", "\t", "\r", "\n", " =", "  @", "|", "%", "\u{ff1d}", "\u{ff20}"];
    const REST: [&str; 4] =
        ["1+1", "cmd|' /C calc'!A0", "HYPERLINK(\"http://evil.test\",\"x\")", "SUM(A1:A9)\",\"=1"];
    let count = if is_full() { 500 } else { 60 };
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects.csv");
    let mut random = ChaCha8Rng::seed_from_u64(35);
    let mut file = ::csv::Writer::from_writer(Vec::new());
    file.write_record(["number", "date", "sex", "age"]).unwrap();
    for number in 0..count {
        let start = STARTS[random.random_range(0..STARTS.len())];
        let cell = format!("{start}{}", REST[random.random_range(0..REST.len())]);
        file.write_record([&number.to_string(), "2020-03-01", &cell, &cell]).unwrap();
        assert!(!is_formula(&crate::import::disarmed(&cell)), "{cell:?}");
    }
    let bytes = file.into_inner().unwrap();
    let options = ImportOptions {
        max_rejects: 1_000,
        reject_file: Some(rejects.clone()),
        ..ImportOptions::default()
    };
    let checked = check(&memory(bytes), &mapping(MAPPING), &options).unwrap();
    assert_eq!(checked.summary().rejected, count);
    let mut cells = 0;
    for record in ::csv::Reader::from_path(&rejects).unwrap().records() {
        for cell in &record.unwrap() {
            assert!(!is_formula(cell), "{cell:?}");
            cells += 1;
        }
    }
    assert!(cells >= count * 5);
}

/// Most memory of a process that refuses a bomb, in KiB: 256 MB.
const BOMB_KIB: u64 = 256 * 1_000_000 / 1_024;
/// Most processor time that it may take, in milliseconds.
const BOMB_MS: u64 = 5_000;
/// Names of the bombs, and in how many forms each comes.
const BOMBS: [&str; 10] = [
    "one line",
    "many columns",
    "many cells",
    "open quote",
    "deep json",
    "many keys",
    "long text",
    "entities",
    "zeros",
    "bad rows",
];
const FORMS: usize = 5;

/// Writes a bomb of about so many bytes.
fn write_bomb(out: &mut dyn Write, bomb: &str, bytes: usize) {
    let mut repeat = |text: &str| {
        let block = text.repeat((64 * 1024 / text.len()).max(1));
        (0..bytes.div_ceil(block.len())).for_each(|_| out.write_all(block.as_bytes()).unwrap());
    };
    match bomb {
        "one line" => repeat("a"),
        "many columns" => repeat("number,"),
        "many cells" => repeat("1,"),
        "open quote" => repeat("\"\"x\n\""),
        "deep json" => repeat("[{\"a\":"),
        "many keys" => repeat("\"number\":1,\"date\":2,"),
        "long text" => repeat("\\u0041"),
        "entities" => repeat("<!ENTITY a \"&b;&b;&b;&b;\">"),
        "zeros" => repeat("\0"),
        _ => repeat("1,never,X,900\n"),
    }
}

/// A bomb in the form of a number: CSV, CSV without a header, Latin-1, NDJSON, gzip.
fn written_bomb(folder: &Path, bomb: &str, form: usize, bytes: usize) -> std::path::PathBuf {
    let path = folder.join("bomb.csv");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let head = match (bomb, form) {
        ("many columns", _) | (_, 1) => "",
        ("deep json" | "many keys" | "long text", 3) => "{\"x\":",
        (_, 3) => "",
        ("open quote", _) => "number,date,sex,age\n1,2020-03-01,M,\"",
        _ => "number,date,sex,age\n1,2020-03-01,M,",
    };
    if form == 4 {
        let mut packed = GzEncoder::new(&mut file, Compression::best());
        packed.write_all(head.as_bytes()).unwrap();
        write_bomb(&mut packed, bomb, bytes);
        packed.finish().unwrap();
    } else {
        file.write_all(head.as_bytes()).unwrap();
        write_bomb(&mut file, bomb, bytes);
    }
    file.into_inner().unwrap().sync_all().unwrap();
    path
}

/// What an import says of it.
fn read_bomb(path: &Path, form: usize) -> String {
    let form = match form {
        1 => "[file]\nheader = false\n",
        2 => "[file]\nencoding = \"latin-1\"\ndelimiter = \",\"\n",
        3 => "[file]\nformat = \"ndjson\"\n",
        _ => "",
    };
    let mut text = MAPPING.replace("[field.reported_on]", &format!("{form}[field.reported_on]"));
    if form.contains("header") {
        for (name, number) in [
            ("\"number\"", "\"1\""),
            ("\"date\"", "\"2\""),
            ("\"sex\"", "\"3\""),
            ("\"age\"", "\"4\""),
        ] {
            text = text.replace(name, number);
        }
    }
    let options = ImportOptions {
        reject_file: Some(path.with_extension("rejects")),
        ..ImportOptions::default()
    };
    match check(&Input::from(path), &mapping(&text), &options) {
        Ok(checked) => format!("taken, {} rows", checked.summary().rows),
        Err(error) => error.to_string(),
    }
}

/// Memory at its peak in KiB, and processor time in milliseconds, of this process.
fn usage() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|it| it.parse::<u64>().unwrap()).sum();
    (peak.trim().trim_end_matches(" kB").parse().unwrap(), ticks * 10)
}

/// What runs in a process of its own for each bomb; alone, it tries the smallest. Says what the process
/// came to.
#[test]
fn one_bomb_in_a_process() {
    let asked = std::env::var("REEVE_BOMB").unwrap_or_else(|_| "one line/0/2000000".to_owned());
    let parts: Vec<&str> = asked.split('/').collect();
    let (form, bytes) = (parts[1].parse().unwrap(), parts[2].parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = written_bomb(folder.path(), parts[0], form, bytes);
    let (_, before) = usage();
    let said = read_bomb(&path, form);
    assert!(!said.is_empty() && !said.starts_with("taken"), "{asked}: {said}");
    let (peak, millis) = usage();
    #[allow(clippy::print_stdout, reason = "the process that asked reads it")]
    {
        println!("measured {peak} {}", millis - before);
    }
}

#[test]
fn attack_36_no_bomb_takes_much_memory_or_time() {
    // A gigabyte is written for the bombs that are one line; the others are as large as it takes.
    let (each, bytes) = if is_full() { (FORMS, 1 << 30) } else { (1, 4 << 20) };
    for (number, bomb) in BOMBS.iter().enumerate() {
        for form in 0..each {
            let form = (form + number) % FORMS;
            let bytes = if *bomb == "one line" { bytes } else { bytes.min(64 << 20) };
            let asked = format!("{bomb}/{form}/{bytes}");
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "import::tests::attacks::one_bomb_in_a_process", "--nocapture"])
                .env("REEVE_BOMB", &asked)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{asked}: {said}");
            let measured =
                said.lines().find_map(|line| line.split_once("measured ").map(|it| it.1));
            let measured = measured.unwrap_or_else(|| panic!("{asked}: {said}"));
            let (peak, millis) = measured.split_once(' ').unwrap();
            let (peak, millis): (u64, u64) = (peak.parse().unwrap(), millis.parse().unwrap());
            assert!(peak < BOMB_KIB, "{asked}: {peak} KiB");
            assert!(millis < BOMB_MS, "{asked}: {millis} ms");
        }
    }
}
