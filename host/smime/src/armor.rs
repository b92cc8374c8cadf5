//! The MIME side of a protected message: its Content-* fields, and what stands around the parts
//! (RFC 8551 §3.2, §3.5).

use waxseal_message::base64_lines;

/// What application/pkcs7-mime holds (RFC 8551 §3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SmimeType {
    Signed,
    Enveloped,
    AuthEnveloped,
}

impl SmimeType {
    fn name(self) -> &'static str {
        match self {
            Self::Signed => "signed-data",
            Self::Enveloped => "enveloped-data",
            Self::AuthEnveloped => "authEnveloped-data",
        }
    }
}

/// The content fields of a message that is one CMS object.
pub(crate) fn pkcs7_mime(kind: SmimeType) -> [(&'static str, String); 3] {
    let media = format!(
        "application/pkcs7-mime; smime-type={}; name=\"smime.p7m\"",
        kind.name()
    );
    [
        ("Content-Type", media),
        ("Content-Transfer-Encoding", "base64".to_owned()),
        (
            "Content-Disposition",
            "attachment; filename=\"smime.p7m\"".to_owned(),
        ),
    ]
}

/// The multipart/signed around an entity and its signature (RFC 8551 §3.5.3, RFC 1847 §2.1).
pub(crate) struct MultipartSigned<'a> {
    pub(crate) micalg: &'a str,
    pub(crate) boundary: &'a str,
}

impl MultipartSigned<'_> {
    pub(crate) fn fields(&self) -> [(&'static str, String); 1] {
        let media = format!(
            "multipart/signed; protocol=\"application/pkcs7-signature\"; micalg={}; \
             boundary=\"{}\"",
            self.micalg, self.boundary
        );
        [("Content-Type", media)]
    }

    /// What stands between the header section and the entity.
    pub(crate) fn before(&self) -> String {
        let boundary = self.boundary;
        format!("This is a signed message in S/MIME format.\r\n\r\n--{boundary}\r\n")
    }

    /// What follows the entity: the SignedData without content.
    pub(crate) fn after(&self, cms: &[u8]) -> Vec<u8> {
        let boundary = self.boundary;
        let begin = format!(
            "\r\n--{boundary}\r\n\
             Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n\
             Content-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n"
        );
        let end = format!("\r\n--{boundary}--\r\n");
        [begin.as_bytes(), &base64_lines(cms), end.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxseal_message::entity::content_head;

    #[test]
    fn rule_02_media_type_parameters() {
        let unfolded = |octets: Vec<u8>| String::from_utf8(octets).unwrap().replace("\r\n ", " ");
        let opaque = unfolded(content_head(&pkcs7_mime(SmimeType::AuthEnveloped)));
        assert!(opaque.contains(
            "Content-Type: application/pkcs7-mime; smime-type=authEnveloped-data; name=\"smime.p7m\"\r\n"
        ));
        let clear = MultipartSigned {
            micalg: "sha-384",
            boundary: "b",
        };
        let head = unfolded(content_head(&clear.fields()));
        assert!(head.contains("protocol=\"application/pkcs7-signature\"; micalg=sha-384;"));
        let after = unfolded(clear.after(b"y"));
        assert!(after.ends_with("\r\n\r\neQ==\r\n\r\n--b--\r\n"));
    }
}
