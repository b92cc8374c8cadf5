//! Time of X.509 (RFC 5280 §4.1.2.5).

use waxseal_message::Date;

use super::{Element, Malformed};
use crate::time::Time;

/// UTCTime or GeneralizedTime in UTC, with seconds and without fractions.
pub fn time(element: Element<'_>) -> Result<Time, Malformed> {
    let text = std::str::from_utf8(element.value).map_err(|_| Malformed)?;
    let digits = text.strip_suffix('Z').ok_or(Malformed)?;
    let (year, rest) = match (element.tag, digits.len()) {
        (0x17, 12) => {
            let year = number(digits.get(..2))?;
            // RFC 5280 §4.1.2.5.1.
            let century = if year < 50 { 2000 } else { 1900 };
            (century + year, digits.get(2..))
        }
        (0x18, 14) => (number(digits.get(..4))?, digits.get(4..)),
        _ => return Err(Malformed),
    };
    let rest = rest.ok_or(Malformed)?;
    let field = |at: usize| number(rest.get(at..at + 2));
    let (hour, minute, second) = (field(4)?, field(6)?, field(8)?);
    let time = Date::new(year, field(0)?, field(2)?)
        .and_then(|date| date.at(hour, minute, second))
        .ok_or(Malformed)?;
    Ok(Time::from_unix(time.unix()))
}

fn number(digits: Option<&str>) -> Result<u16, Malformed> {
    let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms() {
        let check = |tag: u8, text: &str, expected: Option<i64>| {
            let octets = [&[tag, text.len() as u8], text.as_bytes()].concat();
            let read = time(Element::only(&octets).unwrap());
            assert_eq!(read.ok().map(Time::unix), expected, "{text}");
        };
        check(0x17, "700101000000Z", Some(0));
        check(0x17, "500101000000Z", Some(-631_152_000));
        check(0x17, "261124150000Z", Some(1_795_532_400));
        check(0x18, "20261124150000Z", Some(1_795_532_400));
        check(0x18, "20500101000000Z", Some(2_524_608_000));
        check(0x17, "2611241500Z", None);
        check(0x18, "20261124150000.5Z", None);
        check(0x18, "20261324150000Z", None);
        check(0x18, "20260229150000Z", None);
    }
}
