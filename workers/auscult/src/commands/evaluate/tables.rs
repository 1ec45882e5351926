//! Metrics of feature tables, as text.

use std::io::{self, Write};

use auscult_evaluation::tables::{DetectorFigures, TableFigures, TablesReport};
use auscult_reports::figures::{figure_or_dash, interval_or_dash};

/// Writes the metrics of every table and, for several tables, the means.
pub(super) fn write_report(out: &mut impl Write, report: &TablesReport) -> io::Result<()> {
    match report {
        TablesReport::One(table) => write_table(out, table),
        TablesReport::Several { tables, means_by_detector, .. } => {
            for table in tables {
                write_table(out, table)?;
                writeln!(out)?;
            }
            writeln!(out, "means over {} tables", tables.len())?;
            writeln!(out, "{:<16} {:>17} {:>17}", "", "arithmetic", "harmonic")?;
            writeln!(out, "{:<16} {:>8} {:>8} {:>8} {:>8}", "detector", "AUC", "pAUC", "AUC", "pAUC")?;
            let Some(first) = tables.first() else { return Ok(()) };
            for name in first.all().map(|figures| figures.detector) {
                let Some(means) = means_by_detector.get(name) else { continue };
                let [arithmetic, harmonic] = [means.arithmetic, means.harmonic]
                    .map(|mean| format!("{:>8} {:>8}", figure_or_dash(mean.auc), figure_or_dash(mean.pauc)));
                writeln!(out, "{name:<16} {arithmetic} {harmonic}")?;
            }
            Ok(())
        }
    }
}

fn write_table(out: &mut impl Write, table: &TableFigures) -> io::Result<()> {
    let TableFigures { table: name, bands, n_train, seed, fused, .. } = table;
    let whole = &fused.evaluation;
    writeln!(
        out,
        "{name}: {bands} bands; fitted to {n_train} normal clips, tested with {} normal and {} abnormal ones (seed {seed})\n",
        whole.n_normal, whole.n_abnormal
    )?;
    writeln!(
        out,
        "{:<12} {:>6} {:>16} {:>6} {:>16} {:>6} {:>16} {:>6} {:>9} {:>7} {:>12}",
        "detector", "AUC", "95 %", "pAUC", "95 %", "F1", "95 %", "AP", "precision", "recall", "false alarms"
    )?;
    for figures in table.all() {
        write_detector(out, figures)?;
    }
    writeln!(out, "\nfused at its threshold of {:.3}, from held-out normal clips", whole.threshold)?;
    writeln!(out, "{:<12} {:>16} {:>16}", "", "called abnormal", "called normal")?;
    writeln!(out, "{:<12} {:>16} {:>16}", "abnormal", whole.true_alarms, whole.n_abnormal - whole.true_alarms)?;
    writeln!(out, "{:<12} {:>16} {:>16}", "normal", whole.false_alarms, whole.n_normal - whole.false_alarms)
}

fn write_detector(out: &mut impl Write, figures: &DetectorFigures) -> io::Result<()> {
    let DetectorFigures { detector, evaluation, average_precision, intervals } = figures;
    let rates = &evaluation.abnormal_positive;
    writeln!(
        out,
        "{detector:<12} {:>6} {:>16} {:>6} {:>16} {:>6.4} {:>16} {:>6} {:>9.4} {:>7.4} {:>12}",
        figure_or_dash(evaluation.auc),
        interval_or_dash(intervals.map(|intervals| intervals.auc)),
        figure_or_dash(evaluation.pauc),
        interval_or_dash(intervals.map(|intervals| intervals.pauc)),
        rates.f1,
        interval_or_dash(intervals.map(|intervals| intervals.f1)),
        figure_or_dash(*average_precision),
        rates.precision,
        rates.recall,
        format!("{} of {}", evaluation.false_alarms, evaluation.n_normal)
    )
}
