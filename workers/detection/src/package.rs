//! The model file: weights as safetensors, the manifest in the header. One file is one atomic thing to hash, ship and
//! swap.

use std::collections::HashMap;

use auscult_schemas::ModelRef;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::channel_normals::ChannelNormal;
use crate::detector::Weights;
use crate::error::invalid_package;
use crate::tensors::{NamedTensor, TensorFile, prefix};
use crate::{DetectionError, Manifest};

const MANIFEST_KEY: &str = "auscult.manifest";
/// A tensor of 32 bytes beside the weights. Metadata is kept to one entry, because safetensors holds it in a hash map
/// whose order differs from run to run, and the same package must give the same bytes.
const MANIFEST_HASH: &str = "manifest_sha256";

/// A trained model as it is shipped.
#[derive(Debug, Clone)]
pub struct ModelPackage {
    manifest: Manifest,
    weights: Weights,
    /// Of unlike channels, as the manifest lists them.
    channel_weights: Vec<Weights>,
    /// SHA-256 of the file, 64 hexadecimal digits.
    sha256: String,
}

impl ModelPackage {
    /// Packs weights and their manifest, whose `weights_sha256` is filled in here.
    ///
    /// # Errors
    /// [`DetectionError::InvalidPackage`] when the two contradict each other.
    pub(crate) fn new(
        mut manifest: Manifest,
        weights: Weights,
        channel_weights: Vec<Weights>,
    ) -> Result<Self, DetectionError> {
        manifest.weights_sha256 = weights_sha256(&tensors(&manifest, &weights, &channel_weights));
        check(&manifest, &weights)?;
        check_channels(&manifest, &channel_weights)?;
        let mut package = Self { manifest, weights, channel_weights, sha256: String::new() };
        package.sha256 = hex(&Sha256::digest(package.to_bytes()?));
        Ok(package)
    }

    /// The file's content. The same package gives the same bytes.
    ///
    /// # Errors
    /// [`DetectionError::InvalidPackage`] when a number in the manifest cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DetectionError> {
        let manifest =
            serde_json::to_string(&self.manifest).map_err(|error| invalid_package(format!("manifest: {error}")))?;
        let manifest_hash = Sha256::digest(manifest.as_bytes());
        let tensors = tensors(&self.manifest, &self.weights, &self.channel_weights);
        let mut views = Vec::with_capacity(tensors.len());
        for (name, dtype, shape, bytes) in &tensors {
            let view =
                TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| invalid_package(error.to_string()))?;
            views.push((name.as_str(), view));
        }
        let hash_view = TensorView::new(Dtype::U8, vec![manifest_hash.len()], &manifest_hash);
        views.push((MANIFEST_HASH, hash_view.map_err(|error| invalid_package(error.to_string()))?));
        let metadata = HashMap::from([(MANIFEST_KEY.to_owned(), manifest)]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| invalid_package(error.to_string()))
    }

    /// Reads a file's content and checks it whole: layout, hashes, shapes, finite numbers, feature spec.
    ///
    /// # Errors
    /// [`DetectionError::InvalidPackage`] saying what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DetectionError> {
        let foreign = |error: safetensors::SafeTensorError| {
            invalid_package(format!("these {} bytes are no whole safetensors file ({error})", bytes.len()))
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(foreign)?;
        let text = header.metadata().as_ref().and_then(|metadata| metadata.get(MANIFEST_KEY));
        let text =
            text.ok_or_else(|| invalid_package("a safetensors file, but without an Auscult manifest".to_owned()))?;
        let manifest = read_manifest(text)?;

        let tensors = SafeTensors::deserialize(bytes).map_err(foreign)?;
        let manifest_hash = Sha256::digest(text.as_bytes());
        if !tensors.tensor(MANIFEST_HASH).is_ok_and(|tensor| *tensor.data() == manifest_hash[..]) {
            return Err(invalid_package("its manifest has been altered".to_owned()));
        }
        let file = TensorFile::new(&tensors);
        let weights = manifest.detector.read(&file, &manifest.feature_spec)?;
        let of_channel =
            |normal: &ChannelNormal| normal.detector.read(&file.of_channel(normal.channel), &manifest.feature_spec);
        let channel_weights = manifest.channel_normals.iter().map(of_channel).collect::<Result<Vec<_>, _>>()?;
        if manifest.weights_sha256 != weights_sha256(&self::tensors(&manifest, &weights, &channel_weights)) {
            return Err(invalid_package("the weights are not those that the manifest was written for".to_owned()));
        }
        check(&manifest, &weights)?;
        check_channels(&manifest, &channel_weights)?;
        Ok(Self { manifest, weights, channel_weights, sha256: hex(&Sha256::digest(bytes)) })
    }

    /// What the model says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the file, 64 hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The model's name and version; the version is the first 16 digits of the file's SHA-256.
    #[must_use]
    pub fn model_ref(&self) -> ModelRef {
        ModelRef { id: self.manifest.model_id.clone(), version: self.sha256[..16].to_owned() }
    }

    /// The weights.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Each unlike channel's own.
    pub(crate) fn of_channels(&self) -> impl Iterator<Item = (&ChannelNormal, &Weights)> {
        self.manifest.channel_normals.iter().zip(&self.channel_weights)
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes whatever is written");
        text
    })
}

/// All weights of a package, named.
fn tensors(manifest: &Manifest, weights: &Weights, channel_weights: &[Weights]) -> Vec<NamedTensor> {
    let mut tensors = weights.tensors();
    for (normal, own) in manifest.channel_normals.iter().zip(channel_weights) {
        let prefix = prefix(normal.channel);
        tensors.extend(
            own.tensors().into_iter().map(|(name, kind, shape, bytes)| (format!("{prefix}{name}"), kind, shape, bytes)),
        );
    }
    tensors
}

fn weights_sha256(tensors: &[NamedTensor]) -> String {
    let mut hash = Sha256::new();
    for (_, _, _, bytes) in tensors {
        hash.update(bytes);
    }
    hex(&hash.finalize())
}

fn read_manifest(text: &str) -> Result<Manifest, DetectionError> {
    let unreadable = |error: serde_json::Error| invalid_package(format!("its manifest cannot be read ({error})"));
    /// The one field that every format version has.
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u32,
    }
    let Version { format_version } = serde_json::from_str(text).map_err(unreadable)?;
    if format_version != Manifest::FORMAT_VERSION {
        let known = Manifest::FORMAT_VERSION;
        return Err(invalid_package(format!("format version {format_version}, but this build knows version {known}")));
    }
    serde_json::from_str(text).map_err(unreadable)
}

/// Whether each channel's own normal holds sensible numbers.
fn check_channels(manifest: &Manifest, channel_weights: &[Weights]) -> Result<(), DetectionError> {
    let spec = &manifest.feature_spec;
    let normals = &manifest.channel_normals;
    if !normals.is_sorted_by(|one, other| one.channel < other.channel) || normals.len() != channel_weights.len() {
        return Err(invalid_package("its channels' normals are not one for each, in order".to_owned()));
    }
    for (ChannelNormal { channel, detector, weight, mean_band_levels_db }, own) in normals.iter().zip(channel_weights) {
        own.check(spec)?;
        let is_sound = *detector == own.parameters()
            && weight.is_finite()
            && *weight > 0.0
            && mean_band_levels_db.len() == spec.n_mels
            && mean_band_levels_db.iter().all(|level| level.is_finite());
        if !is_sound {
            return Err(invalid_package(format!("the normal of channel {channel} holds no sensible numbers")));
        }
    }
    Ok(())
}

/// Whether manifest and weights fit each other, and hold nothing that could make a judgement senseless.
fn check(manifest: &Manifest, weights: &Weights) -> Result<(), DetectionError> {
    let spec = &manifest.feature_spec;
    spec.validate().map_err(|error| invalid_package(error.to_string()))?;
    if manifest.feature_spec_hash != spec.hash() {
        return Err(invalid_package("its feature spec and the hash of it differ".to_owned()));
    }
    weights.check(spec)?;
    if manifest.detector != weights.parameters() {
        return Err(invalid_package("its weights are not those of its detector".to_owned()));
    }

    let calibration = &manifest.calibration;
    let bands = [
        ("calibration.band_error_mean_db2", &calibration.band_error_mean_db2),
        ("calibration.band_error_deviation_db2", &calibration.band_error_deviation_db2),
        ("drift_reference.mean_band_levels_db", &manifest.drift_reference.mean_band_levels_db),
    ];
    for (name, values) in bands {
        if values.len() != spec.n_mels || !values.iter().all(|value| value.is_finite()) {
            return Err(invalid_package(format!("{name} must hold {} finite numbers", spec.n_mels)));
        }
    }
    let is_positive = |value: f64| value.is_finite() && value > 0.0;
    let ascending = calibration.scores.is_sorted() && !calibration.scores.is_empty();
    let deciles = &manifest.drift_reference.score_deciles;
    let checks = [
        (ascending && calibration.scores.iter().all(|score| is_positive(*score)), "calibration.scores"),
        (is_positive(calibration.gamma.shape), "calibration.gamma.shape"),
        (is_positive(calibration.gamma.scale), "calibration.gamma.scale"),
        (calibration.gamma.location.is_finite(), "calibration.gamma.location"),
        (is_positive(calibration.threshold), "calibration.threshold"),
        (
            manifest
                .channels
                .as_ref()
                .is_none_or(|channels| !channels.is_empty() && channels.is_sorted_by(|a, b| a < b)),
            "channels",
        ),
        (deciles.len() == 9 && deciles.is_sorted(), "drift_reference.score_deciles"),
        (
            manifest.drift_reference.spread.as_ref().is_none_or(|spread| {
                let is_spread = |deviation: &f64| deviation.is_finite() && *deviation >= 0.0;
                spread.clips >= 2
                    && spread.band_deviation_db.len() == spec.n_mels
                    && spread.band_deviation_db.iter().all(is_spread)
                    && is_spread(&spread.level_deviation_db)
            }),
            "drift_reference.spread",
        ),
        (
            manifest.standardisation.as_ref().is_none_or(|scaling| {
                scaling.mean_db.len() == spec.n_mels
                    && scaling.mean_db.iter().all(|mean| mean.is_finite())
                    && is_positive(f64::from(scaling.deviation_db))
            }),
            "standardisation",
        ),
    ];
    match checks.iter().find(|(holds, _)| !holds) {
        Some((_, field)) => Err(invalid_package(format!("{field} holds no sensible numbers"))),
        None => Ok(()),
    }
}
