//! The mails that are measured.

use bytes::Bytes;

/// From whom all of them are; identities are made for it.
pub const FROM: &str = "chief@example.org";
/// To whom.
pub const TO: &str = "bob@partner.example";

/// What most mails are about as large as.
pub const SMALL: usize = 10_000;
/// A mail with an attachment as large as servers commonly take.
pub const LARGE: usize = 25_000_000;

/// A mail of about `size` octets whose bulk is an attachment. Mails with different numbers differ.
pub fn mail(size: usize, number: usize) -> Bytes {
    let mut mail = format!(
        "From: {FROM}\r\nTo: {TO}\r\nSubject: report {number}\r\nMIME-Version: 1.0\r\n\
         Message-ID: <{number}@example.org>\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
         --x\r\nContent-Type: text/plain\r\n\r\nReport {number} is attached.\r\n\
         --x\r\nContent-Type: application/pdf; name=report.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    );
    let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAx\r\n";
    while mail.len() + line.len() < size {
        mail.push_str(line);
    }
    mail.push_str("--x--\r\n");
    mail.into()
}
