//! Every command line that README, docs and `--help` show is one: it is parsed as it is written, and README's own are
//! run.
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auscult::cli::Cli;
use auscult_simulator::{Condition, Fault, Machine, MachineKind, SAMPLE_RATE_HZ, wav_bytes};
use auscult_tests::documented::{DocumentedCommand, of_documents, of_help};
use auscult_tests::{KafkaCluster, Process, auscult_binary, free_ports, get, repository, simulate, until};
use clap::Parser;
use clap::error::ErrorKind;

/// Words that stand for something in the documentation, and something that they may stand for.
const PLACEHOLDERS: [(&str, &str); 7] = [
    ("COMMAND", "train"),
    ("N", "3"),
    ("SCORE", "4.5"),
    ("TIMES", "1.2"),
    ("TIME", "2126-11-28T14:00Z"),
    ("PARTITION/OFFSET", "3/1207"),
    ("OLD", "3"),
];

fn parsed(command: &DocumentedCommand) -> Result<(), clap::Error> {
    let stands_for =
        |word: &String| PLACEHOLDERS.iter().find(|(name, _)| name == word).map(|(_, value)| (*value).to_owned());
    let words = command.words.iter().map(|word| stands_for(word).unwrap_or_else(|| word.clone()));
    Cli::try_parse_from(std::iter::once("auscult".to_owned()).chain(words)).map(drop)
}

/// In the middle of a sentence what everybody knows may be left out.
fn is_named_only(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayVersion
    )
}

#[test]
fn every_command_line_in_readme_docs_and_help_is_understood_as_it_is_written() -> Result<()> {
    let mut commands = of_documents(&repository())?;
    let in_documents = commands.len();
    commands.extend(of_help());
    ensure!(in_documents > 60 && commands.len() - in_documents > 60, "{in_documents} of {}", commands.len());
    let mut wrong = Vec::new();
    for command in &commands {
        if let Err(error) = parsed(command)
            && (command.is_whole || !is_named_only(&error))
            && error.kind() != ErrorKind::DisplayHelp
        {
            wrong.push(format!("{}: auscult {}\n  {error}", command.place, command.words.join(" ")));
        }
    }
    ensure!(wrong.is_empty(), "{} of {} are not understood:\n{}", wrong.len(), commands.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn options_may_stand_on_either_side_of_what_is_asked_for() {
    for line in [
        "control fan-07 acknowledge --by ada --brokers localhost:9092",
        "control fan-07 --by ada --brokers localhost:9092 acknowledge",
        "control --brokers localhost:9092 fan-07 mute --for 8h --by ada --wait 0s",
        "topics --brokers localhost:9092 create --partitions 8",
        "dead-letters --brokers localhost:9092 list --since 24h",
    ] {
        let words = std::iter::once("auscult").chain(line.split(' '));
        assert!(Cli::try_parse_from(words).is_ok(), "auscult {line}");
    }
}

/// How a command of README is run here.
enum How {
    /// To its end.
    Once,
    /// Beside the others, until all are done.
    Beside,
    /// For some seconds, in which it must not fail.
    ForSeconds(u64),
    /// Not at all: why.
    Not(&'static str),
}

fn how(words: &[String]) -> How {
    match words.first().map(String::as_str) {
        Some("feature-worker" | "scoring-worker") => How::Beside,
        Some("watch" | "alertmanager" | "simulate" | "demo") => How::ForSeconds(5),
        Some("lives" | "bench") => How::Not("it takes whole lives, or folders of data sets; their own tests have them"),
        Some("evaluate") if words.iter().any(|word| word == "--table") => How::Not("its own test makes such a table"),
        Some("doctor") => {
            How::Not("the machines of `simulate` have no models, and it says so; its own test has a whole plant")
        }
        Some("retrain") => How::Not("it needs many chunks; its own test sends them"),
        Some(
            "topics" | "send" | "control" | "dead-letters" | "explore" | "train" | "evaluate" | "score" | "features"
            | "bearing" | "import",
        ) => How::Once,
        _ => How::Not("this test does not know how; it is parsed"),
    }
}

/// README's command lines, as they are written but for the address of the three brokers, in a folder that has what they
/// name.
#[test]
fn readme_s_command_lines_do_what_they_are_shown_for() -> Result<()> {
    let cluster = KafkaCluster::start(3)?;
    let folder = tempfile::tempdir()?;
    recordings(folder.path())?;
    let commands: Vec<DocumentedCommand> = of_documents(&repository())?
        .into_iter()
        .filter(|command| command.is_whole && command.place.starts_with("README"))
        .collect();
    ensure!(commands.len() > 20, "{} command lines", commands.len());
    let mut beside = Vec::new();
    for (number, command) in commands.iter().enumerate() {
        let line = command.words.join(" ");
        let words: Vec<String> = command.words.iter().flat_map(|word| here(word, &cluster, folder.path())).collect();
        let mut run = Command::new(auscult_binary()?);
        run.args(&words).current_dir(folder.path()).env("NO_COLOR", "1");
        let log = folder.path().join(format!("command-{number}.log"));
        match how(&command.words) {
            How::Not(why) => println!("not run: auscult {line}: {why}"),
            How::Once => {
                let mut process = Process::start(&line, &mut run, &log)?;
                let status = process.wait(Duration::from_secs(180))?;
                ensure!(status.success(), "{}: auscult {line}: {status}\n{}", command.place, process.log_tail(30));
            }
            How::Beside => {
                let address = SocketAddr::from(([127, 0, 0, 1], free_ports(1)?[0]));
                run.args(["--listen", &address.to_string(), "--instance-id", &format!("worker-{number}")]);
                let mut process = Process::start(&line, &mut run, &log)?;
                until(&format!("auscult {line} to be ready"), Duration::from_secs(120), || {
                    process.ensure_running()?;
                    Ok(get(address, "/readyz").is_ok_and(|(status, _)| status == 200).then_some(()))
                })?;
                beside.push(process);
            }
            How::ForSeconds(seconds) => {
                let mut process = Process::start(&line, &mut run, &log)?;
                std::thread::sleep(Duration::from_secs(seconds));
                if let Some(status) = process.ended()? {
                    ensure!(status.success(), "{}: auscult {line}: {status}\n{}", command.place, process.log_tail(30));
                }
                process.kill()?;
            }
        }
        beside.iter_mut().try_for_each(Process::ensure_running).with_context(|| format!("after auscult {line}"))?;
    }
    Ok(())
}

/// A word as it is here: a shell would have resolved its pattern, and the brokers lie elsewhere.
fn here(word: &str, cluster: &KafkaCluster, folder: &Path) -> Vec<String> {
    if word == "localhost:9092" {
        return vec![cluster.bootstrap()];
    }
    if let Some(parent) = word.strip_suffix("/*.wav") {
        let entries = std::fs::read_dir(folder.join(parent))
            .map(|entries| entries.flatten().collect())
            .unwrap_or_else(|_| Vec::new());
        let mut files: Vec<String> =
            entries.iter().map(|entry| format!("{parent}/{}", entry.file_name().to_string_lossy())).collect();
        files.sort();
        return files;
    }
    vec![if word == "DATA_DIR" { "fan".to_owned() } else { word.to_owned() }]
}

/// What README's lines name: `DATA_DIR` (here `fan`), `today/`, `models/` with fan-07's and that of `fan`, `run1.csv`,
/// `standstill/`, `motor.wav` and `drive-end/` of a motor at 1,796 rpm.
fn recordings(folder: &Path) -> Result<()> {
    let data = simulate(folder, MachineKind::Fan, "fan", Fault::BearingWear, 24)?;
    let machine = Machine::new(MachineKind::Fan, "fan", 11);
    let write = |path: &Path, number: u64, condition: Condition| -> Result<()> {
        std::fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
        Ok(std::fs::write(path, wav_bytes(&machine.chunk(number, condition), SAMPLE_RATE_HZ))?)
    };
    for number in 0..6 {
        write(&data.join(format!("test/normal/{number}.wav")), 2_000 + number, Condition::NORMAL)?;
        let faulty = Condition::faulty(Fault::BearingWear, 1.0);
        write(&data.join(format!("test/abnormal/bearing-wear/{number}.wav")), 3_000 + number, faulty)?;
    }
    // Half of today is well, and the rest raises the alarm that is acknowledged.
    for number in 0..24 {
        let condition = if number < 12 { Condition::NORMAL } else { Condition::faulty(Fault::BearingWear, 1.0) };
        write(&folder.join(format!("today/{number:02}.wav")), 4_000 + number, condition)?;
    }
    for number in 0..4 {
        write(&folder.join(format!("drive-end/{number}.wav")), 5_000 + number, Condition::NORMAL)?;
    }
    write(&folder.join("motor.wav"), 6_000, Condition::NORMAL)?;
    for number in 0..3_u64 {
        let at_rest: Vec<f32> =
            machine.chunk(7_000 + number, Condition::NORMAL).iter().map(|sample| sample / 30.0).collect();
        std::fs::create_dir_all(folder.join("standstill"))?;
        std::fs::write(folder.join(format!("standstill/{number}.wav")), wav_bytes(&at_rest, SAMPLE_RATE_HZ))?;
    }
    let rows: String = machine.chunk(8_000, Condition::NORMAL).iter().map(|sample| format!("{sample:.6}\n")).collect();
    std::fs::write(folder.join("run1.csv"), rows)?;
    std::fs::create_dir_all(folder.join("models"))?;
    for machine in ["fan-07", "fan"] {
        let status = Command::new(auscult_binary()?)
            .args(["train", "fan", "--out", &format!("models/{machine}.safetensors")])
            .current_dir(folder)
            .status()?;
        ensure!(status.success(), "training {machine}: {status}");
    }
    Ok(())
}
