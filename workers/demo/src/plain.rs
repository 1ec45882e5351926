//! The demo as text lines, for logs, pipes and CI: no cursor control, no colour.

use auscult_schemas::MachineState;

use super::text::{deviation, grouped, state, truth};
use super::{AlertLine, DemoView, Phase};

/// One line for an alarm that is raised or cleared.
#[must_use]
pub fn alert_line(line: &AlertLine) -> String {
    let (_, name) = state(line.state);
    let why = match line.state {
        MachineState::Alarm => format!("{:.1} x threshold, {}", line.ratio, deviation(&line.bands, 2)),
        _ => "sounds normal again".to_owned(),
    };
    let truth = match truth(&line.truth) {
        text if text.is_empty() => text,
        text => format!(" (truth: {text})"),
    };
    format!("{:>7.1} s  {:<12} {name}  chunk {}: {why}{truth}", line.elapsed.as_secs_f64(), line.machine, line.chunk)
}

/// One line about the progress.
#[must_use]
pub fn progress_line(view: &DemoView) -> String {
    let what = match &view.phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Preparing { done, total } => format!("preparing training sound, {done} of {total} clips"),
        Phase::Training { model, done, total } => {
            format!("learning what is normal for {model}, step {done} of {total}")
        }
        Phase::Streaming { total } => {
            let alarms: Vec<&str> = view
                .machines
                .iter()
                .filter(|machine| machine.state == MachineState::Alarm)
                .map(|machine| machine.id.as_str())
                .collect();
            let alarms = if alarms.is_empty() { "none".to_owned() } else { alarms.join(", ") };
            format!(
                "judged {} of {} chunks, {:.0} chunks/s, in alarm: {alarms}",
                grouped(view.chunks),
                grouped(*total),
                view.chunks_per_second
            )
        }
        Phase::Done => format!("judged all {} chunks", grouped(view.chunks)),
    };
    format!("{:>7.1} s  {what}", view.elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::view::samples::{faulty, score};
    use MachineState::{Alarm, Healthy};

    #[test]
    fn an_alarm_is_one_line_with_machine_ratio_bands_and_truth() {
        let mut view = DemoView { elapsed: Duration::from_secs(4), ..DemoView::default() };
        let alert = view.update(&score("fan-1", 5.0, Alarm, Healthy), "fan", faulty("bearing wear")).unwrap();
        assert_eq!(
            alert_line(&alert),
            "    4.0 s  fan-1        ALARM  chunk 1: 2.5 x threshold, +9 dB around 2.9–3.5 kHz (truth: bearing wear, 40 %)"
        );
        view.phase = Phase::Streaming { total: 1_200 };
        view.chunks_per_second = 33.4;
        assert_eq!(progress_line(&view), "    4.0 s  judged 1 of 1 200 chunks, 33 chunks/s, in alarm: fan-1");
    }
}
