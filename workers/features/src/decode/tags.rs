//! Tags that players and archives put before and behind sound, whatever its format: ID3v1, ID3v2, APEv2, Lyrics3,
//! padding.

const ID3V1_BYTES: usize = 128;
const APE_BYTES: usize = 32;
const ID3V2_BYTES: usize = 10;

/// What is left of `bytes` after the tags and padding that they begin with. Padding is zeros to the very end.
pub(super) fn trim_front(mut bytes: &[u8]) -> &[u8] {
    loop {
        if bytes.iter().all(|&byte| byte == 0) {
            return &[];
        }
        match tag_len(bytes) {
            Some(len) => bytes = &bytes[len.min(bytes.len())..],
            None => return bytes,
        }
    }
}

/// What is left of `bytes` after ID3v2 tags in front of them.
pub(super) fn trim_id3v2(mut bytes: &[u8]) -> &[u8] {
    while bytes.starts_with(b"ID3")
        && let Some(rest) = tag_len(bytes).and_then(|len| bytes.get(len..))
    {
        bytes = rest;
    }
    bytes
}

/// What is left of `bytes` without an ID3v1 tag at their end.
pub(super) fn trim_id3v1(bytes: &[u8]) -> &[u8] {
    match bytes.split_last_chunk::<ID3V1_BYTES>() {
        Some((rest, tag)) if tag.starts_with(b"TAG") => rest,
        _ => bytes,
    }
}

/// Whether `bytes` begin with a tag.
pub(super) fn is_tag(bytes: &[u8]) -> bool {
    tag_len(bytes).is_some()
}

/// Length of the tag that `bytes` begin with; it may be longer than they are.
fn tag_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'T', b'A', b'G', ..] => Some(ID3V1_BYTES),
        // Four bytes of seven bits each; a footer repeats the header.
        [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] if (a | b | c | d) & 0x80 == 0 => {
            let size = [a, b, c, d].iter().fold(0, |size, &&byte| size << 7 | usize::from(byte));
            let footer = if flags & 0x10 != 0 { ID3V2_BYTES } else { 0 };
            Some(ID3V2_BYTES + size + footer)
        }
        // The size counts all but the header; a tag without one begins with its items and is not seen.
        [b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', _, _, _, _, a, b, c, d, ..] => {
            Some(APE_BYTES + u32::from_le_bytes([*a, *b, *c, *d]) as usize)
        }
        _ if bytes.starts_with(b"LYRICSBEGIN") => {
            let end = bytes.windows(9).position(|window| window == b"LYRICS200" || window == b"LYRICSEND")?;
            Some(end + 9)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_padding_are_trimmed_and_nothing_else() {
        let id3v1 = [b"TAG".as_slice(), &[7; 125]].concat();
        let id3v2 = [b"ID3\x04\0\0\0\0\x01\x02".as_slice(), &[7; 130]].concat();
        let ape = [b"APETAGEX\xD0\x07\0\0\x05\0\0\0\0\0\0\0\0\0\0\xA0\0\0\0\0\0\0\0\0".as_slice(), &[7; 5]].concat();
        for tag in [&id3v1, &id3v2, &ape, &vec![0; 9]] {
            assert!(trim_front(tag).is_empty(), "{:?}", &tag[..4]);
        }
        assert_eq!(trim_front(&[id3v2.clone(), ape, b"fLaC".to_vec()].concat()), b"fLaC");
        assert_eq!(trim_front(b"\0\0sound"), b"\0\0sound");
        assert_eq!(trim_id3v2(&[id3v2.clone(), id3v2, b"fLaC".to_vec()].concat()), b"fLaC");
        assert_eq!(trim_id3v1(&[b"sound".to_vec(), id3v1].concat()), b"sound");
    }
}
