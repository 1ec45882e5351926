//! The token of `oauthbearer`: a JWT in a file, read whenever librdkafka asks for a fresh one.

use std::error::Error;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;

/// Reads the token; `config` is `sasl.oauthbearer.config`, in which the settings put the file's path. The principal
/// (`sub`) and the expiry (`exp`) are in the token itself (RFC 7519).
pub(super) fn from_file(config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
    let path = Path::new(config.ok_or("kafka.security.sasl.token_file is not set")?);
    read(path).map_err(|reason| {
        let path = path.display();
        // librdkafka only goes on without a connection, and asks again in ten seconds.
        tracing::error!(%path, reason, "there is no token to show to the brokers");
        format!("{path}: {reason}").into()
    })
}

/// Reads the token without complaining.
pub(super) fn read(path: &Path) -> Result<OAuthToken, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))?;
    parse(text.trim())
}

fn parse(token: &str) -> Result<OAuthToken, String> {
    #[derive(serde::Deserialize)]
    struct Claims {
        sub: Option<String>,
        exp: Option<f64>,
    }
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err("it is no JWT: three parts with dots between them were expected".to_owned());
    };
    let json = URL_SAFE_NO_PAD.decode(payload).map_err(|error| format!("its second part is not base64url: {error}"))?;
    let claims: Claims =
        serde_json::from_slice(&json).map_err(|error| format!("its claims are no JSON object: {error}"))?;
    let expires_s = claims.exp.ok_or("it has no claim `exp`: it must expire")?;
    let lifetime_ms = (expires_s * 1e3) as i64;
    if lifetime_ms <= jiff::Timestamp::now().as_millisecond() {
        return Err("it has expired: whoever puts it there must renew it".to_owned());
    }
    Ok(OAuthToken { token: token.to_owned(), principal_name: claims.sub.unwrap_or_default(), lifetime_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_who_it_is_and_until_when() {
        // {"alg":"none"} . {"sub":"scoring","exp":4102444800}
        let token = parse("eyJhbGciOiJub25lIn0.eyJzdWIiOiJzY29yaW5nIiwiZXhwIjo0MTAyNDQ0ODAwfQ.").unwrap();
        assert_eq!((token.principal_name.as_str(), token.lifetime_ms), ("scoring", 4_102_444_800_000));
    }

    #[test]
    fn a_token_that_is_not_there_is_told_with_its_file() {
        let error = from_file(Some("/no/such/token")).err().unwrap().to_string();
        assert!(error.starts_with("/no/such/token: it cannot be read"), "{error}");
    }

    #[test]
    fn what_is_no_token_or_an_old_one_is_told_apart() {
        assert!(parse("hello").err().unwrap().contains("no JWT"));
        assert!(parse("a.!.c").err().unwrap().contains("base64url"));
        // {"sub":"scoring","exp":1}
        assert!(parse("a.eyJzdWIiOiJzY29yaW5nIiwiZXhwIjoxfQ.c").err().unwrap().contains("expired"));
    }
}
