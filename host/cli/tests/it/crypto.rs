//! Who computes: the default, and what `WAXSEAL_PROVIDER` names.

use crate::{AT, Place, shown};
use std::process::Output;

const MAIL: &str = "From: a@example.org\r\nSubject: x\r\n\r\nhello\r\n";

fn with(place: &Place, provider: &str, arguments: &str) -> Output {
    let mut command = place.command();
    command.args(arguments.split(' '));
    command.env("WAXSEAL_PROVIDER", provider);
    command.output().unwrap()
}

#[test]
fn the_environment_names_the_default_provider() {
    let place = Place::new();
    place.write("mail.eml", MAIL);
    let generate = format!("cert generate --address a@example.org --key ec-p256 --at {AT}");
    assert!(place.run(&generate).status.success());
    let sign = format!(
        "sign --opaque --identity a@example.org.pem --key a@example.org.key.pem --at {AT} mail.eml"
    );
    for (provider, expected) in [("", false), ("aws-lc", false), ("rustcrypto", true)] {
        let signed = || {
            let output = with(&place, provider, &sign);
            assert!(output.status.success(), "{}", shown(&output));
            output.stdout
        };
        // The crate `p256` signs the same way each time (RFC 6979), AWS-LC does not.
        assert_eq!(signed() == signed(), expected, "{provider}");
    }
}

#[test]
fn an_unknown_provider_is_named_with_the_known() {
    insta::assert_snapshot!(shown(&with(&Place::new(), "openssl", "cert list .")));
}
