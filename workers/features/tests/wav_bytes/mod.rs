//! WAV files byte by byte, right and wrong ones.

/// A plain WAV; `block` and `tag` can be made to lie.
pub struct WavBytes {
    pub tag: u16,
    pub channels: u16,
    pub rate_hz: u32,
    pub bits: u16,
    pub block: Option<u16>,
}

impl Default for WavBytes {
    fn default() -> Self {
        Self { tag: 1, channels: 1, rate_hz: 16_000, bits: 16, block: None }
    }
}

impl WavBytes {
    pub fn fmt(&self) -> Vec<u8> {
        let block = self.block.unwrap_or(self.channels * self.bits / 8);
        let body = [
            &self.tag.to_le_bytes()[..],
            &self.channels.to_le_bytes(),
            &self.rate_hz.to_le_bytes(),
            &self.rate_hz.wrapping_mul(u32::from(block)).to_le_bytes(),
            &block.to_le_bytes(),
            &self.bits.to_le_bytes(),
        ];
        chunk(b"fmt ", &body.concat())
    }

    pub fn build(&self, data: &[u8]) -> Vec<u8> {
        let body = [self.fmt(), chunk(b"data", data)].concat();
        header(body.len() as u32 + 4, &body)
    }
}

/// A chunk with its pad byte.
pub fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let pad: &[u8] = if body.len().is_multiple_of(2) { &[] } else { &[0] };
    [id.as_slice(), &(body.len() as u32).to_le_bytes(), body, pad].concat()
}

/// `RIFF size WAVE` before a body.
pub fn header(riff_size: u32, body: &[u8]) -> Vec<u8> {
    [b"RIFF".as_slice(), &riff_size.to_le_bytes(), b"WAVE", body].concat()
}
