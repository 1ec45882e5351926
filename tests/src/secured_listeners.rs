//! The secured listeners of a broker.

use std::path::PathBuf;

/// The listeners that are secured, and what they need.
#[derive(Debug, Clone)]
pub(crate) struct SecuredListeners {
    /// TLS and SASL.
    pub sasl: u16,
    /// TLS with client certificates.
    pub mutual: u16,
    pub certificates: PathBuf,
    pub users: Vec<(String, String)>,
}

impl SecuredListeners {
    /// To be added to `listeners` and `advertised.listeners`.
    pub fn listeners(&self) -> String {
        format!(",SASL://127.0.0.1:{},MUTUAL://127.0.0.1:{}", self.sasl, self.mutual)
    }

    /// To be added to the properties. The plain listener stays, for the test itself: whoever comes by it is a super
    /// user.
    pub fn properties(&self) -> String {
        let certificates = self.certificates.display();
        let users: String = self.users.iter().map(|(user, password)| format!(" user_{user}=\"{password}\"")).collect();
        let modules = "org.apache.kafka.common.security";
        format!(
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={certificates}/broker-keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={certificates}/ca.pem
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
listener.name.mutual.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required{users};
listener.name.sasl.scram-sha-256.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.sasl.oauthbearer.sasl.jaas.config={modules}.oauthbearer.OAuthBearerLoginModule required \
    unsecuredLoginStringClaim_sub=\"broker\";
"
        )
    }
}
