//! Which channels of a clip a model listens to.

/// Whether a clip of so many channels has all that were chosen, `None` being all that it has.
///
/// # Errors
/// Which one it lacks, with what to do about it.
pub fn check_chosen(channels: usize, chosen: Option<&[usize]>) -> Result<(), String> {
    let lacking: Vec<String> =
        chosen.unwrap_or_default().iter().filter(|channel| **channel >= channels).map(usize::to_string).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let (has, are) = match channels {
        0 => ("no channel".to_owned(), String::new()),
        1 => ("one channel".to_owned(), " (0)".to_owned()),
        several => (format!("{several} channels"), format!(" (0-{})", several - 1)),
    };
    let which = if lacking.len() == 1 { "channel" } else { "channels" };
    Err(format!(
        "it has {has}{are} and lacks {which} {}, which --channels chose; record it with all that were chosen, or train again with others",
        lacking.join(", ")
    ))
}

/// Whether a channel is among those that were chosen.
#[must_use]
pub fn is_chosen(channel: usize, chosen: Option<&[usize]>) -> bool {
    chosen.is_none_or(|chosen| chosen.contains(&channel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_that_lacks_a_chosen_channel_is_refused_by_its_number() {
        assert_eq!(check_chosen(3, Some(&[0, 2])), Ok(()));
        assert_eq!(check_chosen(1, None), Ok(()));
        let refusal = check_chosen(2, Some(&[0, 2])).unwrap_err();
        assert!(refusal.contains("2 channels (0-1)") && refusal.contains("lacks channel 2,"), "{refusal}");
        assert!(check_chosen(1, Some(&[1, 3])).unwrap_err().contains("one channel (0) and lacks channels 1, 3,"));
    }
}
