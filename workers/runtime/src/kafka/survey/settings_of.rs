//! Settings of topics and brokers.

use std::collections::BTreeMap;

use rdkafka::admin::{AdminOptions, ResourceSpecifier};
use rdkafka::error::RDKafkaErrorCode;

use super::Survey;
use crate::kafka::KafkaAccessError;
use crate::kafka::topics::{admin, answered, refusal};

/// Names and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(pub BTreeMap<String, String>);

impl Settings {
    /// A setting's text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A setting as a whole number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }
}

impl Survey {
    /// Settings of topics; for each, the settings or the missing permission.
    ///
    /// # Errors
    /// [`KafkaAccessError::Unreachable`]; [`KafkaAccessError::Client`] if rdkafka's admin client cannot be used (with
    /// tokens).
    pub fn topic_settings<'a>(
        &self,
        topics: &[&'a str],
    ) -> Result<BTreeMap<&'a str, Result<Settings, String>>, KafkaAccessError> {
        if topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        let asked: Vec<ResourceSpecifier<'_>> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let answers = topics.iter().copied().zip(self.settings(&asked)?);
        let told = answers.map(|(topic, answer)| {
            let refused = |code| refusal(code, topic, "DescribeConfigs");
            (topic, answer.map_err(|code| refused(code.unwrap_or(RDKafkaErrorCode::TopicAuthorizationFailed))))
        });
        Ok(told.collect())
    }

    /// A broker's settings, or the missing permission.
    ///
    /// # Errors
    /// As [`Survey::topic_settings`].
    pub fn broker_settings(&self, id: i32) -> Result<Result<Settings, String>, KafkaAccessError> {
        let answer = self.settings(&[ResourceSpecifier::Broker(id)])?.into_iter().next();
        let answer = answer.unwrap_or(Err(Some(RDKafkaErrorCode::Fail)));
        Ok(answer.map_err(|code| match code {
            None | Some(RDKafkaErrorCode::ClusterAuthorizationFailed) => {
                "this client's principal lacks the right to DescribeConfigs cluster: `kafka-acls.sh --bootstrap-server … \
                 --add --allow-principal User:… --operation DescribeConfigs --cluster`"
                    .to_owned()
            }
            Some(other) => other.to_string(),
        }))
    }

    /// An answer each; where it is a refusal, with its reason if there is one.
    fn settings(
        &self,
        asked: &[ResourceSpecifier<'_>],
    ) -> Result<Vec<Result<Settings, Option<RDKafkaErrorCode>>>, KafkaAccessError> {
        let admin = admin(&self.config)?;
        let options = AdminOptions::new().request_timeout(Some(self.request_timeout));
        let answers = answered(&self.config, "ask for settings", admin.describe_configs(asked, &options))?;
        let told = answers.into_iter().map(|answer| match answer {
            // Refusals come from rdkafka as settings that are none.
            Ok(found) if found.entries.is_empty() => Err(None),
            Ok(found) => {
                Ok(Settings(found.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()))
            }
            Err(code) => Err(Some(code)),
        });
        Ok(told.collect())
    }
}
