//! The S/MIME result as a value of the field Authentication-Results (RFC 8601,
//! RFC 7281).

use crate::inspect::{Kind, Layer, Layers, Signature, State};

/// The value of an Authentication-Results field that says what the signatures of
/// a message are worth: `mx.example.org; smime=pass body.smime-part=2 …`.
///
/// `authserv_id` is the operator's name for the mail system, the session property
/// `authserv-id`. There is one result, that of the worst signature, so that no
/// reader takes the better of two. Add the field on top, to each message that the
/// result is about; forged ones under this name were removed by the host.
///
/// ```
/// use waxseal_guest::{authentication_results, inspect::{Kind, Layer, Layers, State}};
///
/// let layers = Layers(vec![Layer::new(Kind::Signed, State::Revoked)]);
/// assert_eq!(
///     authentication_results("mx.example.org", &layers),
///     "mx.example.org; smime=fail (revoked)",
/// );
/// ```
pub fn authentication_results(authserv_id: &str, layers: &Layers) -> String {
    let authserv_id = value(authserv_id);
    let Some((index, layer)) = deciding(layers) else {
        let (result, why) = without_signature(layers);
        return format!("{authserv_id}; smime={}{why}", result.name());
    };
    let signature = deciding_signature(layer);
    let mut field = format!("{authserv_id}; smime={}", verdict(layer).name());
    field.push_str(&comment(layer));
    if let Some(part) = part(&layers[..=index]) {
        field.push_str(&format!(" body.smime-part={}", value(&part)));
    }
    field.push_str(&signature.map(signer).unwrap_or_default());
    field
}

/// RFC 7281 §3.1, the best first: of several signatures the worst counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    None,
    Pass,
    Policy,
    TempError,
    PermError,
    Neutral,
    Fail,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::None => "none",
            Verdict::Pass => "pass",
            Verdict::Policy => "policy",
            Verdict::TempError => "temperror",
            Verdict::PermError => "permerror",
            Verdict::Neutral => "neutral",
            Verdict::Fail => "fail",
        }
    }
}

/// The signed layer that is worth least; of two equal ones the inner, which is
/// the author's (RFC 2634 §1.1).
fn deciding(layers: &Layers) -> Option<(usize, &Layer)> {
    let signed = layers.iter().enumerate();
    let signed = signed.filter(|(_, layer)| layer.kind == Kind::Signed);
    signed.max_by_key(|(index, layer)| (verdict(layer), *index))
}

/// What a signed layer is worth.
fn verdict(layer: &Layer) -> Verdict {
    match layer.state {
        State::Valid if layer.is_signed_by_sender() => Verdict::Pass,
        State::Invalid | State::Revoked | State::Expired | State::NotYetValid => Verdict::Fail,
        State::Valid
        | State::Untrusted
        | State::Weak
        | State::WrongUsage
        | State::SignedInTheFuture
        | State::ConflictingSigners => Verdict::Policy,
        State::UnknownSigner => Verdict::PermError,
        State::RevocationUnknown => Verdict::TempError,
        _ => Verdict::Neutral,
    }
}

/// Nothing says that there is a signature. What is closed or unreadable may hold
/// one, and the result is then none of ours to give.
fn without_signature(layers: &Layers) -> (Verdict, String) {
    let unread = layers.iter().find(|layer| {
        let open = matches!(
            layer.state,
            State::Present | State::Expanded | State::Decrypted | State::DecryptedUnauthenticated
        );
        !open
    });
    match unread {
        Some(layer) => (Verdict::Neutral, comment(layer)),
        None => (Verdict::None, String::new()),
    }
}

/// The state in words; the contract's names are words with hyphens.
fn comment(layer: &Layer) -> String {
    let name = match layer.state {
        State::Valid if layer.is_signed_by_sender() => return String::new(),
        State::Valid => "signer is not the sender",
        ref state => state.name(),
    };
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | ' ');
    let name: String = name.chars().filter(plain).collect();
    format!(" ({name})")
}

/// The signature that makes its layer what it is.
fn deciding_signature(layer: &Layer) -> Option<&Signature> {
    let all = layer.signatures.iter();
    all.max_by_key(|one| (&one.state, !one.matches_from))
}

/// RFC 7281 §3.2.2, §3.2.3: the signer's address, serial number and issuer.
fn signer(signature: &Signature) -> String {
    let Some(signer) = &signature.signer else {
        return String::new();
    };
    let address = signer.addresses.iter().find(|address| is_mailbox(address));
    let mut properties = address
        .map(|address| format!(" body.smime-identifier={address}"))
        .unwrap_or_default();
    if !signer.serial.is_empty() && !signer.issuer.is_empty() {
        // Either both or neither.
        properties.push_str(&format!(
            " body.smime-serial={} body.smime-issuer={}",
            value(&signer.serial),
            value(&ascii(&signer.issuer))
        ));
    }
    properties
}

/// An address that may stand as it is (RFC 8601 §2.2): an ASCII dot-atom at an
/// ASCII domain. A stranger's certificate can hold anything.
fn is_mailbox(address: &str) -> bool {
    let atom =
        |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&octet);
    let label = |octet: u8| octet.is_ascii_alphanumeric() || b"-.".contains(&octet);
    let Some((local, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let dotted = |text: &str| text.split('.').all(|word| !word.is_empty());
    dotted(local) && dotted(domain) && local.bytes().all(atom) && domain.bytes().all(label)
}

/// A distinguished name in ASCII: other characters as RFC 4514 §2.4 escapes their
/// octets.
fn ascii(name: &str) -> String {
    let mut out = String::new();
    for octet in name.bytes() {
        match octet {
            b' '..=b'~' => out.push(octet.into()),
            _ => out.push_str(&format!("\\{octet:02X}")),
        }
    }
    out
}

/// A token or a quoted string (RFC 2045 §5.1).
fn value(text: &str) -> String {
    let is_token = |octet: u8| octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet);
    if !text.is_empty() && text.bytes().all(is_token) {
        return text.to_owned();
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// RFC 7281 §3.2.1: where the signature of the last of these layers stands. Parts
/// of one entity are numbered as in RFC 3501 §6.4.5; what is inside of a CMS object
/// is another entity.
fn part(layers: &[Layer]) -> Option<String> {
    let (last, around) = layers.split_last()?;
    let mut above = String::new();
    let mut section = String::new();
    for layer in around {
        match layer.form.as_str() {
            "" => return None,
            // The first part is what is signed, the second the signature (RFC 1847 §2.1).
            "multipart-signed" => section.push_str("1."),
            _ => {
                above.push_str(&here(&section));
                above.push('/');
                section.clear();
            }
        }
    }
    match last.form.as_str() {
        "" => None,
        "multipart-signed" => Some(format!("{above}{section}2")),
        _ => Some(above + &here(&section)),
    }
}

/// The entity that a section leads to; the only part of a message is its first.
fn here(section: &str) -> String {
    match section.strip_suffix('.') {
        Some(section) => section.to_owned(),
        None => "1".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Signer;

    fn signed(state: &str, form: &str) -> Layer {
        Layer {
            form: form.to_owned(),
            signatures: vec![Signature {
                state: State::from(state.to_owned()),
                matches_from: true,
                ..Signature::default()
            }],
            ..Layer::new(Kind::Signed, State::from(state.to_owned()))
        }
    }

    fn encrypted(state: &str) -> Layer {
        Layer {
            form: "enveloped-data".to_owned(),
            ..Layer::new(Kind::Encrypted, State::from(state.to_owned()))
        }
    }

    #[track_caller]
    fn check(layers: &[Layer], expected: &str) {
        let field = authentication_results("mx.example.org", &Layers(layers.to_vec()));
        assert_eq!(field, format!("mx.example.org; smime={expected}"));
    }

    #[test]
    fn states_become_results() {
        for (state, expected) in [
            ("valid", "pass"),
            ("invalid", "fail (invalid)"),
            ("revoked", "fail (revoked)"),
            ("expired", "fail (expired)"),
            ("not-yet-valid", "fail (not-yet-valid)"),
            ("untrusted", "policy (untrusted)"),
            ("weak", "policy (weak)"),
            ("wrong-usage", "policy (wrong-usage)"),
            ("signed-in-the-future", "policy (signed-in-the-future)"),
            ("conflicting-signers", "policy (conflicting-signers)"),
            ("unknown-signer", "permerror (unknown-signer)"),
            ("revocation-unknown", "temperror (revocation-unknown)"),
            ("malformed", "neutral (malformed)"),
            ("unsupported", "neutral (unsupported)"),
            ("not-root", "neutral (not-root)"),
            ("missing-attribute", "neutral (missing-attribute)"),
            ("ambiguous-content", "neutral (ambiguous-content)"),
            ("new) (state\r\n", "neutral (new state)"),
        ] {
            check(&[signed(state, "")], expected);
        }
    }

    #[test]
    fn another_signer_than_the_sender_is_no_pass() {
        let mut layer = signed("valid", "");
        layer.signatures[0].matches_from = false;
        check(&[layer], "policy (signer is not the sender)");
        check(
            &[Layer::new(Kind::Signed, State::Valid)],
            "policy (signer is not the sender)",
        );
    }

    #[test]
    fn without_a_signature() {
        check(&[], "none");
        check(&[encrypted("decrypted")], "none");
        check(&[encrypted("decrypted-unauthenticated")], "none");
        check(&[encrypted("no-key")], "neutral (no-key)");
        check(
            &[encrypted("decrypted"), encrypted("closed")],
            "neutral (closed)",
        );
        check(
            &[Layer::new(Kind::Malformed, State::Malformed)],
            "neutral (malformed)",
        );
    }

    #[test]
    fn the_worst_of_several_signatures_counts() {
        let (good, bad) = ("multipart-signed", "signed-data");
        check(
            &[
                signed("valid", good),
                encrypted("decrypted"),
                signed("invalid", bad),
            ],
            "fail (invalid) body.smime-part=\"1/1\"",
        );
        check(
            &[
                signed("untrusted", good),
                encrypted("decrypted"),
                signed("valid", good),
            ],
            "policy (untrusted) body.smime-part=2",
        );
        check(
            &[
                signed("valid", good),
                encrypted("decrypted"),
                signed("valid", good),
            ],
            "pass body.smime-part=\"1/2\"",
        );
    }

    #[test]
    fn the_part_is_found_by_the_forms() {
        check(
            &[signed("valid", "multipart-signed")],
            "pass body.smime-part=2",
        );
        check(&[signed("valid", "signed-data")], "pass body.smime-part=1");
        check(
            &[encrypted("decrypted"), signed("valid", "multipart-signed")],
            "pass body.smime-part=\"1/2\"",
        );
        check(
            &[
                signed("valid", "signed-data"),
                encrypted("decrypted"),
                signed("valid", "signed-data"),
            ],
            "pass body.smime-part=\"1/1/1\"",
        );
        check(
            &[
                signed("valid", "multipart-signed"),
                signed("valid", "multipart-signed"),
            ],
            "pass body.smime-part=1.2",
        );
        check(
            &[
                signed("valid", "multipart-signed"),
                signed("valid", "multipart-signed"),
                encrypted("decrypted"),
                signed("valid", "signed-data"),
            ],
            "pass body.smime-part=\"1.1/1\"",
        );
    }

    #[track_caller]
    fn check_signer(signer: Signer, expected: &str) {
        let mut layer = signed("valid", "");
        layer.signatures[0].signer = Some(signer);
        check(&[layer], &format!("pass{expected}"));
    }

    #[test]
    fn the_signer_is_named() {
        let signer = |addresses: &[&str], serial: &str, issuer: &str| Signer {
            addresses: addresses.iter().map(|&text| text.to_owned()).collect(),
            serial: serial.to_owned(),
            issuer: issuer.to_owned(),
            ..Signer::default()
        };
        check_signer(
            signer(&["anna@example.org"], "0a1b", "CN=CA 1,O=Größe \\\"x\\\""),
            " body.smime-identifier=anna@example.org body.smime-serial=0a1b \
             body.smime-issuer=\"CN=CA 1,O=Gr\\\\C3\\\\B6\\\\C3\\\\9Fe \\\\\\\"x\\\\\\\"\"",
        );
        check_signer(
            signer(
                &[
                    "\"a; smime=pass\"@b.example",
                    "größe@b.example",
                    "c@b.example",
                ],
                "",
                "CN=x",
            ),
            " body.smime-identifier=c@b.example",
        );
        check_signer(
            signer(&["a@b;smime=pass", "a @b", "a@", "@b", "a..b@c"], "", ""),
            "",
        );
    }

    #[test]
    fn an_odd_name_of_the_system_is_quoted() {
        let field = authentication_results("mail system", &Layers::default());
        assert_eq!(field, "\"mail system\"; smime=none");
    }
}
