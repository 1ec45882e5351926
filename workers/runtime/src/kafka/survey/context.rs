//! Callbacks of librdkafka: connection errors, and supported requests.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::kafka::token;

/// The highest supported version of each request of a broker, by API key (`api_key` in Kafka's protocol guide).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiVersions(pub BTreeMap<i16, i16>);

impl ApiVersions {
    /// Whether this version of a request is supported.
    #[must_use]
    pub fn has(&self, api_key: i16, version: i16) -> bool {
        self.0.get(&api_key).is_some_and(|highest| *highest >= version)
    }
}

#[derive(Default)]
pub(super) struct SurveyContext {
    answers: Mutex<BrokerAnswers>,
}

#[derive(Default)]
struct BrokerAnswers {
    connection_error: Option<String>,
    apis: ApiVersions,
}

impl SurveyContext {
    /// The connection error, if any.
    pub fn connection_error(&self) -> Option<String> {
        self.answers().connection_error.clone()
    }

    /// The supported requests, if known.
    pub fn apis(&self) -> Option<ApiVersions> {
        let apis = self.answers().apis.clone();
        (!apis.0.is_empty()).then_some(apis)
    }

    fn answers(&self) -> MutexGuard<'_, BrokerAnswers> {
        // Nothing is half done in it when a holder panics.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for SurveyContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        token::from_file(config).inspect_err(|error| self.answers().connection_error = Some(error.to_string()))
    }

    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "APIVERSION"
            && let Some((key, highest)) = read_api(message)
        {
            // Brokers of several versions can do together what all of them can.
            let mut answers = self.answers();
            let known = answers.apis.0.entry(key).or_insert(highest);
            *known = (*known).min(highest);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if !matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AllBrokersDown)) {
            self.answers().connection_error = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for SurveyContext {}

/// Reads `…   ApiKey Fetch (1) Versions 4..17`.
fn read_api(message: &str) -> Option<(i16, i16)> {
    let (_, rest) = message.split_once("ApiKey ")?;
    let (name, versions) = rest.split_once(") Versions ")?;
    let (_, key) = name.rsplit_once('(')?;
    let (_, highest) = versions.split_once("..")?;
    Some((key.parse().ok()?, highest.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_s_versions_are_read_from_the_log() {
        let line = "[thrd:127.0.0.1:9092/bootstrap]: 127.0.0.1:9092/1:   ApiKey TxnOffsetCommit (28) Versions 0..5";
        assert_eq!(read_api(line), Some((28, 5)));
        let unnamed = "[thrd:x]:   ApiKey Unknown-76? (76) Versions 0..1";
        assert_eq!(read_api(unnamed), Some((76, 1)));
        assert_eq!(read_api("[thrd:x]: Enabling feature MsgVer2"), None);
    }

    #[test]
    fn of_several_brokers_the_oldest_counts() {
        let context = SurveyContext::default();
        for highest in [5, 3, 4] {
            context.log(RDKafkaLogLevel::Debug, "APIVERSION", &format!("  ApiKey A (28) Versions 0..{highest}"));
        }
        let apis = context.apis().unwrap();
        assert!(apis.has(28, 3) && !apis.has(28, 4) && !apis.has(1, 0));
    }
}
