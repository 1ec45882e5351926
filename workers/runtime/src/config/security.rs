//! How a client proves who it is, and that nobody listens in.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problems, Secret, Validate};

/// How a client proves who it is, and that nobody listens in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct SecurityConfig {
    /// `plaintext`, `tls`, `sasl_plaintext` (who it is, but anyone can listen in), or `sasl_tls`. Default: `plaintext`.
    pub protocol: SecurityProtocol,
    /// With `tls` and `sasl_tls`.
    pub tls: TlsConfig,
    /// With `sasl_plaintext` and `sasl_tls`.
    pub sasl: SaslConfig,
}

/// What a connection is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// Encrypted; the client shows a certificate where the broker asks for one.
    Tls,
    /// Authenticated, not encrypted.
    SaslPlaintext,
    /// Both.
    SaslTls,
}

impl SecurityProtocol {
    /// librdkafka's name of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Tls => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslTls => "sasl_ssl",
        }
    }

    fn has_tls(self) -> bool {
        matches!(self, Self::Tls | Self::SaslTls)
    }

    /// Whether the client authenticates by SASL.
    #[must_use]
    pub fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslTls)
    }
}

/// Certificates, all in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct TlsConfig {
    /// Whom to trust: certificates of the authorities that sign the brokers'. Default: those of the system.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate, with what leads to its authority. Default: none.
    pub cert_file: Option<PathBuf>,
    /// Its private key. Default: none.
    pub key_file: Option<PathBuf>,
    /// Password of the private key. Default: none.
    pub key_password: Option<Secret>,
    /// File that holds it. Default: none.
    pub key_password_file: Option<PathBuf>,
    /// Whether the broker's certificate must be of the name that was connected to. Default: true.
    pub verify_hostname: bool,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            ca_file: None,
            cert_file: None,
            key_file: None,
            key_password: None,
            key_password_file: None,
            verify_hostname: true,
        }
    }
}

/// Who the client is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct SaslConfig {
    /// `plain`, `scram_sha_256`, `scram_sha_512` or `oauthbearer`. Default: `scram_sha_512`.
    pub mechanism: SaslMechanism,
    /// User, of `plain` and `scram_…`. Default: none.
    pub username: Option<String>,
    /// Password, of `plain` and `scram_…`. Default: none.
    pub password: Option<Secret>,
    /// File that holds it; it is read again whenever clients are replaced. Default: none.
    pub password_file: Option<PathBuf>,
    /// File that holds the token (a JWT) of `oauthbearer`, such as a service account token that Kubernetes projects and
    /// renews; it is read again before the token expires. Default: none.
    pub token_file: Option<PathBuf>,
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SaslMechanism {
    /// User and password, as they are: only over TLS.
    Plain,
    /// Salted challenge and response, SHA-256.
    #[serde(rename = "scram_sha_256")]
    ScramSha256,
    /// Salted challenge and response, SHA-512.
    #[default]
    #[serde(rename = "scram_sha_512")]
    ScramSha512,
    /// A signed token.
    Oauthbearer,
}

impl SaslMechanism {
    /// Kafka's name of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::Oauthbearer => "OAUTHBEARER",
        }
    }
}

/// Whether this build can speak TLS, and what of SASL needs OpenSSL.
const HAS_TLS: bool = cfg!(feature = "tls");

impl Validate for SecurityConfig {
    fn validate(&self, problems: &mut Problems) {
        let Self { protocol, tls, sasl } = self;
        let needs_tls_build = protocol.has_tls() || (protocol.has_sasl() && sasl.mechanism != SaslMechanism::Plain);
        problems.require(
            HAS_TLS || !needs_tls_build,
            "protocol",
            "needs a build with OpenSSL: `cargo build --release --features tls` (or `tls-vendored`, which builds OpenSSL, too)",
        );
        if protocol.has_tls() {
            tls.check(problems);
        }
        if protocol.has_sasl() {
            sasl.check(problems);
        }
    }
}

impl TlsConfig {
    /// The private key's password.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn key_password(&self) -> Result<Option<Secret>, String> {
        Secret::resolve(self.key_password.as_ref(), self.key_password_file.as_deref())
    }

    fn check(&self, problems: &mut Problems) {
        for (field, file) in
            [("tls.ca_file", &self.ca_file), ("tls.cert_file", &self.cert_file), ("tls.key_file", &self.key_file)]
        {
            require_readable(file.as_deref(), field, problems);
        }
        problems.require(
            self.cert_file.is_some() == self.key_file.is_some(),
            "tls.key_file",
            "a certificate needs its private key, and a key its certificate: set both tls.cert_file and tls.key_file",
        );
        if let Err(reason) = self.key_password() {
            problems.add("tls.key_password", reason);
        }
    }
}

impl SaslConfig {
    /// The password.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn password(&self) -> Result<Option<Secret>, String> {
        Secret::resolve(self.password.as_ref(), self.password_file.as_deref())
    }

    fn check(&self, problems: &mut Problems) {
        if self.mechanism == SaslMechanism::Oauthbearer {
            problems.require(
                self.token_file.is_some(),
                "sasl.token_file",
                "is missing: name the file that holds the token",
            );
            require_readable(self.token_file.as_deref(), "sasl.token_file", problems);
            return;
        }
        problems.require(self.username.is_some(), "sasl.username", "is missing: the broker wants to know who it is");
        match self.password() {
            Ok(Some(_)) => {}
            Ok(None) => problems.add("sasl.password", "is missing: set it, or better sasl.password_file"),
            Err(reason) => problems.add("sasl.password", reason),
        }
    }
}

fn require_readable(file: Option<&Path>, field: &str, problems: &mut Problems) {
    let Some(file) = file else { return };
    if let Err(error) = std::fs::File::open(file) {
        problems.add(field, format!("cannot read {}: {error}", file.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(config: &SecurityConfig) -> String {
        let mut problems = Problems::default();
        config.validate(&mut problems);
        problems.into_found().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn nothing_is_needed_for_plaintext() {
        assert_eq!(mistakes(&SecurityConfig::default()), "");
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let config = SecurityConfig {
            protocol: SecurityProtocol::SaslTls,
            tls: TlsConfig {
                ca_file: Some("/no/such/file".into()),
                cert_file: Some("/none".into()),
                ..TlsConfig::default()
            },
            sasl: SaslConfig::default(),
        };
        let mistakes = mistakes(&config);
        for field in ["tls.ca_file: cannot read", "tls.key_file", "sasl.username", "sasl.password"] {
            assert!(mistakes.contains(field), "{field}: {mistakes}");
        }
        assert_eq!(mistakes.contains("--features tls"), !HAS_TLS);
    }

    #[test]
    fn a_password_is_shown_to_nobody() {
        let sasl = SaslConfig { password: Some(Secret::new("tiger")), ..SaslConfig::default() };
        let config = SecurityConfig { sasl, ..SecurityConfig::default() };
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("tiger"), "{shown}");
    }
}
