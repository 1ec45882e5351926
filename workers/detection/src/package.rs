//! The model file: weights as safetensors, the manifest in the header. One file is one atomic thing to hash, ship and swap.

use std::collections::HashMap;

use auscult_schemas::ModelRef;
use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::autoencoder::{Autoencoder, Dense};
use crate::fused::{FusedDetector, Mahalanobis, Part, PartParameters, Pooling};
use crate::{DetectionError, DetectorParameters, Manifest};

const MANIFEST_KEY: &str = "auscult.manifest";
/// A tensor of 32 bytes beside the weights. Metadata is kept to one entry, because safetensors holds it in a hash map whose order
/// differs from run to run, and the same package must give the same bytes.
const MANIFEST_HASH: &str = "manifest_sha256";

/// What was learnt.
#[derive(Debug, Clone, PartialEq)]
pub enum Weights {
    /// Of an autoencoder.
    Autoencoder(Autoencoder),
    /// Of a fused detector.
    Fused(FusedDetector),
}

/// A trained model as it is shipped.
#[derive(Debug, Clone)]
pub struct ModelPackage {
    manifest: Manifest,
    weights: Weights,
    /// SHA-256 of the file, 64 hexadecimal digits.
    sha256: String,
}

impl ModelPackage {
    /// Packs weights and their manifest, whose `weights_sha256` is filled in here.
    ///
    /// # Errors
    /// [`DetectionError::InvalidPackage`] when the two contradict each other.
    pub(crate) fn new(mut manifest: Manifest, weights: Weights) -> Result<Self, DetectionError> {
        manifest.weights_sha256 = weights_sha256(&weights);
        check(&manifest, &weights)?;
        let mut package = Self { manifest, weights, sha256: String::new() };
        package.sha256 = hex(&Sha256::digest(package.to_bytes()?));
        Ok(package)
    }

    /// The file's content. The same package gives the same bytes.
    ///
    /// # Errors
    /// [`DetectionError::InvalidPackage`] when a number in the manifest cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DetectionError> {
        let manifest = serde_json::to_string(&self.manifest).map_err(|error| invalid(format!("manifest: {error}")))?;
        let manifest_hash = Sha256::digest(manifest.as_bytes());
        let tensors = tensors(&self.weights);
        let mut views = Vec::with_capacity(tensors.len());
        for (name, dtype, shape, bytes) in &tensors {
            let view = TensorView::new(*dtype, shape.clone(), bytes).map_err(|error| invalid(error.to_string()))?;
            views.push((name.as_str(), view));
        }
        let hash_view = TensorView::new(Dtype::U8, vec![manifest_hash.len()], &manifest_hash);
        views.push((MANIFEST_HASH, hash_view.map_err(|error| invalid(error.to_string()))?));
        let metadata = HashMap::from([(MANIFEST_KEY.to_owned(), manifest)]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| invalid(error.to_string()))
    }

    /// Reads a file's content and checks it whole: layout, hashes, shapes, finite numbers, feature spec.
    ///
    /// # Errors
    /// [`DetectionError::InvalidPackage`] saying what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DetectionError> {
        let foreign = |error: safetensors::SafeTensorError| {
            invalid(format!("these {} bytes are no whole safetensors file ({error})", bytes.len()))
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(foreign)?;
        let text = header.metadata().as_ref().and_then(|metadata| metadata.get(MANIFEST_KEY));
        let text = text.ok_or_else(|| invalid("a safetensors file, but without an Auscult manifest".to_owned()))?;
        let manifest = read_manifest(text)?;

        let tensors = SafeTensors::deserialize(bytes).map_err(foreign)?;
        let manifest_hash = Sha256::digest(text.as_bytes());
        if !tensors.tensor(MANIFEST_HASH).is_ok_and(|tensor| *tensor.data() == manifest_hash[..]) {
            return Err(invalid("its manifest has been altered".to_owned()));
        }
        let weights = match &manifest.detector {
            DetectorParameters::Autoencoder { widths } => Weights::Autoencoder(read_network(&tensors, widths)?),
            DetectorParameters::Fused { parts } => {
                expect_tensors(&tensors, 3 * parts.len(), &format!("{} parts", parts.len()))?;
                let read = |(index, parameters): (usize, &PartParameters)| {
                    let size = parameters.pooling.len(manifest.feature_spec.n_mels);
                    let [mean, deviation, precision] = part_names(index);
                    let distance = Mahalanobis {
                        mean: Array1::from_vec(read_doubles(&tensors, &mean, &[size])?),
                        deviation: Array1::from_vec(read_doubles(&tensors, &deviation, &[size])?),
                        precision: Array2::from_shape_vec(
                            (size, size),
                            read_doubles(&tensors, &precision, &[size, size])?,
                        )
                        .expect("read_doubles has compared the shapes"),
                    };
                    Ok(Part { parameters: *parameters, distance })
                };
                let parts = parts.iter().enumerate().map(read).collect::<Result<Vec<Part>, DetectionError>>()?;
                Weights::Fused(FusedDetector { parts })
            }
        };
        if manifest.weights_sha256 != weights_sha256(&weights) {
            return Err(invalid("the weights are not those that the manifest was written for".to_owned()));
        }
        check(&manifest, &weights)?;
        Ok(Self { manifest, weights, sha256: hex(&Sha256::digest(bytes)) })
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
}

fn invalid(reason: String) -> DetectionError {
    DetectionError::InvalidPackage(reason)
}

fn weight_name(layer: usize) -> String {
    format!("layers.{layer:02}.weight")
}

fn bias_name(layer: usize) -> String {
    format!("layers.{layer:02}.bias")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes whatever is written");
        text
    })
}

fn little_endian<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u8> {
    values.into_iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn little_endian_doubles<'a>(values: impl IntoIterator<Item = &'a f64>) -> Vec<u8> {
    values.into_iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Mean, deviation and precision of a fused detector's part.
fn part_names(part: usize) -> [String; 3] {
    ["mean", "deviation", "precision"].map(|tensor| format!("parts.{part:02}.{tensor}"))
}

type NamedTensor = (String, Dtype, Vec<usize>, Vec<u8>);

/// All weights in their order.
fn tensors(weights: &Weights) -> Vec<NamedTensor> {
    let mut tensors = Vec::new();
    match weights {
        Weights::Autoencoder(network) => {
            for (index, Dense { weight, bias }) in network.layers.iter().enumerate() {
                tensors.push((weight_name(index), Dtype::F32, weight.shape().to_vec(), little_endian(weight)));
                tensors.push((bias_name(index), Dtype::F32, bias.shape().to_vec(), little_endian(bias)));
            }
        }
        Weights::Fused(detector) => {
            for (index, Part { distance, .. }) in detector.parts.iter().enumerate() {
                let Mahalanobis { mean, deviation, precision } = distance;
                let [mean_name, deviation_name, precision_name] = part_names(index);
                tensors.push((mean_name, Dtype::F64, vec![mean.len()], little_endian_doubles(mean)));
                tensors.push((deviation_name, Dtype::F64, vec![deviation.len()], little_endian_doubles(deviation)));
                let shape = precision.shape().to_vec();
                tensors.push((precision_name, Dtype::F64, shape, little_endian_doubles(precision)));
            }
        }
    }
    tensors
}

fn weights_sha256(weights: &Weights) -> String {
    let mut hash = Sha256::new();
    for (_, _, _, bytes) in tensors(weights) {
        hash.update(bytes);
    }
    hex(&hash.finalize())
}

fn read_network(tensors: &SafeTensors<'_>, widths: &[usize]) -> Result<Autoencoder, DetectionError> {
    let layer_count = widths.len().saturating_sub(1);
    expect_tensors(tensors, 2 * layer_count, &format!("{layer_count} layers"))?;
    let mut layers = Vec::with_capacity(layer_count);
    for (index, pair) in widths.windows(2).enumerate() {
        let (inputs, outputs) = (pair[0], pair[1]);
        let weight = read_tensor(tensors, &weight_name(index), &[outputs, inputs])?;
        let bias = read_tensor(tensors, &bias_name(index), &[outputs])?;
        layers.push(Dense {
            weight: Array2::from_shape_vec((outputs, inputs), weight).expect("read_tensor has compared the shapes"),
            bias: Array1::from_vec(bias),
        });
    }
    Ok(Autoencoder { layers })
}

/// The weights' tensors and the manifest's hash, and no others.
fn expect_tensors(tensors: &SafeTensors<'_>, weights: usize, of: &str) -> Result<(), DetectionError> {
    let (found, expected) = (tensors.len(), weights + 1);
    if found == expected {
        Ok(())
    } else {
        Err(invalid(format!("{found} tensors, but {of} and a hash take {expected}")))
    }
}

fn read_manifest(text: &str) -> Result<Manifest, DetectionError> {
    let unreadable = |error: serde_json::Error| invalid(format!("its manifest cannot be read ({error})"));
    /// The one field that every format version has.
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u32,
    }
    let Version { format_version } = serde_json::from_str(text).map_err(unreadable)?;
    if format_version != Manifest::FORMAT_VERSION {
        let known = Manifest::FORMAT_VERSION;
        return Err(invalid(format!("format version {format_version}, but this build knows version {known}")));
    }
    serde_json::from_str(text).map_err(unreadable)
}

fn read_tensor(tensors: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, DetectionError> {
    let tensor = tensors.tensor(name).map_err(|_| invalid(format!("tensor {name} is missing")))?;
    if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
        let (dtype, found) = (tensor.dtype(), tensor.shape());
        return Err(invalid(format!("tensor {name} is {dtype:?} {found:?}, expected F32 {shape:?}")));
    }
    let (values, rest) = tensor.data().as_chunks::<4>();
    debug_assert!(rest.is_empty(), "safetensors has compared the shape with the bytes");
    Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn read_doubles(tensors: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f64>, DetectionError> {
    let tensor = tensors.tensor(name).map_err(|_| invalid(format!("tensor {name} is missing")))?;
    if tensor.dtype() != Dtype::F64 || tensor.shape() != shape {
        let (dtype, found) = (tensor.dtype(), tensor.shape());
        return Err(invalid(format!("tensor {name} is {dtype:?} {found:?}, expected F64 {shape:?}")));
    }
    let (values, rest) = tensor.data().as_chunks::<8>();
    debug_assert!(rest.is_empty(), "safetensors has compared the shape with the bytes");
    Ok(values.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
}

/// Whether manifest and weights fit each other, and hold nothing that could make a judgement senseless.
fn check(manifest: &Manifest, weights: &Weights) -> Result<(), DetectionError> {
    let spec = &manifest.feature_spec;
    spec.validate().map_err(|error| invalid(error.to_string()))?;
    if manifest.feature_spec_hash != spec.hash() {
        return Err(invalid("its feature spec and the hash of it differ".to_owned()));
    }
    match (&manifest.detector, weights) {
        (DetectorParameters::Autoencoder { widths }, Weights::Autoencoder(network)) => {
            check_network(widths, network, spec.vector_len())?;
        }
        (DetectorParameters::Fused { parts }, Weights::Fused(detector)) => check_fused(parts, detector)?,
        _ => return Err(invalid("its weights are not those of its detector".to_owned())),
    }

    let calibration = &manifest.calibration;
    let bands = [
        ("calibration.band_error_mean_db2", &calibration.band_error_mean_db2),
        ("calibration.band_error_deviation_db2", &calibration.band_error_deviation_db2),
        ("drift_reference.mean_band_levels_db", &manifest.drift_reference.mean_band_levels_db),
    ];
    for (name, values) in bands {
        if values.len() != spec.n_mels || !values.iter().all(|value| value.is_finite()) {
            return Err(invalid(format!("{name} must hold {} finite numbers", spec.n_mels)));
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
        (deciles.len() == 9 && deciles.is_sorted(), "drift_reference.score_deciles"),
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
        Some((_, field)) => Err(invalid(format!("{field} holds no sensible numbers"))),
        None => Ok(()),
    }
}

fn check_network(widths: &[usize], network: &Autoencoder, vector_len: usize) -> Result<(), DetectionError> {
    let ends = (widths.first(), widths.last());
    if widths.len() < 2 || ends != (Some(&vector_len), Some(&vector_len)) || *widths != network.widths() {
        return Err(invalid(format!("layer widths {widths:?} do not fit vectors of {vector_len} values")));
    }
    let mut weights = network.layers.iter().flat_map(|layer| layer.weight.iter().chain(&layer.bias));
    if weights.all(|weight| weight.is_finite()) {
        Ok(())
    } else {
        Err(invalid("a weight is not a finite number".to_owned()))
    }
}

fn check_fused(parts: &[PartParameters], detector: &FusedDetector) -> Result<(), DetectionError> {
    if !parts.iter().any(|part| part.pooling == Pooling::Level) {
        return Err(invalid("its parts lack the level, which explains".to_owned()));
    }
    for Part { parameters, distance } in &detector.parts {
        let Mahalanobis { mean, deviation, precision } = distance;
        let numbers = [parameters.log_mean, parameters.log_deviation, parameters.sensitivity];
        let mut values = mean.iter().chain(deviation).chain(precision).chain(&numbers);
        if !values.all(|value| value.is_finite()) {
            return Err(invalid("a weight is not a finite number".to_owned()));
        }
        if parameters.log_deviation <= 0.0 || deviation.iter().any(|deviation| *deviation <= 0.0) {
            return Err(invalid("a part's deviation is not positive".to_owned()));
        }
    }
    Ok(())
}
