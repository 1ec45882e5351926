//! Whether traces are recorded, and where they go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problems, Validate};

/// Whether traces are recorded, and where they go. W3C trace context is carried from chunk to alert in any case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct TracesConfig {
    /// Where spans go by OTLP over HTTP (`http/protobuf`), such as `http://otel-collector:4318`; `/v1/traces` is added.
    /// Without TLS: a collector stands in the same cluster. Default: none; nothing is recorded.
    pub otlp_endpoint: Option<String>,
    /// Share of the chunks without trace context for which a trace is begun, from 0 to 1; for one with a context
    /// whoever began it has decided. Default: 0.01.
    pub sample_ratio: f64,
    /// How long the collector may take to answer. Unit: milliseconds. Default: 10000.
    pub timeout_ms: u64,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self { otlp_endpoint: None, sample_ratio: 0.01, timeout_ms: 10_000 }
    }
}

impl TracesConfig {
    /// Where spans are posted to.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub(crate) fn url(&self) -> Result<Option<hyper::Uri>, String> {
        let Some(endpoint) = &self.otlp_endpoint else { return Ok(None) };
        let whole = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let url: hyper::Uri = whole.parse().map_err(|error| format!("is {endpoint:?}: {error}"))?;
        let is_plain = url.scheme_str() == Some("http") && url.host().is_some() && url.query().is_none();
        if is_plain { Ok(Some(url)) } else { Err(format!("is {endpoint:?}, must be like http://otel-collector:4318")) }
    }
}

impl Validate for TracesConfig {
    fn validate(&self, problems: &mut Problems) {
        if let Err(reason) = self.url() {
            problems.add("otlp_endpoint", reason);
        }
        problems.require(
            (0.0..=1.0).contains(&self.sample_ratio),
            "sample_ratio",
            format!("is {}, must be from 0 to 1", self.sample_ratio),
        );
        problems.require(self.timeout_ms > 0, "timeout_ms", "must be at least 1");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_and_the_path_is_added() {
        let url = |endpoint: &str| {
            let config = TracesConfig { otlp_endpoint: Some(endpoint.to_owned()), ..TracesConfig::default() };
            config.url().map(|url| url.unwrap().to_string())
        };
        assert_eq!(url("http://collector:4318").unwrap(), "http://collector:4318/v1/traces");
        assert_eq!(url("http://collector:4318/otlp/").unwrap(), "http://collector:4318/otlp/v1/traces");
        for refused in ["collector:4318", "https://collector:4318", "", "http://", "grpc://collector:4317"] {
            assert!(url(refused).is_err(), "{refused}");
        }
        assert_eq!(TracesConfig::default().url(), Ok(None));
    }
}
