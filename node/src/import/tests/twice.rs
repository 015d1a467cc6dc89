//! Reading a file twice: what may happen to it in between, and what is told meanwhile.

use std::path::PathBuf;

use super::*;

fn on_disk(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// Rows of 600 bytes, so that a few thousand are several blocks.
fn cases(count: usize) -> String {
    let mut file = String::from("number,date,sex,age,unused\n");
    let unused = "x".repeat(580);
    for n in 0..count {
        file.push_str(&format!("{n},2020-03-{:02},M,{},{unused}\n", n % 28 + 1, n % 100));
    }
    file
}

#[test]
fn a_file_that_changes_between_the_passes_is_not_imported() {
    let content = cases(4_000);
    for (at, with) in
        [(content.len() - 2, "y"), (content.find("-01").unwrap(), "-02"), (content.len(), "x\n")]
    {
        let (_folder, path) = on_disk("cases.csv", content.as_bytes());
        let checked =
            check(&Input::File(path.clone()), &mapping(MAPPING), &ImportOptions::default());
        let checked = checked.unwrap();
        let mut changed = content.clone();
        changed.replace_range(at..(at + with.len()).min(changed.len()), with);
        std::fs::write(&path, changed).unwrap();
        let outcome: Result<Vec<_>, _> = checked.batches().and_then(Iterator::collect);
        let error = outcome.expect_err("noticed");
        assert!(matches!(*error.fault, FileFault::Changed), "{error}");
    }
    let (_folder, path) = on_disk("cases.csv", content.as_bytes());
    let checked = check(&Input::File(path.clone()), &mapping(MAPPING), &ImportOptions::default());
    let checked = checked.unwrap();
    let shorter = &content[..content.len() / 2];
    std::fs::write(&path, shorter).unwrap();
    let outcome: Result<Vec<_>, _> = checked.batches().and_then(Iterator::collect);
    assert!(matches!(*outcome.err().unwrap().fault, FileFault::Changed));
}

#[test]
fn a_file_renamed_into_place_does_no_harm() {
    let (folder, path) = on_disk("cases.csv", GOOD.as_bytes());
    let checked = check(&Input::File(path.clone()), &mapping(MAPPING), &ImportOptions::default());
    let checked = checked.unwrap();
    let other = folder.path().join("other.csv");
    std::fs::write(&other, "number,date,sex,age\n").unwrap();
    std::fs::rename(&other, &path).unwrap();
    assert_eq!(puts(&checked).len(), 2);
}

#[test]
fn progress_is_told_in_both_passes() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let options = ImportOptions {
        progress: Arc::new(move |pass: Pass, read: u64, total: u64| {
            log.lock().unwrap().push((pass, read, total));
        }),
        ..ImportOptions::default()
    };
    let content = cases(4_000);
    let checked = check(&memory(&content), &mapping(MAPPING), &options).unwrap();
    assert_eq!(puts(&checked).len(), 4_000);
    let told = told.lock().unwrap();
    let total = content.len() as u64;
    assert_eq!(told.iter().filter(|step| **step == (Pass::Check, total, total)).count(), 1);
    assert_eq!(told.last(), Some(&(Pass::Import, total, total)));
}
