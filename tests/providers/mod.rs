//! What every provider must do, whichever it is: the tests of a provider are a file that names
//! it as `PROVIDER` and includes this module. They go through `waxseal-smime`, so that what is
//! tested is mail, and read and write with other programs and public vectors.

mod certificates;
mod common;
mod compressed;
mod content;
mod decrypt;
mod decrypt_corpus;
mod decrypt_damaged;
mod decrypt_openssl;
mod encrypt;
mod foreign;
mod keys;
mod protected;
mod read_back;
mod real_mail;
mod rfc9216;
mod sign;
mod transport;
mod verify;
mod verify_certificates;
mod verify_corpus;
mod wycheproof;
