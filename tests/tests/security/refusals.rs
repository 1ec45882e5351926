//! What is wrong with credentials and certificates, told apart.

use anyhow::{Result, ensure};

use crate::scene::{PLAIN_PASSWORD, SCRAM_PASSWORD, auscult, oauthbearer, plain, secured, settings};

#[test]
fn wrong_passwords_tokens_authorities_and_names_are_told_apart() -> Result<()> {
    let secured = secured()?;
    let folder = tempfile::tempdir()?;
    let ca = secured.certificate("ca.pem");
    let no_token = folder.path().join("no-token");
    std::fs::write(&no_token, "hello")?;
    let expired = oauthbearer(&secured, &secured.token_file("token", -60)?);
    let missing = oauthbearer(&secured, &folder.path().join("none").display().to_string());
    let no_token = oauthbearer(&secured, &no_token.display().to_string());
    let scram = settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", &ca),
        ("SASL__MECHANISM", "scram_sha_512"),
        ("SASL__USERNAME", "scram"),
        ("SASL__PASSWORD", "lion"),
    ]);
    let unknown_authority = settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", &secured.certificate("other-ca.pem")),
        ("SASL__MECHANISM", "scram_sha_256"),
        ("SASL__USERNAME", "scram"),
        ("SASL__PASSWORD", SCRAM_PASSWORD),
    ]);
    let no_certificate = settings(&[("PROTOCOL", "tls"), ("TLS__CA_FILE", &ca)]);
    let by_name = secured.sasl().replace("127.0.0.1", "localhost");
    let unverified =
        [plain(&secured, "plain", PLAIN_PASSWORD), settings(&[("TLS__VERIFY_HOSTNAME", "false")])].concat();
    let sasl = secured.sasl();
    let cases = [
        ("wrong password", sasl.as_str(), plain(&secured, "plain", "lion"), "Authentication failed"),
        ("wrong SCRAM password", &sasl, scram, "invalid credentials"),
        ("expired token", &sasl, expired, "has expired"),
        ("no token", &sasl, no_token, "it is no JWT"),
        ("missing token", &sasl, missing, "kafka.security.sasl.token_file: cannot read"),
        ("unknown authority", &sasl, unknown_authority, "certificate verify failed"),
        ("another name", &by_name, plain(&secured, "plain", PLAIN_PASSWORD), "certificate verify failed"),
        ("no certificate", &secured.mutual(), no_certificate, "wants a client certificate"),
        ("another name, and nobody minds", &by_name, unverified, "as they must be"),
    ];
    std::thread::scope(|scope| {
        let asked: Vec<_> = cases
            .iter()
            .map(|(what, brokers, own, words)| {
                scope.spawn(move || {
                    let (_, told) = auscult(brokers, &["topics", "check"], own)?;
                    ensure!(told.contains(words), "{what}: {words:?} was expected in {told}");
                    ensure!(!told.contains("lion") && !told.contains("hello"), "{what}: a secret was told: {told}");
                    Ok(())
                })
            })
            .collect();
        for answer in asked {
            answer.join().expect("asking does not panic")?;
        }
        Ok(())
    })
}

#[test]
fn what_is_missing_in_the_configuration_is_found_before_anything_is_contacted() -> Result<()> {
    let own = settings(&[
        ("PROTOCOL", "sasl_tls"),
        ("TLS__CA_FILE", "/no/such/ca.pem"),
        ("SASL__USERNAME", "plain"),
        ("SASL__PASSWORD_FILE", "/no/such/password"),
    ]);
    let (_, told) = auscult("127.0.0.1:1", &["config", "check", "--worker", "feature"], &own)?;
    for words in ["2 mistakes", "kafka.security.tls.ca_file", "kafka.security.sasl.password"] {
        ensure!(told.contains(words), "{words:?} was expected in {told}");
    }
    Ok(())
}
