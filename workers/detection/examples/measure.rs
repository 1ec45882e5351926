//! Trains on `DIR/train/normal`, calibrates, judges `DIR/test/**`, and prints what came of it.
//!
//! `cargo run --release -p auscult-detection --example measure -- DIR [folds=N|share=X] [reference] [seed=N] [epochs=N] [raw] [outer]`

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use auscult_detection::{
    ClipView, HoldOut, Model, Phase, TrainingClip, TrainingEvent, TrainingOptions, evaluate, train,
};
use auscult_features::{ChunkExtractor, content_type_of};
use auscult_schemas::FeatureSpec;
use candle_core::Device;
use ndarray::{Array2, Array3};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("usage: measure DIR [option...]")?);
    let mut options = TrainingOptions::default();
    let mut outer = false;
    for argument in arguments {
        let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
        match name {
            "folds" => options.hold_out = HoldOut::Folds(value.parse()?),
            "share" => options.hold_out = HoldOut::Share(value.parse()?),
            "seed" => options.seed = value.parse()?,
            "epochs" => options.epochs = value.parse()?,
            "far" => options.false_alarm_rate = value.parse()?,
            "reference" => options.spec = FeatureSpec::reference_method(),
            "raw" => options.standardise = false,
            "outer" => outer = true,
            _ => return Err(format!("unknown option {argument}").into()),
        }
    }
    let mut extractor = ChunkExtractor::new(options.spec.clone())?;
    let mut read = |directory: PathBuf| read_clips(&mut extractor, &directory);

    let mut clips: Vec<TrainingClip> = Vec::new();
    for (name, log_mel) in read(directory.join("train/normal"))? {
        let channels = log_mel.outer_iter().map(|channel| channel.to_owned()).collect::<Vec<Array2<f32>>>();
        clips.push(TrainingClip { name, channels });
    }
    // What nobody but the threshold's judge may see: every third clip.
    let mut kept_apart = Vec::new();
    if outer {
        let (apart, rest): (Vec<_>, Vec<_>) = clips.into_iter().enumerate().partition(|(index, _)| index % 3 == 0);
        kept_apart = apart.into_iter().map(|(_, clip)| clip).collect();
        clips = rest.into_iter().map(|(_, clip)| clip).collect();
    }

    let start = Instant::now();
    let package = train(&clips, &options, &mut |event| {
        if let TrainingEvent::Epoch { phase: Phase::Model, epoch, train_loss_db2, validation_loss_db2, .. } = event
            && epoch % 10 == 0
        {
            println!("epoch {epoch}: train {train_loss_db2:.3} validation {validation_loss_db2:.3} dB²");
        }
        ControlFlow::Continue(())
    })?;
    let calibration = &package.manifest().calibration;
    println!(
        "{} clips, {:.1} s of training; best epoch {}",
        clips.len(),
        start.elapsed().as_secs_f64(),
        package.manifest().training.best_epoch
    );
    let scores = &calibration.scores;
    println!(
        "held out: {} scores, {:.2} .. {:.2} .. {:.2}, shape {:.1}",
        scores.len(),
        scores[0],
        scores[scores.len() / 2],
        scores[scores.len() - 1],
        calibration.gamma.shape
    );
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let moment = |power| scores.iter().map(|score| (score - mean).powi(power)).sum::<f64>() / scores.len() as f64;
    println!(
        "held out: skewness {:.2}, gamma's own {:.2}, threshold {:.3}, empirical {:.3}",
        moment(3) / moment(2).powf(1.5),
        2.0 / calibration.gamma.shape.sqrt(),
        calibration.threshold,
        calibration.empirical_threshold
    );

    let model = Model::load(&package, &Device::Cpu)?;
    if outer {
        let mut p_values = Vec::new();
        let mut apart_scores = Vec::new();
        for clip in &kept_apart {
            let channels: Vec<_> = clip.channels.iter().map(|channel| channel.view()).collect();
            let log_mel = ndarray::stack(ndarray::Axis(0), &channels)?;
            let judgement = judge(&model, &log_mel)?;
            p_values.push(judgement.p_value);
            apart_scores.push(judgement.score);
        }
        p_values.sort_by(f64::total_cmp);
        let below = |p: f64| p_values.iter().filter(|value| **value <= p).count();
        let apart_mean = apart_scores.iter().sum::<f64>() / apart_scores.len() as f64;
        println!(
            "kept apart: {} clips, mean score {apart_mean:.3} beside held-out {mean:.3}; p ≤ 0.5: {}, ≤ 0.1: {}, ≤ 0.01: {}, ≤ 0.001: {}; smallest {:.5}",
            p_values.len(),
            below(0.5),
            below(0.1),
            below(0.01),
            below(0.001),
            p_values[0]
        );
        return Ok(());
    }
    let score_all = |clips: Vec<(String, Array3<f32>)>| -> Outcome<Vec<f64>> {
        clips.iter().map(|(_, log_mel)| Ok(judge(&model, log_mel)?.score)).collect()
    };
    let normal = score_all(read(directory.join("test/normal"))?)?;
    let abnormal_clips = read(directory.join("test/abnormal"))?;
    for (name, log_mel) in abnormal_clips.iter().step_by((abnormal_clips.len() / 6).max(1)) {
        let judgement = judge(&model, log_mel)?;
        println!(
            "{name}: {:.2} p {:.2e} health {:.0} {:.0?}",
            judgement.score,
            judgement.p_value,
            judgement.health_index,
            judgement.bands.iter().map(|band| (band.hz_low, band.hz_high, band.share * 100.0)).collect::<Vec<_>>()
        );
    }
    let abnormal = score_all(abnormal_clips)?;
    println!("{}", serde_json::to_string_pretty(&evaluate(&normal, &abnormal, calibration.threshold))?);
    Ok(())
}

fn judge(model: &Model, log_mel: &Array3<f32>) -> Outcome<auscult_detection::Judgement> {
    let (channels, frames, mels) = log_mel.dim();
    let values = log_mel.as_slice().ok_or("not contiguous")?;
    Ok(model.judge(&[ClipView { channels, frames, mels, values }])?.remove(0))
}

fn read_clips(extractor: &mut ChunkExtractor, directory: &Path) -> Outcome<Vec<(String, Array3<f32>)>> {
    let mut clips = Vec::new();
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<Outcome<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            clips.extend(read_clips(extractor, &path)?);
            continue;
        }
        let name = path.display().to_string();
        let content_type = content_type_of(&name).ok_or("no sound file")?;
        let extraction = extractor.extract(content_type, &std::fs::read(&path)?)?;
        let shape = (extraction.channels, extraction.frames, extraction.mels);
        clips.push((name, Array3::from_shape_vec(shape, extraction.values)?));
    }
    Ok(clips)
}
