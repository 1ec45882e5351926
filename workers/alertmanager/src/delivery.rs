//! Delivers alerts to Alertmanager, and retries until they are accepted.

use std::collections::BTreeMap;
use std::time::Duration;

use auscult_runtime::runner::StopSignal;
use auscult_runtime::telemetry::{Health, UnreadyReason};
use hyper::Uri;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;

use super::active_alerts::{Change, PostedAlert};
use super::client::{AlertmanagerClient, PostError};
use super::metrics::BridgeMetrics;

/// Alerts per request: some hundred kilobytes.
const AT_ONCE: usize = 64;
/// How long Alertmanager has to process inhibiting alerts before it gets the others. It processes alerts concurrently,
/// and notifies immediately about an alert that is older than its `group_wait`.
const SETTLING: Duration = Duration::from_secs(1);
/// Delay before the first retry, and maximum delay.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Delivers alerts to Alertmanager.
pub(super) struct AlertDelivery {
    pub client: AlertmanagerClient,
    /// The members of the cluster. They share which notifications were sent, but not the alerts: each member gets all
    /// alerts.
    pub endpoints: Vec<Uri>,
    /// How long an alert stays active in Alertmanager if it is not repeated.
    pub hold: SignedDuration,
    pub metrics: BridgeMetrics,
    pub health: Health,
    pub stop: StopSignal,
}

impl AlertDelivery {
    /// Posts the changes until they are accepted. Returns `false` if stopped before.
    pub fn deliver(&self, changes: &[Change]) -> bool {
        let mut wait = FIRST_WAIT;
        loop {
            self.health.beat();
            let error = match self.try_to_deliver(changes) {
                Ok(()) => {
                    self.health.clear(UnreadyReason::Stalled);
                    self.metrics.set_delivered(Timestamp::now());
                    return true;
                }
                Err(error) => error,
            };
            tracing::warn!(error, alerts = changes.len(), wait_s = wait.as_secs(), "alertmanager takes nothing");
            self.health.unready(UnreadyReason::Stalled, error);
            // Random jitter, so that several bridges do not reconnect at the same time.
            if self.stop.wait(wait.mul_f64(rand::rng().random_range(0.75..1.25))) {
                return false;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Tries once; times are those of the try, whatever the age of the changes.
    ///
    /// Inhibiting alerts go first, in a separate request: an Alertmanager that was restarted does not know them, and
    /// would notify about a muted machine. A cluster member that has not accepted them gets the others with the next
    /// repetition.
    fn try_to_deliver(&self, changes: &[Change]) -> Result<(), String> {
        let now = Timestamp::now();
        let (first, others): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| change.alert.inhibits());
        let mut inhibitors: BTreeMap<&str, Vec<PostedAlert>> = BTreeMap::new();
        for change in first.iter().filter(|change| change.ended.is_none()) {
            if let Some(machine) = change.alert.machine() {
                inhibitors.entry(machine).or_default().push(change.posted(now, self.hold));
            }
        }
        let mut members: Vec<&Uri> = self.endpoints.iter().collect();
        let first: Vec<PostedAlert> = first.into_iter().map(|change| change.posted(now, self.hold)).collect();
        self.post_all(first.chunks(AT_ONCE), &mut members, now)?;
        if !inhibitors.is_empty() && !others.is_empty() {
            let _ = self.stop.wait(SETTLING);
        }
        let now = Timestamp::now();
        let parts = self.with_inhibitors(&others, &inhibitors, now);
        self.post_all(parts.iter().map(Vec::as_slice), &mut members, now)
    }

    /// Sends each inhibited alert again with the alerts that inhibit it, in the same request, with a start of now: an
    /// Alertmanager that was just restarted then has both, and waits for its `group_wait` before it notifies. The
    /// original start stays in the annotations, and Alertmanager keeps the earliest start that it received.
    fn with_inhibitors(
        &self,
        others: &[&Change],
        inhibitors: &BTreeMap<&str, Vec<PostedAlert>>,
        now: Timestamp,
    ) -> Vec<Vec<PostedAlert>> {
        let mut parts: Vec<Vec<PostedAlert>> = Vec::new();
        for change in others {
            let mut posted = change.posted(now, self.hold);
            let mut together = Vec::new();
            let own_inhibitors = change.alert.machine().and_then(|machine| inhibitors.get(machine));
            if let Some(own_inhibitors) = own_inhibitors.filter(|_| change.ended.is_none()) {
                together.extend(own_inhibitors.iter().cloned());
                posted.starts_at = now;
                posted.ends_at = posted.ends_at.max(now);
            }
            together.push(posted);
            match parts.last_mut().filter(|part| part.len() + together.len() <= AT_ONCE) {
                Some(part) => part.extend(together),
                None => parts.push(together),
            }
        }
        parts
    }

    /// Members that fail are excluded from then on.
    fn post_all<'a>(
        &self,
        parts: impl Iterator<Item = &'a [PostedAlert]>,
        members: &mut Vec<&Uri>,
        now: Timestamp,
    ) -> Result<(), String> {
        for part in parts {
            match self.post(part, members, now) {
                Ok(()) => {}
                Err(PostError::Failed(reason)) => return Err(reason),
                Err(PostError::Refused(_)) if part.len() > 1 => self.post_each(part, members, now)?,
                Err(PostError::Refused(reason)) => self.give_up(&part[0], &reason),
            }
        }
        Ok(())
    }

    /// One alert is invalid: sends each alert separately, so that it does not block the others.
    fn post_each(&self, alerts: &[PostedAlert], members: &mut Vec<&Uri>, now: Timestamp) -> Result<(), String> {
        for alert in alerts {
            match self.post(std::slice::from_ref(alert), members, now) {
                Ok(()) => {}
                Err(PostError::Failed(reason)) => return Err(reason),
                Err(PostError::Refused(reason)) => self.give_up(alert, &reason),
            }
        }
        Ok(())
    }

    fn give_up(&self, alert: &PostedAlert, reason: &str) {
        self.metrics.refused_alerts.inc();
        tracing::error!(labels = ?alert.labels, reason, "alertmanager refuses an alert; it goes on without it");
    }

    /// Posts to every member of the cluster. Success of one member is enough: it sends the notifications, and the
    /// others get the alerts with the next repetition.
    fn post(&self, alerts: &[PostedAlert], members: &mut Vec<&Uri>, now: Timestamp) -> Result<(), PostError> {
        let body = serde_json::to_vec(alerts).map_err(|error| PostError::Refused(error.to_string()))?;
        let body = bytes::Bytes::from(body);
        let mut outcome = Err(PostError::Failed("there is no alertmanager".to_owned()));
        let mut left_out: Vec<&Uri> = Vec::new();
        for endpoint in members.iter().copied() {
            let posted = self.client.post(endpoint, body.clone());
            self.metrics.add_post(match &posted {
                Ok(()) => "taken",
                Err(PostError::Refused(_)) => "refused",
                Err(PostError::Failed(_)) => "failed",
            });
            if matches!(&posted, Err(PostError::Failed(_))) {
                left_out.push(endpoint);
            }
            match (posted, &outcome) {
                (Ok(()), _) => outcome = Ok(()),
                (Err(error), Ok(())) => tracing::warn!(%error, "one alertmanager of several takes nothing"),
                // A reachable member has rejected the alert.
                (Err(PostError::Failed(_)), Err(PostError::Refused(_))) => {}
                (Err(error), Err(_)) => outcome = Err(error),
            }
        }
        members.retain(|member| !left_out.contains(member));
        if outcome.is_ok() {
            self.metrics.add_taken(alerts, now);
        }
        outcome
    }
}
