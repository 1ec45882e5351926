#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| auscult_fuzz::decode_flac(data));
