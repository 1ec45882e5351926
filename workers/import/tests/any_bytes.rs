//! Whatever the bytes, a reader gives recordings or an error: it never panics, and asks for no memory that the bytes do not fill.

mod files;

use auscult_import::{Options, read_bytes};
use files::{Tdms, mat_matrix, mat_v5, npy, stored_zip, tone, uff58};
use proptest::prelude::*;

fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let a = tone(200, 0.1);
    let counts: Vec<i16> = (0..200).collect();
    vec![
        ("a.mat", mat_v5(&[mat_matrix("x", &a), files::mat_u16("fs", 1000)], false)),
        ("a.mat", mat_v5(&[mat_matrix("x", &a)], true)),
        (
            "a.tdms",
            Tdms::new(false).text("unit_string", "g").number("wf_increment", 1e-4).bytes(&[&counts, &counts], true),
        ),
        ("a.tdms", [Tdms::new(true).bytes(&[&counts], false), files::tdms_raw_segment(&counts, true)].concat()),
        ("a.uff", uff58(&a, 1, false, true)),
        ("a.uff", uff58(&a, 1, true, false)),
        ("a.npy", npy("<f8", false, "(2, 100)", &a)),
        ("a.npz", stored_zip(&[("x.npy", npy("<f8", false, "(200,)", &a))])),
        (
            "a.csv",
            b"time,a\n0.001,2\n0.002,3\n0.003,2\n0.004,1\n0.005,2\n0.006,1\n0.007,3\n0.008,1\n0.009,1\n".to_vec(),
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn bytes_behind_any_beginning(start in 0_usize..9, body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (name, valid) = valid().swap_remove(start);
        let head = valid.len().min(132);
        let bytes = [&valid[..head], &body].concat();
        let _ = read_bytes(name, &bytes, &Options { rate_hz: Some(1000.0), ..Options::default() });
        let _ = read_bytes(name, &body, &Options::default());
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
        let _ = read_bytes(name, &bytes, &Options { rate_hz: Some(1000.0), ..Options::default() });
    }

    #[test]
    fn texts_of_table_letters(text in "[-0-9.,;:\t eENa\n\"#T]{0,300}") {
        let _ = read_bytes("a.csv", text.as_bytes(), &Options { rate_hz: Some(1000.0), ..Options::default() });
        let _ = read_bytes("a.uff", text.as_bytes(), &Options::default());
    }
}
