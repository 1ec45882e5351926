//! What a sample value of 1.0 is in the measured quantity: `50 m/s²`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Headers, Quantity, SchemaError};

/// A calibrated full scale: a sample value of 1.0 is this much of the measured quantity. Of samples that are the values
/// themselves, as in recordings of `auscult import`, it is 1 of their unit. As text: the value and the unit, `50 m/s²`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullScale {
    /// How much.
    #[schemars(extend("exclusiveMinimum" = 0))]
    #[serde(serialize_with = "crate::finite::only")]
    pub value: f64,
    /// Of which unit.
    pub unit: Unit,
}

/// A unit's symbol, such as `m/s²`, `g`, `A`, `bar`. Other spellings of units that are known are read as the one
/// symbol: `m/s2`, `m/s^2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String", extend("minLength" = 1, "maxLength" = 32))]
pub struct Unit(String);

/// Quantities whose units can be converted into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Acceleration,
    Velocity,
    Displacement,
    Current,
    Voltage,
    Pressure,
    Force,
    Share,
}

impl Dimension {
    fn name(self) -> &'static str {
        match self {
            Self::Acceleration => "acceleration",
            Self::Velocity => "velocity",
            Self::Displacement => "displacement",
            Self::Current => "current",
            Self::Voltage => "voltage",
            Self::Pressure => "pressure",
            Self::Force => "force",
            Self::Share => "share",
        }
    }
}

/// Symbol, quantity, SI units in one of it, and other spellings. `g` is the standard acceleration of gravity, 9.80665
/// m/s².
const UNITS: &[(&str, Dimension, f64, &[&str])] = {
    use Dimension::{Acceleration, Current, Displacement, Force, Pressure, Share, Velocity, Voltage};
    &[
        (
            "m/s²",
            Acceleration,
            1.0,
            &["m/s2", "m/s^2", "m/s**2", "m s-2", "m·s⁻²", "m/s/s", "m/sec2", "m/sec^2", "ms-2"],
        ),
        ("mm/s²", Acceleration, 1e-3, &["mm/s2", "mm/s^2"]),
        ("cm/s²", Acceleration, 1e-2, &["cm/s2", "cm/s^2", "Gal"]),
        ("in/s²", Acceleration, 0.0254, &["in/s2", "in/s^2"]),
        ("ft/s²", Acceleration, 0.3048, &["ft/s2", "ft/s^2"]),
        ("g", Acceleration, 9.80665, &["gn", "g_n", "G", "gs", "gravity"]),
        ("mg", Acceleration, 9.80665e-3, &["milli-g"]),
        ("m/s", Velocity, 1.0, &["m/sec"]),
        ("cm/s", Velocity, 1e-2, &[]),
        ("mm/s", Velocity, 1e-3, &["mm/sec"]),
        ("µm/s", Velocity, 1e-6, &["um/s", "μm/s"]),
        ("in/s", Velocity, 0.0254, &["ips", "in/sec"]),
        ("m", Displacement, 1.0, &[]),
        ("mm", Displacement, 1e-3, &[]),
        ("µm", Displacement, 1e-6, &["um", "μm", "micron"]),
        ("nm", Displacement, 1e-9, &[]),
        ("in", Displacement, 0.0254, &["inch"]),
        ("mil", Displacement, 2.54e-5, &["mils"]),
        ("A", Current, 1.0, &["amp", "amps", "ampere"]),
        ("mA", Current, 1e-3, &[]),
        ("µA", Current, 1e-6, &["uA", "μA"]),
        ("kA", Current, 1e3, &[]),
        ("V", Voltage, 1.0, &["volt", "volts"]),
        ("mV", Voltage, 1e-3, &[]),
        ("µV", Voltage, 1e-6, &["uV", "μV"]),
        ("kV", Voltage, 1e3, &[]),
        ("Pa", Pressure, 1.0, &["pascal", "N/m²", "N/m2"]),
        ("mPa", Pressure, 1e-3, &[]),
        ("µPa", Pressure, 1e-6, &["uPa", "μPa"]),
        ("hPa", Pressure, 1e2, &[]),
        ("kPa", Pressure, 1e3, &[]),
        ("MPa", Pressure, 1e6, &["N/mm²", "N/mm2"]),
        ("mbar", Pressure, 1e2, &[]),
        ("bar", Pressure, 1e5, &[]),
        ("psi", Pressure, 6_894.757_293_168, &["PSI", "psig", "lbf/in²"]),
        ("N", Force, 1.0, &["newton"]),
        ("kN", Force, 1e3, &[]),
        ("lbf", Force, 4.448_221_615_260_5, &[]),
        ("%", Share, 1e-2, &["percent"]),
    ]
};

impl Unit {
    /// A unit by its symbol or another spelling; one that is not known is kept as it is written.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']).trim();
        let known = UNITS.iter().find(|(symbol, _, _, spellings)| *symbol == text || spellings.contains(&text));
        Self(known.map_or(text, |(symbol, ..)| symbol).to_owned())
    }

    /// Its symbol.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn known(&self) -> Option<(Dimension, f64)> {
        UNITS.iter().find(|(symbol, ..)| *symbol == self.0).map(|(_, dimension, si, _)| (*dimension, *si))
    }

    /// How many `other` one of this unit is; `None` where they measure different quantities, or one is not known and
    /// they differ.
    #[must_use]
    pub fn in_units_of(&self, other: &Self) -> Option<f64> {
        if self == other {
            return Some(1.0);
        }
        let ((one, si), (other, other_si)) = (self.known()?, other.known()?);
        (one == other).then_some(si / other_si)
    }

    /// What it measures, in a word: `acceleration`; `None` of a unit that is not known.
    #[must_use]
    pub fn measures(&self) -> Option<&'static str> {
        self.known().map(|(dimension, _)| dimension.name())
    }

    /// The quantity of a spec that it is a unit of. Pressure in pascals may be of sound or of a fluid, and volts of
    /// anything: those say nothing.
    #[must_use]
    pub fn quantity(&self) -> Option<Quantity> {
        match self.known()?.0 {
            Dimension::Acceleration | Dimension::Velocity | Dimension::Displacement => Some(Quantity::Vibration),
            Dimension::Current => Some(Quantity::Current),
            Dimension::Pressure if matches!(self.as_str(), "bar" | "mbar" | "psi" | "kPa" | "MPa" | "hPa") => {
                Some(Quantity::Pressure)
            }
            Dimension::Pressure | Dimension::Voltage | Dimension::Force | Dimension::Share => None,
        }
    }
}

impl From<String> for Unit {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.0
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FullScale {
    /// The CloudEvents attribute of a chunk that says its full scale, in Kafka's binary mode and as HTTP's.
    pub const HEADERS: [&str; 2] = ["ce_fullscale", "ce-fullscale"];

    /// Of samples that are the values in this unit.
    #[must_use]
    pub fn one(unit: &str) -> Self {
        Self { value: 1.0, unit: Unit::new(unit) }
    }

    /// What samples of this full scale are to be multiplied by, so that they are of `other`; `None` where the units
    /// measure different quantities.
    #[must_use]
    pub fn relative_to(&self, other: &Self) -> Option<f64> {
        Some(self.value * self.unit.in_units_of(&other.unit)? / other.value)
    }

    /// Whether it can be one: a value from 1e-12 to 1e12, and a unit of 1 to 32 characters that can be printed.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let unit = self.unit.as_str();
        let is_named = !unit.is_empty() && unit.chars().count() <= 32 && !unit.chars().any(char::is_control);
        (1e-12..=1e12).contains(&self.value) && is_named
    }

    /// What a chunk's headers say of its full scale: one for all channels, or one for each, with commas between them.
    /// Empty: nothing.
    ///
    /// # Errors
    /// [`SchemaError::InvalidHeader`] when the header is there and cannot be read.
    pub fn of_headers(headers: &Headers) -> Result<Vec<Self>, SchemaError> {
        let [kafka, http] = Self::HEADERS;
        let Some(text) = headers.text(kafka)?.or(headers.text(http)?) else { return Ok(Vec::new()) };
        let each = text.split(',').map(str::parse);
        each.collect::<Result<_, String>>().map_err(|reason| SchemaError::InvalidHeader {
            name: kafka,
            value: text.to_owned(),
            reason,
        })
    }
}

impl fmt::Display for FullScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value, self.unit)
    }
}

impl FromStr for FullScale {
    type Err = String;

    /// `50 m/s²`, `50m/s2`, `1e-3 V`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "must be a value and a unit, such as \"50 m/s2\": what a sample value of 1.0 is".to_owned();
        let text = text.trim();
        // The longest number at the beginning: `1e3 A`, and `5e` is no number.
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let number = ends.filter_map(|end| Some((end, text[..end].parse::<f64>().ok()?))).next_back();
        let (end, value) = number.ok_or_else(wrong)?;
        let full_scale = Self { value, unit: Unit::new(&text[end..]) };
        if full_scale.is_valid() { Ok(full_scale) } else { Err(wrong()) }
    }
}

/// Levels in the unit of the spec's full scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasuredLevels {
    /// Unit of all of them.
    pub unit: Unit,
    /// Which channels they are of, counted from 0 and ascending; absent: of all, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<usize>,
    /// Root mean square of each channel's samples about zero, or about their mean where the spec takes it off.
    #[serde(serialize_with = "crate::finite::only")]
    pub rms: Vec<f64>,
}

impl MeasuredLevels {
    /// Those of the chosen channels alone; `None` chooses all.
    #[must_use]
    pub fn choosing(self, chosen: Option<&[usize]>) -> Self {
        let Some(chosen) = chosen else { return self };
        let known = chosen.iter().filter_map(|channel| Some((*channel, *self.rms.get(*channel)?)));
        let (channels, rms) = known.unzip();
        Self { unit: self.unit, channels, rms }
    }

    /// Root mean square over some channels together, in `unit`; `None` of none of them.
    #[must_use]
    pub fn rms_of(&self, is_used: impl Fn(usize) -> bool) -> Option<f64> {
        let is_used = |place: usize| is_used(self.channels.get(place).copied().unwrap_or(place));
        let used = self.rms.iter().enumerate().filter(|(place, _)| is_used(*place)).map(|(_, rms)| rms * rms);
        let squares: Vec<f64> = used.collect();
        (!squares.is_empty()).then(|| (squares.iter().sum::<f64>() / squares.len() as f64).sqrt())
    }
}

/// A level for people, of three digits: `0.0123`, `4.21`, `123`.
#[must_use]
pub fn three_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..6.0).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let decimals = (2.0 - magnitude).max(0.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_unit_are_one_and_units_of_one_quantity_convert() {
        let unit = Unit::new;
        for text in ["m/s2", "m/s^2", "m/s²", " [m/s2] ", "m/s**2"] {
            assert_eq!(unit(text).as_str(), "m/s²");
        }
        assert_eq!(unit("g").in_units_of(&unit("m/s^2")), Some(9.80665));
        assert!((unit("bar").in_units_of(&unit("kPa")).unwrap() - 100.0).abs() < 1e-9);
        assert!((unit("ips").in_units_of(&unit("mm/s")).unwrap() - 25.4).abs() < 1e-9);
        assert_eq!(unit("g").in_units_of(&unit("mm/s")), None, "acceleration is no velocity");
        assert_eq!(unit("foo").in_units_of(&unit("bar")), None);
        assert_eq!(unit("foo").in_units_of(&unit("foo")), Some(1.0), "a unit is itself, known or not");
    }

    #[test]
    fn a_full_scale_is_a_value_and_a_unit() {
        let read = |text: &str| text.parse::<FullScale>();
        assert_eq!(read("50 m/s2").unwrap(), FullScale { value: 50.0, unit: Unit::new("m/s²") });
        assert_eq!(read("1e-3V").unwrap(), FullScale { value: 1e-3, unit: Unit::new("V") });
        assert_eq!(read("20 A").unwrap().to_string(), "20 A");
        for wrong in ["", "g", "50", "0 g", "-1 g", "inf g", "NaN g", "1 \u{7}"] {
            assert!(read(wrong).unwrap_err().contains("50 m/s2"), "{wrong:?}");
        }
        let factor = read("50 m/s2").unwrap().relative_to(&FullScale::one("g")).unwrap();
        assert!((factor - 50.0 / 9.80665).abs() < 1e-12);
    }

    #[test]
    fn a_header_says_it_of_all_channels_or_of_each() {
        let mut headers = Headers::default();
        assert_eq!(FullScale::of_headers(&headers).unwrap(), []);
        headers.push("ce_fullscale", "50 m/s2, 20 A");
        assert_eq!(FullScale::of_headers(&headers).unwrap().len(), 2);
        headers.push("ce_fullscale", "loud");
        let refusal = FullScale::of_headers(&headers).unwrap_err().to_string();
        assert!(refusal.contains("ce_fullscale") && refusal.contains("50 m/s2"), "{refusal}");
    }

    #[test]
    fn levels_have_three_digits() {
        let words = [0.0123, 4.2, 123.4, 12_345.0, 1.5e-6, 0.0].map(three_digits);
        assert_eq!(words, ["0.0123", "4.20", "123", "12345", "1.50e-6", "0"]);
    }
}
