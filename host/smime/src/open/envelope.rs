//! Decrypts EnvelopedData, AuthEnvelopedData and EncryptedData (RFC 5652 §6, §8; RFC 5083).
//!
//! What can be said without a key is said first: structure, algorithms, who is a recipient. From
//! there on every failure is one (rule 8; RFC 3218, RFC 3370 §4.2.1, RFC 8551 §6): a content key
//! that does not come out of its RecipientInfo is replaced by a random one, the content is
//! decrypted with that all the same, and thrown away. So a wrong transport, agreement, wrap,
//! password, padding or tag are the same state, the same problem and the same work.
//!
//! Every RecipientInfo that names a key of ours is tried, [`MAX_ATTEMPTS`] at most. PKCS #1 v1.5
//! gives a key whatever the ciphertext holds (implicit rejection), and one wrong key in 256
//! passes the unpadding of CBC. That is no oracle: the sender of a forged RSA ciphertext knows
//! the random key no better than the wrong one. But the result is garbage, so what is neither a
//! MIME entity nor text is taken only when no other attempt gives something better; and where a
//! mail was encrypted, the walk makes it the same failure as all others, so that the one in 256
//! is not told apart.
//!
//! Nothing is given out before the end of the content is authenticated or unpadded.

mod attempt;
mod plan;

use super::suspicious::is_garbage;
use super::{Layer, LayerKind, Opening, Problem, State};
use crate::asn1::{Element, Malformed, tag, tlv};
use crate::enveloped_data::{
    ContentAlgorithm, EncryptedContent, EncryptedData, Envelope, Unreadable,
};
use attempt::Attempt;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911;
use plan::Plan;
use zeroize::{Zeroize, Zeroizing};

/// A content is decrypted this often at most.
const MAX_ATTEMPTS: usize = 8;

/// Why a layer stays closed.
struct Refusal {
    state: State,
    problem: Option<Problem>,
}

impl Refusal {
    fn new(state: State, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            state,
            problem: Some(Problem { code, message }),
        }
    }
}

impl From<Unreadable> for Refusal {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Unsupported => Self::new(
                State::Unsupported,
                "decrypt.unsupported",
                "it is encrypted in a way that is not supported here",
            ),
            Unreadable::Malformed => malformed(),
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        malformed()
    }
}

fn malformed() -> Refusal {
    Refusal::new(
        State::Malformed,
        "decrypt.malformed",
        "the envelope does not have the structure of RFC 5652",
    )
}

/// The one failure of everything that depends on a key (rule 8).
fn damaged() -> Refusal {
    Refusal::new(
        State::Damaged,
        "decrypt.damaged",
        "the message cannot be decrypted",
    )
}

/// Makes a layer whose content is garbage what it would be without the luck of its padding.
pub(super) fn damage(layer: &mut Layer) {
    let refusal = damaged();
    layer.state = refusal.state;
    layer.problem = refusal.problem;
    layer.opened_by = None;
    let cipher = layer.cipher.clone();
    layer.weak.retain(|name| Some(name) == cipher.as_ref());
}

/// Opens an envelope with the first key that is a recipient's. The layer says what it is; the
/// content is there only if it was decrypted to its end.
pub(super) fn decrypt(
    kind: LayerKind,
    envelope: &Envelope<'_>,
    opening: &Opening<'_>,
) -> (Layer, Option<Vec<u8>>) {
    let mut layer = Layer::new(kind, State::Closed);
    let result = decrypt_envelope(&mut layer, envelope, opening);
    finish(layer, result)
}

/// Opens EncryptedData with the content keys that were given.
pub(super) fn decrypt_data(
    data: &EncryptedData<'_>,
    opening: &Opening<'_>,
) -> (Layer, Option<Vec<u8>>) {
    let mut layer = Layer::new(LayerKind::EncryptedData, State::Closed);
    let result = decrypt_encrypted_data(&mut layer, data, opening);
    finish(layer, result)
}

fn finish(mut layer: Layer, result: Result<Vec<u8>, Refusal>) -> (Layer, Option<Vec<u8>>) {
    match result {
        Ok(content) => (layer, Some(content)),
        Err(refusal) => {
            layer.state = refusal.state;
            layer.problem = refusal.problem;
            (layer, None)
        }
    }
}

fn decrypt_envelope(
    layer: &mut Layer,
    envelope: &Envelope<'_>,
    opening: &Opening<'_>,
) -> Result<Vec<u8>, Refusal> {
    layer.cipher = Some(envelope.content.cipher_name());
    let plan = Plan::of(&envelope.recipients()?, opening);
    layer.recipients.clone_from(&plan.recipients);
    let associated = associated_data(envelope)?;
    let tag = envelope.mac.as_deref();
    let ciphertext = Ciphertext::new(&envelope.content, &associated, tag, layer)?;
    let attempts = plan.attempts(layer, opening)?;
    ciphertext.decrypt(&attempts, layer, opening)
}

fn decrypt_encrypted_data(
    layer: &mut Layer,
    data: &EncryptedData<'_>,
    opening: &Opening<'_>,
) -> Result<Vec<u8>, Refusal> {
    layer.cipher = Some(data.content.cipher_name());
    let ciphertext = Ciphertext::new(&data.content, &[], None, layer)?;
    let key_size = ciphertext.algorithm.cipher.key_size();
    let attempts = Plan::of_content_keys(key_size, opening).attempts(layer, opening)?;
    ciphertext.decrypt(&attempts, layer, opening)
}

/// RFC 5083 §2.2: the authenticated attributes with the tag of SET OF. They are DER already, and
/// what was authenticated are these octets. Their content type is that of the content.
fn associated_data(envelope: &Envelope<'_>) -> Result<Vec<u8>, Malformed> {
    let content_type = envelope.content.content_type;
    let Some(attributes) = envelope.attributes else {
        return Ok(Vec::new());
    };
    for attribute in attributes.children().elements()? {
        let mut fields = attribute.fields()?;
        let is_content_type = fields.object_identifier()? == rfc5911::ID_CONTENT_TYPE;
        if is_content_type && only_value(fields.expect(tag::SET)?)? != content_type {
            return Err(Malformed);
        }
    }
    Ok(tlv(tag::SET, &[attributes.value]))
}

/// RFC 5652 §11.1: exactly one value.
fn only_value(values: Element<'_>) -> Result<ObjectIdentifier, Malformed> {
    let mut values = values.children();
    let value = values.object_identifier()?;
    values.end()?;
    Ok(value)
}

/// A content that is still encrypted, with everything but the key.
struct Ciphertext<'a> {
    algorithm: ContentAlgorithm,
    pieces: &'a [&'a [u8]],
    associated: &'a [u8],
    tag: Option<&'a [u8]>,
}

impl<'a> Ciphertext<'a> {
    /// Checks what needs no key, and notes a weak cipher.
    fn new(
        content: &'a EncryptedContent<'a>,
        associated: &'a [u8],
        tag: Option<&'a [u8]>,
        layer: &mut Layer,
    ) -> Result<Self, Refusal> {
        let algorithm = content.algorithm()?;
        // RFC 5084 §1.1: GCM goes into AuthEnvelopedData, and only such ciphers do.
        let in_place =
            algorithm.cipher.is_authenticated() == (layer.kind == LayerKind::AuthEnveloped);
        if !in_place {
            return Err(Unreadable::Unsupported.into());
        }
        if !algorithm.fits_tag(tag) {
            return Err(malformed());
        }
        if algorithm.cipher.is_weak() {
            layer.weak.push(algorithm.cipher.to_string());
        }
        Ok(Self {
            algorithm,
            pieces: &content.pieces,
            associated,
            tag,
        })
    }

    /// Tries one key after the other.
    fn decrypt(
        &self,
        attempts: &[Attempt<'_>],
        layer: &mut Layer,
        opening: &Opening<'_>,
    ) -> Result<Vec<u8>, Refusal> {
        let mut unlike_mail = None;
        for attempt in attempts.iter().take(MAX_ATTEMPTS) {
            let Some(content) = self.decrypt_with(attempt, opening)? else {
                continue;
            };
            let is_sure = self.algorithm.cipher.is_authenticated() || !is_garbage(&content);
            if is_sure {
                return Ok(self.opened(attempt, content, layer));
            }
            unlike_mail.get_or_insert((attempt, content));
        }
        let (attempt, content) = unlike_mail.ok_or_else(damaged)?;
        Ok(self.opened(attempt, content, layer))
    }

    fn opened(
        &self,
        attempt: &Attempt<'_>,
        mut content: Zeroizing<Vec<u8>>,
        layer: &mut Layer,
    ) -> Vec<u8> {
        layer.opened_by = Some(attempt.opened_by.clone());
        layer.weak.extend(attempt.weak.iter().cloned());
        layer.weak.extend(attempt.reported.iter().cloned());
        layer.state = if self.algorithm.cipher.is_authenticated() {
            State::Decrypted
        } else {
            State::DecryptedUnauthenticated
        };
        std::mem::take(&mut *content)
    }

    /// The content under one key. Without a key the same work is done, with a random one.
    fn decrypt_with(
        &self,
        attempt: &Attempt<'_>,
        opening: &Opening<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
        let cipher = self.algorithm.cipher;
        let found = attempt.content_key(cipher.key_size(), opening.provider);
        if let Err(error) = &found
            && error.is_passing()
        {
            return Err(unreachable());
        }
        let found = found.ok().filter(|key| key.len() == cipher.key_size());
        let is_found = found.is_some();
        let key = found.unwrap_or_else(|| random_key(cipher.key_size(), opening));
        let mut buffer = self.pieces.concat();
        let result = opening.provider.decrypt_content(
            cipher,
            &key,
            &self.algorithm.nonce,
            self.associated,
            self.tag,
            &mut buffer,
        );
        if result.is_ok() && is_found {
            return Ok(Some(Zeroizing::new(buffer)));
        }
        buffer.zeroize();
        Ok(None)
    }
}

/// A token that does not answer: nothing was tried, and the message may open later.
fn unreachable() -> Refusal {
    Refusal::new(
        State::Closed,
        "decrypt.unreachable",
        "the key cannot be reached now",
    )
}

/// What it decrypts to is thrown away, so that zeros do where there is no randomness.
fn random_key(size: usize, opening: &Opening<'_>) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(vec![0; size]);
    let _ = opening.provider.random(&mut key);
    key
}
