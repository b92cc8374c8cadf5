//! Password-based encryption of keys and containers: PBES2 (RFC 8018 §6.2) with AES; and for
//! reading old files PBES2 with 3DES, RC2 and DES, the schemes of PKCS #12 (RFC 7292 §C) and
//! PBES1 (RFC 8018 §6.1). RC4 is not read.
//!
//! All are CBC without authentication, so a wrong passphrase shows only in what comes out: the
//! padding, and that the result is one SEQUENCE.

use crate::ber::{self, Element, Reader};
use crate::error::Defect;
use crate::kdf::{self, Derivation, Hash, Purpose, Work};
use crate::passphrase::Secret;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{
    BlockCipherDecrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit, KeyIvInit,
};
use const_oid::ObjectIdentifier;
use waxseal_smime::{Provider, ProviderError};
use zeroize::Zeroizing;

/// Passphrase forms and the work left: what opening the parts of one file shares.
pub(crate) struct Opener<'a> {
    secret: &'a Secret,
    bmp: Vec<Zeroizing<Vec<u8>>>,
    pub(crate) work: Work,
}

#[derive(Clone, Copy)]
enum Cipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
    Des,
    Rc2 { bits: usize, size: usize },
}

/// A cipher, and where its key and initialisation vector come from.
struct Scheme {
    cipher: Cipher,
    source: Source,
}

enum Source {
    Pbes2 {
        derivation: Derivation,
        iv: Vec<u8>,
    },
    Pkcs12 {
        salt: Vec<u8>,
        iterations: u64,
        key_size: usize,
    },
    Pbes1 {
        salt: Vec<u8>,
        iterations: u64,
        hash: Hash,
    },
}

type Octets = Zeroizing<Vec<u8>>;

impl<'a> Opener<'a> {
    pub(crate) fn new(secret: &'a Secret) -> Self {
        Self {
            secret,
            bmp: secret.bmp_forms(),
            work: Work::new(),
        }
    }

    /// The passphrase as it stands.
    pub(crate) fn plain(&self) -> &'a [u8] {
        self.secret.octets()
    }

    pub(crate) fn bmp(&self) -> &[Zeroizing<Vec<u8>>] {
        &self.bmp
    }

    /// From now on this form is tried first: it is the one that the MAC agreed with.
    pub(crate) fn prefer(&mut self, form: usize) {
        self.bmp.swap(0, form);
    }

    /// Decrypts with each form of the passphrase until the result is one SEQUENCE.
    pub(crate) fn decrypt(
        &mut self,
        algorithm: &Element<'_>,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Defect> {
        let scheme = Scheme::read(algorithm)?;
        let mut forms = self.bmp.clone();
        if !matches!(scheme.source, Source::Pkcs12 { .. }) {
            forms.insert(0, Zeroizing::new(self.plain().to_vec()));
        }
        for form in forms {
            let (key, iv) = scheme.derive(&form, &mut self.work)?;
            match scheme.cipher.decrypt(&key, &iv, ciphertext) {
                Ok(plain) if ber::is_one_sequence(&plain) => return Ok(plain),
                Ok(_) | Err(Defect::WrongPassphrase) => {}
                Err(other) => return Err(other),
            }
        }
        Err(Defect::WrongPassphrase)
    }
}

const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");

impl Scheme {
    fn read(algorithm: &Element<'_>) -> Result<Self, Defect> {
        let mut fields = algorithm.inside();
        let oid = fields.oid("no name of an encryption scheme")?;
        let parameters = fields.expect(ber::SEQUENCE, "no parameters of an encryption scheme")?;
        if oid == PBES2 {
            return Self::read_pbes2(&parameters);
        }
        let rc2 = |bits: usize| Cipher::Rc2 {
            bits,
            size: bits / 8,
        };
        match oid.to_string().as_str() {
            // RFC 7292 appendix C
            "1.2.840.113549.1.12.1.3" => Self::read_pkcs12(&parameters, Cipher::TripleDes, 24),
            "1.2.840.113549.1.12.1.4" => Self::read_pkcs12(&parameters, Cipher::TripleDes, 16),
            "1.2.840.113549.1.12.1.5" => Self::read_pkcs12(&parameters, rc2(128), 16),
            "1.2.840.113549.1.12.1.6" => Self::read_pkcs12(&parameters, rc2(40), 5),
            // RFC 8018 appendix A.3
            "1.2.840.113549.1.5.3" => Self::read_pbes1(&parameters, Hash::Md5, Cipher::Des),
            "1.2.840.113549.1.5.6" => Self::read_pbes1(&parameters, Hash::Md5, rc2(64)),
            "1.2.840.113549.1.5.10" => Self::read_pbes1(&parameters, Hash::Sha1, Cipher::Des),
            "1.2.840.113549.1.5.11" => Self::read_pbes1(&parameters, Hash::Sha1, rc2(64)),
            _ => Err(Defect::Unsupported(format!("encryption scheme {oid}"))),
        }
    }

    /// RFC 8018 appendix A.4.
    fn read_pbes2(parameters: &Element<'_>) -> Result<Self, Defect> {
        let mut fields = parameters.inside();
        let derivation = Derivation::read(&fields.expect(ber::SEQUENCE, "no key derivation")?)?;
        let mut encryption = fields.expect(ber::SEQUENCE, "no cipher")?.inside();
        let (cipher, iv) = Cipher::read(&mut encryption, derivation.size())?;
        if derivation
            .size()
            .is_some_and(|size| size != cipher.key_size() as u64)
        {
            return Err(Defect::Damaged("a key length that does not fit the cipher"));
        }
        Ok(Self {
            cipher,
            source: Source::Pbes2 { derivation, iv },
        })
    }

    fn read_pkcs12(
        parameters: &Element<'_>,
        cipher: Cipher,
        key_size: usize,
    ) -> Result<Self, Defect> {
        let (salt, iterations) = salt_and_iterations(parameters)?;
        Ok(Self {
            cipher,
            source: Source::Pkcs12 {
                salt,
                iterations,
                key_size,
            },
        })
    }

    fn read_pbes1(parameters: &Element<'_>, hash: Hash, cipher: Cipher) -> Result<Self, Defect> {
        let (salt, iterations) = salt_and_iterations(parameters)?;
        Ok(Self {
            cipher,
            source: Source::Pbes1 {
                salt,
                iterations,
                hash,
            },
        })
    }

    /// Key and initialisation vector.
    fn derive(&self, form: &[u8], work: &mut Work) -> Result<(Octets, Octets), Defect> {
        match &self.source {
            Source::Pbes2 { derivation, iv } => {
                let key = derivation.derive(form, self.cipher.key_size(), work)?;
                Ok((key, Zeroizing::new(iv.clone())))
            }
            Source::Pkcs12 {
                salt,
                iterations,
                key_size,
            } => {
                let salted = (&salt[..], *iterations);
                let mut key = kdf::pkcs12(Hash::Sha1, Purpose::Key, form, salted, *key_size, work)?;
                if matches!(self.cipher, Cipher::TripleDes) && *key_size == 16 {
                    // Two-key triple DES: the first key again.
                    key.extend_from_within(..8);
                }
                Ok((
                    key,
                    kdf::pkcs12(Hash::Sha1, Purpose::Iv, form, salted, 8, work)?,
                ))
            }
            Source::Pbes1 {
                salt,
                iterations,
                hash,
            } => {
                // RFC 8018 §6.1.2: eight octets of key, then eight of IV.
                let derived = kdf::pbkdf1(*hash, form, (salt, *iterations), work)?;
                Ok((
                    Zeroizing::new(derived[..8].to_vec()),
                    Zeroizing::new(derived[8..16].to_vec()),
                ))
            }
        }
    }
}

fn salt_and_iterations(parameters: &Element<'_>) -> Result<(Vec<u8>, u64), Defect> {
    let mut fields = parameters.inside();
    let salt = fields
        .octets("no salt in an encryption scheme")?
        .into_owned();
    Ok((salt, kdf::iterations(&mut fields)?))
}

impl Cipher {
    /// RFC 8018 appendix B.2.
    fn read(encryption: &mut Reader<'_>, size: Option<u64>) -> Result<(Self, Vec<u8>), Defect> {
        let oid = encryption.oid("no name of a cipher")?;
        let cipher = match oid.to_string().as_str() {
            "2.16.840.1.101.3.4.1.2" => Self::Aes128,
            "2.16.840.1.101.3.4.1.22" => Self::Aes192,
            "2.16.840.1.101.3.4.1.42" => Self::Aes256,
            "1.2.840.113549.3.7" => Self::TripleDes,
            "1.3.14.3.2.7" => Self::Des,
            "1.2.840.113549.3.2" => return Self::read_rc2(encryption, size),
            _ => return Err(Defect::Unsupported(format!("cipher {oid}"))),
        };
        Ok((
            cipher,
            encryption.octets("no initialisation vector")?.into_owned(),
        ))
    }

    /// RFC 8018 appendix B.2.3: the version stands for the effective key bits.
    fn read_rc2(encryption: &mut Reader<'_>, size: Option<u64>) -> Result<(Self, Vec<u8>), Defect> {
        const WHAT: &str = "the parameters of RC2";
        let mut fields = encryption.expect(ber::SEQUENCE, WHAT)?.inside();
        let bits = match fields
            .optional(ber::INTEGER)?
            .map(|version| version.number(WHAT))
            .transpose()?
        {
            None => 32,
            Some(160) => 40,
            Some(120) => 64,
            Some(58) => 128,
            Some(bits @ 256..=1024) => bits as usize,
            Some(_) => return Err(Defect::Damaged(WHAT)),
        };
        let size = match size {
            None => bits.div_ceil(8),
            Some(size @ 1..=128) => size as usize,
            Some(_) => return Err(Defect::Damaged(WHAT)),
        };
        Ok((Self::Rc2 { bits, size }, fields.octets(WHAT)?.into_owned()))
    }

    fn key_size(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
            Self::Des => 8,
            Self::Rc2 { size, .. } => size,
        }
    }

    fn decrypt(
        self,
        key: &[u8],
        iv: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Defect> {
        match self {
            Self::Aes128 => unpadded(keyed::<aes::Aes128>(key, iv)?, ciphertext),
            Self::Aes192 => unpadded(keyed::<aes::Aes192>(key, iv)?, ciphertext),
            Self::Aes256 => unpadded(keyed::<aes::Aes256>(key, iv)?, ciphertext),
            Self::TripleDes => unpadded(keyed::<des::TdesEde3>(key, iv)?, ciphertext),
            Self::Des => unpadded(keyed::<des::Des>(key, iv)?, ciphertext),
            Self::Rc2 { bits, .. } => {
                let cipher = rc2::Rc2::new_with_eff_key_len(key, bits);
                let cipher = cbc::Decryptor::inner_iv_slice_init(cipher, iv).map_err(|_| SIZES)?;
                unpadded(cipher, ciphertext)
            }
        }
    }
}

const SIZES: Defect = Defect::Damaged("an initialisation vector of the wrong size");

fn keyed<C: BlockCipherDecrypt + KeyInit>(
    key: &[u8],
    iv: &[u8],
) -> Result<cbc::Decryptor<C>, Defect> {
    cbc::Decryptor::new_from_slices(key, iv).map_err(|_| SIZES)
}

fn unpadded(
    cipher: impl BlockModeDecrypt,
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Defect> {
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let size = cipher
        .decrypt_padded::<Pkcs7>(&mut buffer)
        .map_err(|_| Defect::WrongPassphrase)?
        .len();
    buffer.truncate(size);
    Ok(buffer)
}

/// What [`encrypt`] makes: an AlgorithmIdentifier in DER, and the octets.
pub(crate) struct Encrypted {
    pub(crate) algorithm: Zeroizing<Vec<u8>>,
    pub(crate) octets: Vec<u8>,
}

/// PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, under a fresh salt and IV.
pub(crate) fn encrypt(
    plain: &[u8],
    secret: &Secret,
    iterations: u32,
    provider: &dyn Provider,
) -> Result<Encrypted, ProviderError> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    provider.random(&mut salt)?;
    provider.random(&mut iv)?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(secret.octets(), &salt, iterations, &mut *key);
    let octets = cbc::Encryptor::<aes::Aes256>::new(&(*key).into(), &iv.into())
        .encrypt_padded_vec::<Pkcs7>(plain);
    let prf = ber::sequence(&[&ber::oid(kdf::HMAC_SHA256), ber::NULL]);
    let salt = ber::tlv(ber::OCTET_STRING, &salt);
    let derivation = ber::sequence(&[&salt, &ber::number(iterations), &prf]);
    let derivation = ber::sequence(&[&ber::oid(kdf::PBKDF2), &derivation]);
    let cipher = ber::sequence(&[&ber::oid(AES_256_CBC), &ber::tlv(ber::OCTET_STRING, &iv)]);
    let parameters = ber::sequence(&[&derivation, &cipher]);
    Ok(Encrypted {
        algorithm: ber::sequence(&[&ber::oid(PBES2), &parameters]),
        octets,
    })
}
