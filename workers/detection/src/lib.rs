//! How numbers become a judgement: detectors, training, calibration, evaluation, explanation.
