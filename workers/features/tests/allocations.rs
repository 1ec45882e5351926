//! What a chunk allocates once buffers and plans are there: its features, and little besides.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use auscult_features::ChunkExtractor;
use auscult_schemas::FeatureSpec;

/// Everything but the features: window spectra of the quality check, lists of flags.
const BESIDES: u64 = 100_000;

fn l16(samples: usize, channels: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let steps = (0..samples * channels).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 18) as i16
    });
    steps.flat_map(i16::to_be_bytes).collect()
}

#[test]
fn a_chunk_after_the_first_allocates_its_features_and_no_buffer_of_samples() {
    for (channels, rate_hz) in [(1, 16_000), (2, 16_000), (1, 48_000)] {
        let content_type = format!("audio/L16;rate={rate_hz};channels={channels}");
        let bytes = l16(10 * rate_hz, channels);
        let mut extractor = ChunkExtractor::new(FeatureSpec::default()).unwrap();
        let first = extractor.extract(&content_type, &bytes).unwrap();
        let mut again = None;
        let allocated = allocation_counter::measure(|| again = Some(extractor.extract(&content_type, &bytes).unwrap()));
        let again = again.unwrap();
        assert_eq!(again.values, first.values);
        let features = 4 * again.values.len() as u64;
        assert!(
            allocated.bytes_total < features + BESIDES,
            "{channels} channels at {rate_hz} Hz: {} bytes for {features} of features",
            allocated.bytes_total
        );
    }
}
