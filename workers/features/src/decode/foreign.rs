//! Formats that are not read, told by how they begin, each with a way to make of it what is read.

use crate::FeatureError;

/// A format, by the bytes at a position.
struct Signature {
    at: usize,
    bytes: &'static [u8],
    name: &'static str,
    kind: Kind,
}

/// What is to be done about a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Sound without loss, and the command that reads it even where its writer was killed or wrote to a pipe. ffmpeg
    /// does not read the Wave64 and AIFF that it wrote to a pipe itself.
    Lossless(&'static str),
    /// FLAC frames in a container; the frames themselves are what is wanted.
    Flac,
    /// Sound from which a codec left out what people do not hear.
    Lossy,
    /// Moving pictures, perhaps with sound.
    Film,
    /// Numbers of an instrument.
    Measurements,
    /// Packed files.
    Packed(&'static str),
    /// Bytes that were made text on their way.
    Text(&'static str),
}

impl Kind {
    fn remedy(self) -> &'static str {
        match self {
            Self::Lossless(remedy) => remedy,
            Self::Flac => "take the FLAC out of it with `ffmpeg -i IN -c:a copy OUT.flac`",
            Self::Lossy => {
                "record WAV or FLAC instead (a lossy codec leaves out what faults sound like), or convert it with `ffmpeg -i IN -c:a pcm_s16le OUT.wav`"
            }
            Self::Film => "take the sound out of it with `ffmpeg -i IN -vn -c:a pcm_s16le OUT.wav`",
            Self::Measurements => "turn it into recordings with `auscult import`",
            Self::Packed(remedy) | Self::Text(remedy) => remedy,
        }
    }

    fn is_sound(self) -> bool {
        matches!(self, Self::Lossless(_) | Self::Flac | Self::Lossy | Self::Film)
    }
}

const fn starts(bytes: &'static [u8], name: &'static str, kind: Kind) -> Signature {
    Signature { at: 0, bytes, name, kind }
}

const fn holds(at: usize, bytes: &'static [u8], name: &'static str, kind: Kind) -> Signature {
    Signature { at, bytes, name, kind }
}

const FFMPEG: Kind = Kind::Lossless("convert it with `ffmpeg -i IN -c:a flac OUT.flac`");
const IRCAM: Kind = Kind::Lossless("convert it with `sox -t ircam IN OUT.wav`");
const UNPACK: Kind = Kind::Packed("unpack it and send what is inside");
/// The first that fits counts. The first packet of an Ogg stream follows a page header of 27 bytes and one segment.
const SIGNATURES: &[Signature] = &[
    holds(28, b"\x01vorbis", "Ogg Vorbis", Kind::Lossy),
    holds(28, b"OpusHead", "Ogg Opus", Kind::Lossy),
    holds(28, b"Speex", "Ogg Speex", Kind::Lossy),
    holds(28, b"\x7FFLAC", "FLAC in Ogg", Kind::Flac),
    holds(28, b"fLaC", "FLAC in Ogg", Kind::Flac),
    starts(b"OggS", "Ogg", Kind::Lossy),
    starts(b"riff\x2E\x91\xCF\x11", "Sony Wave64 (.w64)", Kind::Lossless("convert it with `sox -t w64 IN OUT.wav`")),
    starts(b".snd", "Sun/NeXT AU (.au)", Kind::Lossless("convert it with `sox IN.au OUT.wav`")),
    starts(b"dns.", "Sun/NeXT AU with the low byte first", Kind::Lossless("convert it with `sox IN.au OUT.wav`")),
    starts(b"caff", "Apple CAF (.caf)", FFMPEG),
    holds(8, b"AIFF", "AIFF", Kind::Lossless("convert it with `sox IN.aiff OUT.wav`")),
    holds(8, b"AIFC", "AIFF-C", Kind::Lossless("convert it with `sox IN.aiff OUT.wav`")),
    holds(8, b"8SVX", "8SVX", Kind::Lossless("convert it with `sox IN.8svx OUT.wav`")),
    starts(b"Creative Voice File", "Creative Voice (.voc)", Kind::Lossless("convert it with `sox IN.voc OUT.wav`")),
    starts(b"NIST_1A", "NIST SPHERE", Kind::Lossless("convert it with `sox IN.sph OUT.wav`")),
    starts(b".SoX", "SoX's own format (.sox)", Kind::Lossless("convert it with `sox -t sox IN OUT.wav`")),
    starts(b"XoS.", "SoX's own format (.sox)", Kind::Lossless("convert it with `sox -t sox IN OUT.wav`")),
    starts(b"\x64\xA3\x01\x00", "IRCAM (.sf)", IRCAM),
    starts(b"\x64\xA3\x02\x00", "IRCAM (.sf)", IRCAM),
    starts(b"\x64\xA3\x03\x00", "IRCAM (.sf)", IRCAM),
    starts(b"\x64\xA3\x04\x00", "IRCAM (.sf)", IRCAM),
    holds(8, b"MAUD", "MAUD", Kind::Lossless("convert it with `sox -t maud IN OUT.wav`")),
    starts(b"2BIT", "AVR", Kind::Lossless("convert it with `sox -t avr IN OUT.wav`")),
    starts(b" paf", "Ensoniq PARIS (.paf)", Kind::Lossless("convert it with `sox -t paf IN OUT.wav`")),
    starts(b"fap ", "Ensoniq PARIS (.fap)", Kind::Lossless("convert it with `sox -t fap IN OUT.wav`")),
    starts(b"PVF1\n", "Portable Voice Format", Kind::Lossless("convert it with `sox -t pvf IN OUT.wav`")),
    starts(b"nut/multimedia container", "NUT", FFMPEG),
    starts(b"wvpk", "WavPack", FFMPEG),
    starts(b"MAC ", "Monkey's Audio", FFMPEG),
    starts(b"TTA1", "True Audio", FFMPEG),
    starts(b"MPCK", "Musepack", Kind::Lossy),
    starts(b"MP+", "Musepack", Kind::Lossy),
    starts(b"#!AMR", "AMR", Kind::Lossy),
    starts(b"ADIF", "AAC", Kind::Lossy),
    starts(b"ID3", "MP3 (or another format behind an ID3 tag)", Kind::Lossy),
    starts(b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "Windows Media (ASF)", Kind::Lossy),
    starts(b".ra\xFD", "RealAudio", Kind::Lossy),
    starts(b".RMF", "RealMedia", Kind::Lossy),
    starts(b"\x0B\x77", "AC-3", Kind::Lossy),
    starts(b"\x7F\xFE\x80\x01", "DTS", Kind::Lossy),
    starts(b"MMMD", "SMAF (.mmf)", Kind::Lossy),
    starts(b"\x00\x00\x01\xBA", "an MPEG program stream", Kind::Film),
    holds(4, b"\xF8\x72\x6F\xBA", "Dolby TrueHD", FFMPEG),
    holds(4, b"\xF8\x72\x6F\xBB", "Meridian MLP", FFMPEG),
    holds(4, b"ftypM4A", "M4A (AAC or ALAC in MP4)", Kind::Lossy),
    holds(4, b"ftyp", "MP4", Kind::Film),
    holds(4, b"moov", "QuickTime", Kind::Film),
    holds(4, b"mdat", "QuickTime", Kind::Film),
    starts(b"\x1A\x45\xDF\xA3", "WebM or Matroska", Kind::Film),
    holds(8, b"AVI ", "AVI", Kind::Film),
    starts(b"FLV\x01", "Flash video", Kind::Film),
    starts(b"MThd", "MIDI, which holds no sound", Kind::Packed("send the recording itself")),
    starts(b"MATLAB 5.0 MAT-file", "a MATLAB file", Kind::Measurements),
    holds(512, b"\x89HDF\r\n\x1A\n", "a MATLAB 7.3 file (HDF5)", Kind::Measurements),
    starts(b"\x89HDF\r\n\x1A\n", "HDF5", Kind::Measurements),
    starts(b"\x93NUMPY", "a NumPy array", Kind::Measurements),
    starts(b"TDSm", "National Instruments TDMS", Kind::Measurements),
    starts(b"PAR1", "Parquet", Kind::Measurements),
    starts(b"    -1\n    58", "a universal file (UFF58)", Kind::Measurements),
    starts(b"    -1\r\n    58", "a universal file (UFF58)", Kind::Measurements),
    starts(b"\x1F\x8B", "gzip", Kind::Packed("unpack it with `gunzip` and send what is inside")),
    starts(b"PK\x03\x04", "a ZIP archive", UNPACK),
    starts(b"BZh", "bzip2", UNPACK),
    starts(b"\xFD7zXZ", "xz", UNPACK),
    starts(b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive", UNPACK),
    starts(b"\x28\xB5\x2F\xFD", "Zstandard", UNPACK),
    holds(257, b"ustar", "a tar archive", UNPACK),
    starts(b"UklGR", "a WAV written as base64 text", Kind::Text("send the bytes, not base64 of them")),
    starts(b"UkY2NA", "a WAV written as base64 text", Kind::Text("send the bytes, not base64 of them")),
    starts(b"ZkxhQ", "a FLAC written as base64 text", Kind::Text("send the bytes, not base64 of them")),
    starts(b"data:", "a data URL", Kind::Text("send the bytes, not base64 of them")),
    starts(
        b"version https://git-lfs",
        "a Git LFS pointer, not the file",
        Kind::Text("fetch the file with `git lfs pull`"),
    ),
];

/// The error that says what `bytes` are, if that can be told.
pub(super) fn name(bytes: &[u8]) -> Option<FeatureError> {
    let signature = SIGNATURES
        .iter()
        .find(|signature| bytes.get(signature.at..).is_some_and(|bytes| bytes.starts_with(signature.bytes)));
    let (name, kind) = match signature {
        Some(signature) => (signature.name, signature.kind),
        None => name_by_content(bytes)?,
    };
    let name = match kind {
        Kind::Text(_) => format!("{name}, which begins \"{}\"", bytes[..bytes.len().min(LONGEST_QUOTE)].escape_ascii()),
        _ => name.to_owned(),
    };
    Some(FeatureError::ForeignFormat { name, remedy: kind.remedy(), is_sound: kind.is_sound() })
}

/// Bytes of a text that an error quotes.
const LONGEST_QUOTE: usize = 40;
/// U+FFFD in UTF-8, which takes the place of what is no text.
const REPLACEMENT: &[u8] = b"\xEF\xBF\xBD";

fn name_by_content(bytes: &[u8]) -> Option<(&'static str, Kind)> {
    let head = &bytes[..bytes.len().min(512)];
    let was_decoded = head.windows(3).any(|window| window == REPLACEMENT);
    if was_decoded && (head.starts_with(b"RIFF") || head.starts_with(b"fLaC")) {
        return Some((
            "a recording that was decoded as text on its way",
            Kind::Text("send it as bytes: a string serializer replaces what is no text, and that cannot be undone"),
        ));
    }
    match head {
        // MPEG's frame sync, with a layer, bit rate and sample rate that exist.
        [0xFF, second, third, ..] if second & 0xE6 == 0xE2 && third & 0xF0 != 0xF0 && third & 0x0C != 0x0C => {
            Some(("MP3", Kind::Lossy))
        }
        [0xFF, second, third, ..] if second & 0xE6 == 0xE4 && third & 0xF0 != 0xF0 && third & 0x0C != 0x0C => {
            Some(("MP2", Kind::Lossy))
        }
        // Packets of 188 bytes, each with its sync byte.
        [b'G', ..] if [188, 376].iter().all(|&at| head.get(at) == Some(&b'G')) => {
            Some(("an MPEG transport stream", Kind::Film))
        }
        // LATM's sync word, and again where its length says.
        [0x56, second, third, ..] if second & 0xE0 == 0xE0 => {
            let len = usize::from(second & 0x1F) << 8 | usize::from(*third);
            (bytes.get(len + 3) == Some(&0x56)).then_some(("AAC (LATM)", Kind::Lossy))
        }
        [0xFF, 0xF0 | 0xF1, ..] => Some(("AAC", Kind::Lossy)),
        _ => name_text(head),
    }
}

fn name_text(head: &[u8]) -> Option<(&'static str, Kind)> {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let is_text = text.iter().all(|&byte| byte >= 0x80 || byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    if !is_text || std::str::from_utf8(text).is_err_and(|error| error.error_len().is_some()) {
        return None;
    }
    let send = Kind::Text("take the recording itself; look at what was written in its place");
    let text = text.trim_ascii_start();
    let is_number = |byte: &u8| byte.is_ascii_digit() || b" +-.,;\t\r\neE".contains(byte);
    match text {
        [b'<', ..] => Some(("HTML or XML", send)),
        [b'{' | b'[', ..] => Some(("JSON", send)),
        _ if text.iter().all(is_number) && text.iter().any(u8::is_ascii_digit) => {
            Some(("text of numbers", Kind::Measurements))
        }
        _ => Some(("text", send)),
    }
}
