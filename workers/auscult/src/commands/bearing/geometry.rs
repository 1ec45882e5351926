//! The bearing, as given on the command line.

use anyhow::{Context, bail};
use auscult_bearing::{BearingOrders, RollingElements};
use clap::Args;

/// The bearing: by type, by dimensions, or by orders.
#[derive(Debug, Args)]
#[command(next_help_heading = "The bearing: its type, or its dimensions, or its orders")]
pub(super) struct GeometryArgs {
    /// Type: 6203 or 6205, with or without a suffix (-2RS, /C3)
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["balls", "bpfo"])]
    geometry: Option<String>,
    /// Number of balls or rollers
    #[arg(long, value_name = "N", requires_all = ["ball_diameter", "pitch_diameter"], conflicts_with = "bpfo")]
    balls: Option<u32>,
    /// Diameter of a ball or roller, mm
    #[arg(long, value_name = "MM", requires = "balls")]
    ball_diameter: Option<f64>,
    /// Pitch diameter: diameter of the circle through the centres of the balls, mm
    #[arg(long, value_name = "MM", requires = "balls")]
    pitch_diameter: Option<f64>,
    /// Contact angle, degrees
    #[arg(long, value_name = "DEGREES", default_value_t = 0.0)]
    contact_angle: f64,
    /// Order of the outer race (BPFO): balls passing a point of the outer race per turn of the shaft
    #[arg(long, value_name = "PER_TURN", requires_all = ["bpfi", "bsf", "ftf"])]
    bpfo: Option<f64>,
    /// Order of the inner race (BPFI): balls passing a point of the inner race per turn of the shaft
    #[arg(long, value_name = "PER_TURN", requires = "bpfo")]
    bpfi: Option<f64>,
    /// Order of the ball spin (BSF): turns of a ball about its own axis per turn of the shaft
    #[arg(long, value_name = "PER_TURN", requires = "bpfo")]
    bsf: Option<f64>,
    /// Order of the cage (FTF): turns of the cage per turn of the shaft
    #[arg(long, value_name = "PER_TURN", requires = "bpfo")]
    ftf: Option<f64>,
}

impl GeometryArgs {
    /// The defect orders of the bearing.
    ///
    /// # Errors
    /// If the type is unknown, or no bearing is given.
    pub(super) fn orders(&self) -> anyhow::Result<BearingOrders> {
        if let Some(designation) = &self.geometry {
            return BearingOrders::of_type(designation).with_context(|| {
                let known = BearingOrders::KNOWN_TYPES.join(" and ");
                format!(
                    "bearing {designation} is not known ({known} are): take BPFO, BPFI, BSF and FTF from its data sheet and state \
                     them with --bpfo, --bpfi, --bsf and --ftf, or its dimensions with --balls, --ball-diameter and --pitch-diameter"
                )
            });
        }
        if let (Some(count), Some(diameter_mm), Some(pitch_diameter_mm)) =
            (self.balls, self.ball_diameter, self.pitch_diameter)
        {
            let contact_angle_deg = self.contact_angle;
            return Ok(BearingOrders::of(&RollingElements {
                count,
                diameter_mm,
                pitch_diameter_mm,
                contact_angle_deg,
            }));
        }
        if let (Some(bpfo), Some(bpfi), Some(bsf), Some(ftf)) = (self.bpfo, self.bpfi, self.bsf, self.ftf) {
            return Ok(BearingOrders { bpfo, bpfi, bsf, ftf });
        }
        bail!(
            "which bearing is it? Name its type with --geometry 6205, its dimensions with --balls and the two diameters, or its orders with --bpfo, --bpfi, --bsf and --ftf"
        )
    }
}
