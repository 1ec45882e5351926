//! Content types: what a value is said to be.

use crate::FeatureError;

/// What a value is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declared {
    /// Nothing, or `application/octet-stream`: the first bytes decide.
    Unknown,
    Wav,
    Flac,
    /// RFC 2586: interleaved big-endian 16-bit samples, no header.
    L16 {
        rate_hz: u32,
        channels: usize,
    },
}

impl Declared {
    /// Reads a content type: type and parameter names in any case, parameters in any order and unknown ones ignored.
    pub(crate) fn parse(content_type: &str) -> Result<Self, FeatureError> {
        let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let essence = essence.trim().to_ascii_lowercase();
        match essence.as_str() {
            "" | "application/octet-stream" => Ok(Self::Unknown),
            "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => Ok(Self::Wav),
            "audio/flac" | "audio/x-flac" => Ok(Self::Flac),
            "audio/l16" => parse_l16(content_type, parameters),
            _ => Err(FeatureError::UnsupportedContentType(shortened(content_type))),
        }
    }
}

fn parse_l16(content_type: &str, parameters: &str) -> Result<Declared, FeatureError> {
    let invalid = |reason: String| FeatureError::InvalidContentType { content_type: shortened(content_type), reason };
    let mut rate_hz = None;
    let mut channels = None;
    for parameter in parameters.split(';') {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim().trim_matches('"');
        let slot = match name.as_str() {
            "rate" => &mut rate_hz,
            "channels" => &mut channels,
            _ => continue,
        };
        let number: u32 =
            value.parse().map_err(|_| invalid(format!("{name} is {:?}, not a number", shortened(value))))?;
        if slot.replace(number).is_some() {
            return Err(invalid(format!("{name} is given twice")));
        }
    }
    let rate_hz = rate_hz.ok_or_else(|| invalid("the parameter rate is missing".to_owned()))?;
    Ok(Declared::L16 { rate_hz, channels: channels.unwrap_or(1) as usize })
}

/// Headers come from outside; an error message quotes no more than this of one.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    if text.chars().count() <= LONGEST { text.to_owned() } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

/// The content type of a file by its name's ending, `.wav` or `.flac` in any case.
#[must_use]
pub fn content_type_of(path_or_name: &str) -> Option<&'static str> {
    let (_, ending) = path_or_name.rsplit_once('.')?;
    match ending.to_ascii_lowercase().as_str() {
        "wav" => Some("audio/wav"),
        "flac" => Some("audio/flac"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l16_parameters_come_in_any_order_and_case() {
        let stereo = Declared::L16 { rate_hz: 48_000, channels: 2 };
        for text in [
            "audio/L16;rate=48000;channels=2",
            "AUDIO/l16; Channels=2 ; Rate=48000",
            "audio/L16; rate=\"48000\"; emphasis=50-15; channels=2",
        ] {
            assert_eq!(Declared::parse(text).unwrap(), stereo, "{text}");
        }
        assert_eq!(Declared::parse("audio/L16;rate=8000").unwrap(), Declared::L16 { rate_hz: 8_000, channels: 1 });
    }

    #[test]
    fn l16_without_a_readable_rate_is_refused_and_says_how_to_write_it() {
        for text in ["audio/L16", "audio/L16;channels=2", "audio/L16;rate=fast", "audio/L16;rate=1;rate=2"] {
            let message = Declared::parse(text).unwrap_err().to_string();
            assert!(message.contains("audio/L16;rate=16000;channels=1"), "{message}");
        }
    }

    #[test]
    fn a_foreign_content_type_is_refused_and_quoted_in_part() {
        assert!(matches!(Declared::parse("audio/mpeg"), Err(FeatureError::UnsupportedContentType(_))));
        let long = "x".repeat(100_000);
        assert!(Declared::parse(&long).unwrap_err().to_string().len() < 500);
    }

    #[test]
    fn a_file_name_s_ending_tells_its_content_type() {
        assert_eq!(content_type_of("a/b.c/fan.WAV"), Some("audio/wav"));
        assert_eq!(content_type_of("fan.flac"), Some("audio/flac"));
        assert_eq!(content_type_of("fan.mp3"), None);
        assert_eq!(content_type_of("wav"), None);
    }
}
