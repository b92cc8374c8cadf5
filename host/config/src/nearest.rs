//! The known word nearest to one that is not known.

/// The nearest of `known`, when it is near enough to be what was meant.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let folded = word.to_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(folded.len()) / 2)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean …`, or all that is known when nothing is near.
pub(crate) fn hint<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(word, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("known: {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words() {
        let check = |word: &str, expected: Option<&str>| {
            let known = ["grant", "sha256", "settings", "on-error"];
            assert_eq!(nearest(word, known), expected, "{word}");
        };
        check("grants", Some("grant"));
        check("on_error", Some("on-error"));
        check("seting", Some("settings"));
        check("SHA256", Some("sha256"));
        check("frobnicate", None);
    }

    #[test]
    fn hints() {
        assert_eq!(
            hint("grnt", ["grant"]).as_deref(),
            Some("did you mean `grant`?")
        );
        assert_eq!(
            hint("xyz", ["grant", "name"]).as_deref(),
            Some("known: grant, name")
        );
        assert_eq!(hint("xyz", []), None);
    }
}
