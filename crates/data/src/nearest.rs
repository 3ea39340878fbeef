//! The nearest names to a mistyped one.

/// Up to three of the names that a person may have meant, nearest first; empty when none is near.
///
/// Case does not matter. Near is: at most a third of the letters (at least one) wrong, missing,
/// added or exchanged with the neighbour, or one the beginning of the other (two letters at least).
#[must_use]
pub fn nearest<S: AsRef<str>>(name: &str, all: &[S]) -> Vec<String> {
    let wanted: Vec<char> = name.trim().to_lowercase().chars().collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut near: Vec<(usize, &str)> = all
        .iter()
        .filter_map(|candidate| {
            let candidate = candidate.as_ref();
            let letters: Vec<char> = candidate.to_lowercase().chars().collect();
            let allowed = (wanted.len().max(letters.len()) / 3).max(1);
            let distance = distance(&wanted, &letters);
            let begins = wanted.len().min(letters.len()) >= 2
                && (letters.starts_with(&wanted) || wanted.starts_with(&letters));
            if distance <= allowed && distance < wanted.len().max(letters.len()) {
                Some((distance, candidate))
            } else {
                begins.then_some((allowed + 1, candidate))
            }
        })
        .collect();
    near.sort();
    near.dedup();
    near.truncate(3);
    near.into_iter().map(|(_, c)| c.to_owned()).collect()
}

/// Optimal string alignment distance: insertions, deletions, replacements, neighbours exchanged.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_textbook_pairs() {
        let d = |a: &str, b: &str| {
            distance(
                &a.chars().collect::<Vec<_>>(),
                &b.chars().collect::<Vec<_>>(),
            )
        };
        assert_eq!(d("kitten", "sitting"), 3);
        assert_eq!(d("ca", "ac"), 1);
        assert_eq!(d("", "abc"), 3);
        assert_eq!(d("abc", ""), 3);
        assert_eq!(d("same", "same"), 0);
    }

    #[test]
    fn offers_what_was_meant() {
        let all = ["AAPL", "AAPL_ADJ", "FB", "GOOG", "IBM", "MSFT", "SPX"];
        assert_eq!(nearest("APPL", &all), ["AAPL"]);
        assert_eq!(nearest("msft", &all), ["MSFT"]);
        assert_eq!(nearest("GOOGL", &all), ["GOOG"]);
        assert_eq!(nearest("SP", &all), ["SPX"]);
        assert_eq!(nearest("TSLA", &all), Vec::<String>::new());
        assert_eq!(nearest("", &all), Vec::<String>::new());
    }
}
