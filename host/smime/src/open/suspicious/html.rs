//! HTML and CSS that make a reader fetch something, read as leniently as browsers read.

/// Attributes whose value is fetched when the element is shown or its form sent.
const FETCHED: [&str; 18] = [
    "src",
    "srcset",
    "imagesrcset",
    "background",
    "poster",
    "data",
    "action",
    "formaction",
    "lowsrc",
    "dynsrc",
    "manifest",
    "codebase",
    "archive",
    "code",
    "classid",
    "icon",
    "ping",
    "xlink:href",
];

/// Elements that fetch their href, unlike `a` and `area`.
const FETCHING: [&str; 7] = [
    "link",
    "base",
    "image",
    "use",
    "feimage",
    "v:imagedata",
    "v:fill",
];

/// Something outside is fetched when this is shown; or a tag or quotation has no end, which may
/// swallow the text after it.
pub(super) fn refers_outside(html: &str) -> bool {
    let lower = html.to_ascii_lowercase();
    let mut rest = lower.as_str();
    while let Some(start) = rest.find('<') {
        rest = rest.get(start + 1..).unwrap_or_default();
        if !rest.starts_with(|first: char| first.is_ascii_alphabetic()) {
            continue;
        }
        let Some((tag, after)) = Tag::read(rest) else {
            return true;
        };
        if tag.fetches() {
            return true;
        }
        if tag.name == "style" && style_refers_outside(until_end(after)) {
            return true;
        }
        rest = after;
    }
    false
}

/// Up to the end tag.
fn until_end(after: &str) -> &str {
    let end = after.find("</style").unwrap_or(after.len());
    after.get(..end).unwrap_or(after)
}

/// CSS that fetches something.
pub(super) fn style_refers_outside(style: &str) -> bool {
    let style = without_escapes(&style.to_ascii_lowercase());
    if style.contains("@import") || style.contains("expression(") {
        return true;
    }
    let arguments = ["url(", "src(", "image(", "image-set("]
        .iter()
        .flat_map(|function| style.split(function).skip(1));
    let mut arguments = arguments;
    arguments.any(|argument| {
        let end = argument.find(')').unwrap_or(argument.len());
        let value = argument.get(..end).unwrap_or(argument);
        is_outside(value.trim().trim_matches(['"', '\'']))
    })
}

/// CSS Syntax §4.3.7: up to six hexadecimal digits and a space, or any character.
fn without_escapes(style: &str) -> String {
    let mut out = String::with_capacity(style.len());
    let mut rest = style.chars().peekable();
    while let Some(each) = rest.next() {
        if each != '\\' {
            out.push(each);
            continue;
        }
        let mut digits = String::new();
        while digits.len() < 6
            && let Some(digit) = rest.next_if(char::is_ascii_hexdigit)
        {
            digits.push(digit);
        }
        if digits.is_empty() {
            out.extend(rest.next());
        } else {
            let code = u32::from_str_radix(&digits, 16).ok();
            out.extend(code.and_then(char::from_u32));
            rest.next_if(|next| next.is_ascii_whitespace());
        }
    }
    out.to_ascii_lowercase()
}

/// A start tag in lower case.
struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, String)>,
}

impl<'a> Tag<'a> {
    /// Reads from the name on; also gives what follows. `None` when it does not end.
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let is_end = |each: char| each.is_ascii_whitespace() || each == '/' || each == '>';
        let (name, mut rest) = text.split_at(text.find(is_end)?);
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start_matches(|each: char| each.is_ascii_whitespace() || each == '/');
            if let Some(after) = rest.strip_prefix('>') {
                return Some((Self { name, attributes }, after));
            }
            // An equals sign may begin a name.
            let from = rest.chars().next()?.len_utf8();
            let ends_name = |each: char| is_end(each) || each == '=';
            let end = from + rest.get(from..)?.find(ends_name)?;
            let attribute = rest.get(..end)?;
            let value = rest.get(end..)?.trim_start();
            match value.strip_prefix('=') {
                None => {
                    rest = rest.get(end..)?;
                    attributes.push((attribute, String::new()));
                }
                Some(value) => {
                    let (value, after) = value_of(value.trim_start())?;
                    attributes.push((attribute, without_references(value)));
                    rest = after;
                }
            }
        }
    }

    fn fetches(&self) -> bool {
        // No mail needs a script; what it fetches is past finding out.
        if self.name == "script" {
            return true;
        }
        let refreshes = self.name == "meta"
            && self.value("http-equiv").trim() == "refresh"
            && self.value("content").contains("url");
        let srcdoc = self.value("srcdoc");
        let by_element = FETCHING.contains(&self.name) && is_outside(self.value("href"));
        refreshes || by_element || refers_outside(srcdoc) || self.attributes_fetch()
    }

    fn attributes_fetch(&self) -> bool {
        self.attributes.iter().any(|(name, value)| match *name {
            "style" => style_refers_outside(value),
            "srcset" | "imagesrcset" => value.split(',').any(is_outside),
            name => FETCHED.contains(&name) && is_outside(value),
        })
    }

    fn value(&self, name: &str) -> &str {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// A value in quotation marks or up to a space, and what follows.
fn value_of(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next()?;
    if quote == '"' || quote == '\'' {
        text.get(1..)?.split_once(quote)
    } else {
        let end = text.find(|each: char| each.is_ascii_whitespace() || each == '>')?;
        Some(text.split_at(end))
    }
}

/// A reference that leaves the mail: any scheme but those that stay in it, or a host.
fn is_outside(reference: &str) -> bool {
    let reference: String = reference
        .chars()
        .filter(|each| !each.is_ascii_whitespace() && !each.is_control())
        .collect();
    let is_slash = |each: char| each == '/' || each == '\\';
    if reference.starts_with(is_slash) {
        return reference.chars().nth(1).is_some_and(is_slash);
    }
    let Some((scheme, _)) = reference.split_once(':') else {
        return false;
    };
    // A colon after a slash is part of a path.
    let is_scheme = !scheme.contains(['/', '\\', '?', '#']);
    is_scheme && !["cid", "mid", "data", "about", "mailto"].contains(&scheme)
}

/// Character references resolved, as far as they matter to URLs.
fn without_references(value: &str) -> String {
    const NAMED: [(&str, &str); 11] = [
        ("colon;", ":"),
        ("sol;", "/"),
        ("bsol;", "\\"),
        ("period;", "."),
        ("newline;", "\n"),
        ("tab;", "\t"),
        ("quot;", "\""),
        ("apos;", "'"),
        ("lt;", "<"),
        ("gt;", ">"),
        ("amp;", "&"),
    ];
    let mut pieces = value.split('&');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let named = NAMED
            .iter()
            .find_map(|(name, text)| Some((*text, piece.strip_prefix(name)?)));
        if let Some((text, rest)) = named {
            out.push_str(text);
            out.push_str(rest);
        } else if let Some((code, rest)) = numeric(piece) {
            out.push(code);
            out.push_str(rest);
        } else {
            out.push('&');
            out.push_str(piece);
        }
    }
    out.to_ascii_lowercase()
}

/// `#58;` or `#x3a;`; the semicolon may be missing.
fn numeric(piece: &str) -> Option<(char, &str)> {
    let digits = piece.strip_prefix('#')?;
    let (digits, radix) = match digits.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    let end = digits
        .find(|each: char| !each.is_digit(radix))
        .unwrap_or(digits.len());
    let (number, rest) = digits.split_at(end);
    let code = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
    Some((code, rest.strip_prefix(';').unwrap_or(rest)))
}
