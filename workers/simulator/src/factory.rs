//! The background noise of the hall: broadband rumble, the hum of other machines, occasional clanks. Never the same
//! twice.

use rand::Rng;
use rand::rngs::SmallRng;

use super::acoustics::{Filter, Mode, add_at_spl, around, peak_of_spl, poisson_times, seconds, strike, white};
use super::rotor::Rotation;

/// Level of the hall's broadband noise at the microphone, dB SPL, and its variation from chunk to chunk.
const ROOM_SPL_DB: f64 = 66.0;
const ROOM_SPREAD_DB: f64 = 2.0;
/// Level of a neighbour's tones, dB SPL, and its range.
const NEIGHBOUR_SPL_DB: f64 = 54.0;
const NEIGHBOUR_SPREAD_DB: f64 = 4.0;
/// Clanks per second, and their peak level, dB SPL.
const CLANKS_HZ: f64 = 0.25;
const CLANK_PEAK_SPL_DB: f64 = 72.0;

/// Adds the hall's normal background, `hall_db` louder.
pub(super) fn add_background(pressure: &mut [f64], hall_db: f64, rng: &mut SmallRng) {
    let samples = pressure.len();

    // Rumble that falls by about 3 dB per octave: three overlapping bands, the low ones strongest.
    let mut rumble = vec![0.0; samples];
    for (hz, level_db) in [(120.0, 0.0), (700.0, -6.0), (3000.0, -13.0)] {
        let mut band = white(samples, rng);
        Filter::band_pass(hz, 0.5).run(&mut band);
        add_at_spl(&mut rumble, &band, 60.0 + level_db + around(rng, 0.0, 1.0));
    }
    add_at_spl(pressure, &rumble, around(rng, ROOM_SPL_DB + hall_db, ROOM_SPREAD_DB));

    let neighbour = Rotation::new(samples, around(rng, 47.0, 6.0), rng);
    let orders: Vec<(f64, f64)> = (1..=8).map(|order| (1.0 / f64::from(order), rng.random())).collect();
    add_at_spl(pressure, &neighbour.orders(&orders), around(rng, NEIGHBOUR_SPL_DB, NEIGHBOUR_SPREAD_DB));

    for at_s in poisson_times(CLANKS_HZ, seconds(pressure), rng) {
        let modes = [0.4, 1.0, 0.6].map(|gain| Mode { hz: rng.random_range(400.0..3000.0), decay_s: 0.03, gain });
        strike(pressure, at_s, peak_of_spl(around(rng, CLANK_PEAK_SPL_DB, 4.0)), &modes);
    }
}

/// Level of the new source's tones relative to its noise, dB; and its speed, Hz: a screw compressor's lobes pass six
/// times per turn.
const NEWCOMER_TONE_DB: f64 = -3.0;
const NEWCOMER_HZ: f64 = 49.2;
const NEWCOMER_LOBES: u32 = 6;

/// Adds a new sound source, a screw compressor behind a grille: broadband noise, and the tones of its lobes.
pub(super) fn add_newcomer(pressure: &mut [f64], spl_db: f64, rng: &mut SmallRng) {
    let samples = pressure.len();
    let mut noise = vec![0.0; samples];
    for (hz, level_db) in [(350.0, 0.0), (1400.0, -4.0), (4500.0, -10.0)] {
        let mut band = white(samples, rng);
        Filter::band_pass(hz, 0.6).run(&mut band);
        add_at_spl(&mut noise, &band, 60.0 + level_db);
    }
    let spl_db = around(rng, spl_db, 1.0);
    add_at_spl(pressure, &noise, spl_db);

    let rotation = Rotation::new(samples, around(rng, NEWCOMER_HZ, 0.2), rng);
    let mut orders = vec![(0.0, 0.0); 4 * NEWCOMER_LOBES as usize];
    for harmonic in 1..=4 {
        orders[(harmonic * NEWCOMER_LOBES - 1) as usize] = (1.0 / f64::from(harmonic), rng.random());
    }
    add_at_spl(pressure, &rotation.orders(&orders), spl_db + NEWCOMER_TONE_DB);
}
