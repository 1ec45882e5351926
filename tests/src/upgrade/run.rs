//! The upgrade itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::crew::{Crew, Terms};
use super::memory::{Remembered, forgotten};
use crate::KafkaCluster;
use crate::faults::Role;
use crate::load::{CONTROL_SHARE, Load, LoadSpec, write_training_sound};
use crate::verifier::{Offsets, Verdict, Verifier};

/// So many that none is heard for a whole drift window, 50 chunks, before the first scoring worker is replaced: what an
/// earlier build has learnt of a window's levels is less than today's would have, and the verifier would find that.
const MACHINES: usize = 60;
const PARTITIONS: &str = "4";
const MAX_CHUNK_BYTES: usize = 131_072;
const SETTLED: Duration = Duration::from_secs(120);
/// Under load, before anything is replaced and between two replacements.
const FIRST: Duration = Duration::from_secs(15);
const BETWEEN: Duration = Duration::from_secs(4);

/// What is to be replaced by what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The earlier `auscult`.
    pub earlier: PathBuf,
    /// Today's.
    pub todays: PathBuf,
    /// Whether a scoring worker goes back to the earlier one, and forth again.
    pub goes_back: bool,
    /// Records in all.
    pub records: usize,
    /// Records a second.
    pub rate_per_s: f64,
    /// Decides what the machines send.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What the verifier found.
    pub verdict: Verdict,
    /// What is wrong beside it.
    pub failures: Vec<String>,
}

/// Runs it. What is done is told on the way.
///
/// # Errors
/// When a part does not start, or a worker does not end in peace.
pub fn run(plan: &Plan) -> Result<Report> {
    // Workers are started in a folder of their own.
    let absolute = |program: &Path| program.canonicalize().with_context(|| program.display().to_string());
    let plan = &Plan { earlier: absolute(&plan.earlier)?, todays: absolute(&plan.todays)?, ..plan.clone() };
    let folder = tempfile::Builder::new().prefix("auscult-upgrade-").tempdir()?;
    let cluster = KafkaCluster::start(1)?;
    let brokers = cluster.bootstrap();
    // All that was there before the upgrade was made by the earlier build.
    auscult(&plan.earlier, &brokers, &["topics", "create", "--partitions", PARTITIONS, "--replication", "1"])?;
    let (sound, model) = (folder.path().join("sound"), folder.path().join("model.safetensors"));
    write_training_sound(&sound, MACHINES)?;
    auscult(&plan.earlier, &brokers, &["train", text(&sound)?, "--out", text(&model)?])?;
    // What the upgrade begins with: topics that are new, settings that are.
    auscult(&plan.todays, &brokers, &["topics", "create", "--partitions", PARTITIONS, "--replication", "1"])?;

    let kcat = cluster.kcat();
    let since = Offsets::now(&kcat)?;
    let terms = Terms { brokers: brokers.clone(), model: model.clone(), folder: folder.path().to_owned() };
    let mut crew = Crew::start(terms, &plan.earlier)?;
    let load = Load::plan(&LoadSpec {
        seed: plan.seed,
        machines: MACHINES,
        chunks: plan.records,
        rate_per_s: plan.rate_per_s,
        prefix: "upgrade".to_owned(),
        poison_share: 0.02,
        control_share: CONTROL_SHARE,
    });
    let is_stopped = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let sending = scope.spawn(|| load.send(&brokers, &is_stopped));
        let rolled = roll(&mut crew, plan, &cluster).and_then(|()| {
            // Or the last of it was no upgrade under load.
            ensure!(!sending.is_finished(), "the load ended before the upgrade: give it more records");
            Ok(())
        });
        is_stopped.store(rolled.is_err(), Ordering::SeqCst);
        let sent = sending.join().expect("sending does not panic");
        rolled?;
        sent.context("sending the load")
    })?;

    let verifier = Verifier::new(kcat, std::slice::from_ref(&model), MAX_CHUNK_BYTES).knowing_earlier_builds();
    let settled = verifier.await_settled(&since, load.len(), SETTLED, || Ok(()));
    crew.ensure_running()?;
    // A moment more, in which a doubled result could still come.
    std::thread::sleep(Duration::from_secs(1));
    let mut failures: Vec<String> = settled.err().map(|error| format!("{error:#}")).into_iter().collect();
    let kcat = cluster.kcat();
    println!("at the end: {}", Remembered::now(&kcat)?);
    failures.extend(crew.complaints());
    failures.extend(forgotten(&kcat)?);
    crew.dismiss()?;
    let verdict = verifier.verify(&since)?;
    if !verdict.is_clean() || !failures.is_empty() {
        println!("what the workers wrote is in {}", folder.keep().display());
    }
    Ok(Report { verdict, failures })
}

fn roll(crew: &mut Crew, plan: &Plan, cluster: &KafkaCluster) -> Result<()> {
    std::thread::sleep(FIRST);
    for role in [Role::Features, Role::Scoring] {
        for name in crew.names(role) {
            if role == Role::Scoring {
                let remembered = Remembered::now(&cluster.kcat())?;
                println!("remembered before {name}: {remembered}");
                // Else nothing of what is read would matter to what is judged.
                ensure!(
                    remembered.touched_by_people() > 0 && remembered.deviating() > 0,
                    "there is too little to go on from"
                );
            }
            replace(crew, &name, &plan.todays, "today's")?;
        }
    }
    if plan.goes_back {
        replace(crew, "scoring-0", &plan.earlier, "the earlier")?;
        replace(crew, "scoring-0", &plan.todays, "today's")?;
    }
    crew.ensure_running()
}

fn replace(crew: &mut Crew, name: &str, program: &Path, called: &str) -> Result<()> {
    let (ended, ready) = crew.replace(name, program)?;
    println!("{name} is {called} now: ended in {:.1} s, ready {:.1} s later", ended.as_secs_f64(), ready.as_secs_f64());
    std::thread::sleep(BETWEEN);
    Ok(())
}

fn auscult(program: &Path, brokers: &str, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    let output = command.args(arguments).env("AUSCULT__KAFKA__BROKERS", brokers).output();
    let output = output.with_context(|| format!("running {}", program.display()))?;
    let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "auscult {}: {}\n{printed}{errors}", arguments.join(" "), output.status);
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}
