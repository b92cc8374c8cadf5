//! Domains as they are compared: lower case, A-labels.
//!
//! The host gives recipients' domains in this form. What a person writes in
//! settings is brought to it here: letters are lower-cased and a label beyond
//! ASCII is encoded with Punycode. The wider mapping of UTS #46 (compatibility
//! forms, combining marks apart from their letter) is not done: its tables would
//! be larger than all the rest of a filter. Such a name is written as an A-label.

/// `Büro.Example.ORG.` → `xn--bro-hoa.example.org`. A leading dot and `*` stay.
pub(crate) fn to_ascii(domain: &str) -> String {
    let lower = domain.trim_end_matches('.').to_lowercase();
    let labels = lower.split(['.', '\u{3002}']).map(|label| {
        if label.is_ascii() {
            label.to_owned()
        } else {
            format!("xn--{}", punycode(label))
        }
    });
    labels.collect::<Vec<_>>().join(".")
}

/// RFC 3492 §6.3. A label is short, so 64-bit sums cannot overflow.
fn punycode(label: &str) -> String {
    let points: Vec<u64> = label.chars().map(|c| u64::from(u32::from(c))).collect();
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = out.len() as u64;
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut done) = (0x80_u64, 0_u64, 72_u64, basic);
    while done < points.len() as u64 {
        let Some(next) = points.iter().copied().filter(|point| *point >= n).min() else {
            break;
        };
        delta += (next - n) * (done + 1);
        n = next;
        for point in &points {
            if *point < n {
                delta += 1;
            }
            if *point == n {
                push_delta(&mut out, delta, bias);
                bias = adapt(delta, done + 1, done == basic);
                delta = 0;
                done += 1;
            }
        }
        delta += 1;
        n += 1;
    }
    out
}

/// A variable-length integer, least significant digit first.
fn push_delta(out: &mut String, delta: u64, bias: u64) {
    let mut rest = delta;
    for k in (36..).step_by(36) {
        let threshold = (k as u64).saturating_sub(bias).clamp(1, 26);
        if rest < threshold {
            break;
        }
        out.push(digit(threshold + (rest - threshold) % (36 - threshold)));
        rest = (rest - threshold) / (36 - threshold);
    }
    out.push(digit(rest));
}

fn digit(value: u64) -> char {
    let value = value as u8;
    char::from(if value < 26 {
        b'a' + value
    } else {
        b'0' + value - 26
    })
}

/// RFC 3492 §6.1.
fn adapt(delta: u64, points: u64, first: bool) -> u64 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > 35 * 26 / 2 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(domain: &str, expected: &str) {
        assert_eq!(to_ascii(domain), expected);
    }

    #[test]
    fn domains_are_folded_a_labels() {
        check("Example.ORG.", "example.org");
        check("*.Example.org", "*.example.org");
        check(".example.org", ".example.org");
        check("Bücher.example", "xn--bcher-kva.example");
        check("münchen.de", "xn--mnchen-3ya.de");
        // RFC 3492 §7.1 (A), (B), (I) and (S).
        check("ليهمابتكلموشعربي؟", "xn--egbpdaj6bu4bxfgehfvwxn");
        check("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye");
        check(
            "почемужеонинеговорятпорусски",
            "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l",
        );
        check("παράδειγμα.example", "xn--hxajbheg2az3al.example");
    }
}
