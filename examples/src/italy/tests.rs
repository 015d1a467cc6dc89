//! The reader of the published files, on small files made here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::date;

use super::{Published, ReadError, WINDOW, data_folder};

fn write(folder: &Path, name: &str, text: &str) {
    let file = std::fs::File::create(folder.join(name)).unwrap();
    if name.ends_with(".gz") {
        let mut file = GzEncoder::new(file, Compression::fast());
        file.write_all(text.as_bytes()).unwrap();
        file.finish().unwrap();
    } else {
        (&file).write_all(text.as_bytes()).unwrap();
    }
}

/// Two days of a region with one province, made up; on the second they disagree.
fn small() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("regions.csv", "region_id,region,nuts2\n03,Lombardia,ITC4\n"),
        (
            "units.csv",
            "province_code,name,sigla,kind,region_id,region\n\
             016,Bergamo,BG,province,03,Lombardia\n\
             888,Fuori Regione,,out_of_region,03,Lombardia\n\
             988,In fase di definizione,,being_defined,03,Lombardia\n",
        ),
        (
            "province_daily.csv.gz",
            "date,region_id,region_code_as_published,province_code,total_cases\n\
             2020-02-25,03,03,016,7\n2020-02-25,03,03,988,2\n\
             2020-02-26,03,03,016,9\n2020-02-26,03,03,888,1\n",
        ),
        (
            "region_daily_published.csv.gz",
            "date,region_id,deceduti,totale_casi\n2020-02-25,03,,9\n2020-02-26,03,1,11\n",
        ),
        ("national_daily_published.csv.gz", "date,totale_casi\n2020-02-25,9\n2020-02-26,11\n"),
        (
            "exceptions.csv",
            "date,level,region_id,measure,sum_lower,published,difference\n\
             2020-02-25,region->nation,,totale_ospedalizzati,149,150,-1\n\
             2020-02-26,province->region,03,totale_casi,10,11,-1\n",
        ),
    ];
    for (name, text) in files {
        write(folder.path(), name, text);
    }
    folder
}

#[test]
fn rows_belong_to_provinces_and_residuals_of_their_region() {
    let folder = small();
    let published = Published::read(folder.path()).unwrap();
    let areas: Vec<String> = published.sources.values().map(|s| s.area().to_string()).collect();
    assert_eq!(areas, ["03/016", "03/~out-of-region", "03/~being-defined"]);
    let paths: Vec<String> = published.paths().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["it", "it/03", "it/03/016"]);
    let csv = published.day_csv(date(2020, 2, 25), Some(&"03".parse().unwrap()));
    assert!(csv.ends_with("\n2020-02-25,03,03,988,2\n"), "{csv}");
    assert_eq!(csv.lines().count(), 2);
    assert_eq!(published.day_csv(date(2020, 2, 25), None).lines().count(), 3);
}

#[test]
fn disagreements_are_found_and_are_those_listed() {
    let folder = small();
    let published = Published::read(folder.path()).unwrap();
    assert_eq!(published.disagreements(), published.exceptions);
    assert_eq!(published.exceptions.len(), 1);
}

#[test]
fn an_unknown_code_names_its_file() {
    let folder = small();
    let text = "date,province_code,total_cases\n2020-02-25,017,1\n";
    write(folder.path(), "province_daily.csv.gz", text);
    let error = Published::read(folder.path()).unwrap_err();
    assert!(matches!(&error, ReadError::Code { found, .. } if found == "017"), "{error}");
}

/// Runs where the published files are.
#[test]
fn the_published_files_are_as_they_are_described() {
    let Some(folder) = data_folder() else { return };
    let published = Published::read(&folder).unwrap();
    assert_eq!((published.regions.len(), published.sources.len()), (21, 149));
    assert_eq!(published.paths().unwrap().len(), 1 + 21 + 107);
    assert_eq!(published.days.len(), 1_781);
    let mut found = published.disagreements();
    let mut listed = published.exceptions.clone();
    found.sort();
    listed.sort();
    assert_eq!(found.len(), 60);
    assert_eq!(found, listed);
    let (first, last) = WINDOW;
    assert!(found.iter().all(|exception| !(first..=last).contains(&exception.date)));
    for (date, day) in &published.days {
        assert_eq!(day.nation, Some(day.regions.values().sum()), "{date}");
    }
    let sicily = "19".parse().unwrap();
    let of = |date| published.days.get(&date).and_then(|day| day.regions.get(&sicily)).copied();
    assert_eq!((of(date(2020, 6, 18)), of(date(2020, 6, 19))), (Some(3_464), Some(3_070)));
}
