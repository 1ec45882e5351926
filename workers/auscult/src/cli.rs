//! The command line: every command's place in it. What a command takes, says in its help and does is in [`crate::commands`].

use clap::{Parser, Subcommand};

use crate::commands::{evaluate, features, score, train};

/// Auscult listens to machines: it learns a machine's normal sound and says when, how surely and at which
/// frequencies it has changed.
#[derive(Debug, Parser)]
#[command(name = "auscult", version, max_term_width = 110, after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  auscult train recordings/ --out fan.safetensors     learn from recordings/train/normal
  auscult evaluate fan.safetensors recordings/        how good is it on recordings/test?
  auscult score fan.safetensors today/*.wav           judge new recordings
  auscult features today/*.wav --out pictures/        see what the model hears

`auscult COMMAND --help` has every option, with examples. Exit status: 0 done, 1 failed, 2 wrong usage.";

#[derive(Debug, Subcommand)]
enum Command {
    Train(train::TrainArgs),
    Evaluate(evaluate::EvaluateArgs),
    Score(score::ScoreArgs),
    Features(features::FeaturesArgs),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, with what it happened to and what to do next.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Train(args) => train::run(&args),
            Command::Evaluate(args) => evaluate::run(&args),
            Command::Score(args) => score::run(&args),
            Command::Features(args) => features::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_is_for_and_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("auscult {}", command.get_name())), "{}", command.get_name());
        }
    }
}
