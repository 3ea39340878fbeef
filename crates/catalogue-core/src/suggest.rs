//! The nearest names for one that does not exist.

/// Edits that turn one word into the other: insertions, deletions, substitutions, and swaps of
/// neighbours (optimal string alignment distance; Damerau, 1964).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            row[j] = (last[j] + 1)
                .min(row[j - 1] + 1)
                .min(last[j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// Up to three names nearest to `word`, nearest first: those within a third of its length in edits,
/// or that hold it, or that it holds.
#[must_use]
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let word = word.trim().to_lowercase().replace(['-', ' '], "_");
    if word.is_empty() {
        return Vec::new();
    }
    let within = (word.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let edits = distance(&word, &lower);
            let holds = word.len() > 2 && (lower.contains(&word) || word.contains(&lower));
            (edits <= within || holds).then_some((edits, name))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
        .into_iter()
        .take(3)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// `; did you mean a or b?`, or nothing.
pub(crate) fn did_you_mean(names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", names.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_by_hand() {
        // kitten -> sitten -> sittin -> sitting
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("rdige", "ridge"), 1);
    }

    #[test]
    fn typos_parts_and_case_are_found() {
        let names = ["ridge", "random_forest", "random_forest_50", "lasso", "rsi"];
        assert_eq!(nearest("rigde", names), ["ridge"]);
        assert_eq!(
            nearest("forest", names),
            ["random_forest", "random_forest_50"]
        );
        assert_eq!(nearest("Random-Forest", names)[0], "random_forest");
        assert!(nearest("zzzzzz", names).is_empty());
        assert!(nearest("", names).is_empty());
    }
}
