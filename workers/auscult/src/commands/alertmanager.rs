//! `auscult alertmanager`: forwards alerts from Kafka to Prometheus Alertmanager.

use auscult_alertmanager::BridgeConfig;
use clap::Args;

use super::worker_arguments::WorkerArgs;

/// Run a bridge: reads audio.alerts; posts active and resolved alerts to Prometheus Alertmanager
///
/// Alerts are posted as they arrive and repeated while they are active; offsets are committed after Alertmanager has
/// accepted them. After a restart, the bridge reads the topic from the beginning and continues. Alertmanager's
/// configuration defines who is notified, and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AlertmanagerArgs {
    /// Address of Alertmanager; for a cluster all addresses, separated by commas (alertmanager.url)
    #[arg(long, value_name = "URL,...")]
    url: Option<String>,
    /// File with a bearer token (alertmanager.bearer_token_file)
    #[arg(long, value_name = "FILE")]
    bearer_token_file: Option<String>,
    /// User name for basic authentication (alertmanager.username)
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// File with the password for basic authentication (alertmanager.password_file)
    #[arg(long, value_name = "FILE")]
    password_file: Option<String>,
    /// File with the CA certificates that Alertmanager's certificate is checked against, PEM (alertmanager.ca_file)
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
    #[command(flatten)]
    worker: WorkerArgs,
}

const EXAMPLES: &str = "\
Examples:
  auscult alertmanager --brokers localhost:9092 --url http://localhost:9093
  auscult alertmanager --url https://alerts-0:9093,https://alerts-1:9093 --ca-file plant-ca.pem --bearer-token-file token
  auscult alertmanager --config bridge.yaml --set alertmanager.labels.site=graz --listen 0.0.0.0:9467";

/// Runs until it is stopped.
///
/// # Errors
/// If the bridge cannot start or continue.
pub fn run(args: &AlertmanagerArgs) -> anyhow::Result<()> {
    let own = [
        ("alertmanager.url", args.url.clone()),
        ("alertmanager.bearer_token_file", args.bearer_token_file.clone()),
        ("alertmanager.username", args.username.clone()),
        ("alertmanager.password_file", args.password_file.clone()),
        ("alertmanager.ca_file", args.ca_file.clone()),
    ];
    let config: BridgeConfig = args.worker.config.load(&[args.worker.overrides().as_slice(), &own].concat())?;
    auscult_alertmanager::run(&config)
}
