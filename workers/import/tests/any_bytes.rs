//! Whatever the bytes, a reader gives recordings or an error: it never panics, and asks for no memory that the bytes do
//! not fill.

mod files;
#[path = "../../../fuzz/src/import.rs"]
mod target;

use auscult_import::{Options, read_bytes};
use files::valid;
use proptest::prelude::*;

/// With `AUSCULT_FUZZ_SEEDS`, a folder, the files are written there: `fuzz/run.sh` begins with them.
#[test]
fn valid_files_are_read_and_are_the_seeds_of_fuzzing() {
    let folder = std::env::var_os("AUSCULT_FUZZ_SEEDS").map(std::path::PathBuf::from);
    for (number, (name, bytes)) in valid().into_iter().enumerate() {
        let options = Options { rate_hz: Some(1000.0), ..Options::default() };
        read_bytes(name, &bytes, &options).unwrap_or_else(|error| panic!("{number}, {name}: {error}"));
        let input = [&[target::choice_of(name)], bytes.as_slice()].concat();
        target::import_file(&input);
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("seed-{number}")), input).expect("the folder is there");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn bytes_behind_any_beginning(start in 0_usize..9, body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (name, valid) = valid().swap_remove(start);
        let head = valid.len().min(132);
        let bytes = [&valid[..head], &body].concat();
        target::import_file(&[&[target::choice_of(name)], bytes.as_slice()].concat());
        target::import_file(&body);
    }

    #[test]
    fn files_with_some_bytes_changed(which in 0_usize..9, places in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6), cut in any::<u16>()) {
        let (name, mut bytes) = valid().swap_remove(which);
        for (place, value) in places {
            let place = usize::from(place) % bytes.len();
            bytes[place] = value;
        }
        let len = bytes.len();
        bytes.truncate(len - usize::from(cut) % 40);
        target::import_file(&[&[target::choice_of(name)], bytes.as_slice()].concat());
    }

    #[test]
    fn texts_of_table_letters(text in "[-0-9.,;:\t eENa\n\"#T]{0,300}") {
        for name in ["a.csv", "a.txt", "a.uff"] {
            target::import_file(&[&[target::choice_of(name)], text.as_bytes()].concat());
        }
    }
}
