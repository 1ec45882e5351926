//! Weights as the named tensors of a safetensors file.

use ndarray::{Array, Array1, Array2, Dimension};
use safetensors::tensor::{Dtype, SafeTensors};

use crate::DetectionError;
use crate::error::invalid_package;

/// How the names of all channels' tensors begin.
const ALL_CHANNELS: &str = "channels.";

/// The prefix of a channel's tensors.
pub(crate) fn prefix(channel: usize) -> String {
    format!("channels.{channel:02}.")
}

/// Name, type, shape and little-endian content.
pub(crate) type NamedTensor = (String, Dtype, Vec<usize>, Vec<u8>);

/// A tensor of single precision.
pub(crate) fn floats<D: Dimension>(name: String, values: &Array<f32, D>) -> NamedTensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    (name, Dtype::F32, values.shape().to_vec(), bytes)
}

/// A tensor of double precision.
pub(crate) fn doubles<D: Dimension>(name: String, values: &Array<f64, D>) -> NamedTensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    (name, Dtype::F64, values.shape().to_vec(), bytes)
}

/// The tensors of a model file, which are a detector's and the manifest's hash.
pub(crate) struct TensorFile<'a> {
    tensors: &'a SafeTensors<'a>,
    /// Before the names of the tensors of one of several detectors.
    prefix: String,
}

impl<'a> TensorFile<'a> {
    pub fn new(tensors: &'a SafeTensors<'a>) -> Self {
        Self { tensors, prefix: String::new() }
    }

    /// The tensors of one channel's detector.
    pub fn of_channel(&self, channel: usize) -> Self {
        Self { tensors: self.tensors, prefix: prefix(channel) }
    }

    /// Those of this detector alone.
    fn len(&self) -> usize {
        let names = self.tensors.names().into_iter();
        match self.prefix.as_str() {
            "" => names.filter(|name| !name.starts_with(ALL_CHANNELS)).count(),
            // The hash is not among them.
            prefix => names.filter(|name| name.starts_with(prefix)).count() + 1,
        }
    }

    /// Whether there are so many tensors of weights, and no others.
    pub fn expect(&self, weights: usize, of: &str) -> Result<(), DetectionError> {
        let (found, expected) = (self.len(), weights.saturating_add(1));
        if found == expected {
            Ok(())
        } else {
            Err(invalid_package(format!("{found} tensors, but {of} and a hash take {expected}")))
        }
    }

    /// `[length]`.
    pub fn floats_1d(&self, name: &str, length: usize) -> Result<Array1<f32>, DetectionError> {
        Ok(Array1::from_vec(self.floats(name, &[length])?))
    }

    /// `[rows, columns]`.
    pub fn floats_2d(&self, name: &str, shape: (usize, usize)) -> Result<Array2<f32>, DetectionError> {
        let values = self.floats(name, &[shape.0, shape.1])?;
        Ok(Array2::from_shape_vec(shape, values).expect("the shapes have been compared"))
    }

    /// `[length]`.
    pub fn doubles_1d(&self, name: &str, length: usize) -> Result<Array1<f64>, DetectionError> {
        Ok(Array1::from_vec(self.doubles(name, &[length])?))
    }

    /// `[rows, columns]`.
    pub fn doubles_2d(&self, name: &str, shape: (usize, usize)) -> Result<Array2<f64>, DetectionError> {
        let values = self.doubles(name, &[shape.0, shape.1])?;
        Ok(Array2::from_shape_vec(shape, values).expect("the shapes have been compared"))
    }

    /// Single precision of any shape, row-major.
    pub fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, DetectionError> {
        let (values, rest) = self.bytes(name, Dtype::F32, shape)?.as_chunks::<4>();
        debug_assert!(rest.is_empty(), "safetensors has compared the shape with the bytes");
        Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// Double precision of any shape, row-major.
    pub fn doubles(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>, DetectionError> {
        let (values, rest) = self.bytes(name, Dtype::F64, shape)?.as_chunks::<8>();
        debug_assert!(rest.is_empty(), "safetensors has compared the shape with the bytes");
        Ok(values.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }

    fn bytes(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<&[u8], DetectionError> {
        let tensor = self
            .tensors
            .tensor(&format!("{}{name}", self.prefix))
            .map_err(|_| invalid_package(format!("tensor {name} is missing")))?;
        if tensor.dtype() != dtype || tensor.shape() != shape {
            let (found, of) = (tensor.dtype(), tensor.shape());
            return Err(invalid_package(format!("tensor {name} is {found:?} {of:?}, expected {dtype:?} {shape:?}")));
        }
        Ok(tensor.data())
    }
}
