//! The order in which topics are created and grown.

use auscult_schemas::topics::{ALL, CHUNKS, FEATURES, Topic};

/// All topics in the order of growing: outputs before inputs. A worker writes to the partition with the same number as
/// the one it reads, so that partition must exist first.
#[must_use]
pub fn results_first() -> Vec<Topic> {
    let mut topics = ALL.to_vec();
    topics.sort_by_key(|topic| match topic.name {
        CHUNKS => 2,
        FEATURES => 1,
        _ => 0,
    });
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_grown_before_the_one_that_its_records_come_from() {
        let names: Vec<&str> = results_first().iter().map(|topic| topic.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert_eq!(names[names.len() - 2..], [FEATURES, CHUNKS]);
    }
}
