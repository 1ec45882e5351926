//! Splits clips into training and test clips.

use anyhow::bail;
use auscult_detection::MIN_CLIPS;
use ndarray::{Array2, Axis};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::Table;

/// Rows of a table by use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSplit {
    /// Normal training clips, in the table's order.
    pub train: Vec<usize>,
    /// Normal test clips, in the table's order.
    pub test_normal: Vec<usize>,
    /// All abnormal clips.
    pub test_abnormal: Vec<usize>,
}

impl Table {
    /// Draws as many normal test clips as there are abnormal ones (MIMII's protocol: Purohit et al. 2019); the other
    /// normal clips are used for training.
    ///
    /// # Errors
    /// If there is no abnormal clip, or too few normal ones are left.
    pub fn split(&self, seed: u64) -> anyhow::Result<TableSplit> {
        let (test_abnormal, mut normal): (Vec<usize>, Vec<usize>) =
            (0..self.clips.len()).partition(|row| self.is_abnormal[*row]);
        let path = self.path.display();
        let (have, test) = (normal.len(), test_abnormal.len());
        if test == 0 {
            bail!("the table {path} has no abnormal clip: there is nothing to tell the {have} normal ones from");
        }
        if have < test + MIN_CLIPS {
            bail!(
                "the table {path} has {have} normal and {test} abnormal clips: {test} normal ones are tested with, and \
                 {MIN_CLIPS} to fit to must be left; add {} normal clips",
                test + MIN_CLIPS - have
            );
        }
        normal.shuffle(&mut StdRng::seed_from_u64(seed));
        let mut train = normal.split_off(test);
        // In the table's order, which may be the order of recording: segments of it are held out for the threshold.
        train.sort_unstable();
        normal.sort_unstable();
        Ok(TableSplit { train, test_normal: normal, test_abnormal })
    }

    pub(super) fn rows(&self, rows: &[usize]) -> Array2<f64> {
        self.vectors.select(Axis(0), rows)
    }
}
