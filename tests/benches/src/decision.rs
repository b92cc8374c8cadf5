//! What it costs to decide: a fresh instance of `rules` with ten rules, run on a mail and dropped,
//! beside one RSA-2048 signature.

use waxseal_smime::{DigestAlgorithm, SignatureScheme};

use crate::Effort;
use crate::gateway::{Gateway, NO_MATCH};
use crate::mail::{SMALL, mail};
use crate::page::Section;
use crate::paired::{Turn, paired, seconds};
use crate::people::{People, RSA};
use crate::table::{table, time, times};

/// Measures it.
pub fn section(people: &People, effort: Effort) -> Section {
    let gateway = Gateway::new(1, &[NO_MATCH; 10], "sign", RSA);
    let mail = mail(SMALL, 0);
    gateway.copy(&mail, &[]);
    let scheme = SignatureScheme::RsaPkcs1v15(DigestAlgorithm::Sha256);
    let attributes = [0x31; 106]; // As long as signed attributes are.
    let turns: Vec<Turn<'_>> = vec![
        Box::new(|| seconds(|| people.signer.key.sign(scheme, &attributes).unwrap())),
        Box::new(|| gateway.process(&mail).stages.filters.as_secs_f64()),
        Box::new(|| seconds(|| gateway.process(&mail))),
    ];
    let paired = paired(effort.of(500, 5_000), turns);
    let row = |what: &str, contestant, aim: &str| {
        vec![
            what.to_owned(),
            time(paired.median(contestant)),
            times(paired.ratio(contestant, 0)),
            aim.to_owned(),
        ]
    };
    let table = table(
        &["10 kB", "median", "of a signature", "aim"],
        &[
            row("RSA-2048 signature by the provider", 0, ""),
            row(
                "decision: fresh instance, ten rules, drop",
                1,
                "0.10, better 0.05",
            ),
            row("whole message that nothing is done to", 2, ""),
        ],
    );
    Section::new(
        "Decision",
        "One filter `rules` with ten rules, none of which matches, in a fresh instance for each mail.",
        table,
    )
}
