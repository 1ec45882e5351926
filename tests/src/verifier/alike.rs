//! JSON that says the same, where numbers were summed in another order.

use serde_json::Value;

/// A batch's forward pass may sum in another order than one clip's: so much of a number may differ, and so much of one
/// near zero.
const RELATIVE_TOLERANCE: f64 = 1e-5;
const ABSOLUTE_TOLERANCE: f64 = 1e-6;

/// Where two documents differ; `None` where they say the same.
pub(super) fn difference(expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            let is_same = (a - b).abs() <= ABSOLUTE_TOLERANCE.max(RELATIVE_TOLERANCE * a.abs().max(b.abs()));
            (!is_same).then(|| format!("{b} where the replay has {a}"))
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                return Some(format!("{} elements where the replay has {}", b.len(), a.len()));
            }
            let differs = |(index, (a, b))| difference(a, b).map(|what| format!("[{index}]: {what}"));
            a.iter().zip(b).enumerate().find_map(differs)
        }
        (Value::Object(a), Value::Object(b)) => {
            if let Some(name) = a.keys().chain(b.keys()).find(|name| a.contains_key(*name) != b.contains_key(*name)) {
                let whose = if a.contains_key(name) { "the replay" } else { "the record" };
                return Some(format!("only {whose} has {name:?}"));
            }
            a.iter().find_map(|(name, value)| difference(value, &b[name]).map(|what| format!("{name}: {what}")))
        }
        _ => (expected != found).then(|| format!("{found} where the replay has {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::difference;

    #[test]
    fn rounding_is_no_difference_and_everything_else_is() {
        let expected = json!({"score": 3.0, "bands": [1.0, 2.0], "state": "alarm"});
        assert_eq!(difference(&expected, &json!({"score": 3.00001, "bands": [1.0, 2.0], "state": "alarm"})), None);
        for other in [
            json!({"score": 3.0001, "bands": [1.0, 2.0], "state": "alarm"}),
            json!({"score": 3.0, "bands": [1.0], "state": "alarm"}),
            json!({"score": 3.0, "bands": [1.0, 2.0, 0.0], "state": "alarm"}),
            json!({"score": 3.0, "bands": [1.0, 2.0], "state": "healthy"}),
            json!({"score": 3.0, "bands": [1.0, 2.0]}),
        ] {
            assert!(difference(&expected, &other).is_some(), "{other}");
        }
        assert!(difference(&json!(2e-5), &json!(1e-5)).is_some(), "a p-value is not small because it is near zero");
    }
}
