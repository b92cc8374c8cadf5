//! Whose key signs a message (DESIGN §6 rules 12 and 14).

use waxseal_message::{Address, Message};
use waxseal_policy::capabilities::{CallError, ErrorKind};
use waxseal_policy::transaction::Session;
use waxseal_smime::Time;

use crate::generation::{AssignedIdentity, Generation};
use crate::origin::NotOurs;
use crate::profile::IdentityChoice;

/// Why nothing signs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NoSigner {
    /// The message is not ours to sign: it goes on without a signature of ours.
    NotOurs(CallError),
    /// Ours, and there is no identity for the sender: the profile says what becomes of it.
    Missing(CallError),
    /// There is an identity, and it cannot sign now (rule 14: an error, never silence).
    Unusable(CallError),
}

impl NoSigner {
    pub(crate) fn into_error(self) -> CallError {
        match self {
            Self::NotOurs(error) | Self::Missing(error) | Self::Unusable(error) => error,
        }
    }
}

/// The identity that signs `message`.
pub(crate) fn signer<'g>(
    generation: &'g Generation,
    session: &Session,
    message: &Message,
    choice: &IdentityChoice,
    at: Time,
) -> Result<&'g AssignedIdentity, NoSigner> {
    let author = match author(message) {
        Ok(author) => author,
        Err(why) => return without_author(generation, session, message, choice, at, why),
    };
    may_send_as(generation, session, &author)?;
    match choice {
        IdentityChoice::BySender => by_sender(generation, &author, at),
        IdentityChoice::Named(name) => named(generation, name, at),
    }
}

/// Mail without one readable author. A gateway signs it when no From claims anybody, or when
/// the session may send as anybody: its Sender field says whose signature it is.
fn without_author<'g>(
    generation: &'g Generation,
    session: &Session,
    message: &Message,
    choice: &IdentityChoice,
    at: Time,
    why: CallError,
) -> Result<&'g AssignedIdentity, NoSigner> {
    if !generation.origin.is_ours(session) {
        return Err(NoSigner::NotOurs(why));
    }
    let claims_nobody = message.first("From").is_none() || session.auth_user.is_none();
    match choice {
        IdentityChoice::Named(name) if claims_nobody => named(generation, name, at),
        _ => Err(NoSigner::Missing(why)),
    }
}

fn may_send_as(
    generation: &Generation,
    session: &Session,
    author: &Address,
) -> Result<(), NoSigner> {
    let (code, message) = match generation.origin.may_send_as(session, author) {
        Ok(()) => return Ok(()),
        Err(NotOurs::Session) => (
            "sign.not-ours",
            "not signed: [origin] does not call this session ours",
        ),
        Err(NotOurs::From) => (
            "sign.from-not-allowed",
            "not signed: the user may not send as this author",
        ),
    };
    let error = CallError::new(ErrorKind::Denied, code, message).about(author.to_string());
    Err(NoSigner::NotOurs(error))
}

/// The author of a message: its From address, or Sender when there are several Froms
/// (RFC 5322 §3.6.2).
pub(crate) fn author(message: &Message) -> Result<Address, CallError> {
    let denied = |code, text| Err(CallError::new(ErrorKind::Denied, code, text));
    let mut from = message.addresses("From");
    match (from.pop(), from.is_empty()) {
        (Some(only), true) => Ok(only.address),
        (None, _) => denied("sign.no-author", "not signed: no readable From address"),
        (Some(_), false) => {
            let mut sender = message.addresses("Sender");
            match (sender.pop(), sender.is_empty()) {
                (Some(only), true) => Ok(only.address),
                _ => denied(
                    "sign.several-authors",
                    "not signed: several From addresses and not one Sender",
                ),
            }
        }
    }
}

/// The newest valid identity that signs for an address (rule 14).
pub(crate) fn by_sender<'g>(
    generation: &'g Generation,
    address: &Address,
    at: Time,
) -> Result<&'g AssignedIdentity, NoSigner> {
    let all = generation.identities.iter();
    newest(all.filter(|own| own.signs_for(address)), at).ok_or_else(|| {
        let text = "no identity for the sender";
        let error = CallError::new(ErrorKind::NotFound, "identity.missing", text);
        NoSigner::Missing(error.about(address.to_string()))
    })?
}

/// The newest valid identity of that name (rule 14): a file may hold several generations.
pub(crate) fn named<'g>(
    generation: &'g Generation,
    name: &str,
    at: Time,
) -> Result<&'g AssignedIdentity, NoSigner> {
    let all = generation.identities.iter();
    let signing = all.filter(|own| own.signs && own.identity.name == name);
    newest(signing, at).ok_or_else(|| {
        let text = "no such signing identity";
        let error = CallError::new(ErrorKind::NotFound, "identity.unknown", text);
        NoSigner::Unusable(error.about(name))
    })?
}

/// The newest that can sign now; if none can, why the newest cannot.
fn newest<'g>(
    among: impl Iterator<Item = &'g AssignedIdentity>,
    at: Time,
) -> Option<Result<&'g AssignedIdentity, NoSigner>> {
    let all: Vec<_> = among.collect();
    let born = |own: &&AssignedIdentity| own.identity.certificate.not_before();
    let valid = all.iter().copied().filter(|own| usable(own, at).is_ok());
    if let Some(identity) = valid.max_by_key(born) {
        return Some(Ok(identity));
    }
    let newest = all.into_iter().max_by_key(born)?;
    let usable = usable(newest, at).map(|()| newest);
    Some(usable.map_err(NoSigner::Unusable))
}

/// Signing with an expired certificate is an error.
fn usable(identity: &AssignedIdentity, at: Time) -> Result<(), CallError> {
    let certificate = &identity.identity.certificate;
    let fail = |code, text| {
        Err(CallError::new(ErrorKind::Failed, code, text).about(identity.identity.name.clone()))
    };
    if at > certificate.not_after() {
        return fail("identity.expired", "the signing certificate has expired");
    }
    if at < certificate.not_before() {
        return fail(
            "identity.not-yet-valid",
            "the signing certificate is not valid yet",
        );
    }
    if !certificate.can_sign() {
        return fail("identity.key-usage", "the certificate may not sign");
    }
    Ok(())
}

/// The Sender field that makes a signature of this identity match the message (RFC 8550
/// §3): needed when the certificate does not name the author.
pub(crate) fn matching_sender(message: &Message, identity: &AssignedIdentity) -> Option<Address> {
    let own = identity.identity.certificate.addresses();
    let named = |field: &str| {
        let named = message.addresses(field);
        named.iter().any(|mailbox| {
            own.iter()
                .any(|address| address.matches_folded(&mailbox.address))
        })
    };
    if named("From") || named("Sender") {
        None
    } else {
        own.first().cloned()
    }
}
