//! What happens between workers and brokers: slow, throttled, cut, half closed, and the end of a transaction that comes
//! late.

use std::time::Duration;

use anyhow::Result;
use rand::Rng;

use crate::faults::{Fault, Scene};

/// Kafka's number of `EndTxn`, which commits or aborts.
const END_TXN: i16 = 26;

const PROXIED: Fault = Fault { is_proxied: true, load_secs: 20.0, ..Fault::NONE };

pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "broker slow", drive: slow, ..PROXIED },
    Fault { name: "connections dropped", drive: drop_connections, ..PROXIED },
    Fault { name: "broker cut off", drive: cut_off, ..PROXIED },
    Fault { name: "connections half closed", drive: half_close, ..PROXIED },
    Fault { name: "EndTxn held beyond the transaction", load_secs: 25.0, drive: hold_end_txn, ..PROXIED },
    Fault {
        name: "EndTxn twice, the first one late",
        launches: |rng, _| vec![format!("after-send:*{}:abort", rng.random_range(2..5))],
        drive: late_end_txn,
        ..PROXIED
    },
];

fn slow(scene: &mut Scene<'_>) -> Result<()> {
    scene.pass(Duration::from_secs(2));
    for proxy in scene.proxies {
        proxy.delay(Duration::from_millis(80));
        proxy.throttle(Some(2_000_000));
    }
    scene.pass(Duration::from_secs(8));
    restore(scene);
    Ok(())
}

fn drop_connections(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..8 * scene.repeats {
        let pause = scene.between(0.3, 2.0);
        scene.pass(pause);
        for proxy in scene.proxies {
            proxy.drop_connections();
        }
    }
    Ok(())
}

fn cut_off(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.repeats {
        let pause = scene.between(2.0, 4.0);
        scene.pass(pause);
        for proxy in scene.proxies {
            proxy.cut();
        }
        let absence = scene.between(7.0, 9.0);
        scene.pass(absence);
        restore(scene);
    }
    Ok(())
}

fn half_close(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.repeats {
        let pause = scene.between(2.0, 4.0);
        scene.pass(pause);
        for proxy in scene.proxies {
            proxy.half_close();
        }
        let absence = scene.between(4.0, 7.0);
        scene.pass(absence);
        restore(scene);
    }
    Ok(())
}

/// Held for longer than the transaction may last: the broker has aborted it by then, and what arrives is refused.
fn hold_end_txn(scene: &mut Scene<'_>) -> Result<()> {
    for _ in 0..scene.repeats {
        scene.pass(Duration::from_secs(2));
        for proxy in scene.proxies {
            proxy.hold_requests(END_TXN, Duration::from_secs(13), false);
        }
        scene.pass(Duration::from_millis(300));
        for proxy in scene.proxies {
            proxy.release_api(END_TXN);
        }
        scene.pass(Duration::from_secs(14));
    }
    Ok(())
}

/// The client loses its connection with an `EndTxn` on it and asks again; the first copy arrives in the middle of a
/// later transaction.
fn late_end_txn(scene: &mut Scene<'_>) -> Result<()> {
    scene.while_loading(Duration::from_secs(600), |scene| {
        let delay = scene.between(0.15, 0.8);
        for proxy in scene.proxies {
            proxy.hold_requests(END_TXN, delay, true);
        }
        let stretch = scene.between(0.05, 0.15);
        scene.pass(stretch);
        for proxy in scene.proxies {
            proxy.release_api(END_TXN);
        }
        let pause = scene.between(0.8, 1.5);
        scene.pass(pause);
        Ok(())
    })
}

fn restore(scene: &Scene<'_>) {
    for proxy in scene.proxies {
        proxy.restore();
    }
}
