//! How long an answer says that it holds. It reads as much ASN.1 as that takes, and believes it
//! no further than for keeping: the answer's signature is checked elsewhere.

use crate::ber::{CONTEXT_0, Element, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE};
use crate::error::Defect;
use waxseal_smime::Time;
use x509_cert::der::Decode;

const ENUMERATED: u8 = 0x0a;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Answers in one OCSP response that are looked at.
const MAX_ANSWERS: usize = 64;

/// How long an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Until there is a newer one.
    Until(Time),
    /// It is a list or an answer without nextUpdate, or one that says to try later.
    Short,
    /// It is something else: certificates, which say nothing of the kind.
    Unsaid,
}

pub(super) fn lifetime(octets: &[u8]) -> Lifetime {
    of_response(octets)
        .or_else(|_| of_list(octets))
        .unwrap_or(Lifetime::Unsaid)
}

/// CertificateList (RFC 5280 §5.1).
fn of_list(octets: &[u8]) -> Result<Lifetime, Defect> {
    let mut list = Reader::new(octets).expect(SEQUENCE, LIST)?.inside();
    let mut tbs = list.expect(SEQUENCE, LIST)?.inside();
    tbs.optional(INTEGER)?;
    tbs.expect(SEQUENCE, LIST)?; // signature
    tbs.expect(SEQUENCE, LIST)?; // issuer
    time(&tbs.next()?)?; // thisUpdate
    if tbs.is_empty() {
        return Ok(Lifetime::Short);
    }
    Ok(time(&tbs.next()?).map_or(Lifetime::Short, Lifetime::Until))
}

/// OCSPResponse (RFC 6960 §4.2.1).
fn of_response(octets: &[u8]) -> Result<Lifetime, Defect> {
    let mut response = Reader::new(octets).expect(SEQUENCE, RESPONSE)?.inside();
    response.expect(ENUMERATED, RESPONSE)?;
    let Some(bytes) = response.optional(CONTEXT_0)? else {
        return Ok(Lifetime::Short); // tryLater and the like
    };
    let mut bytes = bytes.inside().expect(SEQUENCE, RESPONSE)?.inside();
    bytes.expect(OID, RESPONSE)?;
    let basic = bytes.expect(OCTET_STRING, RESPONSE)?.octets()?;
    let mut basic = Reader::new(&basic).expect(SEQUENCE, RESPONSE)?.inside();
    let mut tbs = basic.expect(SEQUENCE, RESPONSE)?.inside();
    tbs.optional(CONTEXT_0)?; // version
    tbs.next()?; // responderID
    tbs.expect(GENERALIZED_TIME, RESPONSE)?; // producedAt
    let mut answers = tbs.expect(SEQUENCE, RESPONSE)?.inside();
    let mut earliest = None;
    for _ in 0..MAX_ANSWERS {
        if answers.is_empty() {
            break;
        }
        let mut answer = answers.expect(SEQUENCE, RESPONSE)?.inside();
        answer.expect(SEQUENCE, RESPONSE)?; // certID
        answer.next()?; // certStatus
        answer.expect(GENERALIZED_TIME, RESPONSE)?; // thisUpdate
        let Some(next) = answer.optional(CONTEXT_0)? else {
            return Ok(Lifetime::Short);
        };
        let next = time(&next.inside().next()?)?;
        earliest = Some(earliest.map_or(next, |other: Time| other.min(next)));
    }
    Ok(earliest.map_or(Lifetime::Short, Lifetime::Until))
}

const LIST: &str = "a certificate revocation list";
const RESPONSE: &str = "an OCSP response";

fn time(element: &Element<'_>) -> Result<Time, Defect> {
    let malformed = Defect::Damaged("a time");
    if !element.is(UTC_TIME) && !element.is(GENERALIZED_TIME) {
        return Err(malformed);
    }
    let parsed = x509_cert::time::Time::from_der(element.raw).map_err(|_| malformed)?;
    Ok(parsed.to_date_time().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ber::{sequence, tlv};

    fn utc(text: &str) -> Vec<u8> {
        tlv(UTC_TIME, text.as_bytes()).to_vec()
    }

    fn generalized(text: &str) -> Vec<u8> {
        tlv(GENERALIZED_TIME, text.as_bytes()).to_vec()
    }

    fn list(times: &[&[u8]]) -> Vec<u8> {
        let empty = sequence(&[]);
        let parts: Vec<&[u8]> = [&tlv(INTEGER, &[1])[..], &empty, &empty]
            .into_iter()
            .chain(times.iter().copied())
            .map(<[u8]>::to_vec)
            .map(|part| &*part.leak())
            .collect();
        sequence(&[&sequence(&parts)]).to_vec()
    }

    fn answer(next: Option<&str>) -> Vec<u8> {
        let (empty, good) = (sequence(&[]), tlv(0x80, &[]));
        let this = generalized("20260101000000Z");
        let next = next.map(|text| tlv(CONTEXT_0, &generalized(text)).to_vec());
        sequence(&[&empty, &good, &this, &next.unwrap_or_default()]).to_vec()
    }

    fn response(answers: &[Vec<u8>]) -> Vec<u8> {
        let answers = answers.concat();
        let tbs = sequence(&[
            &tlv(0xa2, &tlv(OCTET_STRING, &[7; 20])),
            &generalized("20260101000000Z"),
            &tlv(SEQUENCE, &answers),
        ]);
        let basic = sequence(&[&tbs]);
        let bytes = sequence(&[&tlv(OID, &[0x2b, 6]), &tlv(OCTET_STRING, &basic)]);
        sequence(&[&tlv(ENUMERATED, &[0]), &tlv(CONTEXT_0, &bytes)]).to_vec()
    }

    #[test]
    fn lists_answers_and_the_rest() {
        let check = |octets: &[u8], expected: Lifetime| assert_eq!(lifetime(octets), expected);
        let until = |unix| Lifetime::Until(Time::from_unix(unix));
        let (this, next) = (utc("260101000000Z"), utc("260102000000Z"));
        check(&list(&[&this, &next]), until(1_767_312_000));
        check(
            &list(&[&this, &generalized("20510102000000Z")]),
            until(2_556_230_400),
        );
        check(&list(&[&this]), Lifetime::Short);
        let answers = [
            answer(Some("20260103000000Z")),
            answer(Some("20260102000000Z")),
        ];
        check(&response(&answers), until(1_767_312_000));
        check(&response(&[answer(None)]), Lifetime::Short);
        check(&response(&[]), Lifetime::Short);
        check(&sequence(&[&tlv(ENUMERATED, &[3])]), Lifetime::Short);
        check(b"", Lifetime::Unsaid);
        check(b"<html>", Lifetime::Unsaid);
        check(&sequence(&[&sequence(&[])]), Lifetime::Unsaid);
    }
}
