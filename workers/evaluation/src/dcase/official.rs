//! The metrics of DCASE Task 2 as computed by each year's own evaluator.
//!
//! | edition | of each id or section | official score |
//! |---|---|---|
//! | 2020 | AUC and pAUC of all clips | mean of AUC and pAUC, each the mean over types of the mean over ids |
//! | 2021 | AUC and pAUC of each domain alone | harmonic mean of all of them |
//! | 2022 and later | AUC of each domain's normal clips against the anomalies of both domains; pAUC of all clips | harmonic mean of all of them |
//!
//! Since 2021, precision, recall and F1 are computed for each domain separately. Zeros count as 2.2e-16 in harmonic
//! means. Sources: the evaluators of 2020 and 2021 (y-kawagu/dcase2020_task2_evaluator, dcase2021_task2_evaluator),
//! 2022 (Kota-Dohi/dcase2022_evaluator), 2023 and 2024 (nttcslab/dcase2023_task2_evaluator, dcase2024_task2_evaluator).

use std::collections::BTreeMap;

use auscult_detection::metrics::{arithmetic_mean, harmonic_mean};
use auscult_detection::{Evaluation, evaluate};
use auscult_recordings::dataset::{DcaseName, Domain, Edition};
use serde::Serialize;

/// A test clip with a known label.
#[derive(Debug, Clone, Copy)]
pub struct LabelledScore {
    /// Its score.
    pub score: f64,
    /// Whether the model classified it as abnormal.
    pub is_alarm: bool,
    /// Its label.
    pub is_abnormal: bool,
    /// Its domain; clips without one count as source.
    pub domain: Domain,
}

/// A metric of all clips, of the source domain and of the target domain; absent if there are no such clips, or the
/// edition does not define it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ByDomain {
    /// Of all clips.
    pub all: Option<f64>,
    /// Of the source domain.
    pub source: Option<f64>,
    /// Of the target domain.
    pub target: Option<f64>,
}

/// The metrics of one id or section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SectionFigures {
    /// Area under the ROC curve.
    pub auc: ByDomain,
    /// Partial AUC, false-positive rate up to 0.1, standardised.
    pub pauc: ByDomain,
    /// Precision of the decisions.
    pub precision: ByDomain,
    /// Recall of the decisions.
    pub recall: ByDomain,
    /// F1 of the decisions.
    pub f1: ByDomain,
}

impl SectionFigures {
    /// The names of the fifteen columns, in the order of [`Self::columns`].
    pub const COLUMNS: [&str; 15] = [
        "AUC",
        "AUC (source)",
        "AUC (target)",
        "pAUC",
        "pAUC (source)",
        "pAUC (target)",
        "precision",
        "precision (source)",
        "precision (target)",
        "recall",
        "recall (source)",
        "recall (target)",
        "F1 score",
        "F1 score (source)",
        "F1 score (target)",
    ];

    /// Every metric, in the order of [`Self::COLUMNS`].
    #[must_use]
    pub fn columns(&self) -> [Option<f64>; 15] {
        let mut columns = [None; 15];
        let figures = [self.auc, self.pauc, self.precision, self.recall, self.f1];
        for (three, of) in columns.chunks_exact_mut(3).zip(figures) {
            three.copy_from_slice(&[of.all, of.source, of.target]);
        }
        columns
    }

    /// For one id or section, by an edition's rules; `None` is for recordings that are not from DCASE, evaluated as in
    /// 2022.
    #[must_use]
    pub fn of(clips: &[LabelledScore], edition: Option<Edition>) -> Self {
        let all = evaluate_where(clips, |_| true);
        let (auc, pauc) = (all.auc, all.pauc);
        let has_domains = clips.iter().any(|clip| clip.domain == Domain::Target);
        if edition == Some(Edition::Y2020) || !has_domains && edition != Some(Edition::Y2021) {
            let mut figures = Self::default();
            (figures.auc.all, figures.pauc.all) = (auc, pauc);
            figures.set_rates(&all, |of| &mut of.all);
            if edition != Some(Edition::Y2020) {
                figures.auc.source = auc;
                figures.set_rates(&all, |of| &mut of.source);
            }
            return figures;
        }
        let mut figures = Self::default();
        (figures.auc.all, figures.pauc.all) = (auc, pauc);
        figures.set_rates(&all, |of| &mut of.all);
        for domain in [Domain::Source, Domain::Target] {
            let own = evaluate_where(clips, |clip| clip.domain == domain);
            let side: fn(&mut ByDomain) -> &mut Option<f64> = match domain {
                Domain::Source => |of| &mut of.source,
                Domain::Target => |of| &mut of.target,
            };
            if edition == Some(Edition::Y2021) {
                *side(&mut figures.auc) = own.auc;
                *side(&mut figures.pauc) = own.pauc;
            } else {
                let of_domain = evaluate_where(clips, |clip| clip.is_abnormal || clip.domain == domain);
                *side(&mut figures.auc) = of_domain.auc;
            }
            figures.set_rates(&own, side);
        }
        figures
    }

    fn set_rates(&mut self, of: &Evaluation, side: impl Fn(&mut ByDomain) -> &mut Option<f64>) {
        if of.n_abnormal == 0 {
            return;
        }
        *side(&mut self.precision) = Some(of.abnormal_positive.precision);
        *side(&mut self.recall) = Some(of.abnormal_positive.recall);
        *side(&mut self.f1) = Some(of.abnormal_positive.f1);
    }
}

/// Metrics of the selected clips, with the model's decisions.
fn evaluate_where(clips: &[LabelledScore], is_chosen: impl Fn(&LabelledScore) -> bool) -> Evaluation {
    let scores = |is_abnormal: bool, value: fn(&LabelledScore) -> f64| -> Vec<f64> {
        let of_class = clips.iter().filter(|clip| is_chosen(clip) && clip.is_abnormal == is_abnormal);
        of_class.map(value).collect()
    };
    let score = |clip: &LabelledScore| clip.score;
    let decision = |clip: &LabelledScore| f64::from(u8::from(clip.is_alarm));
    let ranked = evaluate(&scores(false, score), &scores(true, score), 0.0);
    let decided = evaluate(&scores(false, decision), &scores(true, decision), 0.5);
    Evaluation { auc: ranked.auc, pauc: ranked.pauc, ..decided }
}

/// One id or section with its metrics.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// The machine's id.
    pub machine: String,
    /// DCASE's machine type.
    pub machine_type: String,
    /// Digits of the id or section.
    pub section: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: SectionFigures,
}

/// The results of one edition's evaluator over all its sections.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Official {
    /// `2020`, `2021` or `2022 and later`.
    pub edition: &'static str,
    /// The official score; absent if a section has no clips of a class or domain, in which case the evaluators fail.
    pub official_score: Option<f64>,
    /// The sections.
    pub sections: Vec<Section>,
}

impl Official {
    /// One per edition present.
    #[must_use]
    pub fn all(sections: Vec<(DcaseName, Section)>) -> Vec<Self> {
        let mut editions: BTreeMap<Edition, Vec<Section>> = BTreeMap::new();
        for (name, section) in sections {
            editions.entry(name.edition).or_default().push(section);
        }
        editions
            .into_iter()
            .map(|(edition, sections)| Self {
                edition: edition_name(edition),
                official_score: official_score(edition, &sections),
                sections,
            })
            .collect()
    }
}

fn edition_name(edition: Edition) -> &'static str {
    match edition {
        Edition::Y2020 => "2020",
        Edition::Y2021 => "2021",
        Edition::Y2022 => "2022 and later",
    }
}

fn official_score(edition: Edition, sections: &[Section]) -> Option<f64> {
    let figures = |of: fn(&SectionFigures) -> Vec<Option<f64>>| -> Option<Vec<f64>> {
        sections.iter().flat_map(|section| of(&section.figures)).collect()
    };
    match edition {
        Edition::Y2020 => {
            let mut types: BTreeMap<&str, Vec<&SectionFigures>> = BTreeMap::new();
            for section in sections {
                types.entry(&section.machine_type).or_default().push(&section.figures);
            }
            let mean_of = |of: fn(&SectionFigures) -> Option<f64>| -> Option<f64> {
                let of_type = |ids: &Vec<&SectionFigures>| -> Option<f64> {
                    arithmetic_mean(&ids.iter().map(|figures| of(figures)).collect::<Option<Vec<f64>>>()?)
                };
                arithmetic_mean(&types.values().map(of_type).collect::<Option<Vec<f64>>>()?)
            };
            Some(f64::midpoint(mean_of(|figures| figures.auc.all)?, mean_of(|figures| figures.pauc.all)?))
        }
        Edition::Y2021 => {
            harmonic_mean(&figures(|of| vec![of.auc.source, of.auc.target, of.pauc.source, of.pauc.target])?)
        }
        Edition::Y2022 => harmonic_mean(&figures(|of| vec![of.auc.source, of.auc.target, of.pauc.all])?),
    }
}

#[cfg(test)]
mod tests;
