//! What the bridge is told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use auscult_runtime::config::{HttpConfig, KafkaConfig, LogConfig, Problems, Secret, Validate};
use hyper::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the bridge is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct BridgeConfig {
    /// Kafka. `group_id` keeps how far the bridge has got; by default `auscult-alertmanager`.
    pub kafka: KafkaConfig,
    /// Health and metrics.
    pub http: HttpConfig,
    /// Logs.
    pub log: LogConfig,
    /// Where alerts go.
    pub alertmanager: AlertmanagerConfig,
}

impl Validate for BridgeConfig {
    fn validate(&self, problems: &mut Problems) {
        problems.section("kafka", &self.kafka);
        problems.section("http", &self.http);
        problems.section("log", &self.log);
        problems.section("alertmanager", &self.alertmanager);
    }
}

/// Where alerts go, and how long they stand there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct AlertmanagerConfig {
    /// Alertmanager's address, `http://` or `https://`, with the path of `--web.route-prefix` if it has one; all
    /// members of a cluster separated by commas, since each must get every alert. Default: `http://localhost:9093`.
    pub url: String,
    /// How often every alert that stands is sent again. Unit: s. Default: 60.
    pub resend_secs: u64,
    /// How long Alertmanager keeps an alert that is not sent again: as long as the bridge may be away without its
    /// alerts being resolved falsely. Unit: s. Default: 900, so that a pod may be moved from a node that has died.
    pub hold_secs: u64,
    /// How long a change of environment is shown. It is an event; nothing says that it is over. Unit: s. Default: 21600
    /// (6 h).
    pub environment_secs: u64,
    /// How long Alertmanager may take to answer. Unit: s. Default: 10.
    pub timeout_secs: u64,
    /// File with a bearer token; read anew for each request. Default: none.
    pub bearer_token_file: Option<PathBuf>,
    /// User name of basic authentication. Default: none.
    pub username: Option<String>,
    /// File with the password that goes with it; read anew for each request. Default: none.
    pub password_file: Option<PathBuf>,
    /// File with the certificates (PEM) of the authorities that may vouch for Alertmanager. Default: the system's.
    pub ca_file: Option<PathBuf>,
    /// Labels that every alert gets, such as `site: graz`. Default: none.
    pub labels: BTreeMap<String, String>,
}

impl Default for AlertmanagerConfig {
    fn default() -> Self {
        Self {
            url: "http://localhost:9093".to_owned(),
            resend_secs: 60,
            hold_secs: 900,
            environment_secs: 21_600,
            timeout_secs: 10,
            bearer_token_file: None,
            username: None,
            password_file: None,
            ca_file: None,
            labels: BTreeMap::new(),
        }
    }
}

/// The labels by which alerts are told apart; a label of the user's must not hide one.
pub(super) const OWN_LABELS: [&str; 6] = ["alertname", "severity", "kind", "state", "machine", "environment"];

impl AlertmanagerConfig {
    /// The addresses alerts are posted to.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn endpoints(&self) -> Result<Vec<Uri>, String> {
        self.url.split(',').map(|url| endpoint(url.trim())).collect()
    }

    /// The secret of a file.
    pub(super) fn secret(file: &std::path::Path) -> Result<Secret, String> {
        Ok(Secret::resolve(None, Some(file))?.unwrap_or_else(|| Secret::new("")))
    }
}

/// `https://host:9093/prefix/` → `https://host:9093/prefix/api/v2/alerts`
fn endpoint(url: &str) -> Result<Uri, String> {
    let base: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    match base.scheme_str() {
        Some("http") => {}
        Some("https") if cfg!(feature = "tls") => {}
        Some("https") => return Err(format!("{url}: this build knows no TLS; build with --features tls")),
        _ => return Err(format!("{url}: must begin with http:// or https://")),
    }
    if base.query().is_some() || base.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("must be an address alone: a password belongs into alertmanager.password_file".to_owned());
    }
    let whole = format!("{}/api/v2/alerts", url.trim_end_matches('/'));
    whole.parse().map_err(|error| format!("{url}: {error}"))
}

impl Validate for AlertmanagerConfig {
    fn validate(&self, problems: &mut Problems) {
        if let Err(reason) = self.endpoints() {
            problems.add("url", reason);
        }
        problems.require(self.resend_secs > 0, "resend_secs", "must be at least 1");
        problems.require(
            self.hold_secs >= 3 * self.resend_secs,
            "hold_secs",
            format!("is {}, must be at least three times resend_secs, {}", self.hold_secs, self.resend_secs),
        );
        problems.require(self.environment_secs > 0, "environment_secs", "must be at least 1");
        problems.require(self.timeout_secs > 0, "timeout_secs", "must be at least 1");
        problems.require(
            self.username.is_some() == self.password_file.is_some(),
            "username",
            "username and password_file go together",
        );
        problems.require(
            self.username.is_none() || self.bearer_token_file.is_none(),
            "bearer_token_file",
            "give either a token or a user name with its password",
        );
        for file in [&self.bearer_token_file, &self.password_file].into_iter().flatten() {
            if let Err(reason) = Self::secret(file) {
                problems.add("", reason);
            }
        }
        for name in self.labels.keys() {
            problems.require(
                is_label_name(name) && !OWN_LABELS.contains(&name.as_str()),
                "labels",
                format!("{name} is no label of your own: letters, digits and _, and none of {}", OWN_LABELS.join(", ")),
            );
        }
    }
}

fn is_label_name(name: &str) -> bool {
    let is_ordinary = |character: char| character.is_ascii_alphanumeric() || character == '_';
    name.chars().all(is_ordinary) && name.starts_with(|first: char| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(config: &AlertmanagerConfig) -> Vec<String> {
        let mut problems = Problems::default();
        config.validate(&mut problems);
        problems.into_found().into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn alerts_go_below_the_prefix_of_each_member_of_a_cluster() {
        let url = "http://a:9093, http://b:9093/alerting/".to_owned();
        let endpoints = AlertmanagerConfig { url, ..AlertmanagerConfig::default() }.endpoints().unwrap();
        let expected = ["http://a:9093/api/v2/alerts", "http://b:9093/alerting/api/v2/alerts"];
        assert_eq!(endpoints.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_mistake_is_named() {
        assert_eq!(mistakes(&AlertmanagerConfig::default()), Vec::<String>::new());
        let wrong = AlertmanagerConfig {
            url: "http://bob:tiger@a:9093".to_owned(),
            resend_secs: 600,
            username: Some("bob".to_owned()),
            labels: BTreeMap::from([("machine".to_owned(), "all".to_owned())]),
            ..AlertmanagerConfig::default()
        };
        assert_eq!(mistakes(&wrong), ["url", "hold_secs", "username", "labels"]);
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let config = AlertmanagerConfig { url: "http://bob:tiger@a:9093".to_owned(), ..AlertmanagerConfig::default() };
        assert!(!config.endpoints().unwrap_err().contains("tiger"));
    }
}
