//! What a plant engineer reads: `+9 dB around 2.1–2.6 kHz, since 14:02 UTC`.
//!
//! One place for every text that explains a result, whether it goes into a message, onto a screen or into a terminal.
//! Pure: a message says the same wherever it is read. Times are UTC, with the date where it is not the day of the
//! message itself.

use auscult_schemas::{
    Alert, AlertKind, DeviatingBand, MachineState, MeasuredLevels, Note, NoteKind, QualityFlag, Quantity, Score,
    SensorFault, SetupNote, TimeCourse, three_digits,
};
use jiff::Timestamp;
use jiff::tz::Offset;

use crate::findings::finding;
use crate::time_course::most_of_it;

/// A change of level below it rounds to nothing, dB.
const NO_CHANGE_DB: f64 = 0.5;

/// `310–420 Hz`, `2.1–2.6 kHz`, `951 Hz–1.3 kHz`.
#[must_use]
pub fn frequencies(hz_low: f64, hz_high: f64) -> String {
    // By what is shown: 999.7 Hz would be shown as 1000.
    let is_low = |hz: f64| hz.round() < 1000.0;
    let (low, high) = match (is_low(hz_low), is_low(hz_high)) {
        (true, true) => (format!("{hz_low:.0}"), format!("{hz_high:.0}")),
        (true, false) => return format!("{hz_low:.0} Hz–{:.1} kHz", hz_high / 1000.0),
        (false, _) => (format!("{:.1}", hz_low / 1000.0), format!("{:.1}", hz_high / 1000.0)),
    };
    let unit = if is_low(hz_low) { "Hz" } else { "kHz" };
    if low == high { format!("{low} {unit}") } else { format!("{low}–{high} {unit}") }
}

/// `+9 dB around 2.1–2.6 kHz`.
#[must_use]
pub fn band(band: &DeviatingBand) -> String {
    let place = frequencies(band.hz_low, band.hz_high);
    match band.level_change_db {
        Some(change) if change.abs() < NO_CHANGE_DB => {
            format!("another pattern around {place}, on average as loud as ever")
        }
        Some(change) => format!("{}{:.0} dB around {place}", if change > 0.0 { "+" } else { "−" }, change.abs()),
        None => format!("deviates around {place}"),
    }
}

/// `14:02 UTC`, or `2026-03-13 14:02 UTC` where that is another day than that of `seen`.
#[must_use]
pub fn time(of: Timestamp, seen: Timestamp) -> String {
    let [of, seen] = [of, seen].map(|time| Offset::UTC.to_datetime(time));
    let format = if of.date() == seen.date() { "%H:%M UTC" } else { "%Y-%m-%d %H:%M UTC" };
    of.strftime(format).to_string()
}

/// What deviates, where and since when; `seen` is when the sound was recorded, where that is known.
#[must_use]
pub fn deviation(bands: &[DeviatingBand], course: Option<&TimeCourse>, seen: Option<Timestamp>) -> String {
    let of_band = |deviating: &DeviatingBand| match (deviating.since, seen) {
        (Some(since), Some(seen)) => format!("{}, since {}", band(deviating), time(since, seen)),
        _ => band(deviating),
    };
    let mut parts: Vec<String> = bands.iter().map(of_band).collect();
    if parts.is_empty() {
        parts.push("no band by itself: the sound as a whole, or how it swings".to_owned());
    }
    if let Some(most) = course.and_then(most_of_it) {
        parts.push(format!("most of it between {:.1} and {:.1} s of the clip", most.start, most.end));
    }
    parts.join("; ")
}

/// What one sensor of a quantity is called: a microphone, or a channel of anything else.
#[must_use]
pub fn sensor(quantity: Option<Quantity>) -> &'static str {
    match quantity {
        None | Some(Quantity::Sound) => "microphone",
        Some(Quantity::Vibration | Quantity::Current | Quantity::Pressure) => "channel",
    }
}

/// `microphone 3: silent`, `channel 3: silent`. Channels count from 0, in words from 1.
#[must_use]
pub fn sensor_fault(fault: &SensorFault, quantity: Option<Quantity>) -> String {
    let flags: Vec<&str> = fault.flags.iter().map(|flag| flag_words(*flag)).collect();
    format!("{} {}: {}", sensor(quantity), fault.channel + 1, flags.join(", "))
}

/// Several of them.
#[must_use]
pub fn sensor_faults(faults: &[SensorFault], quantity: Option<Quantity>) -> String {
    faults.iter().map(|fault| sensor_fault(fault, quantity)).collect::<Vec<_>>().join("; ")
}

/// `channel 3`, `channels 1 and 3`, `microphones 1, 2 and 3`.
fn sensors(channels: impl Iterator<Item = usize>, quantity: Option<Quantity>) -> String {
    let numbers: Vec<String> = channels.map(|channel| (channel + 1).to_string()).collect();
    let sensor = sensor(quantity);
    match numbers.as_slice() {
        [] => String::new(),
        [one] => format!("{sensor} {one}"),
        [others @ .., last] => format!("{sensor}s {} and {last}", others.join(", ")),
    }
}

/// A quality flag that is no sensor fault: what it says, and what helps.
#[must_use]
pub fn quality_note(flag: QualityFlag, quantity: Option<Quantity>) -> Note {
    let finding = finding(flag);
    let parts = finding.split_once("; ").or_else(|| finding.split_once(": "));
    let remedy = parts.map_or(finding, |(_, remedy)| remedy).to_owned();
    let words = match flag {
        QualityFlag::Processed => format!("processed between {} and file", sensor(quantity)),
        other => flag_words(other).to_owned(),
    };
    Note { kind: NoteKind::Quality(flag), words, remedy }
}

/// Several notes, without what to do about them.
#[must_use]
pub fn notes(notes: &[Note]) -> String {
    notes.iter().map(|note| note.words.as_str()).collect::<Vec<_>>().join("; ")
}

fn flag_words(flag: QualityFlag) -> &'static str {
    match flag {
        QualityFlag::Silent => "silent",
        QualityFlag::Clipped => "clipped",
        QualityFlag::DcOffset => "far from zero on average",
        QualityFlag::Resampled => "resampled",
        QualityFlag::Short => "too short",
        QualityFlag::Stuck => "stuck at one value",
        QualityFlag::DroppedOut => "broken by gaps",
        QualityFlag::WrongRate => "of another rate than it says",
        QualityFlag::MainsHum => "nothing but mains hum",
        QualityFlag::Processed => "processed between sensor and file",
        QualityFlag::Joins => "joined where samples were lost",
        QualityFlag::StartTransient => "begins with a transient of the recorder",
        QualityFlag::Incomplete => "incomplete",
    }
}

/// `RMS 4.21 m/s²`: the level of the channels whose sensors are well, together; `None` where none is.
#[must_use]
pub fn level(levels: &MeasuredLevels, faults: &[SensorFault]) -> Option<String> {
    let rms = levels.rms_of(|channel| !faults.iter().any(|fault| fault.channel == channel))?;
    Some(format!("RMS {} {}", three_digits(rms), levels.unit))
}

/// The explanation of a score; `None` where there is nothing to explain.
#[must_use]
pub fn score(score: &Score) -> Option<String> {
    // What an alert has told in full is told briefly from then on.
    let faults = match score.sensor_faults_since {
        Some(since) => {
            let named = sensors(score.sensor_faults.iter().map(|fault| fault.channel), score.quantity);
            format!("{named}, at fault since {}", time(since, score.time))
        }
        None => sensor_faults(&score.sensor_faults, score.quantity),
    };
    let mut parts = Vec::new();
    match score.state {
        MachineState::SensorFault => return Some(format!("not judged: {faults}")),
        MachineState::SetupFault => {
            let setup: Vec<Note> = score.notes.iter().filter(|note| note.kind.is_incomparable()).cloned().collect();
            parts.push(format!("not judged: {}", notes(&setup)));
        }
        MachineState::Idle => {
            let is_far = |note: &&Note| note.kind == NoteKind::Setup(SetupNote::FarQuieter);
            let why = score.notes.iter().find(is_far).map_or("the machine is at rest", |note| note.words.as_str());
            parts.push(format!("not judged: {why}"));
        }
        _ => {}
    }
    if score.anomalous {
        parts.push(deviation(&score.bands, score.time_course.as_ref(), Some(score.time)));
        parts.extend(score.levels.as_ref().and_then(|levels| level(levels, &score.sensor_faults)));
    }
    if !faults.is_empty() {
        parts.push(format!("left out: {faults}"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The explanation of an alert.
#[must_use]
pub fn alert(alert: &Alert) -> String {
    let since = time(alert.since, alert.time);
    match (alert.kind, alert.state) {
        (AlertKind::Sensor, _) => sensor_alert(alert, &since),
        (AlertKind::Environment, _) => environment_alert(alert, &since),
        (AlertKind::Setup, _) => setup_alert(alert, &since),
        (AlertKind::Machine, state) => machine_alert(alert, state, &since),
    }
}

fn machine_alert(alert: &Alert, state: MachineState, since: &str) -> String {
    use MachineState::{
        Acknowledged, Alarm, Healthy, Idle, Learning, Maintenance, SensorFault, SetupFault, Silent, Warning,
    };
    let by = alert.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    match (state, alert.previous_state) {
        (Alarm, Acknowledged) if alert.by.is_some() => format!("the alarm is open again: taken back{by}"),
        (Alarm | Acknowledged, Silent) => "heard again; what it was in alarm for is not over".to_owned(),
        (Alarm | Warning, _) if alert.score.is_none() => format!("set back to {}{by}", state.as_str()),
        (Alarm | Warning, _) if alert.bands.is_empty() => {
            format!("{}, since {since}", deviation(&[], None, None))
        }
        (Alarm | Warning, _) => deviation(&alert.bands, None, Some(alert.time)),
        (Acknowledged, _) => format!("acknowledged{by}"),
        (Maintenance, _) => format!("in maintenance: set{by}"),
        (Silent, _) => format!("nothing heard since {since}"),
        (Learning, Maintenance) => format!("maintenance is over; judged anew{by}"),
        (Learning, _) => format!("judged anew{by}"),
        (Healthy, previous) => {
            let after = match (previous, alert.previous_since) {
                (Alarm | Acknowledged, Some(before)) => format!(", after an alarm at {}", time(before, alert.time)),
                (Warning, Some(before)) => format!(", after a warning at {}", time(before, alert.time)),
                (Silent, Some(before)) => format!(", after silence at {}", time(before, alert.time)),
                _ => String::new(),
            };
            format!("sounds as in training since {since}{after}")
        }
        // Of sensors and setup there are alerts of their own kinds.
        (SensorFault, _) => format!("no {} hears it, since {since}", sensor(alert.quantity)),
        (SetupFault, _) => format!("arrives otherwise than learned, since {since}"),
        (Idle, _) => format!("at rest since {since}"),
    }
}

fn environment_alert(alert: &Alert, since: &str) -> String {
    let Some(change) = &alert.environment else { return format!("the environment has changed, since {since}") };
    let place = match change.environment.as_str() {
        "" => String::new(),
        environment => format!(" of {environment}"),
    };
    format!(
        "{} of {} machines{place} sound otherwise, since {}",
        change.machines_affected,
        change.machines_heard,
        time(change.since, alert.time)
    )
}

fn setup_alert(alert: &Alert, since: &str) -> String {
    if alert.notes.is_empty() {
        return format!("recorded as learned again since {since}");
    }
    let of_note = |note: &Note| format!("{}, since {since}: {}", note.words, note.remedy);
    let mut text = alert.notes.iter().map(of_note).collect::<Vec<_>>().join("; ");
    if alert.state == MachineState::SetupFault {
        text += "; until then the machine is not judged";
    }
    text
}

fn sensor_alert(alert: &Alert, since: &str) -> String {
    let faults = sensor_faults(&alert.sensor_faults, alert.quantity);
    let hear = if alert.sensors_well_again.len() == 1 { "hears" } else { "hear" };
    let again = sensors(alert.sensors_well_again.iter().copied(), alert.quantity);
    let mut text = match (again.is_empty(), alert.sensor_faults.len()) {
        (true, 0 | 1) => format!("{faults}, since {since}"),
        (true, _) => format!("{faults}; the latest since {since}"),
        (false, 0) => format!("{again} {hear} again since {since}"),
        (false, _) => format!("{again} {hear} again; at fault: {faults}"),
    };
    if alert.state == MachineState::SensorFault {
        text += "; nothing hears the machine, so that nothing can be said of it";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn band_of(hz_low: f64, hz_high: f64, level_change_db: Option<f64>, since: Option<&str>) -> DeviatingBand {
        DeviatingBand { hz_low, hz_high, share: 0.3, level_change_db, since: since.map(at) }
    }

    #[test]
    fn low_frequencies_are_in_hertz_and_high_ones_in_kilohertz() {
        for (low, high, expected) in [
            (116.2, 441.0, "116–441 Hz"),
            (951.0, 1268.0, "951 Hz–1.3 kHz"),
            (2110.0, 2590.0, "2.1–2.6 kHz"),
            (2110.0, 2140.0, "2.1 kHz"),
            (999.7, 1400.0, "1.0–1.4 kHz"),
            (310.1, 310.4, "310 Hz"),
        ] {
            assert_eq!(frequencies(low, high), expected);
        }
    }

    #[test]
    fn a_louder_band_a_quieter_one_and_one_of_another_pattern_are_told_apart() {
        let words = |change| band(&band_of(2110.0, 2590.0, change, None));
        assert_eq!(words(Some(9.2)), "+9 dB around 2.1–2.6 kHz");
        assert_eq!(words(Some(-5.8)), "−6 dB around 2.1–2.6 kHz");
        assert_eq!(words(Some(-0.4)), "another pattern around 2.1–2.6 kHz, on average as loud as ever");
        assert_eq!(words(None), "deviates around 2.1–2.6 kHz");
    }

    #[test]
    fn a_time_of_the_same_day_has_no_date_and_one_of_another_has() {
        let bands = [
            band_of(2110.0, 2590.0, Some(9.0), Some("2026-03-14T14:02:50Z")),
            band_of(300.0, 400.0, Some(-6.0), Some("2026-03-13T23:59:00Z")),
        ];
        assert_eq!(
            deviation(&bands, None, Some(at("2026-03-14T14:05:00Z"))),
            "+9 dB around 2.1–2.6 kHz, since 14:02 UTC; −6 dB around 300–400 Hz, since 2026-03-13 23:59 UTC"
        );
        assert_eq!(deviation(&bands[..1], None, None), "+9 dB around 2.1–2.6 kHz");
    }

    #[test]
    fn an_event_is_named_by_its_seconds() {
        let mut shares = vec![0.01; 20];
        shares[6] = 0.81;
        let course = TimeCourse { slice_s: 0.5, shares };
        let words = deviation(&[band_of(2110.0, 2590.0, Some(9.0), None)], Some(&course), None);
        assert_eq!(words, "+9 dB around 2.1–2.6 kHz; most of it between 3.0 and 3.5 s of the clip");
        assert_eq!(deviation(&[], None, None), "no band by itself: the sound as a whole, or how it swings");
    }

    #[test]
    fn a_sensor_is_counted_from_one_and_only_that_of_sound_is_a_microphone() {
        let fault = SensorFault { channel: 2, flags: vec![QualityFlag::Silent, QualityFlag::DcOffset] };
        assert_eq!(sensor_fault(&fault, None), "microphone 3: silent, far from zero on average");
        for quantity in [Quantity::Vibration, Quantity::Current, Quantity::Pressure] {
            assert_eq!(sensor_fault(&fault, Some(quantity)), "channel 3: silent, far from zero on average");
        }
        assert_eq!(sensors([0, 1, 3].into_iter(), None), "microphones 1, 2 and 4");
        assert_eq!(sensors([1].into_iter(), Some(Quantity::Current)), "channel 2");
    }

    #[test]
    fn every_note_has_words_and_a_remedy_of_its_own() {
        for kind in NoteKind::all() {
            let NoteKind::Quality(flag) = kind else { continue };
            let note = quality_note(flag, None);
            assert_eq!(note.kind, kind);
            assert!(!note.words.is_empty() && !note.remedy.is_empty(), "{flag:?}");
            assert_ne!(note.words, note.remedy);
            assert!(!finding(flag).starts_with(&note.remedy), "{flag:?}: the finding names no remedy");
        }
    }
}
