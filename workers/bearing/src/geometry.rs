//! How often per turn of the shaft each part of a bearing strikes, when it is damaged.

use serde::{Deserialize, Serialize};

/// The part of a bearing that is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BearingPart {
    /// The ring that stands still.
    OuterRace,
    /// The ring that turns with the shaft.
    InnerRace,
    /// A ball or roller.
    Ball,
}

impl BearingPart {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::OuterRace, Self::InnerRace, Self::Ball];

    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OuterRace => "outer race",
            Self::InnerRace => "inner race",
            Self::Ball => "ball",
        }
    }
}

/// What rolls in a bearing: its dimensions, all that the defect frequencies depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RollingElements {
    /// How many there are.
    pub count: u32,
    /// Diameter of one, mm.
    pub diameter_mm: f64,
    /// Diameter of the circle through their centres, mm.
    pub pitch_diameter_mm: f64,
    /// Contact angle, degrees; 0 for a deep-groove bearing under radial load.
    pub contact_angle_deg: f64,
}

/// A bearing's characteristic frequencies, as multiples of the shaft's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BearingOrders {
    /// Balls passing a point of the outer race, per turn (BPFO).
    pub bpfo: f64,
    /// Balls passing a point of the inner race, per turn (BPFI).
    pub bpfi: f64,
    /// Turns of a ball about itself, per turn of the shaft (BSF).
    pub bsf: f64,
    /// Turns of the cage, per turn of the shaft (FTF).
    pub ftf: f64,
}

impl BearingOrders {
    /// The orders that follow from the dimensions when nothing slips and the outer ring stands still (Randall and
    /// Antoni 2011, equations 1–4). With `g = d cos φ / D`: `BPFO = n (1 - g) / 2`, `BPFI = n (1 + g) / 2`,
    /// `FTF = (1 - g) / 2`, `BSF = D (1 - g²) / (2 d)`.
    #[must_use]
    pub fn of(elements: &RollingElements) -> Self {
        let RollingElements { count, diameter_mm, pitch_diameter_mm, contact_angle_deg } = *elements;
        let ratio = diameter_mm / pitch_diameter_mm * contact_angle_deg.to_radians().cos();
        Self {
            bpfo: f64::from(count) * (1.0 - ratio) / 2.0,
            bpfi: f64::from(count) * (1.0 + ratio) / 2.0,
            bsf: pitch_diameter_mm / (2.0 * diameter_mm) * (1.0 - ratio * ratio),
            ftf: (1.0 - ratio) / 2.0,
        }
    }

    /// The orders of a bearing by its designation; seals and clearance (`-2RS`, `/C3`) do not change them. Dimensions
    /// are those of the Case Western Reserve University Bearing Data Center, which tests these two (SKF).
    #[must_use]
    pub fn of_type(designation: &str) -> Option<Self> {
        let base: String = designation.chars().take_while(char::is_ascii_digit).collect();
        let (count, diameter_mm, pitch_diameter_mm) = match base.as_str() {
            "6205" => (9, 7.940, 39.04),
            "6203" => (8, 6.746, 28.50),
            _ => return None,
        };
        Some(Self::of(&RollingElements { count, diameter_mm, pitch_diameter_mm, contact_angle_deg: 0.0 }))
    }

    /// The designations that [`of_type`](Self::of_type) knows.
    pub const KNOWN_TYPES: [&'static str; 2] = ["6203", "6205"];

    /// Strikes of a damaged part per turn. A spot on a ball meets both races in each of its turns: twice BSF.
    #[must_use]
    pub fn strikes_of(&self, part: BearingPart) -> f64 {
        match part {
            BearingPart::OuterRace => self.bpfo,
            BearingPart::InnerRace => self.bpfi,
            BearingPart::Ball => 2.0 * self.bsf,
        }
    }

    /// What turns the damaged spot in and out of the load, and so sets sidebands beside every line: the shaft for the
    /// inner race, the cage for a ball, nothing for the outer race.
    #[must_use]
    pub fn modulation_of(&self, part: BearingPart) -> Option<f64> {
        match part {
            BearingPart::OuterRace => None,
            BearingPart::InnerRace => Some(1.0),
            BearingPart::Ball => Some(self.ftf),
        }
    }

    /// Whether these can be a bearing's: positive, the cage slower than the shaft, the inner race struck more often
    /// than the outer.
    #[must_use]
    pub fn are_sound(&self) -> bool {
        let positive = [self.bpfo, self.bpfi, self.bsf, self.ftf].iter().all(|order| order.is_finite() && *order > 0.0);
        positive && self.ftf < 1.0 && self.bpfi > self.bpfo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_6205_has_the_orders_that_its_test_bench_publishes() {
        let orders = BearingOrders::of_type("6205-2RS").unwrap();
        let published =
            [(orders.bpfo, 3.5848), (orders.bpfi, 5.4152), (2.0 * orders.bsf, 4.7135), (orders.ftf, 0.39828)];
        for (found, expected) in published {
            assert!((found - expected).abs() < 2e-3, "{found} {expected}");
        }
    }

    #[test]
    fn strikes_on_both_races_are_as_many_as_there_are_balls() {
        let elements =
            RollingElements { count: 16, diameter_mm: 8.4, pitch_diameter_mm: 71.5, contact_angle_deg: 15.17 };
        let orders = BearingOrders::of(&elements);
        assert!((orders.bpfo + orders.bpfi - 16.0).abs() < 1e-9);
        assert!((orders.bpfo - 16.0 * orders.ftf).abs() < 1e-9);
        assert!(orders.are_sound());
    }

    #[test]
    fn a_type_that_is_not_known_is_none() {
        assert_eq!(BearingOrders::of_type("22205"), None);
        assert_eq!(BearingOrders::of_type(""), None);
    }
}
