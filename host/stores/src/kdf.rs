//! Keys from passphrases: PKCS #12's own derivation (RFC 7292 appendix B), PBKDF1 and PBKDF2
//! (RFC 8018 §5), scrypt (RFC 7914), each charged against the work that one file may ask for.

use crate::ber::{self, Element};
use crate::error::Defect;
use const_oid::ObjectIdentifier;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

/// The hashes of container formats. The first two for reading only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Runs the body with `$digest` naming the type.
macro_rules! with_digest {
    ($hash:expr, $digest:ident => $body:expr) => {
        match $hash {
            Hash::Md5 => {
                type $digest = Md5;
                $body
            }
            Hash::Sha1 => {
                type $digest = Sha1;
                $body
            }
            Hash::Sha224 => {
                type $digest = Sha224;
                $body
            }
            Hash::Sha256 => {
                type $digest = Sha256;
                $body
            }
            Hash::Sha384 => {
                type $digest = Sha384;
                $body
            }
            Hash::Sha512 => {
                type $digest = Sha512;
                $body
            }
        }
    };
}

pub(crate) const ID_SHA256: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
pub(crate) const HMAC_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
pub(crate) const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const SCRYPT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.4.11");

impl Hash {
    /// RFC 8017 appendix B.1, RFC 5754 §2.
    pub(crate) fn from_digest_oid(oid: ObjectIdentifier) -> Result<Self, Defect> {
        Ok(match oid.to_string().as_str() {
            "1.3.14.3.2.26" => Self::Sha1,
            "2.16.840.1.101.3.4.2.4" => Self::Sha224,
            "2.16.840.1.101.3.4.2.1" => Self::Sha256,
            "2.16.840.1.101.3.4.2.2" => Self::Sha384,
            "2.16.840.1.101.3.4.2.3" => Self::Sha512,
            _ => return Err(Defect::Unsupported(format!("digest {oid}"))),
        })
    }

    /// RFC 8018 appendix B.1.
    pub(crate) fn from_hmac_oid(oid: ObjectIdentifier) -> Result<Self, Defect> {
        Ok(match oid.to_string().as_str() {
            "1.2.840.113549.2.7" => Self::Sha1,
            "1.2.840.113549.2.8" => Self::Sha224,
            "1.2.840.113549.2.9" => Self::Sha256,
            "1.2.840.113549.2.10" => Self::Sha384,
            "1.2.840.113549.2.11" => Self::Sha512,
            _ => return Err(Defect::Unsupported(format!("message authentication {oid}"))),
        })
    }

    /// Size of a digest in octets.
    pub(crate) fn size(self) -> usize {
        with_digest!(self, D => <D as Digest>::output_size())
    }

    /// Size of an input block in octets.
    fn block(self) -> usize {
        match self {
            Self::Sha384 | Self::Sha512 => 128,
            _ => 64,
        }
    }

    /// The digest of the parts, digested again until it was done `times` times.
    fn repeated(self, parts: &[&[u8]], times: u64) -> Zeroizing<Vec<u8>> {
        with_digest!(self, D => {
            let mut digest = D::new();
            parts.iter().for_each(|part| Digest::update(&mut digest, part));
            let mut value = digest.finalize();
            for _ in 1..times {
                value = D::digest(value);
            }
            Zeroizing::new(value.to_vec())
        })
    }

    pub(crate) fn hmac(self, key: &[u8], octets: &[u8]) -> Vec<u8> {
        with_digest!(self, D => {
            // HMAC takes keys of any size (RFC 2104 §2): the error cannot happen.
            <Hmac<D> as KeyInit>::new_from_slice(key)
                .map(|mac| mac.chain_update(octets).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        })
    }

    /// Compares in constant time.
    pub(crate) fn hmac_is(self, key: &[u8], octets: &[u8], expected: &[u8]) -> bool {
        with_digest!(self, D => {
            <Hmac<D> as KeyInit>::new_from_slice(key)
                .is_ok_and(|mac| mac.chain_update(octets).verify_slice(expected).is_ok())
        })
    }

    fn pbkdf2(self, passphrase: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) {
        with_digest!(self, D => pbkdf2::pbkdf2_hmac::<D>(passphrase, salt, iterations, out));
    }
}

/// How much key derivation one file may still ask for, so that a hostile one cannot hold the
/// program: counted in iterations, over all its parts and attempts.
pub(crate) struct Work(u64);

impl Work {
    /// Browsers write 600 000 iterations for each of three parts. This many are some seconds.
    const LIMIT: u64 = 20_000_000;
    /// Memory that scrypt may take, in octets.
    const MEMORY: u64 = 64 << 20;

    pub(crate) fn new() -> Self {
        Self(Self::LIMIT)
    }

    fn charge(&mut self, iterations: u64, blocks: usize) -> Result<(), Defect> {
        let cost = iterations.saturating_mul(blocks.max(1) as u64);
        self.0 = self
            .0
            .checked_sub(cost)
            .ok_or(Defect::TooMuchWork(iterations))?;
        Ok(())
    }
}

/// What a key derived by [`pkcs12`] is for (RFC 7292 §B.3).
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// RFC 7292 §B.2. `form` is the passphrase as a BMPString with its end.
pub(crate) fn pkcs12(
    hash: Hash,
    purpose: Purpose,
    form: &[u8],
    (salt, iterations): (&[u8], u64),
    size: usize,
    work: &mut Work,
) -> Result<Zeroizing<Vec<u8>>, Defect> {
    work.charge(iterations, size.div_ceil(hash.size()))?;
    Ok(pkcs12_unlimited(
        hash,
        purpose,
        form,
        (salt, iterations),
        size,
    ))
}

/// The same for our own parameters.
pub(crate) fn pkcs12_unlimited(
    hash: Hash,
    purpose: Purpose,
    form: &[u8],
    (salt, iterations): (&[u8], u64),
    size: usize,
) -> Zeroizing<Vec<u8>> {
    let (digest, block) = (hash.size(), hash.block());
    let diversifier = vec![purpose as u8; block];
    let mut input = Zeroizing::new(stretched(salt, block));
    input.extend_from_slice(&Zeroizing::new(stretched(form, block)));
    let mut out = Zeroizing::new(Vec::with_capacity(size + digest));
    while out.len() < size {
        let a = hash.repeated(&[&diversifier, &input], iterations);
        out.extend_from_slice(&a);
        let b = Zeroizing::new(a.iter().copied().cycle().take(block).collect::<Vec<u8>>());
        input
            .chunks_mut(block)
            .for_each(|chunk| add_with_one(chunk, &b));
    }
    out.truncate(size);
    out
}

/// Steps 2 and 3: copies of the octets up to a multiple of the block, nothing if there are none.
fn stretched(octets: &[u8], block: usize) -> Vec<u8> {
    octets
        .iter()
        .copied()
        .cycle()
        .take(octets.len().div_ceil(block) * block)
        .collect()
}

/// Step 6C: I = I + B + 1 modulo 2 to the block's bits.
fn add_with_one(chunk: &mut [u8], b: &[u8]) {
    let mut carry = 1u16;
    for (digit, other) in chunk.iter_mut().zip(b).rev() {
        carry += u16::from(*digit) + u16::from(*other);
        *digit = carry as u8;
        carry >>= 8;
    }
}

/// RFC 8018 §5.1.
pub(crate) fn pbkdf1(
    hash: Hash,
    passphrase: &[u8],
    (salt, iterations): (&[u8], u64),
    work: &mut Work,
) -> Result<Zeroizing<Vec<u8>>, Defect> {
    work.charge(iterations, 1)?;
    Ok(hash.repeated(&[passphrase, salt], iterations))
}

/// The derivations that PBES2 and PBMAC1 name.
pub(crate) enum Derivation {
    Pbkdf2 {
        salt: Vec<u8>,
        iterations: u32,
        size: Option<u64>,
        hash: Hash,
    },
    Scrypt {
        salt: Vec<u8>,
        log_n: u8,
        r: u32,
        p: u32,
        size: Option<u64>,
    },
}

impl Derivation {
    /// Reads the AlgorithmIdentifier (RFC 8018 appendix A.2, RFC 7914 §7).
    pub(crate) fn read(algorithm: &Element<'_>) -> Result<Self, Defect> {
        let mut fields = algorithm.inside();
        let oid = fields.oid("no name of a key derivation")?;
        let parameters = fields.expect(ber::SEQUENCE, "no parameters of a key derivation")?;
        match oid {
            PBKDF2 => Self::read_pbkdf2(&parameters),
            SCRYPT => Self::read_scrypt(&parameters),
            _ => Err(Defect::Unsupported(format!("key derivation {oid}"))),
        }
    }

    fn read_pbkdf2(parameters: &Element<'_>) -> Result<Self, Defect> {
        let mut fields = parameters.inside();
        let salt = fields.octets("no salt in a key derivation")?.into_owned();
        let iterations = iterations(&mut fields)?;
        let iterations = u32::try_from(iterations).map_err(|_| Defect::TooMuchWork(iterations))?;
        let size = optional_size(&mut fields)?;
        let hash = match fields.optional(ber::SEQUENCE)? {
            Some(prf) => {
                Hash::from_hmac_oid(prf.inside().oid("no name of a pseudo-random function")?)?
            }
            None => Hash::Sha1,
        };
        Ok(Self::Pbkdf2 {
            salt,
            iterations,
            size,
            hash,
        })
    }

    fn read_scrypt(parameters: &Element<'_>) -> Result<Self, Defect> {
        const WHAT: &str = "the parameters of scrypt";
        let mut fields = parameters.inside();
        let salt = fields.octets(WHAT)?.into_owned();
        let (n, r, p) = (
            fields.number(WHAT)?,
            fields.number(WHAT)?,
            fields.number(WHAT)?,
        );
        let size = optional_size(&mut fields)?;
        if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
            return Err(Defect::Damaged(WHAT));
        }
        let octets = n.saturating_mul(r).saturating_mul(128);
        if octets > Work::MEMORY || p > 64 {
            return Err(Defect::TooMuchWork(n));
        }
        Ok(Self::Scrypt {
            salt,
            log_n: n.ilog2() as u8,
            r: r as u32,
            p: p as u32,
            size,
        })
    }

    /// The key length that the parameters name.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Pbkdf2 { size, .. } | Self::Scrypt { size, .. } => *size,
        }
    }

    pub(crate) fn derive(
        &self,
        passphrase: &[u8],
        size: usize,
        work: &mut Work,
    ) -> Result<Zeroizing<Vec<u8>>, Defect> {
        let mut out = Zeroizing::new(vec![0; size]);
        match self {
            Self::Pbkdf2 {
                salt,
                iterations,
                hash,
                ..
            } => {
                work.charge(u64::from(*iterations), size.div_ceil(hash.size()))?;
                hash.pbkdf2(passphrase, salt, *iterations, &mut out);
            }
            Self::Scrypt {
                salt, log_n, r, p, ..
            } => {
                // One step of scrypt mixes 2r blocks of 64 octets, twice.
                work.charge((1 << log_n) * u64::from(*r) * u64::from(*p), 4)?;
                let parameters = scrypt::Params::new(*log_n, *r, *p)
                    .map_err(|_| Defect::Damaged("the parameters of scrypt"))?;
                scrypt::scrypt(passphrase, salt, &parameters, &mut out)
                    .map_err(|_| Defect::Damaged("the parameters of scrypt"))?;
            }
        }
        Ok(out)
    }
}

/// Iteration counts start at one (RFC 8018 §4.2).
pub(crate) fn iterations(fields: &mut ber::Reader<'_>) -> Result<u64, Defect> {
    match fields.number("no iteration count")? {
        0 => Err(Defect::Damaged("an iteration count of zero")),
        count => Ok(count),
    }
}

fn optional_size(fields: &mut ber::Reader<'_>) -> Result<Option<u64>, Defect> {
    const WHAT: &str = "the key length of a key derivation";
    let size = fields
        .optional(ber::INTEGER)?
        .map(|size| size.number(WHAT))
        .transpose()?;
    if size == Some(0) {
        Err(Defect::Damaged(WHAT))
    } else {
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passphrase::Secret;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    /// Vectors that the PKCS #12 implementations of BouncyCastle, OpenSSL and Go agree on.
    #[test]
    fn pkcs12_derivation() {
        let check = |purpose, passphrase: &str, salt: &str, iterations, expected: &str| {
            let form = &Secret::new(passphrase).bmp_forms()[0];
            let (salt, expected) = (hex(salt), hex(expected));
            let key = pkcs12(
                Hash::Sha1,
                purpose,
                form,
                (&salt, iterations),
                expected.len(),
                &mut Work::new(),
            );
            assert_eq!(key.unwrap()[..], expected);
        };
        check(
            Purpose::Key,
            "smeg",
            "0a58cf64530d823f",
            1,
            "8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3",
        );
        check(
            Purpose::Iv,
            "smeg",
            "0a58cf64530d823f",
            1,
            "79993dfe048d3b76",
        );
        check(
            Purpose::Key,
            "smeg",
            "642b99ab44fb4b1f",
            1,
            "f3a95fec48d7711e985cfe67908c5ab79fa3d7c5caa5d966",
        );
        check(
            Purpose::Iv,
            "smeg",
            "642b99ab44fb4b1f",
            1,
            "c0a38d64a79bea1d",
        );
        check(
            Purpose::Mac,
            "smeg",
            "3d83c0e4546ac140",
            1,
            "8d967d88f6caa9d714800ab3d48051d63f73a312",
        );
        check(
            Purpose::Key,
            "queeg",
            "05dec959acff72f7",
            1000,
            "ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4",
        );
        check(
            Purpose::Iv,
            "queeg",
            "05dec959acff72f7",
            1000,
            "11dedad7758d4860",
        );
        check(
            Purpose::Mac,
            "queeg",
            "263216fcc2fab31c",
            1000,
            "5ec4c7a80df652294c3925b6489a7ab857c83476",
        );
    }

    #[test]
    fn work_is_counted_over_all_parts() {
        let mut work = Work::new();
        work.charge(Work::LIMIT / 2, 1).unwrap();
        work.charge(Work::LIMIT / 2, 1).unwrap();
        assert_eq!(work.charge(1, 1), Err(Defect::TooMuchWork(1)));
        assert_eq!(
            Work::new().charge(u64::MAX, 2),
            Err(Defect::TooMuchWork(u64::MAX))
        );
    }
}
