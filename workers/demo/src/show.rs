//! Displays the demo's events: on a terminal as a live screen, elsewhere as lines.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};

use super::work::DemoEvent;
use super::{DemoView, MachineView, Phase, Tally, alert_line, draw, progress_line};

/// Interval between frames.
const FRAME: Duration = Duration::from_millis(80);
/// Interval between progress lines without a screen.
const LINE: Duration = Duration::from_secs(2);

/// Results for the final summary.
#[derive(Debug)]
pub struct Shown {
    /// Verdicts compared with the ground truth.
    pub tally: Tally,
    /// Chunks that could not be scored, with reasons.
    pub dead_letters: Vec<String>,
}

struct Presenter {
    view: DemoView,
    shown: Shown,
    kinds: Vec<(String, String)>,
    begun: Instant,
    streaming_since: Option<Instant>,
}

impl Presenter {
    fn new(subject: &str, kinds: Vec<(String, String)>) -> Self {
        let machines = kinds.iter().map(|(id, kind)| MachineView::new(id, kind)).collect();
        let view = DemoView { subject: subject.to_owned(), machines, ..DemoView::default() };
        let shown = Shown { tally: Tally::default(), dead_letters: Vec::new() };
        Self { view, shown, kinds, begun: Instant::now(), streaming_since: None }
    }

    /// Applies an event; returns a line to print, if any.
    fn update(&mut self, event: DemoEvent) -> Option<String> {
        self.view.elapsed = self.begun.elapsed();
        match event {
            DemoEvent::Phase(phase) => {
                if matches!(phase, Phase::Streaming { .. }) {
                    self.streaming_since = Some(Instant::now());
                }
                self.view.phase = phase;
                None
            }
            DemoEvent::Judged { score, truth, sound_s } => {
                let kind = self.kinds.iter().find(|(id, _)| id == score.machine.as_str()).map_or("", |(_, kind)| kind);
                self.shown.tally.add(&score, &truth, sound_s);
                let alert = self.view.update(&score, kind, truth);
                if let Some(since) = self.streaming_since {
                    self.view.chunks_per_second = self.view.chunks as f64 / since.elapsed().as_secs_f64().max(0.1);
                }
                alert.map(|line| alert_line(&line))
            }
            DemoEvent::DeadLetter(letter) => {
                let line = format!("not judged: {}: {}", letter.source, letter.detail);
                self.shown.dead_letters.push(line.clone());
                Some(line)
            }
        }
    }
}

/// Displays events until the work ends and closes its channel.
///
/// # Errors
/// If the terminal cannot be drawn on, or standard output cannot be written to.
pub fn show(
    subject: &str,
    kinds: Vec<(String, String)>,
    events: &Receiver<DemoEvent>,
    interrupted: &AtomicBool,
    on_screen: bool,
) -> anyhow::Result<Shown> {
    let presenter = Presenter::new(subject, kinds);
    if !on_screen {
        return print(presenter, events);
    }
    let mut terminal = ratatui::try_init()?;
    let shown = draw_all(presenter, events, interrupted, &mut terminal);
    ratatui::try_restore()?;
    shown
}

fn draw_all(
    mut presenter: Presenter,
    events: &Receiver<DemoEvent>,
    interrupted: &AtomicBool,
    terminal: &mut ratatui::DefaultTerminal,
) -> anyhow::Result<Shown> {
    loop {
        let next_frame = Instant::now() + FRAME;
        loop {
            match events.recv_deadline(next_frame) {
                Ok(event) => drop(presenter.update(event)),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Ok(presenter.shown),
            }
        }
        presenter.view.elapsed = presenter.begun.elapsed();
        terminal.draw(|frame| draw(frame, &presenter.view))?;
        while event::poll(Duration::ZERO)? {
            if is_farewell(&event::read()?) {
                interrupted.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// `q`, Esc or Ctrl-C, which is an ordinary key event in raw mode.
fn is_farewell(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let is_control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    is_control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

fn print(mut presenter: Presenter, events: &Receiver<DemoEvent>) -> anyhow::Result<Shown> {
    let mut out = std::io::stdout().lock();
    let mut last = Instant::now();
    loop {
        let line = match events.recv_timeout(LINE) {
            Ok(event) => presenter.update(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(presenter.shown),
        };
        if let Some(line) = line {
            writeln!(out, "{line}")?;
        }
        if last.elapsed() >= LINE {
            last = Instant::now();
            presenter.view.elapsed = presenter.begun.elapsed();
            writeln!(out, "{}", progress_line(&presenter.view))?;
        }
    }
}
