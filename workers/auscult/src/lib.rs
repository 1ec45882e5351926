//! The one binary: demo, workers, training, evaluation, gateway, watch.
