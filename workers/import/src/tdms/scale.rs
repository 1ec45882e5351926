//! NI's scales: from raw values to physical ones, each from the raw values or from an earlier scale.

use super::metadata::{Properties, Value};

const RAW: f64 = 4_294_967_295.0;
/// Maximum number of scales of a channel.
const MAX_SCALES: usize = 64;
const MAX_POINTS: usize = 100_000;

/// The scales of a channel, in order; the last is the result.
#[derive(Debug)]
pub(super) struct Scales {
    scales: Vec<Scale>,
}

#[derive(Debug)]
enum Scale {
    /// The values of this DAQmx scaler.
    Scaler(u32),
    Linear {
        slope: f64,
        intercept: f64,
        of: Input,
    },
    Polynomial {
        coefficients: Vec<f64>,
        of: Input,
    },
    Table {
        points: Vec<(f64, f64)>,
        of: Input,
    },
    Add(Input, Input),
    /// Right minus left, as in NI's own readers.
    Subtract(Input, Input),
    Same(Input),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Input {
    Raw,
    Scale(usize),
}

impl Scales {
    /// The scales in these properties; `None` if there are none, or the values are already scaled.
    ///
    /// # Errors
    /// The message for an unknown scale.
    pub(super) fn of(properties: &Properties) -> Result<Option<Self>, String> {
        let number = |key: &str| match properties.get(key) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        };
        let counted = || {
            let known = properties
                .entries
                .iter()
                .filter_map(|(key, _)| key.strip_prefix("NI_Scale[")?.strip_suffix("]_Scale_Type"));
            known.filter_map(|index| index.parse::<usize>().ok()).max().map(|last| last.saturating_add(1))
        };
        let count = number("NI_Number_Of_Scales").map(|count| count as usize).or_else(counted).unwrap_or(0);
        if count == 0 || properties.get("NI_Scaling_Status") == Some(&Value::Text("scaled".to_owned())) {
            return Ok(None);
        }
        if count > MAX_SCALES {
            return Err(format!("{count} scales"));
        }
        let mut scales = Vec::with_capacity(count);
        for index in 0..count {
            let prefix = format!("NI_Scale[{index}]_");
            let kind = match properties.get(&format!("{prefix}Scale_Type")) {
                Some(Value::Text(kind)) => kind.as_str(),
                // Those that DAQmx stores with the data.
                _ => {
                    scales.push(Scale::Scaler(index as u32));
                    continue;
                }
            };
            let number = |key: &str| number(&format!("{prefix}{kind}_{key}"));
            let required = |key: &str| number(key).ok_or_else(|| format!("a {kind} scale without {key}"));
            let input = |key: &str| match number(key) {
                None | Some(RAW) => Ok(Input::Raw),
                Some(of) if (of as usize) < index => Ok(Input::Scale(of as usize)),
                Some(of) => Err(format!("a {kind} scale of scale {of}")),
            };
            let list = |key: &str, count: usize| {
                (0..count).map(|index| required(&format!("{key}[{index}]"))).collect::<Result<Vec<_>, _>>()
            };
            let count = |key: &str, default: usize| number(key).map_or(default, |count| count as usize).min(MAX_POINTS);
            let of = input("Input_Source")?;
            scales.push(match kind {
                "Linear" => Scale::Linear { slope: required("Slope")?, intercept: required("Y_Intercept")?, of },
                "Polynomial" => {
                    Scale::Polynomial { coefficients: list("Coefficients", count("Coefficients_Size", 4))?, of }
                }
                "Table" => {
                    let xs = list("Pre_Scaled_Values", count("Pre_Scaled_Values_Size", 0))?;
                    let ys = list("Scaled_Values", count("Scaled_Values_Size", 0))?;
                    let mut points: Vec<(f64, f64)> = xs.into_iter().zip(ys).collect();
                    points.sort_by(|a, b| a.0.total_cmp(&b.0));
                    if points.is_empty() {
                        return Err("an empty table".to_owned());
                    }
                    Scale::Table { points, of }
                }
                "Add" => Scale::Add(input("Left_Operand_Input_Source")?, input("Right_Operand_Input_Source")?),
                "Subtract" => {
                    Scale::Subtract(input("Left_Operand_Input_Source")?, input("Right_Operand_Input_Source")?)
                }
                "AdvancedAPI" => Scale::Same(of),
                other => return Err(format!("a scale of kind {}", other.escape_debug())),
            });
        }
        Ok(Some(Self { scales }))
    }

    /// Describes the conversion of raw values: `Linear (x 0.01 + 0.5)`.
    pub(super) fn words(&self) -> String {
        let words = |scale: &Scale| match scale {
            Scale::Scaler(_) | Scale::Same(_) => None,
            Scale::Linear { slope, intercept, .. } => Some(format!("Linear (x {slope} + {intercept})")),
            Scale::Polynomial { coefficients, .. } => Some(format!("Polynomial ({} coefficients)", coefficients.len())),
            Scale::Table { points, .. } => Some(format!("Table ({} points)", points.len())),
            Scale::Add(..) => Some("Add".to_owned()),
            Scale::Subtract(..) => Some("Subtract".to_owned()),
        };
        self.scales.iter().filter_map(words).collect::<Vec<_>>().join(", ")
    }

    /// Converts raw values, by scaler, to physical values.
    pub(super) fn apply(&self, raw: &[(u32, Vec<f64>)]) -> Result<Vec<f64>, String> {
        let len = raw.iter().map(|(_, values)| values.len()).min().unwrap_or(0);
        let of_scaler = |id: u32| raw.iter().find(|(known, _)| *known == id).map(|(_, values)| values.as_slice());
        let plain = of_scaler(0).or_else(|| raw.first().map(|(_, values)| values.as_slice())).unwrap_or_default();
        for scale in &self.scales {
            if let Scale::Scaler(id) = scale
                && of_scaler(*id).is_none()
            {
                return Err(format!("no raw values for scale {id}"));
            }
        }
        let mut row = vec![0.0; self.scales.len()];
        let mut scaled = Vec::with_capacity(len);
        for index in 0..len {
            for (place, scale) in self.scales.iter().enumerate() {
                let of = |input: &Input| match input {
                    Input::Raw => plain[index],
                    Input::Scale(place) => row[*place],
                };
                row[place] = match scale {
                    Scale::Scaler(id) => of_scaler(*id).map_or(f64::NAN, |values| values[index]),
                    Scale::Linear { slope, intercept, of: input } => of(input) * slope + intercept,
                    Scale::Polynomial { coefficients, of: input } => {
                        let x = of(input);
                        coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
                    }
                    Scale::Table { points, of: input } => interpolate(points, of(input)),
                    Scale::Add(left, right) => of(left) + of(right),
                    Scale::Subtract(left, right) => of(right) - of(left),
                    Scale::Same(input) => of(input),
                };
            }
            scaled.push(row[row.len() - 1]);
        }
        Ok(scaled)
    }
}

/// Linear interpolation between points, constant outside.
fn interpolate(points: &[(f64, f64)], x: f64) -> f64 {
    let after = points.partition_point(|point| point.0 < x);
    let (Some(&right), Some(&left)) = (points.get(after), after.checked_sub(1).and_then(|before| points.get(before)))
    else {
        return points[after.min(points.len() - 1)].1;
    };
    left.1 + (right.1 - left.1) * (x - left.0) / (right.0 - left.0)
}
