//! The layers of a message for people: one line each, then the verdict.

use waxseal_smime::open::{Layer, Opened, SignerRule};

use crate::table::aligned;

/// The whole report.
pub(crate) fn text(opened: &Opened, rule: SignerRule) -> String {
    let rows: Vec<Vec<String>> = opened.layers.iter().map(row).collect();
    format!(
        "{}verdict: {}\n",
        aligned(&rows),
        opened.verdict(rule).name()
    )
}

fn row(layer: &Layer) -> Vec<String> {
    let problem = layer.problem.as_ref();
    vec![
        layer.kind.form().to_owned(),
        layer.state.to_string(),
        problem
            .map(|problem| problem.message.clone())
            .unwrap_or_default(),
    ]
}
