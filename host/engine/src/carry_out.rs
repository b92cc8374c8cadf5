//! Carries a copy's recipe out: the cryptography, after the last filter.
//!
//! A signature is made once for all copies that share it (DESIGN §6 rule 4); an envelope,
//! with a fresh key, for each copy. Where there is one copy only, signing and encrypting are one
//! step, so that no signed message lies in memory beside the encrypted one. What `smime` returns
//! has been read back (rule 7).

use waxseal_message::Message;
use waxseal_policy::capabilities::{CallError, ErrorKind, Parameters};
use waxseal_policy::plan::{Choice, Protection, ProtectionMode, Recipe, Step};
use waxseal_smime::{
    Certificate, ContentCipher, Context, EncryptOptions, Enveloped, Found, HeaderProtection,
    KeyTransport, Origin, Protected, SignOptions, SignatureFormat, Signed, Then, Time, classify,
    encrypt, sign, sign_encrypt,
};

use crate::copies::{Group, without_choice};
use crate::generation::AssignedIdentity;
use crate::host_calls::{HostCalls, smime_error};
use crate::opener::is_decrypted;
use crate::outcome::{LayerMade, OutgoingCopy};
use crate::parameters::Resolved;
use crate::profile::{CipherChoice, KeyTransportChoice};
use crate::signer::{NoSigner, author, by_sender, matching_sender, named, signer};

/// Makes the copies of one transaction.
pub(crate) struct CarryOut<'t> {
    calls: &'t HostCalls,
    /// Signatures made so far. A copy that shares the octets and the steps shares it.
    signed: Vec<(SignatureKey, Protectee)>,
    bcc: Bcc,
    /// How many copies are to be made.
    copies: usize,
}

/// What becomes of the Bcc field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bcc {
    /// It goes: some copy of the message is protected.
    Remove,
    /// Nothing is protected, so nothing is touched.
    Keep,
}

#[derive(PartialEq)]
struct SignatureKey {
    recipe: Recipe,
    then: Then,
}

/// A message on its way through the steps.
#[derive(Clone)]
struct Protectee {
    message: Message,
    /// Innermost first.
    layers: Vec<LayerMade>,
    notes: Vec<CallError>,
}

impl<'t> CarryOut<'t> {
    pub(crate) fn new(calls: &'t HostCalls, bcc: Bcc, copies: usize) -> Self {
        Self {
            calls,
            signed: Vec::new(),
            bcc,
            copies,
        }
    }

    /// One copy, or the error that keeps it from leaving.
    pub(crate) fn copy(&mut self, group: Group) -> Result<OutgoingCopy, CallError> {
        let recipe = group
            .recipes
            .first()
            .ok_or_else(|| internal("a copy for nobody"))?;
        let mut protectee = self.start(recipe);
        for index in 0..recipe.steps.len() {
            self.step(&group, index, &mut protectee)?;
        }
        let made_envelope = protectee.layers.contains(&LayerMade::Encrypted);
        if group.must_encrypt && !made_envelope && !is_envelope(&protectee.message) {
            // Settled already; looked at once more on the octets that would leave.
            return Err(internal("a copy that must be encrypted is not"));
        }
        protectee.layers.reverse();
        Ok(OutgoingCopy {
            message: protectee.message,
            recipients: group.recipients,
            layers: protectee.layers,
            decrypted: is_decrypted(recipe),
            notes: protectee.notes,
        })
    }

    fn start(&self, recipe: &Recipe) -> Protectee {
        let message = match self.bcc {
            Bcc::Keep => recipe.base.clone(),
            Bcc::Remove => recipe
                .base
                .with_fields_removed("Bcc")
                .with_fields_removed("Resent-Bcc"),
        };
        Protectee {
            message,
            layers: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn step(
        &mut self,
        group: &Group,
        index: usize,
        protectee: &mut Protectee,
    ) -> Result<(), CallError> {
        let Some(recipe) = group.recipes.first() else {
            return Ok(());
        };
        match &recipe.steps[index] {
            Step::Edit(edit) => {
                protectee.message = edit.apply(&protectee.message).map_err(message_error)?;
            }
            Step::Protect(protection) => {
                let resolved = self
                    .calls
                    .resolve(protection.mode, &protection.parameters)?;
                let steps = recipe.steps[..=index].iter().map(without_choice);
                let shared = SignatureKey {
                    recipe: Recipe {
                        steps: steps.collect(),
                        ..recipe.start()
                    },
                    then: then(protection, &resolved),
                };
                let envelope = self.envelope(group, index, &resolved, &protectee.message)?;
                match &envelope {
                    Some(envelope) if self.copies == 1 && is_signed_here(protection, protectee) => {
                        self.signed_envelope(protection, &resolved, envelope, protectee)?;
                    }
                    _ => {
                        self.inner_signature(protection, &resolved, shared, protectee)?;
                        if let Some(envelope) = &envelope {
                            self.encrypt(envelope, protectee)?;
                        }
                    }
                }
                if protection.mode == ProtectionMode::TripleWrap && envelope.is_some() {
                    self.outer_signature(protection, protectee)?;
                }
            }
        }
        Ok(())
    }

    /// The signature inside, or the only one.
    fn inner_signature(
        &mut self,
        protection: &Protection,
        resolved: &Resolved,
        key: SignatureKey,
        protectee: &mut Protectee,
    ) -> Result<(), CallError> {
        protectee.notes.extend(protection.unsigned.clone());
        if !is_signed_here(protection, protectee) {
            return Ok(());
        }
        // Once there is an envelope of ours, every copy differs.
        let shareable = !protectee.layers.contains(&LayerMade::Encrypted);
        if let Some((_, known)) = self
            .signed
            .iter()
            .find(|(known, _)| shareable && *known == key)
        {
            *protectee = known.clone();
            return Ok(());
        }
        let identity = self.signer(protection, resolved, &protectee.message)?;
        self.sign(identity, resolved, key.then, protectee)?;
        if shareable {
            self.signed.push((key, protectee.clone()));
        }
        Ok(())
    }

    fn outer_signature(
        &self,
        protection: &Protection,
        protectee: &mut Protectee,
    ) -> Result<(), CallError> {
        if protection.unsigned.is_some() {
            return Ok(());
        }
        let parameters: &Parameters = protection.outer.as_ref().unwrap_or(&protection.parameters);
        let mut resolved = self.calls.resolve(protection.mode, parameters)?;
        // The fields were protected inside; a second copy would give away what they hide.
        resolved.header_protection = HeaderProtection::Off;
        let identity = self.signer(protection, &resolved, &protectee.message)?;
        self.sign(identity, &resolved, Then::Send, protectee)
    }

    /// The signature inside and the envelope around it.
    fn signed_envelope(
        &self,
        protection: &Protection,
        resolved: &Resolved,
        envelope: &Envelope,
        protectee: &mut Protectee,
    ) -> Result<(), CallError> {
        let identity = self.signer(protection, resolved, &protectee.message)?;
        let (signer, context) = (&identity.identity, self.context());
        let (certificates, encryption) = (&envelope.certificates, &envelope.options);
        let make = |message: &Message, options: &SignOptions| {
            sign_encrypt(message, signer, options, certificates, encryption, &context)
                .map(Enveloped::into_message)
        };
        self.sign_by(identity, resolved, Then::Encrypt, protectee, make)?;
        protectee.layers.push(LayerMade::Encrypted);
        Ok(())
    }

    /// The identity that the plan names; for a protection made to order, the one that its
    /// parameters lead to.
    fn signer(
        &self,
        protection: &Protection,
        resolved: &Resolved,
        message: &Message,
    ) -> Result<&'t AssignedIdentity, CallError> {
        let calls = self.calls;
        match &protection.signer {
            Some(name) => named(&calls.generation, name, calls.at).map_err(NoSigner::into_error),
            None => signer(
                &calls.generation,
                &calls.session,
                message,
                &resolved.identity,
                calls.at,
            )
            .map_err(NoSigner::into_error),
        }
    }

    /// Signs with this identity.
    fn sign(
        &self,
        identity: &AssignedIdentity,
        resolved: &Resolved,
        then: Then,
        protectee: &mut Protectee,
    ) -> Result<(), CallError> {
        let (signer, context) = (&identity.identity, self.context());
        let make = |message: &Message, options: &SignOptions| {
            sign(message, signer, options, &context).map(Signed::into_message)
        };
        self.sign_by(identity, resolved, then, protectee, make)
    }

    /// The same; `make` signs, and perhaps does more.
    fn sign_by(
        &self,
        identity: &AssignedIdentity,
        resolved: &Resolved,
        then: Then,
        protectee: &mut Protectee,
        make: impl Fn(&Message, &SignOptions) -> Result<Message, waxseal_smime::Error>,
    ) -> Result<(), CallError> {
        if let Some(address) = matching_sender(&protectee.message, identity) {
            // RFC 8550 §3: From or Sender names an address of the certificate.
            protectee.message = protectee
                .message
                .with_field_replaced("Sender", &address.to_string())
                .map_err(message_error)?;
        }
        let mut options = SignOptions {
            format: resolved.format,
            digest: resolved.digest,
            rsa_scheme: resolved.rsa_scheme,
            header_protection: resolved.header_protection,
            then,
        };
        let mut signed = make(&protectee.message, &options);
        if let Err(waxseal_smime::Error::NotTransportSafe) = signed {
            // Rule 1: what may not be re-encoded is signed opaque.
            options.format = SignatureFormat::Opaque;
            signed = make(&protectee.message, &options);
            protectee.notes.push(CallError::new(
                ErrorKind::Failed,
                "message.not-transport-safe",
                "signed opaque: parts that may not be re-encoded would not survive transport",
            ));
        }
        protectee.message = signed.map_err(smime_error)?;
        protectee.layers.push(LayerMade::Signed);
        Ok(())
    }

    /// The envelope that the plan asks for, if it asks for one.
    fn envelope(
        &self,
        group: &Group,
        index: usize,
        resolved: &Resolved,
        message: &Message,
    ) -> Result<Option<Envelope>, CallError> {
        let mut recipients = self.chosen(group, index)?;
        if recipients.is_empty() {
            return Ok(None);
        }
        recipients.extend(resolved.also_to.iter().map(known));
        if resolved.include_sender {
            recipients.extend(self.sender_certificate(resolved, message));
        }
        Ok(Some(Envelope {
            options: EncryptOptions {
                cipher: cipher(resolved.cipher, &recipients),
                key_transport: key_transport(resolved.key_transport, &recipients),
                header_protection: resolved.header_protection,
            },
            certificates: distinct(recipients),
        }))
    }

    fn encrypt(&self, envelope: &Envelope, protectee: &mut Protectee) -> Result<(), CallError> {
        let Envelope {
            certificates,
            options,
        } = envelope;
        protectee.message = encrypt(&protectee.message, certificates, options, &self.context())
            .map_err(smime_error)?
            .into_message();
        protectee.layers.push(LayerMade::Encrypted);
        Ok(())
    }

    /// The certificates that the plan chose for exactly this copy's recipients.
    fn chosen(&self, group: &Group, index: usize) -> Result<Vec<Found>, CallError> {
        let mut found = Vec::new();
        for recipe in &group.recipes {
            let Some(Step::Protect(protection)) = recipe.steps.get(index) else {
                continue;
            };
            let Choice::Encrypt(view) = &protection.choice else {
                continue;
            };
            let certificate = self.calls.certificates.found(view);
            found.push(
                certificate.ok_or_else(|| internal("the plan names an unknown certificate"))?,
            );
        }
        Ok(found)
    }

    /// The sender's own certificate: her identity's, else one from the stores. Having none is
    /// no reason not to send.
    fn sender_certificate(&self, resolved: &Resolved, message: &Message) -> Option<Found> {
        let author = author(message).ok()?;
        let calls = self.calls;
        let own = by_sender(&calls.generation, &author, calls.at)
            .ok()
            .map(|own| &own.identity);
        let own = own.and_then(|own| {
            let certificate = own
                .encryption_certificate
                .as_ref()
                .unwrap_or(&own.certificate);
            can_encrypt_to(certificate, calls.at).then(|| known(certificate))
        });
        own.or_else(|| {
            calls
                .certificates
                .best(&calls.generation, &author, resolved.domain_certificates)
                .ok()
        })
    }

    fn context(&self) -> Context<'t> {
        Context {
            provider: &*self.calls.generation.provider,
            now: self.calls.at,
            limits: &self.calls.generation.limits,
        }
    }
}

/// Does an envelope follow the signature? It matters to protected header fields only (RFC 9788
/// §2.1.1): without those, copies in clear and in envelopes share the signature.
fn then(protection: &Protection, resolved: &Resolved) -> Then {
    let envelope = matches!(protection.choice, Choice::Encrypt(_));
    let protects_header = resolved.header_protection != HeaderProtection::Off;
    if envelope && protects_header {
        Then::Encrypt
    } else {
        Then::Send
    }
}

/// Rule 5, for a certificate of our own.
fn can_encrypt_to(certificate: &Certificate, at: Time) -> bool {
    certificate.can_encrypt()
        && certificate.key_algorithm().is_within_floor()
        && (certificate.not_before()..=certificate.not_after()).contains(&at)
}

/// A certificate of which nothing is known but itself.
fn known(certificate: &Certificate) -> Found {
    Found {
        certificate: certificate.clone(),
        origin: Origin::Imported,
        capabilities: None,
    }
}

/// For whom a copy is encrypted, and how.
struct Envelope {
    certificates: Vec<Certificate>,
    options: EncryptOptions,
}

/// Whether the protection signs this message.
fn is_signed_here(protection: &Protection, protectee: &Protectee) -> bool {
    if !protection.mode.signs() || protection.unsigned.is_some() {
        return false;
    }
    // Rule 6: a signed message is not signed again; its signature is the inner one.
    protection.mode != ProtectionMode::TripleWrap
        || !matches!(classify(&protectee.message), Protected::Signed(_))
}

fn is_envelope(message: &Message) -> bool {
    matches!(
        classify(message),
        Protected::Encrypted { within_floor: true }
    )
}

/// Rule 3: GCM where everybody is known to read it.
fn cipher(choice: CipherChoice, recipients: &[Found]) -> ContentCipher {
    let reads_gcm = |found: &Found| {
        found
            .capabilities
            .as_ref()
            .is_some_and(|known| known.ciphers.contains(&ContentCipher::Aes256Gcm))
    };
    match choice {
        CipherChoice::Fixed(cipher) => cipher,
        CipherChoice::Auto if recipients.iter().all(reads_gcm) => ContentCipher::Aes256Gcm,
        CipherChoice::Auto => ContentCipher::Aes256Cbc,
    }
}

/// Rule 3, for the key transport.
fn key_transport(choice: KeyTransportChoice, recipients: &[Found]) -> KeyTransport {
    let reads_oaep = |found: &Found| found.capabilities.as_ref().is_some_and(|known| known.oaep);
    match choice {
        KeyTransportChoice::Fixed(transport) => transport,
        KeyTransportChoice::Auto if recipients.iter().all(reads_oaep) => KeyTransport::Oaep,
        KeyTransportChoice::Auto => KeyTransport::Pkcs1v15,
    }
}

/// Each certificate once.
fn distinct(found: Vec<Found>) -> Vec<Certificate> {
    let mut certificates: Vec<Certificate> = Vec::with_capacity(found.len());
    for each in found {
        let fingerprint = each.certificate.fingerprint();
        if certificates
            .iter()
            .all(|known| known.fingerprint() != fingerprint)
        {
            certificates.push(each.certificate);
        }
    }
    certificates
}

fn message_error(error: waxseal_message::Error) -> CallError {
    CallError::new(ErrorKind::Failed, "message.edit", error.to_string())
}

fn internal(text: &str) -> CallError {
    CallError::new(ErrorKind::Failed, "host.internal", text)
}
