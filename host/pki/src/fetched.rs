//! Authorities and OCSP answers that are fetched while a path is judged.

use crate::judgement::Judgement;
use crate::limits;
use crate::parsed::Parsed;
use const_oid::ObjectIdentifier;
use waxseal_smime::Certificate;
use waxseal_smime::asn1::{Element, Malformed, tag};

/// id-ad-caIssuers (RFC 5280 §4.2.2.1).
const AD_CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");
/// id-signedData (RFC 5652 §5.1).
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

impl Judgement<'_> {
    /// Fetches the issuers that a certificate names, where there is a fetcher.
    pub(crate) fn fetch_issuers(&mut self, certificate: &Parsed) {
        let access = &certificate.extensions.access;
        let urls = access.iter().filter(|(method, _)| *method == AD_CA_ISSUERS);
        for (_, url) in urls.take(2) {
            let Some(octets) = self.fetch(url) else {
                continue;
            };
            // What does not parse helps nobody.
            for certificate in certificates(&octets).unwrap_or_default() {
                if let Ok(entry) = Parsed::of(&certificate) {
                    self.brought.add(entry);
                }
            }
        }
    }

    /// Asks a responder, within the same bounds as other fetches.
    pub(crate) fn fetch_ocsp(&mut self, url: &str, request: &[u8]) -> Option<Vec<u8>> {
        let fetcher = self.policy.fetcher.as_ref()?;
        let is_web = url.starts_with("http://") || url.starts_with("https://");
        if !is_web || self.fetches == limits::FETCHES {
            return None;
        }
        self.fetches += 1;
        match fetcher.ocsp(url, request) {
            Ok(octets) => Some(octets),
            Err(error) => {
                self.unreachable = Some(error.to_string());
                None
            }
        }
    }
}

/// One certificate, or the certificates of a certs-only SignedData.
fn certificates(octets: &[u8]) -> Result<Vec<Certificate>, Malformed> {
    if let Ok(certificate) = Certificate::from_der(octets) {
        return Ok(vec![certificate]);
    }
    let mut content = Element::only(octets)?.children();
    if content.object_identifier()? != SIGNED_DATA {
        return Err(Malformed);
    }
    let wrapped = content.expect(tag::context(0))?;
    let mut fields = Element::only(wrapped.value)?.children();
    fields.expect(tag::INTEGER)?;
    fields.expect(tag::SET)?;
    fields.expect(tag::SEQUENCE)?;
    let all = fields.expect(tag::context(0))?.children().elements()?;
    let all = all.into_iter().take(limits::INTERMEDIATES);
    Ok(all
        .filter_map(|one| Certificate::from_der(one.raw).ok())
        .collect())
}
