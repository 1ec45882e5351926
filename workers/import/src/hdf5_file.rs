//! HDF5 (stub for the moment).
