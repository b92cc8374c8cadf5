//! What can go wrong with the operator's files. [`Defect`] is about octets; [`Error`] adds the
//! file, once, where it is known. Neither ever holds key material or a passphrase.

use std::io;
use std::path::{Path, PathBuf};
use waxseal_smime::ProviderError;

/// What is wrong with the octets of a certificate, key or container.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// It is whole as far as that can be told, and this passphrase does not open it.
    #[error("the passphrase does not open it")]
    WrongPassphrase,
    /// It is encrypted, and no passphrase was given.
    #[error("it is encrypted and no passphrase was given")]
    PassphraseMissing,
    /// It is not what its format says.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// It is sound, and uses what this crate does not read.
    #[error("uses what waxseal does not read: {0}")]
    Unsupported(String),
    /// Deriving its keys would take more work than a file may ask for.
    #[error("asks for too much work to derive its key: {0} iterations")]
    TooMuchWork(u64),
    /// A certificate in it does not parse.
    #[error("a certificate in it does not parse: {0}")]
    Certificate(String),
    /// A private key in it was refused by the provider.
    #[error("a private key in it cannot be used: {0}")]
    Key(ProviderError),
    /// No certificate is in it.
    #[error("holds no certificate")]
    NoCertificate,
    /// No private key is in it.
    #[error("holds no private key")]
    NoKey,
    /// It has private keys, but none that belongs to one of the certificates.
    #[error("no certificate belongs to its private key")]
    NoMatch,
    /// A certificate in a store names no address and no domain, so nobody finds it.
    #[error("a certificate in it names no address and no domain: {0}")]
    NoAddress(String),
    /// A certificate is to be set for somebody whom it does not name.
    #[error("the certificate names neither the address nor its domain: {0}")]
    OtherAddress(String),
    /// None of the certificates that have a private key may sign.
    #[error("no certificate with a private key may sign")]
    NoSigner,
}

impl Defect {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongPassphrase => "passphrase.wrong",
            Self::PassphraseMissing => "passphrase.missing",
            Self::Damaged(_) => "file.damaged",
            Self::Unsupported(_) => "file.unsupported",
            Self::TooMuchWork(_) => "file.too-much-work",
            Self::Certificate(_) => "certificate.malformed",
            Self::Key(_) => "key.unusable",
            Self::NoCertificate => "file.no-certificate",
            Self::NoKey => "file.no-key",
            Self::NoMatch => "identity.no-match",
            Self::NoAddress(_) => "certificate.no-address",
            Self::OtherAddress(_) => "certificate.other-address",
            Self::NoSigner => "identity.no-signer",
        }
    }

    /// What to try, for people.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::WrongPassphrase => Some(
                "check the passphrase file for a wrong name, spaces or a second line; \
                 `openssl pkcs12 -info -noout -in FILE` asks for it and checks it",
            ),
            Self::PassphraseMissing => {
                Some("give a passphrase file, or name an environment variable that holds it")
            }
            Self::Unsupported(_) => Some(
                "`openssl pkcs12 -legacy -in FILE -nodes` or `openssl pkcs8 -topk8` convert it",
            ),
            Self::NoKey => Some("name the file with the private key beside the certificate's"),
            Self::NoMatch => Some("check that key and certificate were issued together"),
            _ => None,
        }
    }
}

/// Why a store of certificates does not answer.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// Others write to it, for longer than we wait.
    #[error("busy: another program writes to it")]
    Busy,
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// Reading or writing failed in the system.
    #[error("the system failed: {0}")]
    Io(String),
    /// It cannot be opened: not allowed, or no such directory.
    #[error("cannot be opened: {0}")]
    Unopenable(String),
    /// It can be read and not written.
    #[error("cannot be written to")]
    ReadOnly,
    /// It is not what was written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Another program made it, for something else.
    #[error("not a store of certificates")]
    Foreign,
    /// A newer version of this program made it.
    #[error("made by a newer version: schema {found}, and this program knows {known}")]
    Newer {
        /// The schema's version in the file.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
}

impl StoreFault {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Busy => "store.busy",
            Self::Full => "store.full",
            Self::Io(_) => "store.io",
            Self::Unopenable(_) => "store.unopenable",
            Self::ReadOnly => "store.read-only",
            Self::Damaged(_) => "store.damaged",
            Self::Foreign => "store.foreign",
            Self::Newer { .. } => "store.newer",
        }
    }

    /// True when a retry may succeed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::Io(_))
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Busy => Some("try again; look for a program that holds the file"),
            Self::Damaged(_) => Some(
                "restore it from a copy, or move it away: a new one is made, and harvesting \
                 fills it again; `sqlite3 FILE .recover` may save what an operator put there",
            ),
            Self::Foreign => Some("name another file"),
            Self::Newer { .. } => Some("use the version that made it, or another file"),
            Self::Unopenable(_) | Self::ReadOnly => {
                Some("the file and its directory belong to the user that the service runs as")
            }
            _ => None,
        }
    }
}

/// What went wrong with a file.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or directory cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there already, and nobody said to replace it.
    #[error("file exists already: {}", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file is larger than any certificate or key file has reason to be.
    #[error("file larger than {limit} octets: {}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in octets.
        limit: u64,
    },
    /// The file was read, and its content is no good.
    #[error("{}: {defect}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        defect: Defect,
    },
    /// The environment variable that should hold the passphrase is not set.
    #[error("the environment variable for the passphrase is not set: {name}")]
    PassphraseVariable {
        /// The variable.
        name: String,
    },
    /// The store of certificates does not answer.
    #[error("{}: {fault}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why not.
        fault: StoreFault,
    },
    /// The provider could not do its part, for example give randomness.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl Error {
    pub(crate) fn content(path: &Path, defect: Defect) -> Self {
        Self::Content {
            path: path.to_owned(),
            defect,
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "file.unreadable",
            Self::Write { .. } => "file.unwritable",
            Self::Exists { .. } => "file.exists",
            Self::TooLarge { .. } => "file.too-large",
            Self::Content { defect, .. } => defect.code(),
            Self::PassphraseVariable { .. } => "passphrase.no-variable",
            Self::Store { fault, .. } => fault.code(),
            Self::Provider(_) => "provider.failed",
        }
    }

    /// True when a retry may succeed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Store { fault, .. } if fault.is_passing())
    }

    /// What to try, for people.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Content { defect, .. } => defect.hint(),
            Self::Store { fault, .. } => fault.hint(),
            Self::Exists { .. } => Some("choose another name, or say that it may be replaced"),
            _ => None,
        }
    }

    /// What is wrong with the content, when the file could be read.
    pub fn defect(&self) -> Option<&Defect> {
        match self {
            Self::Content { defect, .. } => Some(defect),
            _ => None,
        }
    }
}
