//! Parameters of a protection: names from filters and profiles → typed, above the floor.

use std::str::FromStr;

use waxseal_policy::capabilities::{CallError, ErrorKind, Parameters};
use waxseal_policy::plan::ProtectionMode;
use waxseal_smime::{Certificate, DigestAlgorithm, HeaderProtection, RsaScheme, SignatureFormat};

use crate::certificates::DomainCertificates;
use crate::generation::Generation;
use crate::host_calls::smime_error;
use crate::profile::{CipherChoice, IdentityChoice, KeyTransportChoice, Profile};

/// Everything that carrying a protection out needs, recipients aside.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) identity: IdentityChoice,
    pub(crate) format: SignatureFormat,
    pub(crate) digest: DigestAlgorithm,
    pub(crate) rsa_scheme: RsaScheme,
    pub(crate) cipher: CipherChoice,
    pub(crate) key_transport: KeyTransportChoice,
    pub(crate) header_protection: HeaderProtection,
    pub(crate) domain_certificates: DomainCertificates,
    pub(crate) include_sender: bool,
    pub(crate) also_to: Vec<Certificate>,
}

/// Parameters over their profile, over the defaults.
pub(crate) fn resolve(
    generation: &Generation,
    mode: ProtectionMode,
    parameters: &Parameters,
) -> Result<Resolved, CallError> {
    let default = Profile::new("", mode);
    let profile = match &parameters.profile {
        None => &default,
        Some(name) => generation.profiles.get(name).ok_or_else(|| {
            CallError::new(ErrorKind::NotFound, "profile.unknown", "no such profile").about(name)
        })?,
    };
    Ok(Resolved {
        identity: identity(generation, parameters, profile)?,
        format: parse(parameters.signature_format.as_deref(), profile.signature)?,
        digest: parse(parameters.digest.as_deref(), profile.digest)?,
        rsa_scheme: profile.rsa_scheme,
        cipher: match parameters.content_cipher.as_deref() {
            None => profile.cipher,
            Some("auto") => CipherChoice::Auto,
            Some(name) => CipherChoice::Fixed(parse_name(name)?),
        },
        key_transport: profile.key_transport,
        header_protection: header_protection(parameters.protect_headers, profile),
        domain_certificates: profile.domain_certificates.into(),
        include_sender: parameters.include_sender.unwrap_or(profile.include_sender),
        also_to: parameters
            .also_to
            .iter()
            .map(|view| Certificate::from_der(&view.der).map_err(smime_error))
            .collect::<Result<_, _>>()?,
    })
}

fn identity(
    generation: &Generation,
    parameters: &Parameters,
    profile: &Profile,
) -> Result<IdentityChoice, CallError> {
    let Some(name) = &parameters.signer else {
        return Ok(profile.identity.clone());
    };
    match generation.has_signer(name) {
        true => Ok(IdentityChoice::Named(name.clone())),
        false => Err(CallError::new(
            ErrorKind::NotFound,
            "identity.unknown",
            "no such signing identity",
        )
        .about(name)),
    }
}

fn header_protection(wanted: Option<bool>, profile: &Profile) -> HeaderProtection {
    match (wanted, profile.header_protection) {
        (None, of_profile) => of_profile,
        (Some(false), _) => HeaderProtection::Off,
        // RFC 9788 §3.4: the recommended policy where none is named.
        (Some(true), HeaderProtection::Off) => HeaderProtection::Baseline,
        (Some(true), of_profile) => of_profile,
    }
}

fn parse<T: FromStr>(name: Option<&str>, default: T) -> Result<T, CallError>
where
    T::Err: std::fmt::Display,
{
    name.map_or(Ok(default), parse_name)
}

fn parse_name<T: FromStr>(name: &str) -> Result<T, CallError>
where
    T::Err: std::fmt::Display,
{
    name.parse().map_err(|error: T::Err| {
        CallError::new(
            ErrorKind::InvalidArgument,
            "options.unknown-name",
            error.to_string(),
        )
    })
}
