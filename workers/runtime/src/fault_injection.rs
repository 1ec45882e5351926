//! Points at which a test may kill, abort, delay or silence a worker, and rules that it may switch off, to show that
//! the fault suite detects it. Only builds with the feature `fault-injection` have this, which only the tests make, and
//! only processes that have called [`arm`]: `auscult-with-faults` does, `auscult` of the same build does not.
//!
//! `AUSCULT_FAULTS` contains one or more of `STEP:WHEN:ACTION`, separated by commas:
//!
//! | `STEP` | reached |
//! |---|---|
//! | `process` | on the compute thread, before a batch is processed |
//! | `before-send` | in a transaction that has just begun |
//! | `after-send` | all records are delivered, no offsets are sent |
//! | `after-offsets` | the offsets are in the transaction, it is not committed |
//! | `after-commit` | it is committed, the staged state is not swapped in |
//! | `after-swap` | the staged state is swapped in |
//! | `poll` | the consumer has been polled and has a record |
//!
//! `WHEN` is `17` (the 17th time), `17+` (from then on) or `*7` (every 7th time). `ACTION` is `kill` (SIGKILL to its
//! own process), `abort` (the transaction), `sleep=MS` or `deaf` (from then on the consumer delivers nothing and
//! reports nothing).
//!
//! `AUSCULT_MUTATION` names one rule to switch off: see [`Mutation`].

/// A point at which a fault may be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Process,
    BeforeSend,
    AfterSend,
    AfterOffsets,
    AfterCommit,
    AfterSwap,
    Poll,
}

/// A rule of delivery that is switched off, to prove that the fault suite can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Results of an old epoch are sent all the same (`keep-stale`).
    KeepStale,
    /// After an abort reading goes on where it was (`no-seek`).
    NoSeek,
    /// The state is written in a transaction of its own, after that of the results (`state-apart`).
    StateApart,
    /// A producer whose request may still be under way somewhere is used again (`no-renewal`).
    NoRenewal,
}

/// What the code that has reached a step must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "fault-injection"), expect(dead_code, reason = "nothing is injected in such a build"))]
pub(crate) enum Injected {
    Abort,
    Deaf,
}

#[cfg(not(feature = "fault-injection"))]
mod active {
    use super::{Injected, Mutation, Step};

    #[inline(always)]
    pub(crate) fn reach(_step: Step) -> Option<Injected> {
        None
    }

    #[inline(always)]
    pub(crate) fn is_mutated(_mutation: Mutation) -> bool {
        false
    }
}

#[cfg(feature = "fault-injection")]
mod active {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::Duration;

    use super::{Injected, Mutation, Step};

    #[derive(Debug, Clone, Copy)]
    enum Action {
        Kill,
        Sleep(Duration),
        Tell(Injected),
    }

    #[derive(Debug, Clone, Copy)]
    enum When {
        Once(u64),
        From(u64),
        Every(u64),
    }

    struct Fault {
        step: Step,
        when: When,
        action: Action,
        reached: AtomicU64,
    }

    static IS_ARMED: AtomicBool = AtomicBool::new(false);

    /// Has this process obey `AUSCULT_FAULTS` and `AUSCULT_MUTATION` from now on. Without this call neither is read.
    pub fn arm() {
        IS_ARMED.store(true, Ordering::Relaxed);
    }

    static FAULTS: LazyLock<Vec<Fault>> = LazyLock::new(|| {
        let text = std::env::var("AUSCULT_FAULTS").unwrap_or_default();
        text.split(',').filter(|fault| !fault.is_empty()).map(parse).collect()
    });

    static MUTATION: LazyLock<Option<Mutation>> = LazyLock::new(|| {
        let name = std::env::var("AUSCULT_MUTATION").ok()?;
        Some(match name.as_str() {
            "keep-stale" => Mutation::KeepStale,
            "no-seek" => Mutation::NoSeek,
            "state-apart" => Mutation::StateApart,
            "no-renewal" => Mutation::NoRenewal,
            other => panic!("AUSCULT_MUTATION: there is no mutation {other:?}"),
        })
    });

    fn parse(text: &str) -> Fault {
        let parts: Vec<&str> = text.split(':').collect();
        let &[step, when, action] = parts.as_slice() else {
            panic!("AUSCULT_FAULTS: {text:?} is not STEP:WHEN:ACTION")
        };
        let step = match step {
            "process" => Step::Process,
            "before-send" => Step::BeforeSend,
            "after-send" => Step::AfterSend,
            "after-offsets" => Step::AfterOffsets,
            "after-commit" => Step::AfterCommit,
            "after-swap" => Step::AfterSwap,
            "poll" => Step::Poll,
            other => panic!("AUSCULT_FAULTS: there is no step {other:?}"),
        };
        let number = |digits: &str| -> u64 {
            digits.parse().unwrap_or_else(|_| panic!("AUSCULT_FAULTS: {text:?}: {digits:?} is no number"))
        };
        let when = match (when.strip_prefix('*'), when.strip_suffix('+')) {
            (Some(every), _) => When::Every(number(every)),
            (None, Some(from)) => When::From(number(from)),
            (None, None) => When::Once(number(when)),
        };
        let action = match action.split_once('=') {
            Some(("sleep", ms)) => Action::Sleep(Duration::from_millis(number(ms))),
            _ => match action {
                "kill" => Action::Kill,
                "abort" => Action::Tell(Injected::Abort),
                "deaf" => Action::Tell(Injected::Deaf),
                other => panic!("AUSCULT_FAULTS: there is no action {other:?}"),
            },
        };
        Fault { step, when, action, reached: AtomicU64::new(0) }
    }

    /// A step is reached: does what the faults say, and tells what is left to the caller.
    pub(crate) fn reach(step: Step) -> Option<Injected> {
        if !IS_ARMED.load(Ordering::Relaxed) {
            return None;
        }
        let mut injected = None;
        for fault in FAULTS.iter().filter(|fault| fault.step == step) {
            let time = fault.reached.fetch_add(1, Ordering::SeqCst) + 1;
            let is_due = match fault.when {
                When::Once(number) => time == number,
                When::From(number) => time >= number,
                When::Every(number) => time.is_multiple_of(number),
            };
            if !is_due {
                continue;
            }
            match fault.action {
                Action::Kill => {
                    let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
                    loop {
                        std::thread::park();
                    }
                }
                Action::Sleep(time) => std::thread::sleep(time),
                Action::Tell(what) => injected = Some(what),
            }
        }
        injected
    }

    /// Whether this rule is switched off.
    pub(crate) fn is_mutated(mutation: Mutation) -> bool {
        IS_ARMED.load(Ordering::Relaxed) && *MUTATION == Some(mutation)
    }
}

#[cfg(feature = "fault-injection")]
pub use active::arm;
pub(crate) use active::{is_mutated, reach};
