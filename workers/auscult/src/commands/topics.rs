//! `auscult topics create|check|grow`.

use anyhow::bail;
use auscult_operations::topics::results_first;
use auscult_runtime::kafka::topics::{self, Created, Examined, Grown};
use auscult_schemas::topics::{ALL, CHUNKS, DEFAULT_PARTITIONS};
use clap::{Args, Subcommand};

use super::worker_arguments::{ConfigArgs, KafkaOnly};

/// Create the topics, check their settings, or add partitions
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TopicsArgs {
    #[command(subcommand)]
    command: TopicsCommand,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum TopicsCommand {
    /// Create the missing topics
    Create {
        /// Partitions of each topic: the maximum number of workers that can share the work
        #[arg(long, value_name = "N", default_value_t = DEFAULT_PARTITIONS)]
        partitions: i32,
        /// Replicas of each partition; -1 is the broker's default, 3 is recommended for production
        #[arg(long, value_name = "N", default_value_t = -1, allow_hyphen_values = true)]
        replication: i32,
    },
    /// Add partitions to every topic, while workers run
    ///
    /// Output topics grow first and the input topic last, so every result has a partition to go to. Keys change their
    /// partition: a machine whose chunks move to another partition starts there as a new machine, and its chunks are
    /// ordered only within each partition. The command is safe to repeat.
    Grow {
        /// New number of partitions of each topic; Kafka cannot remove partitions
        #[arg(long, value_name = "N")]
        partitions: usize,
    },
    /// Check that all topics exist, with equal partition counts and the required size limits and clean-up policies
    Check,
}

const EXAMPLES: &str = "\
Examples:
  auscult topics create --brokers localhost:9092 --partitions 8 --replication 3
  auscult topics grow --brokers localhost:9092 --partitions 16
  auscult topics check --config worker.yaml";

const KEYS_MOVE: &str = "\
note: gateways now send most machines' chunks to other partitions. There a machine is heard as if for the first time (its state stays
behind), and its new chunks may be judged before its last old ones: order holds within a partition.";

/// Creates, checks or grows the topics.
///
/// # Errors
/// If the brokers cannot be reached, a topic cannot be created, or a topic has wrong settings.
pub fn run(args: &TopicsArgs) -> anyhow::Result<()> {
    let config: KafkaOnly = args.config.load(&[])?;
    match &args.command {
        TopicsCommand::Create { partitions, replication } => {
            if *partitions < 1 {
                bail!("--partitions must be at least 1");
            }
            let mut refused = 0;
            for (topic, created) in topics::create(&config.kafka, &ALL, *partitions, *replication)? {
                match created {
                    Created::Made => println!("made     {topic}"),
                    Created::Existed => println!("existed  {topic}"),
                    Created::Refused(reason) => {
                        refused += 1;
                        println!("refused  {topic}: {reason}");
                    }
                }
            }
            if refused > 0 {
                bail!("{refused} topics could not be made");
            }
            check(&config)
        }
        TopicsCommand::Grow { partitions } => {
            let mut has_moved = false;
            topics::grow(&config.kafka, &results_first(), *partitions, |topic, grown| match grown {
                Grown::From(before) => {
                    has_moved |= topic == CHUNKS;
                    println!("grown    {topic}: {before} to {partitions} partitions");
                }
                Grown::Enough(present) => println!("left     {topic}: it has {present}"),
            })?;
            if has_moved {
                println!("{KEYS_MOVE}");
            }
            check(&config)
        }
        TopicsCommand::Check => check(&config),
    }
}

fn check(config: &KafkaOnly) -> anyhow::Result<()> {
    let Examined { problems, unchecked } = topics::examine(&config.kafka, &ALL)?;
    for problem in &problems {
        println!("{problem}");
    }
    for reason in &unchecked {
        println!("not checked: settings of {reason}");
    }
    if problems.is_empty() {
        let but = if unchecked.is_empty() { "" } else { ", as far as could be seen" };
        println!("all {} topics are as they must be{but}", ALL.len());
        return Ok(());
    }
    bail!("{} topics are not as they must be", problems.len());
}
