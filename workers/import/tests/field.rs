//! What a fresh reader found: files as they are written in the field, which were read wrong, or refused with a wrong
//! cause.

mod files;

use auscult_import::{Options, Snapshots, TimeUnit, read_bytes};
use files::reading::{assert_holds, at_rate, lines, read, refusal, rounded};
use files::{npy, tone, uff58};

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

#[test]
fn a_last_column_that_is_filled_now_and_then_costs_no_sample() {
    let a = rounded(&tone(600, 0.05), 6);
    let table = |last: &dyn Fn(usize) -> &'static str| {
        let row = |index: usize| format!("{:.8},{:.6},{}", index as f64 / 25_600.0, a[index], last(index));
        [b"t,a,note\n".as_slice(), &lines((0..600).map(row))].concat()
    };
    for last in [
        (&|index: usize| if index == 0 { "start" } else { "" }) as &dyn Fn(usize) -> &'static str,
        &|index: usize| if index.is_multiple_of(50) { "1" } else { "" },
        &|index: usize| if index.is_multiple_of(5) { "23.5" } else { "" },
    ] {
        let imported = read("a.csv", &table(last));
        assert_holds(&imported, 25_600.0, &[&a]);
        assert_eq!(imported.recordings[0].channels[0].name, "a");
    }
}

#[test]
fn what_is_asked_for_can_be_answered_either_way() {
    let a = [1.25, 1.5, 1.125, 1.75].repeat(100);
    let text = lines(a.iter().map(|x| format!("{x:.3};{:.3}", x + 1.0).replace('.', ",")));
    let options = |decimal_comma| Options { rate_hz: Some(8000.0), decimal_comma, ..Options::default() };
    assert!(refusal("a.csv", &text, &options(None)).contains("--decimal comma or --decimal point"));
    let first =
        |decimal| read_bytes("a.csv", &text, &options(Some(decimal))).unwrap().recordings[0].channels[0].samples[0];
    assert_eq!((first(true), first(false)), (1.25, 1250.0));
}
