//! What an operator may write. Parsing is checking: what parses is meaningful,
//! and a mistake has a path because it is found where it stands.
//!
//! The doc comments of this file are the descriptions in `schema.json`.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Deserializer, de};
use waxseal_guest::{
    Reply,
    pattern::{AddressPattern, Pattern},
    profiles::Timing,
    settings,
};

/// Settings of the stock filter `rules`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Rules {
    /// Looked at from the top; all that match act, until one gives a verdict.
    pub(crate) rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Rule {
    /// Shown by `explain` and in logs; by default the rule's place.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Which recipients of which messages. By default all of all.
    #[serde(default)]
    pub(crate) when: Condition,
    /// What is done.
    pub(crate) then: Actions,
}

/// All of the keys that are given must hold. Where a value may be a list, one of
/// its entries must hold.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Condition {
    /// Which way the message goes, by the operator's `[origin]` settings.
    pub(crate) direction: Option<AnyOf<Direction>>,
    /// The envelope sender.
    pub(crate) sender: Option<AnyOf<Whom>>,
    /// An address of the From field. A sender can write there what she likes.
    pub(crate) from: Option<AnyOf<Whom>>,
    /// The recipients for whom this rule is.
    pub(crate) recipient: Option<AnyOf<Whom>>,
    /// A header field.
    pub(crate) header: Option<AnyOf<Named>>,
    /// The Subject field, decoded.
    pub(crate) subject: Option<AnyOf<Text>>,
    /// Octets of the message.
    pub(crate) size: Option<Size>,
    /// One attachment for which all given keys hold; `{}` is any attachment.
    pub(crate) attachment: Option<AnyOf<Attachment>>,
    /// Words that stand in a text part, in any case. No patterns.
    pub(crate) text: Option<AnyOf<Line>>,
    /// A dictionary of the operator's of which a term stands in some part.
    pub(crate) dictionary: Option<AnyOf<Line>>,
    /// One S/MIME layer for which all given keys hold.
    pub(crate) smime: Option<AnyOf<Smime>>,
    /// Whom the client authenticated as; `*` is anybody who did.
    pub(crate) auth_user: Option<AnyOf<Text>>,
    /// The client's address: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1`.
    pub(crate) client_ip: Option<AnyOf<Network>>,
    /// The client's verified host name.
    pub(crate) client_name: Option<AnyOf<Text>>,
    /// What the client called itself.
    pub(crate) helo: Option<AnyOf<Text>>,
    /// The TLS version of the session, `TLSv1.3`; `*` is any TLS.
    pub(crate) tls: Option<AnyOf<Text>>,
    /// A fact of the MTA, such as a milter macro.
    pub(crate) property: Option<AnyOf<Named>>,
    /// A note that an earlier filter, or an earlier rule, left.
    pub(crate) note: Option<AnyOf<Named>>,
    /// A result that the MTA vouches for: method `spf`, `dkim`, `dmarc`; result
    /// `pass`, `fail`.
    pub(crate) auth_result: Option<AnyOf<AuthResult>>,
    /// Every one of these conditions.
    pub(crate) all: Option<AnyOf<Condition>>,
    /// At least one of these conditions.
    pub(crate) any: Option<AnyOf<Condition>>,
    /// The recipients for whom this condition does not hold.
    pub(crate) not: Option<Box<Condition>>,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    /// From us to others.
    Outbound,
    /// From others to us.
    Inbound,
    /// From us to us.
    Internal,
}

/// Something that has a name, and its value.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Named {
    /// Its name.
    pub(crate) name: Line,
    /// Its value; by default any, so that it is enough to be there.
    #[serde(default)]
    pub(crate) value: Option<AnyOf<Text>>,
}

/// Bounds, both included.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Size {
    /// At least so many octets.
    pub(crate) min: Option<u32>,
    /// At most so many octets.
    pub(crate) max: Option<u32>,
}

/// An attachment.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Attachment {
    /// The file name.
    pub(crate) name: Option<AnyOf<Text>>,
    /// The media type as the sender declares it: `application/pdf`, `image/*`.
    #[serde(rename = "type")]
    pub(crate) media_type: Option<AnyOf<Text>>,
}

/// An S/MIME layer of the message, with those that an earlier filter took off.
/// What is asked of a signer, one signature of the layer must fulfil alone.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Smime {
    /// `signed`, `encrypted`, `compressed`, `certificates`, `digested`, `malformed`;
    /// `none` is a message without any layer.
    pub(crate) kind: Option<AnyOf<Text>>,
    /// Of a signature `valid`, `invalid`, `untrusted`, `expired`, `not-yet-valid`,
    /// `revoked`, `revocation-unknown`, `unknown-signer`, `wrong-usage`, `weak`,
    /// `signed-in-the-future`, `conflicting-signers`, `ambiguous-content`,
    /// `missing-attribute`, `duplicate-attribute`, `not-root`; of an envelope `closed`,
    /// `decrypted`, `decrypted-unauthenticated`, `no-key`, `damaged`, `suspicious`,
    /// `weak`; of either `malformed`, `unsupported`. Before anything was decrypted, an
    /// envelope is `closed`.
    pub(crate) state: Option<AnyOf<Text>>,
    /// How it is made: `multipart-signed`, `signed-data`, `enveloped-data`,
    /// `auth-enveloped-data`.
    pub(crate) form: Option<AnyOf<Text>>,
    /// What of it is for reading only, allowed or not: `sha-1`, `rsa-1024`; `*` is
    /// anything weak.
    pub(crate) weak: Option<AnyOf<Text>>,
    /// An address in the signer's certificate.
    pub(crate) signer: Option<AnyOf<Whom>>,
    /// The issuer of the signer's certificate, as RFC 4514 writes it: `CN=*,O=Example`.
    pub(crate) issuer: Option<AnyOf<Text>>,
    /// SHA-256 of the signer's certificate, in hexadecimal digits.
    pub(crate) fingerprint: Option<AnyOf<Fingerprint>>,
    /// Whether the message comes from the signer.
    pub(crate) from: Option<AnyOf<SignerIs>>,
}

/// Whether From (or Sender) is an address of the signer's certificate (RFC 8550 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SignerIs {
    /// It is.
    Matches,
    /// It is not, or the certificate is not known.
    Differs,
}

/// A result of SPF, DKIM, DMARC and the like.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AuthResult {
    /// The method.
    pub(crate) method: Text,
    /// Its result.
    pub(crate) result: AnyOf<Text>,
}

/// What a rule does, in this order.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Actions {
    /// Values by key, for later rules and filters of this message.
    pub(crate) note: BTreeMap<String, String>,
    /// Opens the envelope for those whose keys do; the others get it as it came.
    #[cfg(feature = "open")]
    pub(crate) decrypt: Option<Decrypt>,
    /// Keeps the certificates of the signers, by the operator's rules.
    #[cfg(feature = "open")]
    pub(crate) harvest: Option<Harvest>,
    /// Takes off the signature that is outermost by then.
    pub(crate) remove_signature: Option<RemoveSignature>,
    /// Edits of the message of all recipients, but for those whom `route` gave a
    /// copy of their own.
    pub(crate) headers: Option<Edits>,
    /// Gives the matching recipients a copy of their own, with these edits.
    pub(crate) route: Option<Edits>,
    /// No copy leaves in clear for these, whatever later filters do.
    pub(crate) require_encryption: Option<To>,
    /// Protects by a sending profile.
    pub(crate) apply: Option<Apply>,
    /// Refuses the matching recipients; the others get the message.
    pub(crate) refuse: Option<Refusal<5>>,
    /// Ends the rules with a verdict for the whole message.
    pub(crate) verdict: Option<Verdict>,
}

/// Whether the certificates of signers are kept.
#[cfg(feature = "open")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Harvest {
    /// They are, as far as there is a store and the operator's rules keep them.
    Signers,
}

/// Which envelopes are opened.
#[cfg(feature = "open")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Decrypt {
    /// All that there is a key for. One that cannot be opened stays as it is, and
    /// its state says why from then on.
    WhenPossible,
}

/// Which signature is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RemoveSignature {
    /// The outermost; nothing happens where the outermost layer is none.
    Outermost,
}

/// Edits of header fields, in this order. Content-* and MIME-Version cannot be
/// edited.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Edits {
    /// Names of fields that go, every one of that name.
    pub(crate) remove: Vec<FieldName>,
    /// Values by name: all fields of that name become this one.
    pub(crate) replace: BTreeMap<FieldName, Line>,
    /// Values by name, added on top of the header.
    pub(crate) add: BTreeMap<FieldName, Line>,
}

/// For whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum To {
    /// The recipients whom `when` picks.
    #[default]
    Matching,
    /// Everybody, recipients that later filters add too.
    All,
}

/// Protection by a sending profile.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Apply {
    /// The profile's name.
    pub(crate) profile: String,
    /// When it is carried out.
    #[serde(default)]
    pub(crate) timing: Moment,
    /// For whom it is.
    #[serde(default)]
    pub(crate) to: To,
}

/// When a profile is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Moment {
    /// The message is protected as it stands; later edits are outside.
    Now,
    /// Later filters see and may change the plain message; what leaves is
    /// protected.
    #[default]
    OnDelivery,
}

impl From<Moment> for Timing {
    fn from(moment: Moment) -> Self {
        match moment {
            Moment::Now => Timing::Now,
            Moment::OnDelivery => Timing::OnDelivery,
        }
    }
}

/// A verdict for the whole message.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// No further rule; on to the next filter.
    Proceed,
    /// Deliver as planned, without the remaining filters. Grant: `accept`.
    Accept,
    /// Deliver to nobody and say nothing. Grant: `discard`.
    Discard,
    /// Keep for a person to look at; the text says why. Grant: `quarantine`.
    Quarantine(String),
    /// Refuse for good.
    Reject(Refusal<5>),
    /// Ask the sender to try again.
    Defer(Refusal<4>),
}

/// The SMTP reply to a refusal.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Refusal<const CLASS: u16> {
    /// One line for the sender.
    pub(crate) text: Line,
    /// The reply code.
    #[serde(default)]
    pub(crate) code: Code<CLASS>,
    /// The enhanced status code (RFC 3463).
    #[serde(default)]
    pub(crate) enhanced: Enhanced<CLASS>,
}

impl<const CLASS: u16> Refusal<CLASS> {
    pub(crate) fn reply(&self) -> Reply {
        Reply::new(self.code.0, &self.enhanced.0, &self.text.0)
    }
}

/// One entry or a list of them; not an empty list, which would never match.
#[derive(Debug)]
pub(crate) struct AnyOf<T>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AnyOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        settings::one_or_many(deserializer).map(AnyOf)
    }
}

/// Text in which `*` stands for any run of characters (`\*` is a star). The
/// whole is compared, without regard to case.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text(pub(crate) Pattern);

/// Whose address: a domain (`example.org`, `.example.org` with those below it,
/// `*.example.org` only those below), an address with `*` for any run of
/// characters, `<>` for the null sender, or `list:NAME` for a list of the
/// operator's.
#[derive(Debug)]
pub(crate) enum Whom {
    Address(AddressPattern),
    List(String),
}

/// A network or a single address.
#[derive(Debug)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

/// SHA-256 of a certificate; 64 digits, lower case, without colons.
#[derive(Debug)]
pub(crate) struct Fingerprint(pub(crate) String);

/// Text without control characters.
#[derive(Debug)]
pub(crate) struct Line(pub(crate) String);

/// The name of a header field that may be edited.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FieldName(pub(crate) String);

/// A reply code of one class.
#[derive(Debug)]
pub(crate) struct Code<const CLASS: u16>(u16);

/// An enhanced status code of one class.
#[derive(Debug)]
pub(crate) struct Enhanced<const CLASS: u16>(String);

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        (bits <= all).then_some(Network { address, bits })
    }

    /// Is the address in it? IPv4 in IPv6 form counts as IPv4.
    pub(crate) fn holds(&self, address: &str) -> bool {
        match (
            self.address,
            address.parse().map(|ip: IpAddr| ip.to_canonical()),
        ) {
            (IpAddr::V4(net), Ok(IpAddr::V4(ip))) => {
                let differs = u32::from(net) ^ u32::from(ip);
                differs.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(net), Ok(IpAddr::V6(ip))) => {
                let differs = u128::from(net) ^ u128::from(ip);
                differs.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Network::parse(&text)
            .ok_or_else(|| de::Error::custom(format!("not an address or a network: {text}")))
    }
}

impl<'de> Deserialize<'de> for Whom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix("list:") {
            Some(list) => Ok(Whom::List(list.to_owned())),
            None => AddressPattern::parse(&text)
                .map(Whom::Address)
                .map_err(de::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.replace(':', "").to_ascii_lowercase();
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            let message = format!("not 64 hexadecimal digits: {text}");
            return Err(de::Error::custom(message));
        }
        Ok(Fingerprint(digits))
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.chars().any(char::is_control) {
            return Err(de::Error::custom(
                "control characters, such as a line end, cannot stand here",
            ));
        }
        Ok(Line(text))
    }
}

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        // RFC 5322 §3.6.8: printable ASCII but for the colon.
        if name.is_empty()
            || !name
                .bytes()
                .all(|octet| octet.is_ascii_graphic() && octet != b':')
        {
            return Err(de::Error::custom(format!(
                "not the name of a header field: {name}"
            )));
        }
        let lower = name.to_ascii_lowercase();
        if lower == "mime-version" || lower.starts_with("content-") {
            let message = format!("belongs to the content and cannot be edited: {name}");
            return Err(de::Error::custom(message));
        }
        Ok(FieldName(name))
    }
}

impl<const CLASS: u16> Default for Code<CLASS> {
    fn default() -> Self {
        Code(if CLASS == 4 { 451 } else { 550 })
    }
}

impl<'de, const CLASS: u16> Deserialize<'de> for Code<CLASS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u16::deserialize(deserializer)? {
            code if code / 100 == CLASS => Ok(Code(code)),
            code => Err(de::Error::custom(format!(
                "must be {CLASS}00 to {CLASS}99: {code}"
            ))),
        }
    }
}

impl<const CLASS: u16> Default for Enhanced<CLASS> {
    fn default() -> Self {
        // RFC 3463 §3.8: delivery not authorised.
        Enhanced(format!("{CLASS}.7.1"))
    }
}

impl<'de, const CLASS: u16> Deserialize<'de> for Enhanced<CLASS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // RFC 3463 §2: class "." subject "." detail, each of up to three digits.
        let numbers: Vec<Option<u16>> = text.split('.').map(|n| n.parse().ok()).collect();
        match numbers.as_slice() {
            [Some(class), Some(0..=999), Some(0..=999)] if *class == CLASS => Ok(Enhanced(text)),
            _ => Err(de::Error::custom(format!(
                "must be of the form {CLASS}.7.1: {text}"
            ))),
        }
    }
}

impl Rules {
    /// The lists that the rules name, with the path of each.
    pub(crate) fn lists(&self) -> Vec<(String, &str)> {
        let mut lists = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            rule.when.lists(&format!("rules[{index}].when"), &mut lists);
        }
        lists
    }
}

impl Condition {
    fn lists<'a>(&'a self, path: &str, lists: &mut Vec<(String, &'a str)>) {
        let keys = [
            ("sender", &self.sender),
            ("from", &self.from),
            ("recipient", &self.recipient),
        ];
        for (key, whom) in keys {
            lists_in(whom, &format!("{path}.{key}"), lists);
        }
        for (index, smime) in self.smime.iter().flat_map(|any| any.0.iter().enumerate()) {
            lists_in(
                &smime.signer,
                &format!("{path}.smime[{index}].signer"),
                lists,
            );
        }
        for (key, conditions) in [("all", &self.all), ("any", &self.any)] {
            for (index, condition) in conditions.iter().flat_map(|any| any.0.iter().enumerate()) {
                condition.lists(&format!("{path}.{key}[{index}]"), lists);
            }
        }
        if let Some(condition) = &self.not {
            condition.lists(&format!("{path}.not"), lists);
        }
    }
}

fn lists_in<'a>(whom: &'a Option<AnyOf<Whom>>, path: &str, lists: &mut Vec<(String, &'a str)>) {
    for (index, whom) in whom.iter().flat_map(|any| any.0.iter().enumerate()) {
        if let Whom::List(name) = whom {
            lists.push((format!("{path}[{index}]"), name));
        }
    }
}
