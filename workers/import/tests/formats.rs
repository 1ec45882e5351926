//! Small files of every format, made here byte by byte, are read as what they are.

mod files;

use auscult_import::{ImportError, Imported, Options, Snapshots, TimeUnit, read_bytes};
use files::{Tdms, mat_matrix, mat_v5, npy, tone, uff58};

fn read(name: &str, bytes: &[u8]) -> Imported {
    read_bytes(name, bytes, &Options::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn at_rate(name: &str, bytes: &[u8], rate_hz: f64) -> Imported {
    let options = Options { rate_hz: Some(rate_hz), ..Options::default() };
    read_bytes(name, bytes, &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn refusal(name: &str, bytes: &[u8], options: &Options) -> String {
    read_bytes(name, bytes, options).expect_err("must be refused").to_string()
}

/// One recording of these channels, to 1e-6.
fn assert_holds(imported: &Imported, rate_hz: f64, channels: &[&[f64]]) {
    assert_eq!(imported.recordings.len(), 1, "{:?}", imported.notes);
    let recording = &imported.recordings[0];
    assert_eq!(recording.rate.hz, rate_hz, "{}", recording.rate.from);
    assert_eq!(recording.channels.len(), channels.len());
    for (channel, expected) in recording.channels.iter().zip(channels) {
        assert_eq!(channel.samples.len(), expected.len(), "{}: {:?}", channel.name, imported.notes);
        for (found, expected) in channel.samples.iter().zip(*expected) {
            assert!(
                (f64::from(*found) - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                "{}: {found} {expected}",
                channel.name
            );
        }
    }
}

fn rounded(values: &[f64], digits: i32) -> Vec<f64> {
    values.iter().map(|value| (value * 10_f64.powi(digits)).round() / 10_f64.powi(digits)).collect()
}

fn lines(rows: impl Iterator<Item = String>) -> Vec<u8> {
    rows.map(|row| row + "\n").collect::<String>().into_bytes()
}

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
    // A chain: polynomial of the raw values, then linear of scale 0, then their difference as NI has it: right less left.
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

/// Excel's and MATLAB's dates, and times in minutes and hours, are no seconds.
#[test]
fn a_time_in_days_hours_or_minutes_is_not_taken_as_seconds() {
    let a = rounded(&tone(600, 0.05), 6);
    let table = |head: &str, time: &dyn Fn(usize) -> String| {
        [format!("{head},acc\n").into_bytes(), lines((0..600).map(|i| format!("{},{:.6}", time(i), a[i])))].concat()
    };
    let at_10_hz = |index: usize| index as f64 / 10.0;
    for (head, first, unit, digits) in [
        ("Date", 45_992.5, 86_400.0, 11),
        ("datenum", 739_951.5, 86_400.0, 10),
        ("time [min]", 0.0, 60.0, 9),
        ("time (h)", 0.0, 3600.0, 9),
        ("t [d]", 0.0, 86_400.0, 12),
    ] {
        let text = table(head, &|index| format!("{:.digits$}", first + at_10_hz(index) / unit));
        assert_holds(&read("a.csv", &text), 10.0, &[&a]);
    }
    // Without a name that says so it is asked, and the remedies work.
    let open = table("time", &|index| format!("{:.11}", 45_992.5 + at_10_hz(index) / 86_400.0));
    let refused = refusal("a.csv", &open, &Options::default());
    assert!(refused.contains("--time-unit d or s"), "{refused}");
    let days = Options { time_unit: Some(TimeUnit::Days), ..Options::default() };
    assert_holds(&read_bytes("a.csv", &open, &days).unwrap(), 10.0, &[&a]);
    // Seconds of a day stay seconds.
    let noon = table("time", &|index| format!("{:.6}", 43_200.0 + index as f64 / 51_200.0));
    assert_holds(&read("a.csv", &noon), 51_200.0, &[&a]);
    // What rises evenly and has another unit is no time.
    for head in ["Frequency (Hz)", "Angle [deg]", "x [mm]", "freq"] {
        let text = table(head, &|index| format!("{:.4}", index as f64 * 0.001));
        let refused = refusal("a.csv", &text, &Options::default());
        assert!(refused.contains("no unit of time"), "{head}: {refused}");
        assert_holds(&at_rate("a.csv", &text, 8000.0), 8000.0, &[&a]);
    }
    // Dates in seconds, whatever stands behind the name.
    let utc = table("Timestamp (UTC)", &|index| format!("{:.3}", 1_764_500_000.0 + index as f64 / 100.0));
    assert_holds(&read("a.csv", &utc), 100.0, &[&a]);
}

#[test]
fn a_rate_that_few_digits_leave_open_is_said_to_be() {
    // Milliseconds at 25.7 kHz: 25,600 is the usual rate nearby, and not the true one.
    let text =
        lines((0..6000).map(|i: i32| format!("{},{}.5", 1_764_500_000_000_i64 + i64::from(i) * 10 / 257, i % 7)));
    let imported = read("a.csv", &[b"timestamp,a\n".as_slice(), &text].concat());
    let from = &imported.recordings[0].rate.from;
    assert!(from.contains("open") && from.contains("--rate"), "{from}");
    let fine = lines((0..6000).map(|i| format!("{:.9},{}", f64::from(i) / 25_700.0, i % 7)));
    let imported = read("a.csv", &[b"time,a\n".as_slice(), &fine].concat());
    assert_eq!(imported.recordings[0].rate.from, "the time in \"time\"");
    assert_eq!(imported.recordings[0].rate.hz, 25_700.0);
}

#[test]
fn thousands_are_no_decimals_in_any_language() {
    let a: Vec<f64> = rounded(&tone(600, 0.05), 6).iter().map(|x| (x * 9e6).round() / 1e3).collect();
    let whole: Vec<f64> = a.iter().map(|x| x.round() + 20_000.0).collect();
    let group = |value: f64, mark: &str, decimal: &str, digits: usize| {
        let text = format!("{:.digits$}", value.abs());
        let (int, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let mut out = String::new();
        for (index, digit) in int.chars().enumerate() {
            if index > 0 && (int.len() - index).is_multiple_of(3) {
                out.push_str(mark);
            }
            out.push(digit);
        }
        let sign = if value < 0.0 { "-" } else { "" };
        if digits > 0 { format!("{sign}{out}{decimal}{fraction}") } else { format!("{sign}{out}") }
    };
    let time = |index: usize, decimal: &str| format!("{:.7}", index as f64 / 8000.0).replace('.', decimal);
    for (mark, decimal) in [(".", ","), ("\u{a0}", ","), ("\u{202f}", ","), ("'", "."), (",", ".")] {
        let text = lines((0..600).map(|i| format!("{};{}", time(i, decimal), group(a[i], mark, decimal, 3))));
        assert_holds(&read("a.csv", &[b"t [s];p [Pa]\n".as_slice(), &text].concat()), 8000.0, &[&a]);
        // Whole numbers: 20.123 beside decimal commas is twenty thousand.
        let text = lines((0..600).map(|i| format!("{};{}", time(i, decimal), group(whole[i], mark, decimal, 0))));
        assert_holds(&read("a.csv", &[b"t [s];p [Pa]\n".as_slice(), &text].concat()), 8000.0, &[&whole]);
    }
    let quoted = lines((0..600).map(|i| format!("{},\"{}\"", time(i, "."), group(a[i], ",", ".", 3))));
    assert_holds(&read("a.csv", &[b"t [s],p [Pa]\n".as_slice(), &quoted].concat()), 8000.0, &[&a]);
    // Nothing tells which: a person must say.
    let open =
        lines((0..600).map(|i| format!("{};{}", group(whole[i], ",", "", 0), group(whole[i] + 1.0, ",", "", 0))));
    let refused = refusal("a.csv", &open, &Options { rate_hz: Some(8000.0), ..Options::default() });
    assert!(refused.contains("--decimal comma or --decimal point"), "{refused}");
    let options = Options { rate_hz: Some(8000.0), decimal_comma: Some(false), ..Options::default() };
    assert_eq!(f64::from(read_bytes("a.csv", &open, &options).unwrap().recordings[0].channels[0].samples[5]), whole[5]);
}

/// What the exports of scopes and LabVIEW say above or beside their columns.
#[test]
fn steps_above_beside_and_below_names_are_found() {
    let (a, b) = (rounded(&tone(600, 0.05), 6), rounded(&tone(600, 0.03), 6));
    let table = |head: &str, row: &dyn Fn(usize) -> String| [head.as_bytes(), &lines((0..600).map(row))].concat();
    let one = |text: &[u8]| assert_holds(&read("a.csv", text), 25_600.0, &[&a]);
    let two = |text: &[u8]| assert_holds(&read("a.csv", text), 25_600.0, &[&a, &b]);
    // Rigol: the step below its name, or behind it.
    one(&table("X,CH1,Start,Increment,\nSequence,Volt,-1.17e-01,3.906250e-05\n", &|i| format!("{i},{:.6},", a[i])));
    one(&table("CH1V,t0 =-1.17e-01, tInc = 3.906250e-05,\n", &|i| format!("{:.6},,", a[i])));
    // SignalExpress, and LabVIEW's LVM without a column of times.
    two(&table("channel names:\nai0\tai1\ndt:\n3.906250E-5\t3.906250E-5\ndata:\n", &|i| {
        format!("{:.6}\t{:.6}", a[i], b[i])
    }));
    two(&table("Delta_X\t3.906250E-5\t3.906250E-5\t\n***End_of_Header***\t\t\nX_Value\tA\tB\tComment\n", &|i| {
        format!("\t{:.6}\t{:.6}", a[i], b[i])
    }));
    // A setting is no name of a column, and no unit of one.
    let text = table("Sample rate (Hz): 25,600\nn,A\n", &|i| format!("{i},{:.6}", a[i]));
    one(&text);
    assert_eq!(read("a.csv", &text).recordings[0].channels[0].name, "A");
    assert_eq!(read("a.csv", &text).recordings[0].channels[0].unit, None);
    // German: the comma in the setting says nothing of the columns, and 25.600 is no 25.6.
    let comma = |x: f64| format!("{x:.6}").replace('.', ",");
    one(&table("Abtastintervall;0,0390625;ms\nA\n", &|i| comma(a[i])));
    one(&table("Sample rate: 25.600 Hz\nKanal;A\n", &|i| format!("{i};{}", comma(a[i]))));
}

#[test]
fn a_clock_goes_on_past_midnight_and_counts_minutes() {
    let a = rounded(&tone(600, 0.05), 6);
    let at = |index: usize| (86_399.97 + index as f64 * 1e-4) % 86_400.0;
    let day = |index: usize| {
        let (hour, minute) = ((at(index) / 3600.0) as u32, (at(index) / 60.0) as u32 % 60);
        format!("{hour:02}:{minute:02}:{:07.4}", at(index) % 60.0)
    };
    let text = lines((0..600).map(|i| format!("{},{:.6}", day(i), a[i])));
    assert_holds(&read("a.csv", &[b"Time,acc\n".as_slice(), &text].concat()), 10_000.0, &[&a]);
    let text = lines((0..600).map(|i| format!("03:{:07.4},{:.6}", 1.0 + i as f64 * 1e-4, a[i])));
    assert_holds(&read("a.csv", &[b"Time,acc\n".as_slice(), &text].concat()), 10_000.0, &[&a]);
    let comma = |text: String| text.replace('.', ",");
    let text = lines((0..600).map(|i| {
        format!("30.11.2026 {};{}", comma(format!("12:00:{:07.4}", i as f64 * 1e-4)), comma(format!("{:.6}", a[i])))
    }));
    assert_holds(&read("a.csv", &[b"Zeit;acc\n".as_slice(), &text].concat()), 10_000.0, &[&a]);
}

#[test]
fn a_wide_array_of_snapshots_is_joined_row_by_row_or_column_by_column() {
    let rows: Vec<Vec<f64>> = (0..20).map(|row| tone(300, 0.01 * f64::from(row + 1))).collect();
    let all = rows.concat();
    let turned: Vec<f64> = (0..300).flat_map(|column| rows.iter().map(move |row| row[column])).collect();
    let join = |bytes: &[u8], snapshots| {
        let options = Options { rate_hz: Some(8000.0), snapshots: Some(snapshots), ..Options::default() };
        read_bytes("a.npy", bytes, &options).unwrap()
    };
    assert_holds(&join(&npy("<f8", false, "(20, 300)", &all), Snapshots::Rows), 8000.0, &[&all]);
    assert_holds(&join(&npy("<f8", false, "(20, 300)", &all), Snapshots::Columns), 8000.0, &[&turned]);
    assert_holds(&join(&npy("<f8", false, "(300, 20)", &turned), Snapshots::Columns), 8000.0, &[&all]);
    assert_holds(&join(&npy("<f8", false, "(300, 20)", &turned), Snapshots::Rows), 8000.0, &[&turned]);
}

#[test]
fn a_universal_file_that_was_cut_ends_with_a_whole_number() {
    let a = tone(600, 0.12);
    let whole = uff58(&a, 1, false, true);
    for cut in 2000..2080 {
        let imported = read("a.uff", &whole[..cut]);
        let found = &imported.recordings[0].channels[0].samples;
        for (index, sample) in found.iter().enumerate() {
            assert!(
                (f64::from(*sample) - a[index]).abs() < 1e-6,
                "cut at {cut}: {index} is {sample}, not {}",
                a[index]
            );
        }
    }
}

/// Tektronix writes its settings beside the first rows, in columns that are otherwise free.
#[test]
fn settings_beside_the_rows_cost_no_sample() {
    let a = rounded(&tone(600, 0.05), 6);
    let beside = [
        "Record Length,6.0e+02",
        "Sample Interval,3.906250e-05",
        "Trigger Point,0.0",
        "",
        "Source,CH1",
        "Vertical Units,V",
    ];
    let row = |index: usize| {
        let settings = beside.get(index).filter(|text| !text.is_empty()).unwrap_or(&",");
        format!("{settings},{:.12},{:.6},", index as f64 / 25_600.0 - 0.1, a[index])
    };
    assert_holds(&read("F0001CH1.CSV", &lines((0..600).map(row))), 25_600.0, &[&a]);
}

#[test]
fn channels_of_two_rates_and_a_table_that_begins_again_are_not_mixed() {
    let (a, b) = (rounded(&tone(600, 0.05), 6), rounded(&tone(600, 0.03), 6));
    let head = "Delta_X\t3.906250E-5\t7.812500E-5\t\n***End_of_Header***\t\t\nX_Value\tA\tB\tComment\n";
    let text = [head.as_bytes(), &lines((0..600).map(|i| format!("\t{:.6}\t{:.6}", a[i], b[i])))].concat();
    let refused = refusal("a.lvm", &text, &Options::default());
    assert!(refused.contains("25600") && refused.contains("12800"), "{refused}");

    // The clock starts anew with the second table: it is time in both, and no channel.
    let part = |from: usize| lines((0..300).map(|i| format!("{:.9}\t{:.6}", i as f64 / 25_600.0, a[from + i])));
    let text = [b"X_Value\tA\n".as_slice(), &part(0), b"\nChannels\t1\nX_Value\tA\n", &part(300)].concat();
    let imported = read("a.lvm", &text);
    assert_eq!(imported.recordings.len(), 2, "{:?}", imported.notes);
    for (recording, half) in imported.recordings.iter().zip([&a[..300], &a[300..]]) {
        assert_eq!(recording.channels.len(), 1, "the time is no channel");
        let found: Vec<f64> = recording.channels[0].samples.iter().map(|sample| f64::from(*sample)).collect();
        assert!(found.iter().zip(half).all(|(x, y)| (x - y).abs() < 1e-6));
    }
}

#[test]
fn what_contradicts_repeats_or_scales_is_said() {
    let a = rounded(&tone(600, 0.05), 6);
    let notes = |bytes: &[u8], name: &str| read(name, bytes).notes.join("; ");
    let table = |head: &str, time: &dyn Fn(usize) -> f64| {
        [head.as_bytes(), &lines((0..600).map(|i| format!("{:.9},{:.6}", time(i), a[i])))].concat()
    };
    let text = table("fs: 25600 Hz\ntime (s),acc\n", &|i| i as f64 / 51_200.0);
    assert!(notes(&text, "a.csv").contains("51200 Hz, and fs [Hz] says 25600 Hz"), "{}", notes(&text, "a.csv"));
    let twice = table("time (s),acc\n", &|i| if i < 300 { i as f64 } else { i as f64 - 1.0 } / 25_600.0);
    assert!(notes(&twice, "a.csv").contains("1 rows have the time"), "{}", notes(&twice, "a.csv"));
    let steady = lines((0..600).map(|i| format!("{:.9},{:.6},23.5", i as f64 / 25_600.0, a[i])));
    assert!(notes(&[b"time,acc,temp\n".as_slice(), &steady].concat(), "a.csv").contains("temp is 23.5 in every row"));
    let factor = files::stored_zip(&[
        ("acc.npy", npy("<f8", false, "(600,)", &a)),
        ("fs.npy", npy("<f8", false, "()", &[12_800.0])),
        ("scale.npy", npy("<f8", false, "()", &[0.001])),
    ]);
    assert!(notes(&factor, "a.npz").contains("scale = 0.001, which is not applied"));
    let offset: Vec<f64> = a.iter().map(|x| x * 1e-3 + 1e6).collect();
    let imported = at_rate("a.npy", &npy("<f8", false, "(600,)", &offset), 8000.0);
    assert!(imported.notes.join("").contains("too few digits"), "{:?}", imported.notes);
}

/// What was left out is why there is no signal.
#[test]
fn a_refusal_names_what_was_left_out() {
    let options = Options { rate_hz: Some(8000.0), ..Options::default() };
    let cube = npy("<f8", false, "(2, 3, 100)", &tone(600, 0.1));
    assert!(refusal("a.npy", &cube, &options).contains("3 dimensions"));
    let complex = npy("<c16", false, "(1,)", &[]);
    assert_eq!(
        refusal("a.npy", &complex, &options),
        "is a NumPy file with values of type '<c16' (complex numbers): save its numbers as arrays of their own"
    );
}

#[test]
fn records_and_dates_of_numpy_are_series() {
    let a = tone(600, 0.1);
    let rows: Vec<u8> =
        a.iter().enumerate().flat_map(|(i, x)| [(i as f64 / 8000.0).to_le_bytes(), x.to_le_bytes()].concat()).collect();
    let with_body = |descr: &str, body: &[u8]| {
        let head = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (600,), }}\n");
        [b"\x93NUMPY\x01\x00".as_slice(), &(head.len() as u16).to_le_bytes(), head.as_bytes(), body].concat()
    };
    let imported = read("a.npy", &with_body("[('t', '<f8'), ('acc', '<f8')]", &rows));
    assert_holds(&imported, 8000.0, &[&a]);
    let refused = refusal("a.npy", &with_body("[('t', '<f8'), ('acc', '<f8', (2,))]", &rows), &Options::default());
    assert!(refused.contains("records"), "{refused}");
    let dates: Vec<u8> = (0..600_i64).flat_map(|i| (1_764_500_000_000_000 + i * 125).to_le_bytes()).collect();
    let archive = files::stored_zip(&[
        ("time.npy", with_body("'<M8[us]'", &dates)),
        ("acc.npy", npy("<f8", false, "(600,)", &a)),
    ]);
    assert_holds(&read("a.npz", &archive), 8000.0, &[&a]);
}

/// LabVIEW's head has as many cells as its rows, which leave the first of them free.
#[test]
fn a_head_beside_a_free_column_is_no_row() {
    let (a, b) = (rounded(&tone(600, 0.05), 6), rounded(&tone(600, 0.03), 6));
    let head = "Channels\t2\t\t\nSamples\t600\t600\t\nX0\t0.0\t0.0\t\nDelta_X\t3.906250E-5\t3.906250E-5\t\n***End_of_Header***\t\t\t\n\
                X_Value\tA\tB\tComment\n";
    let text = [head.as_bytes(), &lines((0..600).map(|i| format!("\t{:.6}\t{:.6}", a[i], b[i])))].concat();
    assert_holds(&read("a.lvm", &text), 25_600.0, &[&a, &b]);
}
