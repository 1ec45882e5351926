//! Features in, scores, alerts and drift out.
