//! Addresses and address lists (RFC 5322 §3.4 with the obsolete syntax of §4.4, RFC 6532).
//!
//! Reading a list never fails: what is no address is left out, because an address that two
//! readers understand differently is worse than none. Groups are flattened, comments and
//! routes dropped.

use std::fmt;
use std::str::FromStr;

use crate::field::unfold;
use crate::{Error, encoded_word};

/// local@domain.
///
/// The local part is kept as given, without its quotes; the domain as lower-case A-labels
/// (IDNA 2008), or as an address literal in brackets. Equality is exact in both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    local: String,
    domain: String,
}

impl Address {
    /// Reads an address alone, without display name or brackets.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = || Error::InvalidAddress(text.to_owned());
        let tokens = tokens(text.trim());
        let spec = addr_spec(&tokens).ok_or_else(invalid)?;
        Ok(spec)
    }

    /// The local part, without quotes.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain as lower-case A-labels.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The same address: domain folded, local part exact (RFC 5321 §2.4).
    pub fn matches(&self, other: &Self) -> bool {
        self == other
    }

    /// The same address if local parts ignore case, as most hosts do.
    pub fn matches_folded(&self, other: &Self) -> bool {
        self.domain == other.domain && self.local.to_lowercase() == other.local.to_lowercase()
    }

    fn new(local: String, domain: &str) -> Option<Self> {
        let is_local = !local.is_empty()
            && !local.contains(|character: char| character.is_control() || character == '\u{fffd}');
        let domain = normal_domain(domain)?;
        is_local.then_some(Self { local, domain })
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for Address {
    /// local@domain, the local part quoted where it must be (RFC 5322 §3.2.4).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_atom(&self.local) {
            write!(f, "{}@{}", self.local, self.domain)
        } else {
            write!(f, "{}@{}", quoted(&self.local), self.domain)
        }
    }
}

/// An address with the name that stands before it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mailbox {
    /// The display name, decoded.
    pub display: Option<String>,
    /// Whose it is.
    pub address: Address,
}

impl fmt::Display for Mailbox {
    /// As it is written in a header field, the name encoded where it must be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(display) = &self.display else {
            return self.address.fmt(f);
        };
        if !display.is_ascii() || display.contains("=?") || display.contains(char::is_control) {
            let mut words = String::new();
            encoded_word::encode_run(display, &mut words);
            write!(f, "{words} <{}>", self.address)
        } else if display
            .bytes()
            .all(|octet| is_atext(octet.into()) || octet == b' ')
            && !display.is_empty()
        {
            write!(f, "{display} <{}>", self.address)
        } else {
            write!(f, "{} <{}>", quoted(display), self.address)
        }
    }
}

/// Whether fields of this name hold addresses (RFC 5322 §3.6.2, §3.6.3, §3.6.6).
pub(crate) fn is_address_field(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        "from",
        "sender",
        "reply-to",
        "to",
        "cc",
        "bcc",
        "resent-from",
        "resent-sender",
        "resent-to",
        "resent-cc",
        "resent-bcc",
        "resent-reply-to",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The mailboxes in the raw value of an address field.
pub fn parse_mailboxes(raw: &[u8]) -> Vec<Mailbox> {
    parse_text(&String::from_utf8_lossy(&unfold(raw)))
}

/// The mailboxes in an unfolded value.
fn parse_text(text: &str) -> Vec<Mailbox> {
    List::read(text).mailboxes
}

/// The mailboxes in an unfolded value, if it holds nothing else: no group, no broken address.
pub(crate) fn parse_exactly(text: &str) -> Option<Vec<Mailbox>> {
    let list = List::read(text);
    (!list.lossy && !list.mailboxes.is_empty()).then_some(list.mailboxes)
}

/// RFC 5322 §3.2.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Atom(String),
    Quoted(String),
    Literal(String),
    Comment(String),
    /// One of `< > , ; : @ .`
    Special(char),
    Blank,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '"' => delimited(rest, '"').map_token(Token::Quoted),
            '[' => delimited(rest, ']').map_token(Token::Literal),
            '(' => comment(rest).map_token(Token::Comment),
            '<' | '>' | ',' | ';' | ':' | '@' | '.' => (Token::Special(first), 1),
            _ if first.is_ascii_whitespace() => (
                Token::Blank,
                rest.len()
                    - rest
                        .trim_start_matches(|c: char| c.is_ascii_whitespace())
                        .len(),
            ),
            _ => {
                let end = |c: char| c.is_ascii_whitespace() || "\"[(<>,;:@.".contains(c);
                let length = rest.find(end).unwrap_or(rest.len());
                (Token::Atom(rest[..length].to_owned()), length)
            }
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    tokens
}

/// Content and length of a delimited token.
struct Delimited(String, usize);

impl Delimited {
    fn map_token(self, token: impl FnOnce(String) -> Token) -> (Token, usize) {
        (token(self.0), self.1)
    }
}

/// A quoted string or literal at the start of `text`; unterminated, it runs to the end.
fn delimited(text: &str, close: char) -> Delimited {
    let mut content = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => content.extend(characters.next().map(|(_, escaped)| escaped)),
            _ if character == close => return Delimited(content, at + 1),
            _ => content.push(character),
        }
    }
    Delimited(content, text.len())
}

/// A comment at the start of `text`, nested ones included.
fn comment(text: &str) -> Delimited {
    let mut content = String::new();
    let mut depth = 0_usize;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => content.extend(characters.next().map(|(_, escaped)| escaped)),
            '(' => {
                depth += 1;
                if depth > 1 {
                    content.push('(');
                }
            }
            ')' if depth == 1 => return Delimited(content, at + 1),
            ')' => {
                depth -= 1;
                content.push(')');
            }
            _ => content.push(character),
        }
    }
    Delimited(content, text.len())
}

/// Reads an address list token by token.
#[derive(Debug, Default)]
struct List {
    mailboxes: Vec<Mailbox>,
    /// Of the mailbox being read: what stands outside the angle brackets.
    phrase: Vec<Token>,
    /// What stands inside them, and whether they are still open.
    angle: Option<Vec<Token>>,
    open: bool,
    /// Whether something was left out.
    lossy: bool,
}

impl List {
    fn read(text: &str) -> Self {
        let mut list = Self::default();
        for token in tokens(text) {
            list.take(token);
        }
        list.end_mailbox();
        list
    }

    fn take(&mut self, token: Token) {
        match (&token, self.open) {
            (Token::Special('>'), true) => self.open = false,
            // An angle bracket that is never closed ends with its mailbox.
            (Token::Special(';'), true) => self.end_mailbox(),
            (Token::Special('<'), _) => {
                if self.angle.is_some() {
                    self.end_mailbox();
                }
                (self.angle, self.open) = (Some(Vec::new()), true);
            }
            (_, true) => self.angle.get_or_insert_default().push(token),
            (Token::Special(',' | ';'), _) => self.end_mailbox(),
            // RFC 5322 §3.4: a group's name stands before a colon.
            (Token::Special(':'), _) if self.angle.is_none() => {
                self.phrase.clear();
                self.lossy = true;
            }
            _ => self.phrase.push(token),
        }
    }

    fn end_mailbox(&mut self) {
        self.lossy |= self.open;
        self.open = false;
        let phrase = std::mem::take(&mut self.phrase);
        let is_empty = self.angle.is_none() && phrase.iter().all(|token| *token == Token::Blank);
        let mailbox = match self.angle.take() {
            Some(angle) => addr_spec(without_route(&angle)).map(|address| Mailbox {
                display: display(&phrase),
                address,
            }),
            None => addr_spec(&phrase).map(|address| Mailbox {
                display: last_comment(&phrase),
                address,
            }),
        };
        self.lossy |= mailbox.is_none() && !is_empty;
        self.mailboxes.extend(mailbox);
    }
}

/// RFC 5322 §4.4: `@a,@b:` before the address is obsolete and ignored.
fn without_route(tokens: &[Token]) -> &[Token] {
    let is_route = tokens
        .iter()
        .find(|token| !matches!(token, Token::Blank | Token::Comment(_)))
        == Some(&Token::Special('@'));
    match tokens
        .iter()
        .position(|token| *token == Token::Special(':'))
    {
        Some(colon) if is_route => &tokens[colon + 1..],
        _ => tokens,
    }
}

/// local@domain. Words are joined by dots alone; anything else is no address.
fn addr_spec(tokens: &[Token]) -> Option<Address> {
    let tokens: Vec<&Token> = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Blank | Token::Comment(_)))
        .collect();
    let at = tokens
        .iter()
        .position(|token| **token == Token::Special('@'))?;
    let local = dotted(&tokens[..at], Position::Local)?;
    let domain = match &tokens[at + 1..] {
        [Token::Literal(literal)] => format!("[{literal}]"),
        atoms => dotted(atoms, Position::Domain)?,
    };
    Address::new(local, &domain)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Local,
    Domain,
}

/// Words and dots in turn. Local parts with stray dots are in use, so dots are not counted.
fn dotted(tokens: &[&Token], position: Position) -> Option<String> {
    let mut text = String::new();
    let mut after_word = false;
    for token in tokens {
        match token {
            Token::Special('.') => {
                text.push('.');
                after_word = false;
            }
            Token::Atom(word) if !after_word => {
                text.push_str(word);
                after_word = true;
            }
            Token::Quoted(word) if !after_word && position == Position::Local => {
                text.push_str(word);
                after_word = true;
            }
            _ => return None,
        }
    }
    Some(text)
}

/// The phrase before an angle address, else the comment that some write instead.
fn display(phrase: &[Token]) -> Option<String> {
    let mut text = String::new();
    for token in phrase {
        match token {
            Token::Atom(word) | Token::Quoted(word) => text.push_str(word),
            Token::Literal(word) => text.push_str(&format!("[{word}]")),
            Token::Special(special) => text.push(*special),
            Token::Blank => text.push(' '),
            Token::Comment(_) => {}
        }
    }
    let decoded = encoded_word::decode(text.trim().as_bytes());
    let decoded = decoded.trim();
    if decoded.is_empty() {
        last_comment(phrase)
    } else {
        Some(decoded.to_owned())
    }
}

fn last_comment(tokens: &[Token]) -> Option<String> {
    tokens.iter().rev().find_map(|token| match token {
        Token::Comment(text) => Some(encoded_word::decode(text.trim().as_bytes())),
        _ => None,
    })
}

/// Lower-case A-labels (RFC 5890); a literal keeps its brackets.
fn normal_domain(domain: &str) -> Option<String> {
    if domain.starts_with('[') {
        let is_literal =
            domain.ends_with(']') && domain.bytes().all(|octet| octet.is_ascii_graphic());
        return is_literal.then(|| domain.to_ascii_lowercase());
    }
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    // Only what cannot be in a name is refused: underscores are in use.
    let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::EMPTY).ok()?;
    let is_domain = ascii.split('.').all(|label| !label.is_empty())
        && ascii
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && !b"<>()[]\\,;:@\"".contains(&octet));
    is_domain.then(|| ascii.to_ascii_lowercase())
}

/// RFC 5322 §3.2.3, RFC 6532 §3.2.
fn is_atext(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(character)
        || !character.is_ascii()
}

fn is_dot_atom(text: &str) -> bool {
    text.split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each mailbox as `display|address`.
    fn check(value: &str, expected: &[&str]) {
        let found: Vec<_> = parse_mailboxes(value.as_bytes())
            .iter()
            .map(|mailbox| {
                format!(
                    "{}|{}",
                    mailbox.display.as_deref().unwrap_or("-"),
                    mailbox.address
                )
            })
            .collect();
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn mailboxes() {
        check("a@b.example", &["-|a@b.example"]);
        check(
            "Joe Q. Public <john.q.public@example.com>, <boss@nil.test>",
            &["Joe Q. Public|john.q.public@example.com", "-|boss@nil.test"],
        );
        check(
            "\"Giant; \\\"Big\\\" Box\" <box@example.net>",
            &["Giant; \"Big\" Box|box@example.net"],
        );
        check(
            "jdoe@example.org (John Doe)",
            &["John Doe|jdoe@example.org"],
        );
        check(
            "=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_M?= <j@x>",
            &["Jörg M|j@x"],
        );
        check(
            "\"chief@corp.example\" <eve@evil.example>",
            &["chief@corp.example|eve@evil.example"],
        );
        check(
            "chief@corp.example <eve@evil.example>",
            &["chief@corp.example|eve@evil.example"],
        );
    }

    #[test]
    fn groups_routes_comments() {
        check(
            "A Group:Ed Jones <joe@where.test>,joe@x.test;, z@y.test",
            &["Ed Jones|joe@where.test", "-|joe@x.test", "-|z@y.test"],
        );
        check("Undisclosed recipients:;", &[]);
        check(
            "Mary <@node.test,@b.test:mary@example.net>",
            &["Mary|mary@example.net"],
        );
        check(
            "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            &["Pete|pete@silly.test"],
        );
        check("john . doe @ example . org", &["-|john.doe@example.org"]);
    }

    #[test]
    fn quoted_and_international() {
        check("\"john doe\"@x.test", &["-|\"john doe\"@x.test"]);
        check("\"john\"@x.test", &["-|john@x.test"]);
        check("用户@例子.广告", &["-|用户@xn--fsqu00a.xn--4rr70v"]);
        check("a@BÜCHER.example", &["-|a@xn--bcher-kva.example"]);
        check("a@[192.0.2.1]", &["-|a@[192.0.2.1]"]);
        check("a..b@x_y.example.", &["-|\"a..b\"@x_y.example"]);
    }

    #[test]
    fn what_is_no_address_is_left_out() {
        check("", &[]);
        check("nobody", &[]);
        check("a@b@c", &[]);
        check("a b@c.example", &[]);
        check("<>", &[]);
        check("\"unterminated <a@b>", &[]);
        check("a@, @b, a@.b, x@y.example", &["-|x@y.example"]);
        check(
            "<a@b.example> <c@d.example>",
            &["-|a@b.example", "-|c@d.example"],
        );
        check("<a@b.example", &["-|a@b.example"]);
    }

    #[test]
    fn addresses_compare() {
        let address = |text: &str| Address::parse(text).unwrap();
        assert!(address("Joe@EXAMPLE.org").matches(&address("Joe@example.ORG")));
        assert!(!address("Joe@example.org").matches(&address("joe@example.org")));
        assert!(address("Joe@example.org").matches_folded(&address("joe@example.org")));
        assert!(Address::parse("no address").is_err() && Address::parse("<a@b>").is_err());
    }

    #[test]
    fn mailboxes_are_written_back() {
        for text in [
            "a@b.example",
            "Joe Public <a@b.example>",
            "\"Public, Joe\" <a@b.example>",
            "=?utf-8?q?J=C3=B6rg?= <\"a b\"@c.example>",
        ] {
            assert_eq!(parse_text(text)[0].to_string(), text);
        }
    }

    #[test]
    fn is_linear() {
        for bomb in ["(", "<", "\"", "a@b,", ":", "@.", "[", "((\\"] {
            parse_mailboxes(bomb.repeat(100_000 / bomb.len()).as_bytes());
        }
    }
}
