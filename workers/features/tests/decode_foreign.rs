//! What is neither WAV nor FLAC is named, with a way that works.

use auscult_features::decode;
use auscult_schemas::DeadLetterCode;

fn ogg(packet: &[u8]) -> Vec<u8> {
    [b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x1E".as_slice(), packet, &[0; 40]].concat()
}

#[test]
fn formats_that_are_not_read_are_named_with_a_remedy() {
    let sounds = [
        (ogg(b"\x01vorbis"), "Vorbis"),
        (ogg(b"OpusHead"), "Opus"),
        (ogg(b"\x7FFLAC"), "FLAC in Ogg"),
        (b".snd\0\0\0\x18".to_vec(), "AU"),
        (b"caff\0\x01\0\0".to_vec(), "CAF"),
        (b"FORM\0\0\x10\0AIFFCOMM".to_vec(), "AIFF"),
        (b"FORM\0\0\x10\0AIFCFVER".to_vec(), "AIFF-C"),
        (b"ID3\x03\0\0\0\0\0\x01\0\xFF\xFB\x90\0".to_vec(), "MP3"),
        (b"\xFF\xFB\x90\x64\0\0".to_vec(), "MP3"),
        (b"\xFF\xF1\x50\x80\0\0".to_vec(), "AAC"),
        (b"\0\0\0\x1CftypM4A \0\0".to_vec(), "M4A"),
        (b"\0\0\0\x1Cftypisom\0\0".to_vec(), "MP4"),
        (b"\x1A\x45\xDF\xA3\x9F\x42".to_vec(), "WebM"),
        (b"#!AMR\n\x3C".to_vec(), "AMR"),
        (b"riff\x2E\x91\xCF\x11\xA5\xD6".to_vec(), "Wave64"),
        (b"RIFF\x24\0\0\0AVI LIST".to_vec(), "AVI"),
        (b"wvpk\0\0\0\0".to_vec(), "WavPack"),
        (b"\xFF\xF5\xE8\xC4\xFF\xFF".to_vec(), "MP2"),
        (b"\x0B\x77\x4A\x9D\x0C\x40".to_vec(), "AC-3"),
        (b"\x7F\xFE\x80\x01\xFC\x3C".to_vec(), "DTS"),
        (b".RMF\0\0\0\x12".to_vec(), "RealMedia"),
        (b".SoX\x1C\0\0\0".to_vec(), "SoX"),
        (b"\x64\xA3\x01\0\0\0\x7A\x46".to_vec(), "IRCAM"),
        ([[b'G'].as_slice(), &[0; 187]].concat().repeat(3), "MPEG transport stream"),
        (b"\0\0\x01\xBA\x21\0\x01\0".to_vec(), "MPEG program stream"),
    ];
    for (bytes, name) in sounds {
        for content_type in ["", "audio/wav", "audio/flac"] {
            let error = decode(content_type, &bytes).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.code(), DeadLetterCode::UnsupportedFormat, "{name}: {text}");
            assert!(text.contains(name) && (text.contains("ffmpeg -i IN") || text.contains("sox ")), "{name}: {text}");
        }
    }
}

#[test]
fn what_holds_no_sound_is_named_with_a_remedy() {
    let others: [(&[u8], &str, &str); 12] = [
        (b"\x1F\x8B\x08\0\0\0\0\0", "gzip", "gunzip"),
        (b"PK\x03\x04\x14\0", "ZIP", "unpack"),
        (b"<!DOCTYPE html><title>502 Bad Gateway</title>", "HTML", "502"),
        (b"{\"error\": \"not found\"}", "JSON", "not found"),
        (b"no such file", "text", "no such file"),
        (b"0.12, 0.13\n0.15, 0.11\n", "numbers", "auscult import"),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64\0\x01IM", "MATLAB", "auscult import"),
        (b"\x89HDF\r\n\x1A\n\0\0", "HDF5", "auscult import"),
        (b"\x93NUMPY\x01\0v\0", "NumPy", "auscult import"),
        (b"TDSm\x0E\0\0\0", "TDMS", "auscult import"),
        (b"UklGRiQAAABXQVZF", "base64", "send the bytes"),
        (b"RIFF\xEF\xBF\xBD\x12\0\0WAVEfmt ", "decoded as text", "serializer"),
    ];
    for (bytes, name, remedy) in others {
        let error = decode("audio/wav", bytes).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.code(), DeadLetterCode::NotAudio, "{name}: {text}");
        assert!(text.contains(name) && text.contains(remedy), "{name}: {text}");
    }
}

#[test]
fn a_recording_behind_the_head_of_its_transfer_is_named_with_what_stands_in_front() {
    let wav = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0".as_slice();
    for head in [b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n\r\n".as_slice(), b"\r\n", b"\xEF\xBB\xBF"] {
        let text = decode("", &[head, wav].concat()).unwrap_err().to_string();
        let front = format!("{} bytes that are no sound", head.len());
        assert!(text.contains(&front) && text.contains("WAV recording behind them"), "{text}");
    }
}
