//! What happens to workers: killed at each step of a transaction, stopped and woken, coming and going, told to stop.

use std::time::Duration;

use anyhow::Result;
use rand::Rng;
use rand::rngs::SmallRng;

use crate::faults::{Ending, Fault, Role, Scene};

/// How long a worker may take to end after SIGTERM: the drain deadline of the suite, and leaving the group.
const GRACE: Duration = Duration::from_secs(12);
/// Longer than the session timeout of the suite, in both protocols.
const LONGER_THAN_A_SESSION: Duration = Duration::from_secs(9);

const KILLED: Fault = Fault { load_secs: 18.0, drive: |_| Ok(()), allows: Ending::is_kill, ..Fault::NONE };

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "SIGKILL before send", launches: |rng, _| kills(rng, "before-send"), ..KILLED },
    Fault { name: "SIGKILL after send", launches: |rng, _| kills(rng, "after-send"), ..KILLED },
    Fault { name: "SIGKILL after send-offsets", launches: |rng, _| kills(rng, "after-offsets"), ..KILLED },
    Fault { name: "SIGKILL after commit", launches: |rng, _| kills(rng, "after-commit"), ..KILLED },
    Fault { name: "SIGKILL after state swap", launches: |rng, _| kills(rng, "after-swap"), ..KILLED },
    Fault {
        name: "SIGKILL at any moment",
        load_secs: 18.0,
        drive: kill_anyone,
        allows: Ending::is_kill,
        ..Fault::NONE
    },
    Fault { name: "SIGSTOP beyond the session, SIGCONT", load_secs: 22.0, drive: zombies, ..Fault::NONE },
    Fault { name: "workers join and leave", load_secs: 40.0, drive: join_and_leave, ..Fault::NONE },
    Fault {
        name: "revoke during a slow batch",
        load_secs: 25.0,
        launches: |rng, _| vec![format!("process:*{}:sleep=4500", rng.random_range(12..20))],
        drive: revoke,
        ..Fault::NONE
    },
    Fault { name: "SIGTERM under load", load_secs: 16.0, drive: terminate, ..Fault::NONE },
    Fault {
        name: "transactions aborted",
        launches: |rng, _| {
            let step = ["before-send", "after-send", "after-offsets"][rng.random_range(0..3)];
            vec![format!("{step}:*{}:abort", rng.random_range(3..8))]
        },
        ..Fault::NONE
    },
    Fault {
        name: "consumer stalls in silence",
        load_secs: 20.0,
        settings: &[("AUSCULT__LIMITS__STALL_UNREADY_MS", "3000"), ("AUSCULT__LIMITS__STALL_EXIT_MS", "5000")],
        launches: |rng, _| vec![format!("poll:{}:deaf", rng.random_range(60..200))],
        allows: has_given_up,
        ..Fault::NONE
    },
];

/// Status of a worker whose watchdog has ended it.
fn has_given_up(ending: &Ending) -> bool {
    const STALLED: i32 = 3;
    ending.status.code() == Some(STALLED)
}

/// Two launches that die at the step, each after a few batches, then one that lives.
fn kills(rng: &mut SmallRng, step: &str) -> Vec<String> {
    (0..2).map(|_| format!("{step}:{}:kill", rng.random_range(5..25))).collect()
}

fn kill_anyone(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..3 * scene.repeats {
        let pause = scene.between(1.0, 4.0);
        scene.pass(pause);
        let victim = scene.someone();
        scene.staff.kill(&victim)?;
    }
    Ok(())
}

fn zombies(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.repeats {
        let pause = scene.between(1.0, 3.0);
        scene.pass(pause);
        for role in ["features", "scoring"] {
            let victim = format!("{role}-{}", scene.rng.random_range(0..2));
            scene.staff.pause(&victim)?;
            scene.pass(LONGER_THAN_A_SESSION);
            scene.staff.resume(&victim)?;
        }
    }
    Ok(())
}

fn join_and_leave(scene: &mut Scene<'_>) -> Result<()> {
    let mut number = 2;
    scene.while_loading(Duration::from_secs(600), |scene| {
        let role = if scene.rng.random_bool(0.5) { Role::Features } else { Role::Scoring };
        let name = format!("{}-{number}", if role == Role::Features { "features" } else { "scoring" });
        number += 1;
        scene.staff.hire(role, &name, [])?;
        let stay = scene.between(1.5, 5.0);
        scene.pass(stay);
        let leaver = scene.someone();
        scene.staff.dismiss(&leaver, GRACE)?;
        // At least one of each stays; whoever has gone is replaced under its old name.
        let role = if leaver.starts_with("features") { Role::Features } else { Role::Scoring };
        scene.staff.hire(role, &leaver, [])?;
        if leaver != name {
            scene.staff.dismiss(&name, GRACE)?;
        }
        let pause = scene.between(0.5, 2.0);
        scene.pass(pause);
        Ok(())
    })
}

/// Newcomers make the group ask for partitions back while batches take longer than a drain may.
fn revoke(scene: &mut Scene<'_>) -> Result<()> {
    let mut number = 2;
    scene.while_loading(Duration::from_secs(600), |scene| {
        let names = [format!("features-{number}"), format!("scoring-{number}")];
        number += 1;
        scene.staff.hire(Role::Features, &names[0], [])?;
        scene.staff.hire(Role::Scoring, &names[1], [])?;
        let stay = scene.between(4.0, 7.0);
        scene.pass(stay);
        for name in &names {
            scene.staff.dismiss(name, GRACE)?;
        }
        Ok(())
    })
}

fn terminate(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.repeats {
        for (role, name) in [
            (Role::Features, "features-0"),
            (Role::Scoring, "scoring-0"),
            (Role::Features, "features-1"),
            (Role::Scoring, "scoring-1"),
        ] {
            let pause = scene.between(0.5, 2.0);
            scene.pass(pause);
            scene.staff.dismiss(name, GRACE)?;
            scene.staff.hire(role, name, [])?;
        }
    }
    Ok(())
}
