//! Small files of every format, made here byte by byte, are read as what they are.

mod files;

use auscult_import::{ImportError, Options, Snapshots, TimeUnit, read_bytes};
use files::reading::{assert_holds, at_rate, lines, read, refusal, rounded};
use files::{Tdms, mat_matrix, mat_v5, npy, tone, uff58};

#[test]
fn columns_without_time_ask_for_the_rate() {
    let (a, b) = (rounded(&tone(500, 0.01), 6), rounded(&tone(500, 0.03), 6));
    for (head, separator) in [("", ","), ("Horizontal,Vertical\n", ","), ("", "\t"), ("", "  "), ("", ";"), ("", ", ")]
    {
        let rows = a.iter().zip(&b).map(|(x, y)| format!("{x:.6}{separator}{y:.6}"));
        let text = [head.as_bytes(), &lines(rows)].concat();
        let refusal = refusal("a.csv", &text, &Options::default());
        assert!(refusal.contains("--rate HZ"), "{refusal}");
        let imported = at_rate("a.csv", &text, 25_600.0);
        assert_holds(&imported, 25_600.0, &[&a, &b]);
        assert_eq!(imported.recordings[0].rate.from, "--rate");
    }
}

#[test]
fn a_time_column_is_the_rate_in_every_writing() {
    let a = rounded(&tone(2560, 0.01), 6);
    let row = |write: fn(f64) -> String| {
        lines(a.iter().enumerate().map(move |(index, x)| format!("{},{x:.6}", write(index as f64 / 25_600.0))))
    };
    let named = |head: &str, text: Vec<u8>| [head.as_bytes(), &text].concat();
    let cases = [
        row(|t| format!("{t:.8}")),
        named("Time (s),Acc [g]\n", row(|t| format!("{t:.6}"))),
        named("Time [ms],Acc\n", row(|t| format!("{:.4}", t * 1e3))),
        named("t_us,Acc\n", row(|t| format!("{:.2}", t * 1e6))),
        named("# logger 7\n# operator: a, b\ntime,acc\ns,g\n", row(|t| format!("{t:.7e}"))),
        row(|t| format!("9,39,39,{:.0}", 65_664.0 + t * 1e6)),
        row(|t| format!("2024-05-01T12:00:{:09.6}Z", 10.0 + t)),
        row(|t| format!("01.05.2024 12:00:{:09.6}", 10.0 + t)),
        row(|t| format!("12:00:{:09.6}", 10.0 + t)),
        row(|t| format!("2024-05-01,12:00:{:09.6}", 10.0 + t)),
        named(
            "No,Stamp,Acc\n",
            lines(
                a.iter()
                    .enumerate()
                    .map(|(index, x)| format!("{},12:00:{:09.6},{x:.6}", index + 1, index as f64 / 25_600.0)),
            ),
        ),
        named("timestamp,acc\n", row(|t| format!("{:.6}", 1_714_564_800.0 + t))),
        named("timestamp,acc\n", row(|t| format!("{:.3}", 1_714_564_800_000.0 + t * 1e3))),
        named(
            "Sample,Time (s),Acc\n",
            lines(a.iter().enumerate().map(|(index, x)| format!("{index},{:.6},{x:.6}", index as f64 / 25_600.0))),
        ),
    ];
    for text in &cases {
        assert_holds(&read("a.csv", text), 25_600.0, &[&a]);
    }
    let semicolons = "Zeit;Beschleunigung\ns;g\n".to_owned()
        + &a.iter()
            .enumerate()
            .map(|(index, x)| format!("{:.6};{x:.6}\n", index as f64 / 25_600.0).replace('.', ","))
            .collect::<String>();
    let imported = read("messung.csv", semicolons.as_bytes());
    assert_holds(&imported, 25_600.0, &[&a]);
    assert_eq!(imported.recordings[0].channels[0].unit.as_deref(), Some("g"));
    assert_eq!(imported.recordings[0].channels[0].name, "Beschleunigung");
    // The same in UTF-16 with its mark, and in Latin-1 with a degree sign.
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(semicolons.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_holds(&read("messung.csv", &utf16), 25_600.0, &[&a]);
    let latin1: Vec<u8> =
        semicolons.replace("Beschleunigung", "Temp \u{b0}").chars().map(|letter| letter as u8).collect();
    assert_holds(&read("messung.csv", &latin1), 25_600.0, &[&a]);
}

#[test]
fn a_column_of_words_is_left_out_by_name() {
    let a = rounded(&tone(500, 0.01), 6);
    for (separator, decimal) in [(",", "."), (";", ","), ("\t", ".")] {
        let row = |(index, x): (usize, &f64)| {
            format!(
                "{}{separator}{}",
                if index % 3 == 0 { "OK" } else { "warm up" },
                format!("{x:.6}").replace('.', decimal)
            )
        };
        let text = [format!("State{separator}Acc\n").into_bytes(), lines(a.iter().enumerate().map(row))].concat();
        let imported = at_rate("a.csv", &text, 25_600.0);
        assert_holds(&imported, 25_600.0, &[&a]);
        assert!(
            imported.notes.iter().any(|note| note.starts_with("State has numbers in 0 of 500")),
            "{:?}",
            imported.notes
        );
    }
}

#[test]
fn a_head_of_settings_is_no_name_and_rows_may_be_quoted_or_one() {
    let a = rounded(&tone(2560, 0.01), 6);
    let rows = |separator: &str| {
        a.iter()
            .enumerate()
            .map(|(index, x)| format!("{:.6}{separator}{x:.6}\n", index as f64 / 25_600.0))
            .collect::<String>()
    };
    let lvm = "LabVIEW Measurement\nChannels\t1\t\nDelta_X\t3.906250E-5\n***End_of_Header***\nX_Value\tAcc\tComment\n"
        .to_owned()
        + &rows("\t");
    let imported = read("a.lvm", lvm.as_bytes());
    assert_holds(&imported, 25_600.0, &[&a]);
    assert_eq!(imported.recordings[0].channels[0].name, "Acc");
    // Without the line of names, what rises evenly is time all the same.
    let bare = "Channels\t1\nDelta_X\t3.906250E-5\n".to_owned() + &rows("\t");
    assert_holds(&read("a.lvm", bare.as_bytes()), 25_600.0, &[&a]);
    let quoted: String =
        rows("|").lines().map(|line| format!("\"{}\"\n", line.replace('.', ",").replace('|', "\",\""))).collect();
    assert_holds(&read("a.csv", quoted.as_bytes()), 25_600.0, &[&a]);
    let one_row = a.iter().map(|x| format!("{x:.6}")).collect::<Vec<_>>().join(",");
    let options = Options { rate_hz: Some(25_600.0), ..Options::default() };
    let refused = refusal("a.csv", one_row.as_bytes(), &options);
    assert!(refused.contains("--snapshots rows"), "{refused}");
    let options = Options { snapshots: Some(Snapshots::Rows), ..options };
    assert_holds(&read_bytes("a.csv", one_row.as_bytes(), &options).unwrap(), 25_600.0, &[&a]);
}

#[test]
fn settings_above_the_numbers_state_the_rate() {
    let a = rounded(&tone(400, 0.01), 6);
    let body: String = a.iter().map(|x| format!("{x:.6}\n")).collect();
    for head in [
        "Sampling rate: 51200 Hz\n\nAcc [g]\n",
        "# fs = 51.2 kHz\n",
        "LabVIEW Measurement\nDelta_X\t1.95312E-5\n***End_of_Header***\n",
    ] {
        assert_holds(&read("a.txt", (head.to_owned() + &body).as_bytes()), 51_200.0, &[&a]);
    }
}

#[test]
fn what_a_text_leaves_open_is_asked() {
    // Milliseconds at 25.6 kHz, or seconds at 25.6 Hz?
    let rows = |count: usize| {
        lines((0..count).map(|index| format!("{:.7},{:.3}", index as f64 * 0.039_062_5, (index % 7) as f64)))
    };
    let asked = refusal("a.csv", &rows(500), &Options::default());
    assert!(asked.contains("--time-unit"), "{asked}");
    let options = Options { time_unit: Some(TimeUnit::Milliseconds), ..Options::default() };
    assert_eq!(read_bytes("a.csv", &rows(500), &options).unwrap().recordings[0].rate.hz, 25_600.0);
    // One column of decimal commas, or two of whole numbers?
    let text = lines((0..100).map(|index| format!("{},{}", index % 9, 100 + index)));
    let asked = refusal("a.csv", &text, &Options::default());
    assert!(asked.contains("--decimal"), "{asked}");
    let both = |decimal_comma| {
        let options = Options { rate_hz: Some(1000.0), decimal_comma: Some(decimal_comma), ..Options::default() };
        read_bytes("a.csv", &text, &options).unwrap().recordings[0].channels.len()
    };
    assert_eq!((both(true), both(false)), (1, 2));
    // A zero in front tells.
    let text = lines((0..100).map(|index| format!("0,0{:02}", index * 37 % 100)));
    assert_eq!(at_rate("a.csv", &text, 1000.0).recordings[0].channels.len(), 1);
    // Words, two tables, uneven times.
    assert!(
        refusal("a.txt", b"Dear Sir or Madam,\nplease find enclosed\n", &Options::default())
            .contains("rows of numbers")
    );
    let mixed =
        lines((0..300).map(|index| if index % 10 == 9 { "1,2".to_owned() } else { format!("{index},0.5,0.25") }));
    assert!(refusal("a.csv", &mixed, &Options { rate_hz: Some(1e3), ..Options::default() }).contains("of 300 rows"));
    let uneven = lines((0..300).map(|index: i32| format!("{:.4},{}", f64::from(index * index) * 1e-4, index % 5)));
    assert!(refusal("a.csv", &[b"time,a\n".as_slice(), &uneven].concat(), &Options::default()).contains("uneven"));
}

#[test]
fn missing_numbers_and_lost_time_cut_a_recording_and_are_said() {
    let row = |index: usize| match index {
        500 => "nan".to_owned(),
        700 => "OVL".to_owned(),
        _ => format!("{:.3}", (index as f64 * 0.1).sin()),
    };
    let imported = at_rate("a.csv", &lines((0..1000).map(row)), 1000.0);
    let lengths: Vec<usize> = imported.recordings.iter().map(|recording| recording.samples()).collect();
    assert_eq!(lengths, [500, 199, 299], "{:?}", imported.notes);
    assert!(imported.notes.iter().any(|note| note.contains("2 gaps")), "{:?}", imported.notes);
    assert!(imported.notes.iter().any(|note| note.contains("line 701")), "{:?}", imported.notes);

    let late = |index: usize| {
        format!("{:.4},{:.3}", (index + if index < 600 { 0 } else { 50 }) as f64 * 1e-3, (index as f64 * 0.1).sin())
    };
    let imported = read("a.csv", &lines((0..1000).map(late)));
    assert_eq!(imported.recordings.iter().map(|recording| recording.samples()).collect::<Vec<_>>(), [600, 400]);
    assert_eq!(imported.recordings[1].name, "2");
}

#[test]
fn matlab_v5_is_read_plain_and_compressed() {
    let (a, b) = (tone(4800, 0.02), tone(4800, 0.05));
    let variables = |is_compressed| {
        mat_v5(
            &[mat_matrix("X097_DE_time", &a), mat_matrix("X097_FE_time", &b), files::mat_u16("X097RPM", 1796)],
            is_compressed,
        )
    };
    for is_compressed in [false, true] {
        let bytes = variables(is_compressed);
        assert!(refusal("97.mat", &bytes, &Options::default()).contains("--rate HZ"));
        let imported = at_rate("97.mat", &bytes, 48_000.0);
        assert_holds(&imported, 48_000.0, &[&a, &b]);
        assert_eq!(imported.recordings[0].rpm, Some(1796.0));
        let one = Options {
            rate_hz: Some(48_000.0),
            variables: vec!["X097_FE_time".into()],
            unit: Some("g".into()),
            scale: Some(2.0),
            ..Options::default()
        };
        let imported = read_bytes("97.mat", &bytes, &one).unwrap();
        let doubled: Vec<f64> = b.iter().map(|value| 2.0 * value).collect();
        assert_holds(&imported, 48_000.0, &[&doubled]);
        assert_eq!(imported.recordings[0].channels[0].unit.as_deref(), Some("g"));
    }
    let refused = refusal("97.mat", &variables(false), &Options { variables: vec!["BA".into()], ..Options::default() });
    assert!(refused.contains("X097_DE_time"), "{refused}");
    // A setting named fs, and 99.mat's two records.
    let bytes = mat_v5(&[mat_matrix("x", &a), files::mat_u16("fs", 48_000)], false);
    assert_holds(&read("x.mat", &bytes), 48_000.0, &[&a]);
    let bytes = mat_v5(&[mat_matrix("X098_DE_time", &a), mat_matrix("X099_DE_time", &b[..4000])], true);
    let names: Vec<String> =
        at_rate("99.mat", &bytes, 48_000.0).recordings.into_iter().map(|recording| recording.name).collect();
    assert_eq!(names, ["X098", "X099"]);
}

#[test]
fn tdms_scales_segments_and_orders_are_read() {
    let counts: Vec<i16> = (0..2560).map(|index| (3000.0 * (f64::from(index) * 0.1).sin()) as i16).collect();
    let linear: Vec<f64> = counts.iter().map(|&count| f64::from(count) * 0.001 + 0.5).collect();
    let scale = |file: Tdms| {
        file.text("NI_Scaling_Status", "unscaled")
            .number("NI_Number_Of_Scales", 1.0)
            .text("NI_Scale[0]_Scale_Type", "Linear")
            .number("NI_Scale[0]_Linear_Slope", 0.001)
            .number("NI_Scale[0]_Linear_Y_Intercept", 0.5)
            .number("NI_Scale[0]_Linear_Input_Source", 4_294_967_295.0)
    };
    for is_big_endian in [false, true] {
        let file = scale(Tdms::new(is_big_endian).number("wf_increment", 1.0 / 25_600.0).text("unit_string", "g"));
        let bytes = file.clone().bytes(&[&counts], false);
        let imported = read("a.tdms", &bytes);
        assert_holds(&imported, 25_600.0, &[&linear]);
        assert_eq!(imported.recordings[0].channels[0].unit.as_deref(), Some("g"));
        // The computer stopped: what is whole is taken, and said.
        let cut = read("a.tdms", &bytes[..bytes.len() - 1001]);
        assert_holds(&cut, 25_600.0, &[&linear[..linear.len() - 501]]);
        assert!(cut.notes.iter().any(|note| note.contains("cut short")), "{:?}", cut.notes);
        // A second segment of raw data alone, and two channels in turn.
        let two = [bytes.clone(), files::tdms_raw_segment(&counts, is_big_endian)].concat();
        assert_holds(&read("a.tdms", &two), 25_600.0, &[&[linear.clone(), linear.clone()].concat()]);
        let other: Vec<i16> = counts.iter().rev().copied().collect();
        let reversed: Vec<f64> = linear.iter().rev().copied().collect();
        for is_interleaved in [false, true] {
            assert_holds(
                &read("a.tdms", &file.clone().bytes(&[&counts, &other], is_interleaved)),
                25_600.0,
                &[&linear, &reversed],
            );
        }
    }
    // A chain: polynomial of the raw values, then linear of scale 0, then their difference as NI has it: right less
    // left.
    let chain = Tdms::new(false)
        .number("wf_increment", 1e-4)
        .number("NI_Number_Of_Scales", 3.0)
        .text("NI_Scale[0]_Scale_Type", "Polynomial")
        .number("NI_Scale[0]_Polynomial_Coefficients_Size", 3.0)
        .number("NI_Scale[0]_Polynomial_Coefficients[0]", 1.0)
        .number("NI_Scale[0]_Polynomial_Coefficients[1]", 0.1)
        .number("NI_Scale[0]_Polynomial_Coefficients[2]", 1e-6)
        .text("NI_Scale[1]_Scale_Type", "Linear")
        .number("NI_Scale[1]_Linear_Slope", 3.0)
        .number("NI_Scale[1]_Linear_Y_Intercept", 0.0)
        .number("NI_Scale[1]_Linear_Input_Source", 0.0)
        .text("NI_Scale[2]_Scale_Type", "Subtract")
        .number("NI_Scale[2]_Subtract_Left_Operand_Input_Source", 0.0)
        .number("NI_Scale[2]_Subtract_Right_Operand_Input_Source", 1.0);
    let polynomial = |x: f64| 1.0 + 0.1 * x + 1e-6 * x * x;
    let expected: Vec<f64> = counts.iter().map(|&count| 2.0 * polynomial(f64::from(count))).collect();
    assert_holds(&read("a.tdms", &chain.bytes(&[&counts], false)), 10_000.0, &[&expected]);
    // A scale that is not known is no raw value.
    let strain = Tdms::new(false)
        .number("NI_Number_Of_Scales", 1.0)
        .text("NI_Scale[0]_Scale_Type", "Strain")
        .bytes(&[&counts], false);
    assert!(refusal("a.tdms", &strain, &Options::default()).contains("Strain"));
    // LabVIEW's step where no rate was set.
    let unset = Tdms::new(false).number("wf_increment", 1.0).bytes(&[&counts], false);
    assert!(refusal("a.tdms", &unset, &Options::default()).contains("LabVIEW"));
}

#[test]
fn uff58_is_read_as_text_and_in_binary_and_spectra_are_refused() {
    let a = tone(5120, 0.12);
    for (is_binary, is_double) in [(false, true), (true, true), (false, false), (true, false)] {
        let imported = read("a.uff", &uff58(&a, 1, is_binary, is_double));
        assert_holds(&imported, 51_200.0, &[&a]);
        assert_eq!(imported.recordings[0].channels[0].unit.as_deref(), Some("g"));
    }
    let refused = refusal("a.uff", &uff58(&a, 4, false, true), &Options::default());
    assert!(refused.contains("frequency response"), "{refused}");
}

#[test]
fn numpy_arrays_are_channels_or_snapshots() {
    let (a, b) = (tone(1000, 0.1), tone(1000, 0.2));
    let by_row = npy("<f8", false, "(2, 1000)", &[a.clone(), b.clone()].concat());
    assert_holds(&at_rate("a.npy", &by_row, 8000.0), 8000.0, &[&a, &b]);
    let pairs: Vec<f64> = a.iter().zip(&b).flat_map(|(x, y)| [*x, *y]).collect();
    assert_holds(&at_rate("a.npy", &npy(">f4", false, "(1000, 2)", &pairs), 8000.0), 8000.0, &[&a, &b]);
    assert_holds(&at_rate("a.npy", &npy("<f8", true, "(2, 1000)", &pairs), 8000.0), 8000.0, &[&a, &b]);
    let options = Options { rate_hz: Some(8000.0), snapshots: Some(Snapshots::Rows), ..Options::default() };
    let joined = read_bytes("a.npy", &by_row, &options).unwrap();
    assert_holds(&joined, 8000.0, &[&[a.clone(), b.clone()].concat()]);
    let archive = files::stored_zip(&[
        ("acc.npy", npy("<f8", false, "(1000,)", &a)),
        ("fs.npy", npy("<f8", false, "()", &[12_800.0])),
    ]);
    assert_holds(&read("a.npz", &archive), 12_800.0, &[&a]);
    assert!(refusal("a.npy", &npy("|O", false, "(1,)", &[]), &Options::default()).contains("objects"));
}

#[test]
fn what_is_not_read_is_named_with_the_way() {
    for (start, word) in [
        (b"# Created by Octave 8.4.0\n".as_slice(), "save -v7"),
        (b"OggS\0\0\0\0", "ffmpeg"),
        (b"\x1f\x8b\x08\0", "gunzip"),
        (b"PK\x03\x04 xl/workbook.xml", "its directory is missing"),
        (b"\x00\x01\x02\x03\x04\x05", "in no format"),
    ] {
        let refused = refusal("a.bin", start, &Options::default());
        assert!(refused.contains(word), "{refused}");
    }
    assert!(matches!(read_bytes("a.csv", b"", &Options::default()), Err(ImportError::Empty)));
    #[cfg(not(feature = "hdf5"))]
    {
        let head = [b"MATLAB 7.3 MAT-file".as_slice(), &[b' '; 493], b"\x89HDF\r\n\x1a\n"].concat();
        let refused = refusal("a.mat", &head, &Options::default());
        assert!(refused.contains("--features hdf5") && refused.contains("-v7"), "{refused}");
    }
}
