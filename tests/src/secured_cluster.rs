//! One broker that wants to know who its clients are: TLS with certificates made for the occasion, every SASL
//! mechanism, and access control lists.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::secured_listeners::SecuredListeners;
use crate::{ClusterPlan, KafkaCluster, free_ports};

/// The broker, its certificates and its users.
#[derive(Debug)]
pub struct SecuredCluster {
    // Before the folder: the broker reads its certificates from it.
    cluster: KafkaCluster,
    listeners: SecuredListeners,
    folder: TempDir,
}

impl SecuredCluster {
    /// Starts a broker that knows these users and passwords.
    ///
    /// # Errors
    /// When openssl is missing or the broker does not start.
    pub fn start(users: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("auscult-secured-").tempdir()?;
        make_certificates(folder.path())?;
        let ports = free_ports(2)?;
        let users = users.iter().map(|(user, password)| ((*user).to_owned(), (*password).to_owned())).collect();
        let listeners =
            SecuredListeners { sasl: ports[0], mutual: ports[1], certificates: folder.path().to_owned(), users };
        let mut plan = ClusterPlan::new(1)?;
        plan.secure(listeners.clone());
        Ok(Self { cluster: plan.start()?, listeners, folder })
    }

    /// The broker, and the way in for a super user.
    #[must_use]
    pub fn cluster(&self) -> &KafkaCluster {
        &self.cluster
    }

    /// Where clients of SASL over TLS connect to.
    #[must_use]
    pub fn sasl(&self) -> String {
        format!("127.0.0.1:{}", self.listeners.sasl)
    }

    /// Where clients with certificates connect to.
    #[must_use]
    pub fn mutual(&self) -> String {
        format!("127.0.0.1:{}", self.listeners.mutual)
    }

    /// A file of the certificates: `ca.pem`, `client.pem`, `client-key.pem` (of the principal `edge`), and
    /// `other-ca.pem`, which has signed nothing.
    #[must_use]
    pub fn certificate(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The client's private key, encrypted with a password; gives its file.
    ///
    /// # Errors
    /// What openssl says.
    pub fn encrypted_key(&self, password: &str) -> Result<String> {
        openssl(
            self.folder.path(),
            &format!(
                "pkcs8 -topk8 -in client-key.pem -v2 aes256 -passout pass:{password} -out client-key-encrypted.pem"
            ),
        )?;
        Ok(self.certificate("client-key-encrypted.pem"))
    }

    /// Writes a token without a signature, which Kafka's default validator takes, and gives its file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn token_file(&self, principal: &str, expires_in_s: i64) -> Result<String> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let claims = format!("{{\"sub\":\"{principal}\",\"iat\":{},\"exp\":{}}}", now - 60, now + expires_in_s);
        let token = format!("{}.{}.", base64url(b"{\"alg\":\"none\"}"), base64url(claims.as_bytes()));
        let file = self.folder.path().join(format!("{principal}-{expires_in_s}.jwt"));
        std::fs::write(&file, token)?;
        Ok(file.display().to_string())
    }

    /// Gives a user a SCRAM password.
    ///
    /// # Errors
    /// What the tool says.
    pub fn add_scram_user(&self, user: &str, password: &str) -> Result<()> {
        // Kafka takes one mechanism at a time.
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let config = format!("{mechanism}=[password={password}]");
            let arguments = ["--alter", "--add-config", &config, "--entity-type", "users", "--entity-name", user];
            self.cluster.tool("kafka.admin.ConfigCommand", &arguments)?;
        }
        Ok(())
    }

    /// Changes the access control lists; `arguments` are those of `kafka-acls.sh --add`.
    ///
    /// # Errors
    /// What the tool says.
    pub fn add_acl(&self, arguments: &[&str]) -> Result<()> {
        self.cluster.tool("org.apache.kafka.tools.AclCommand", &[&["--add"], arguments].concat())?;
        Ok(())
    }
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for sextet in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * sextet)) as usize & 63]));
        }
    }
    text
}

/// An authority, a broker of the address 127.0.0.1 (and of no name), a client, and another authority.
fn make_certificates(folder: &Path) -> Result<()> {
    for ca in ["ca", "other-ca"] {
        openssl(
            folder,
            &format!("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={ca} -keyout {ca}-key.pem -out {ca}.pem"),
        )?;
    }
    for (name, common_name, alternative) in [("broker", "broker", "IP:127.0.0.1"), ("client", "edge", "DNS:edge")] {
        std::fs::write(folder.join(format!("{name}.ext")), format!("subjectAltName={alternative}\n"))?;
        openssl(
            folder,
            &format!("req -newkey rsa:2048 -nodes -subj /CN={common_name} -keyout {name}-key.pem -out {name}.csr"),
        )?;
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile {name}.ext -out {name}.pem"
            ),
        )?;
    }
    let keystore =
        std::fs::read_to_string(folder.join("broker-key.pem"))? + &std::fs::read_to_string(folder.join("broker.pem"))?;
    std::fs::write(folder.join("broker-keystore.pem"), keystore)?;
    Ok(())
}

fn openssl(folder: &Path, arguments: &str) -> Result<()> {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().context("running openssl")?;
    ensure!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
