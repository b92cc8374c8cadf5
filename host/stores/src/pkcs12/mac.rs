//! The MAC over a PKCS #12 container: HMAC under a key derived as RFC 7292 appendix B says, or
//! PBMAC1 (RFC 9579).

use crate::ber::{self, Element};
use crate::error::Defect;
use crate::kdf::{self, Derivation, Hash, Purpose};
use crate::passphrase::Secret;
use crate::pbe::Opener;
use const_oid::ObjectIdentifier;
use waxseal_smime::{Provider, ProviderError};
use zeroize::Zeroizing;

/// MacData ::= SEQUENCE { mac DigestInfo, macSalt OCTET STRING, iterations INTEGER DEFAULT 1 }
pub(super) struct Mac {
    algorithm: Algorithm,
    value: Vec<u8>,
}

enum Algorithm {
    Pkcs12 {
        hash: Hash,
        salt: Vec<u8>,
        iterations: u64,
    },
    Pbmac1 {
        derivation: Derivation,
        size: usize,
        hash: Hash,
    },
}

const PBMAC1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.14");

impl Mac {
    pub(super) fn read(mac_data: &Element<'_>) -> Result<Self, Defect> {
        let mut fields = mac_data.inside();
        let mut info = fields
            .expect(ber::SEQUENCE, "no digest in the MAC")?
            .inside();
        let mut algorithm = info
            .expect(ber::SEQUENCE, "no algorithm in the MAC")?
            .inside();
        let value = info.octets("no value in the MAC")?.into_owned();
        let oid = algorithm.oid("no name of the MAC's algorithm")?;
        let algorithm = if oid == PBMAC1 {
            // RFC 9579 §5: salt and iterations of MacData are not used.
            read_pbmac1(&algorithm.expect(ber::SEQUENCE, "no parameters of PBMAC1")?)?
        } else {
            let salt = fields.octets("no salt in the MAC")?.into_owned();
            let iterations = if fields.is_empty() {
                1
            } else {
                kdf::iterations(&mut fields)?
            };
            Algorithm::Pkcs12 {
                hash: Hash::from_digest_oid(oid)?,
                salt,
                iterations,
            }
        };
        Ok(Self { algorithm, value })
    }

    /// Whether some form of the passphrase gives this MAC over the octets. The form that does
    /// is the one that the opener tries first from then on.
    pub(super) fn verify(&self, octets: &[u8], opener: &mut Opener<'_>) -> Result<bool, Defect> {
        match &self.algorithm {
            Algorithm::Pkcs12 {
                hash,
                salt,
                iterations,
            } => {
                for at in 0..opener.bmp().len() {
                    let form = opener.bmp()[at].clone();
                    let salted = (&salt[..], *iterations);
                    let key = kdf::pkcs12(
                        *hash,
                        Purpose::Mac,
                        &form,
                        salted,
                        hash.size(),
                        &mut opener.work,
                    )?;
                    if hash.hmac_is(&key, octets, &self.value) {
                        opener.prefer(at);
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Algorithm::Pbmac1 {
                derivation,
                size,
                hash,
            } => {
                // RFC 9579 §4: the passphrase is UTF-8, not a BMPString.
                let key = derivation.derive(opener.plain(), *size, &mut opener.work)?;
                Ok(hash.hmac_is(&key, octets, &self.value))
            }
        }
    }
}

/// PBMAC1-params ::= SEQUENCE { keyDerivationFunc, messageAuthScheme } (RFC 8018 appendix A.5)
fn read_pbmac1(parameters: &Element<'_>) -> Result<Algorithm, Defect> {
    let mut fields = parameters.inside();
    let derivation =
        Derivation::read(&fields.expect(ber::SEQUENCE, "no key derivation in PBMAC1")?)?;
    let scheme = fields.expect(ber::SEQUENCE, "no HMAC in PBMAC1")?;
    let hash = Hash::from_hmac_oid(scheme.inside().oid("no HMAC in PBMAC1")?)?;
    // RFC 9579 §4: the key length must be there. Short ones make the MAC easy to forge.
    match derivation.size() {
        Some(size @ 20..=64) => Ok(Algorithm::Pbmac1 {
            derivation,
            size: size as usize,
            hash,
        }),
        Some(_) => Err(Defect::Damaged(
            "a key length of PBMAC1 outside 20 to 64 octets",
        )),
        None => Err(Defect::Damaged("no key length in PBMAC1")),
    }
}

/// MacData with HMAC-SHA-256 under a fresh salt.
pub(super) fn write(
    octets: &[u8],
    secret: &Secret,
    iterations: u32,
    provider: &dyn Provider,
) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let mut salt = [0; 16];
    provider.random(&mut salt)?;
    let hash = Hash::Sha256;
    let forms = secret.bmp_forms();
    let form: &[u8] = forms.first().map_or(&[0, 0], |form| form);
    let key = kdf::pkcs12_unlimited(
        hash,
        Purpose::Mac,
        form,
        (&salt, u64::from(iterations)),
        hash.size(),
    );
    let value = hash.hmac(&key, octets);
    let algorithm = ber::sequence(&[&ber::oid(kdf::ID_SHA256), ber::NULL]);
    let info = ber::sequence(&[&algorithm, &ber::tlv(ber::OCTET_STRING, &value)]);
    Ok(ber::sequence(&[
        &info,
        &ber::tlv(ber::OCTET_STRING, &salt),
        &ber::number(iterations),
    ]))
}
