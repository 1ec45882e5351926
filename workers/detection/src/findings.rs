//! What each quality flag means for whoever records, and what to do about it: one list for `train`, `explore` and
//! `score`.

use auscult_schemas::QualityFlag;

/// What is wrong and what helps, in one line: `clipped: cut off …; turn the gain down …`. Lower case, no full stop.
#[must_use]
pub fn finding(flag: QualityFlag) -> &'static str {
    match flag {
        QualityFlag::Silent => {
            "silent: constant, or only a few of the format's own steps; check supply, cable and gain, or record with more bits"
        }
        QualityFlag::Clipped => {
            "clipped: cut off at one extreme value again and again; turn the gain down, or take a larger measuring range"
        }
        QualityFlag::DcOffset => {
            "the mean outweighs the signal; nothing to do where it is the measurement, else set remove_mean in the feature spec or \
             check the recorder's coupling"
        }
        QualityFlag::Resampled => "resampled to the feature spec's rate; record at that rate where it can be chosen",
        QualityFlag::Short => "shorter than one vector of frames, padded with zeros; record longer clips",
        QualityFlag::Stuck => "stuck: one value is held for half of it or longer; restart the converter or its driver",
        QualityFlag::DroppedOut => {
            "broken by gaps in which one value is held; check plugs, the recorder's buffers and the network"
        }
        QualityFlag::WrongRate => {
            "nothing above a sharp edge below the top of the mel bands, or values that are repeated: recorded at a lower rate than it \
             says; record at the full rate, or lower f_max_hz or the rate of the feature spec"
        }
        QualityFlag::MainsHum => {
            "hardly anything but 50 or 60 Hz and its multiples: check shield and ground, unless the machine itself hums or turns at \
             the mains' frequency"
        }
        QualityFlag::Processed => {
            "processed between sensor and file: silence that was put in by a noise gate or noise suppression; switch it off in the \
             recorder, the driver or the sound server"
        }
        QualityFlag::Joins => {
            "joined where samples were lost: the signal jumps; give the recorder larger buffers and a faster disk or network"
        }
        QualityFlag::StartTransient => {
            "begins with a transient of the recorder that decays; let the recorder settle, and cut off the beginning"
        }
        QualityFlag::Incomplete => {
            "incomplete: bytes were lost on the way, the rest is judged; check the recorder, its disk and the network"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_a_finding_of_its_own_with_a_remedy() {
        let mut findings: Vec<&str> = QualityFlag::ALL.into_iter().map(finding).collect();
        assert!(
            findings.iter().all(|finding| (finding.contains(';') || finding.contains(": ")) && !finding.ends_with('.'))
        );
        findings.sort_unstable();
        findings.dedup();
        assert_eq!(findings.len(), QualityFlag::ALL.len());
    }
}
