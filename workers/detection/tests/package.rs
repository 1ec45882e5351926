//! What a model file promises: read back as it was written, or refused in words.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::collections::HashMap;

use auscult_detection::{DetectionError, Manifest, ModelPackage};
use proptest::prelude::*;
use safetensors::SafeTensors;
use support::{options, trained};

fn refused(bytes: &[u8]) -> String {
    match ModelPackage::from_bytes(bytes) {
        Err(DetectionError::InvalidPackage(reason)) => reason,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("accepted"),
    }
}

/// The same file with its manifest passed through `alter`, and the hash of it made right again.
fn with_manifest(bytes: &[u8], alter: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    use sha2::Digest;
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let text = &header.metadata().as_ref().unwrap()["auscult.manifest"];
    let mut manifest: serde_json::Value = serde_json::from_str(text).unwrap();
    alter(&mut manifest);
    let text = manifest.to_string();
    let hash = sha2::Sha256::digest(text.as_bytes());
    let hash = safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![32], &hash).unwrap();
    let mut views: Vec<_> = tensors.tensors();
    views.retain(|(name, _)| name != "manifest_sha256");
    views.push(("manifest_sha256".to_owned(), hash));
    safetensors::serialize(views, Some(HashMap::from([("auscult.manifest".to_owned(), text)]))).unwrap()
}

#[test]
fn a_package_reads_back_as_it_was_written() {
    let package = trained(&options());
    let bytes = package.to_bytes().unwrap();
    let read = ModelPackage::from_bytes(&bytes).unwrap();
    assert_eq!(read.manifest(), package.manifest());
    assert_eq!(read.weights(), package.weights());
    assert_eq!(read.to_bytes().unwrap(), bytes);
    assert_eq!(read.model_ref(), package.model_ref());
    assert_eq!(read.sha256(), package.sha256());
    assert_eq!(read.model_ref().version, package.sha256()[..16]);
    assert_eq!(read.model_ref().id.0, "fan-07");
}

#[test]
fn a_manifest_passed_through_unaltered_is_still_accepted() {
    let bytes = trained(&options()).to_bytes().unwrap();
    ModelPackage::from_bytes(&with_manifest(&bytes, |_| ())).unwrap();
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let bytes = trained(&options()).to_bytes().unwrap();
    for end in (0..bytes.len()).step_by(61).chain(bytes.len() - 40..bytes.len()) {
        assert!(refused(&bytes[..end]).contains("no whole safetensors file"), "{end}");
    }
}

#[test]
fn foreign_files_are_refused_as_such() {
    assert!(refused(b"").contains("no whole safetensors file"));
    assert!(refused(b"RIFF....WAVEfmt ").contains("no whole safetensors file"));
    let data = [0_u8; 8];
    let tensor = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2], &data).unwrap();
    let foreign = safetensors::serialize([("weight", tensor)], None).unwrap();
    assert!(refused(&foreign).contains("without an Auscult manifest"));
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused_naming_the_field() {
    type Alter = fn(&mut serde_json::Value);
    let cases: [(Alter, &str); 12] = [
        (|m| m["format_version"] = 2.into(), "format version 2"),
        (|m| m["feature_spec"]["n_fft"] = 2048.into(), "hash of it differ"),
        (|m| m["feature_spec"]["hop_length"] = 0.into(), "hop_length"),
        (|m| m["detector"]["widths"][1] = 13.into(), "tensor layers.00.weight"),
        (|m| m["detector"]["widths"] = serde_json::json!([]), "tensors"),
        (|m| m["detector"]["kind"] = "oracle".into(), "cannot be read"),
        (|m| m["weights_sha256"] = "00".into(), "not those"),
        (|m| m["calibration"]["scores"] = serde_json::json!([]), "calibration.scores"),
        (|m| m["calibration"]["gamma"]["shape"] = (-1.0).into(), "calibration.gamma.shape"),
        (|m| m["calibration"]["threshold"] = 0.0.into(), "calibration.threshold"),
        (|m| m["standardisation"]["deviation_db"] = 0.0.into(), "standardisation"),
        (|m| m["drift_reference"]["mean_band_levels_db"] = serde_json::json!([1.0]), "mean_band_levels_db"),
    ];
    let bytes = trained(&options()).to_bytes().unwrap();
    for (alter, reason) in cases {
        let message = refused(&with_manifest(&bytes, alter));
        assert!(message.contains(reason), "{message}; expected {reason}");
    }
}

#[test]
fn the_format_version_is_the_one_documented() {
    assert_eq!(Manifest::FORMAT_VERSION, 1);
    assert_eq!(trained(&options()).manifest().format_version, 1);
}

proptest! {
    #[test]
    fn a_flipped_bit_never_panics_and_never_passes(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        thread_local! {
            static BYTES: Vec<u8> = trained(&options()).to_bytes().unwrap();
        }
        let mut bytes = BYTES.with(Clone::clone);
        let index = at.index(bytes.len());
        bytes[index] ^= 1_u8 << bit;
        prop_assert!(ModelPackage::from_bytes(&bytes).is_err(), "byte {index}, bit {bit}");
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(ModelPackage::from_bytes(&bytes).is_err());
    }
}
