//! The live screen: a pure function from the view to one frame, for terminals of 80 × 24 and larger.

use auscult_schemas::MachineState;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Gauge, Paragraph};

use super::text::{deviation, fit, grouped, spark, state, truth};
use super::{AlertLine, DemoView, MachineView, Phase, Truth};

const DIM: Style = Style::new().fg(Color::DarkGray);

/// Columns before the sparkline: bar, machine, state, score / threshold, p, health.
const MACHINE_WIDTH: usize = 13;
const STATE_WIDTH: usize = 12;
const SCORE_WIDTH: usize = 18;
const P_WIDTH: usize = 9;
const HEALTH_WIDTH: usize = 14;
const FIXED_WIDTH: usize = 2 + MACHINE_WIDTH + STATE_WIDTH + SCORE_WIDTH + P_WIDTH + HEALTH_WIDTH;
const HEALTH_CELLS: usize = 8;

/// Draws one frame.
pub fn draw(frame: &mut Frame<'_>, view: &DemoView) {
    let area = frame.area();
    let lines_a_machine = if area.height as usize >= 2 * view.machines.len() + 13 { 2 } else { 1 };
    let wanted = (lines_a_machine * view.machines.len() + 3) as u16;
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Max(wanted.max(4)),
        Constraint::Min(4),
        Constraint::Length(1),
    ]);
    let [title, progress, machines, log, legend] = rows.areas(area);
    draw_title(frame, title, view);
    draw_progress(frame, progress, view);
    draw_machines(frame, machines, view, lines_a_machine);
    draw_log(frame, log, view);
    let signs = "q or Ctrl-C ends    ✓ healthy  ▲ alarm  · listening    recent > half height: above threshold";
    frame.render_widget(Paragraph::new(signs).style(DIM), legend);
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, view: &DemoView) {
    let figures = format!(
        "{} chunks   {:.0} chunks/s   {:.1} s ",
        grouped(view.chunks),
        view.chunks_per_second,
        view.elapsed.as_secs_f64()
    );
    let [left, right] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(figures.chars().count() as u16)]).areas(area);
    let name = Span::styled(" auscult demo ", Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED));
    frame.render_widget(Line::from(vec![name, Span::raw("  "), Span::raw(view.subject.as_str())]), left);
    frame.render_widget(Line::from(figures).style(Modifier::BOLD), right);
}

fn draw_progress(frame: &mut Frame<'_>, area: Rect, view: &DemoView) {
    let (label, done, total) = match &view.phase {
        Phase::Starting => ("starting".to_owned(), 0, 1),
        Phase::Preparing { done, total } => (format!("preparing training sound {done}/{total}"), *done, *total),
        Phase::Training { model, done, total } => (format!("learning what is normal: {model}"), *done, *total),
        Phase::Streaming { total } => {
            (format!("listening {}/{}", grouped(view.chunks), grouped(*total)), view.chunks, *total)
        }
        Phase::Done => ("done".to_owned(), 1, 1),
    };
    let ratio = (done as f64 / total.max(1) as f64).clamp(0.0, 1.0);
    let gauge = Gauge::default().ratio(ratio).label(label).gauge_style(Style::new().fg(Color::Blue).bg(Color::Black));
    frame.render_widget(gauge, area);
}

fn draw_machines(frame: &mut Frame<'_>, area: Rect, view: &DemoView, lines_a_machine: usize) {
    let block = Block::bordered().border_type(BorderType::Rounded).title(" machines ");
    let inner = block.inner(area);
    let width = inner.width as usize;
    let header = format!(
        "  {}{}{}{}{}recent",
        fit("machine", MACHINE_WIDTH),
        fit("state", STATE_WIDTH),
        fit("score / threshold", SCORE_WIDTH),
        fit("p-value", P_WIDTH),
        fit("health", HEALTH_WIDTH),
    );
    let mut lines = vec![Line::from(header).style(DIM)];

    let room = (inner.height as usize).saturating_sub(1) / lines_a_machine;
    let hidden = view.machines.len().saturating_sub(room);
    let shown = if hidden > 0 { room.saturating_sub(1) } else { view.machines.len() };
    for machine in &view.machines[..shown] {
        lines.push(figures_line(machine, width));
        if lines_a_machine == 2 {
            lines.push(explanation_line(machine, width));
        }
    }
    if hidden > 0 {
        let rest = &view.machines[shown..];
        let alarms = rest.iter().filter(|machine| machine.state == MachineState::Alarm).count();
        lines.push(Line::from(format!("  and {} more, {alarms} of them in alarm", rest.len())).style(DIM));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn state_style(state: MachineState) -> Style {
    match state {
        MachineState::Learning => DIM,
        MachineState::Healthy => Style::new().fg(Color::Green),
        MachineState::Alarm => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        MachineState::Warning | MachineState::SensorFault | MachineState::SetupFault | MachineState::Silent => {
            Style::new().fg(Color::Yellow)
        }
        MachineState::Acknowledged | MachineState::Maintenance | MachineState::Idle => Style::new().fg(Color::Cyan),
    }
}

fn figures_line(machine: &MachineView, width: usize) -> Line<'static> {
    let style = state_style(machine.state);
    let (sign, name) = state(machine.state);
    let mut spans = vec![
        Span::styled("▌ ", style),
        Span::styled(fit(&machine.id, MACHINE_WIDTH - 1) + " ", Modifier::BOLD),
        Span::styled(fit(&format!("{sign} {name}"), STATE_WIDTH), style),
    ];
    let Some(score) = machine.score else {
        return Line::from(spans);
    };
    let over = score > machine.threshold;
    let emphasis = if over { Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD) } else { Style::new() };
    let compared = format!("{score:>6.2} {} {:.2}", if over { '>' } else { '≤' }, machine.threshold);
    spans.push(Span::styled(fit(&compared, SCORE_WIDTH), emphasis));
    let p = if machine.p_value < 1e-3 { format!("{:.0e}", machine.p_value) } else { format!("{:.3}", machine.p_value) };
    spans.push(Span::raw(fit(&p, P_WIDTH)));

    let full = (machine.health / 100.0 * HEALTH_CELLS as f64).round().clamp(0.0, HEALTH_CELLS as f64) as usize;
    let health_color = match machine.health {
        health if health >= 50.0 => Color::Green,
        health if health >= 25.0 => Color::Yellow,
        _ => Color::Red,
    };
    spans.push(Span::styled("█".repeat(full), Style::new().fg(health_color)));
    spans.push(Span::styled("░".repeat(HEALTH_CELLS - full), DIM));
    let health = if machine.health.is_nan() { "–".to_owned() } else { format!("{:.0}", machine.health) };
    spans.push(Span::raw(fit(&format!(" {health:>3}"), HEALTH_WIDTH - HEALTH_CELLS)));

    let room = width.saturating_sub(FIXED_WIDTH + 1).min(machine.recent.len());
    for ratio in machine.recent.iter().skip(machine.recent.len() - room) {
        let color = if *ratio > 1.0 { Color::Red } else { Color::Cyan };
        spans.push(Span::styled(spark(*ratio).to_string(), Style::new().fg(color)));
    }
    Line::from(spans)
}

fn explanation_line(machine: &MachineView, width: usize) -> Line<'static> {
    let deviates = if machine.bands.is_empty() { String::new() } else { deviation(&machine.bands, 2) };
    let truth_text = match truth(&machine.truth) {
        text if text.is_empty() => text,
        text => format!("truth: {text} "),
    };
    let truth_width = truth_text.chars().count();
    let truth_style = match machine.truth {
        Truth::Faulty { .. } => Style::new().fg(Color::Magenta),
        _ => DIM,
    };
    let room = width.saturating_sub(2 + MACHINE_WIDTH + truth_width);
    Line::from(vec![
        Span::styled("▌ ", state_style(machine.state)),
        Span::styled(fit(&machine.kind, MACHINE_WIDTH), DIM),
        Span::styled(fit(&deviates, room), Style::new().fg(Color::Yellow)),
        Span::styled(truth_text, truth_style),
    ])
}

fn draw_log(frame: &mut Frame<'_>, area: Rect, view: &DemoView) {
    let block = Block::bordered().border_type(BorderType::Rounded).title(" alarms raised and cleared ");
    let room = block.inner(area).height as usize;
    // The newest entry is last; the oldest scroll off.
    let skipped = view.log.len().saturating_sub(room);
    let lines: Vec<Line<'_>> = view.log.iter().skip(skipped).map(log_line).collect();
    let text = if lines.is_empty() { vec![Line::from(" none so far").style(DIM)] } else { lines };
    frame.render_widget(Paragraph::new(text).block(block), area);
}

fn log_line(line: &AlertLine) -> Line<'static> {
    let (sign, name) = state(line.state);
    let why = match line.state {
        MachineState::Alarm => format!("{:.1} × threshold, {}", line.ratio, deviation(&line.bands, 2)),
        _ => "sounds normal again".to_owned(),
    };
    let truth = match truth(&line.truth) {
        text if text.is_empty() => text,
        text => format!("[{text}] "),
    };
    Line::from(vec![
        Span::styled(format!(" {:>6.1} s  ", line.elapsed.as_secs_f64()), DIM),
        Span::styled(fit(&line.machine, MACHINE_WIDTH), Modifier::BOLD),
        Span::styled(fit(&format!("{sign} {name}"), 11), state_style(line.state)),
        Span::styled(format!("chunk {:<5} ", line.chunk), DIM),
        Span::styled(truth, Style::new().fg(Color::Magenta)),
        Span::raw(why),
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::view::samples::{faulty, score};
    use MachineState::{Alarm, Healthy, Learning};

    fn view() -> DemoView {
        let mut view = DemoView {
            subject: "six simulated machines".to_owned(),
            phase: Phase::Streaming { total: 720 },
            chunks_per_second: 85.0,
            elapsed: Duration::from_millis(12_300),
            ..DemoView::default()
        };
        for step in 0..40 {
            let grown = (f64::from(step) - 20.0).max(0.0) / 8.0;
            let (previous, now) = if step == 0 { (Learning, Healthy) } else { (Healthy, Healthy) };
            for id in ["fan-2", "pump-1", "pump-2", "valve-1", "valve-2"] {
                view.update(&score(id, 1.4, now, previous), id.split('-').next().unwrap(), Truth::Normal);
            }
            let (previous, now) = match step {
                0..=24 => (previous, now),
                25 => (Healthy, Alarm),
                _ => (Alarm, Alarm),
            };
            let truth = if step >= 20 { faulty("bearing wear") } else { Truth::Normal };
            view.update(&score("fan-1", 1.4 + grown, now, previous), "fan", truth);
        }
        view
    }

    fn rendered(view: &DemoView, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, view)).unwrap();
        terminal.backend().buffer().clone()
    }

    fn lines(buffer: &Buffer) -> Vec<String> {
        (0..buffer.area.height)
            .map(|y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>())
            .collect()
    }

    fn line_with<'a>(lines: &'a [String], text: &str) -> &'a str {
        lines.iter().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{text:?} in\n{}", lines.join("\n")))
    }

    #[test]
    fn a_machine_in_alarm_says_so_in_words_with_its_score_bands_and_truth() {
        let lines = lines(&rendered(&view(), 100, 30));
        let figures = line_with(&lines, "▌ fan-1");
        assert!(
            figures.contains("▲ ALARM") && figures.contains("3.77 > 2.00") && figures.contains("0.250"),
            "{figures}"
        );
        assert!(figures.contains('█') && figures.contains('▃'), "a sparkline below and above the threshold: {figures}");
        let explanation = line_with(&lines, "+9 dB around 2.9–3.5 kHz");
        assert!(explanation.contains("2.9–3.5 kHz") && explanation.contains("truth: bearing wear, 40 %"));
        assert!(line_with(&lines, "▌ pump-2").contains("✓ healthy"));
        assert!(line_with(&lines, "× threshold").contains("chunk 26"));
        assert!(line_with(&lines, "auscult demo").contains("240 chunks   85 chunks/s   12.3 s"));
        assert!(line_with(&lines, "listening 240/720").len() > 50);
    }

    #[test]
    fn all_machines_and_the_legend_fit_small_terminals() {
        for (width, height) in [(100, 30), (80, 24), (80, 18), (140, 50)] {
            let lines = lines(&rendered(&view(), width, height));
            for id in ["fan-1", "fan-2", "pump-1", "pump-2", "valve-1", "valve-2"] {
                line_with(&lines, &format!("▌ {id}"));
            }
            assert!(lines.last().unwrap().contains("✓ healthy"), "{width} × {height}");
        }
    }

    #[test]
    fn machines_that_do_not_fit_are_counted_with_their_alarms() {
        let mut view = view();
        for index in 0..30 {
            view.update(&score(&format!("extra-{index}"), 9.0, Alarm, Alarm), "fan", Truth::Unknown);
        }
        let lines = lines(&rendered(&view, 100, 24));
        let rest = line_with(&lines, "more,");
        let shown = lines.iter().filter(|line| line.contains("│▌ ")).count();
        assert!(
            rest.contains(&format!("and {} more", 36 - shown)) && rest.contains("in alarm"),
            "{rest} after {shown}"
        );
    }

    #[test]
    fn every_phase_and_no_room_at_all_are_drawn() {
        let phases = [
            Phase::Starting,
            Phase::Preparing { done: 3, total: 10 },
            Phase::Training { model: "fan-1".to_owned(), done: 12, total: 30 },
            Phase::Streaming { total: 0 },
            Phase::Done,
        ];
        for phase in phases {
            let view = DemoView { phase, ..DemoView::default() };
            for (width, height) in [(100, 30), (10, 3), (1, 1)] {
                rendered(&view, width, height);
            }
        }
        let training = Phase::Training { model: "fan-1".to_owned(), done: 12, total: 30 };
        let lines = lines(&rendered(&DemoView { phase: training, ..DemoView::default() }, 100, 30));
        line_with(&lines, "learning what is normal: fan-1");
    }
}
