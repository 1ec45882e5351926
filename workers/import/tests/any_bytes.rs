//! Whatever the bytes, a reader gives recordings or an error: it never panics, and asks for no memory that the bytes do
//! not fill.

mod files;
#[path = "../../../fuzz/src/import.rs"]
mod target;

use files::valid;
use proptest::prelude::*;

#[test]
#[ignore = "fuzz/run.sh runs this for its seeds"]
fn seeds() {
    let folder = std::env::var_os("AUSCULT_FUZZ_SEEDS").expect("AUSCULT_FUZZ_SEEDS names the folder for the seeds");
    for (number, (name, bytes)) in valid().into_iter().enumerate() {
        let input = [&[target::choice_of(name)], bytes.as_slice()].concat();
        std::fs::write(std::path::Path::new(&folder).join(format!("seed-{number}")), input)
            .expect("the folder is there");
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
