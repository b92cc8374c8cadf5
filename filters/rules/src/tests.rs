//! Settings and conditions, without a host.

use std::{collections::BTreeMap, rc::Rc};

use waxseal_guest::{
    Error,
    inspect::{Kind, Layer, Layers, Signature, Signer, State},
    session::Recipient,
    settings::parse,
};

use crate::{
    facts::{AttachmentFact, Facts, SessionFact},
    settings::{Condition, Rules},
};

/// A mail to bob, carol and dave.
struct Sample {
    recipients: Vec<Recipient>,
    from: [String; 1],
    session: BTreeMap<SessionFact, &'static str>,
    attachments: Vec<AttachmentFact>,
    layers: Layers,
}

fn sample() -> Sample {
    let recipient = |address: &str| {
        let (local, domain) = address.split_once('@').unwrap();
        Recipient {
            address: address.to_owned(),
            local: local.to_owned(),
            domain: domain.to_owned(),
            parameters: Vec::new(),
        }
    };
    Sample {
        recipients: [
            "bob@partner.example",
            "carol@x.partner.example",
            "dave@example.net",
        ]
        .map(recipient)
        .into(),
        from: ["Chief@Example.org".to_owned()],
        session: [
            (SessionFact::AuthUser, "alice"),
            (SessionFact::ClientIp, "::ffff:10.1.2.3"),
            (SessionFact::Direction, "outbound"),
            (SessionFact::Tls, "TLSv1.3"),
        ]
        .into(),
        attachments: vec![AttachmentFact {
            name: Some("Report.PDF".to_owned()),
            media_type: "application/pdf".to_owned(),
        }],
        layers: Layers::default(),
    }
}

impl Facts for Sample {
    fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }
    fn sender(&self) -> &str {
        "alice@example.org"
    }
    fn from(&self) -> &[String] {
        &self.from
    }
    fn session(&self, fact: SessionFact) -> Option<Rc<str>> {
        self.session.get(&fact).map(|value| (*value).into())
    }
    fn property(&self, name: &str) -> Option<String> {
        (name == "{daemon_name}").then(|| "submission".to_owned())
    }
    fn note(&self, _: &str) -> Option<String> {
        None
    }
    fn auth_results(&self) -> Vec<(String, String)> {
        vec![
            ("spf".to_owned(), "fail".to_owned()),
            ("dkim".to_owned(), "pass".to_owned()),
        ]
    }
    fn headers(&self, name: &str) -> Rc<[String]> {
        let values: &[&str] = match name.to_ascii_lowercase().as_str() {
            "subject" => &["[secure] Größe"],
            "x-class" => &["public", "Internal"],
            _ => &[],
        };
        values.iter().map(|value| (*value).to_owned()).collect()
    }
    fn size(&self) -> u32 {
        1000
    }
    fn attachments(&self) -> &[AttachmentFact] {
        &self.attachments
    }
    fn text_contains(&self, words: &str) -> Result<bool, Error> {
        Ok(words == "salary")
    }
    fn in_dictionary(&self, name: &str) -> Result<bool, Error> {
        match name {
            "secrets" => Ok(true),
            "empty" => Ok(false),
            _ => Err(Error::new("dictionary.unknown", "no such dictionary")),
        }
    }
    fn smime(&self) -> Result<Layers, Error> {
        Ok(self.layers.clone())
    }
    fn in_list(&self, list: &str, address: &str) -> Result<bool, Error> {
        Ok(list == "partners" && address == "dave@example.net")
    }
}

/// Whom does a condition pick, by first letters?
#[track_caller]
fn check_on(mail: &Sample, when: &str, expected: &str) {
    let condition: Condition = parse(when).unwrap();
    let pick = condition.pick(mail, 0..mail.recipients.len()).unwrap();
    let letters: String = pick
        .picked
        .iter()
        .map(|index| &mail.recipients[*index].address[..1])
        .collect();
    assert_eq!(letters, expected, "{when}, broken by {:?}", pick.broken);
}

#[track_caller]
fn check(when: &str, expected: &str) {
    check_on(&sample(), when, expected);
}

#[test]
fn conditions_about_the_message_pick_all_or_none() {
    check("{}", "bcd");
    check(r#"{"direction":"outbound"}"#, "bcd");
    check(r#"{"direction":["inbound","internal"]}"#, "");
    check(r#"{"sender":"example.org"}"#, "bcd");
    check(r#"{"sender":"<>"}"#, "");
    check(r#"{"from":"chief@example.org"}"#, "bcd");
    check(r#"{"subject":"[secure]*"}"#, "bcd");
    check(r#"{"subject":["x","*GRÖSSE","*größe"]}"#, "bcd");
    check(r#"{"subject":"[secure]"}"#, "");
    check(r#"{"header":{"name":"X-Class"}}"#, "bcd");
    check(r#"{"header":{"name":"X-Class","value":"internal"}}"#, "bcd");
    check(r#"{"header":{"name":"X-Class","value":"secret"}}"#, "");
    check(r#"{"header":{"name":"X-None"}}"#, "");
    check(
        r#"{"header":[{"name":"X-None"},{"name":"x-class"}]}"#,
        "bcd",
    );
    check(r#"{"size":{"min":1000,"max":1000}}"#, "bcd");
    check(r#"{"size":{"min":1001}}"#, "");
    check(r#"{"attachment":{}}"#, "bcd");
    check(
        r#"{"attachment":{"name":"*.pdf","type":"application/*"}}"#,
        "bcd",
    );
    check(r#"{"attachment":{"name":"*.exe"}}"#, "");
    check(r#"{"text":"salary"}"#, "bcd");
    check(r#"{"text":"weather"}"#, "");
    check(r#"{"dictionary":["empty","secrets"]}"#, "bcd");
}

#[test]
fn conditions_about_the_session() {
    check(r#"{"auth-user":"*"}"#, "bcd");
    check(r#"{"auth-user":"mallory"}"#, "");
    check(r#"{"client-ip":"10.0.0.0/8"}"#, "bcd");
    check(r#"{"client-ip":["192.0.2.0/24","10.1.2.3"]}"#, "bcd");
    check(r#"{"client-ip":"10.1.2.2/32"}"#, "");
    check(r#"{"client-ip":"0.0.0.0/0"}"#, "bcd");
    check(r#"{"client-ip":"2001:db8::/32"}"#, "");
    check(r#"{"tls":"TLSv1.3"}"#, "bcd");
    check(r#"{"helo":"*"}"#, ""); // not told
    check(r#"{"not":{"helo":"*"}}"#, "bcd");
    check(
        r#"{"property":{"name":"{daemon_name}","value":"sub*"}}"#,
        "bcd",
    );
    check(
        r#"{"auth-result":{"method":"dkim","result":"pass"}}"#,
        "bcd",
    );
    check(r#"{"auth-result":{"method":"spf","result":"pass"}}"#, "");
}

#[test]
fn conditions_about_recipients_pick_some() {
    check(r#"{"recipient":"partner.example"}"#, "b");
    check(r#"{"recipient":".partner.example"}"#, "bc");
    check(
        r#"{"recipient":["*.partner.example","list:partners"]}"#,
        "cd",
    );
    check(r#"{"not":{"recipient":"partner.example"}}"#, "cd");
    check(
        r#"{"recipient":".partner.example","not":{"recipient":"bob@*"}}"#,
        "c",
    );
    check(
        r#"{"any":[{"recipient":"dave@*"},{"recipient":"bob@*"}]}"#,
        "bd",
    );
    check(
        r#"{"all":[{"recipient":".partner.example"},{"recipient":"bob@*"}]}"#,
        "b",
    );
    check(
        r#"{"all":[{"recipient":".partner.example"},{"subject":"no"}]}"#,
        "",
    );
    check(
        r#"{"not":{"any":[{"recipient":"dave@*"},{"auth-user":"mallory"}]}}"#,
        "bc",
    );
}

#[test]
fn smime_looks_at_one_layer_at_a_time() {
    let mut mail = sample();
    check_on(&mail, r#"{"smime":{"kind":"none"}}"#, "bcd");
    check_on(&mail, r#"{"smime":{}}"#, "bcd");
    mail.layers = Layers(vec![
        Layer::new(Kind::Signed, State::Valid),
        Layer::new(Kind::Encrypted, State::Closed),
    ]);
    check_on(&mail, r#"{"smime":{"kind":"none"}}"#, "");
    check_on(&mail, r#"{"smime":{"kind":"encrypted"}}"#, "bcd");
    check_on(
        &mail,
        r#"{"smime":{"kind":"signed","state":["expired","valid"]}}"#,
        "bcd",
    );
    check_on(&mail, r#"{"smime":{"kind":"signed","state":"closed"}}"#, "");
}

/// Signed by Dave, an expired colleague, and a stranger, in one layer.
fn signed() -> Sample {
    let by = |address: &str, issuer: &str, matches_from| {
        let mut signer = Signer::default();
        signer.addresses = vec![address.to_owned()];
        signer.issuer = issuer.to_owned();
        signer.fingerprint = "0a".repeat(32);
        let mut signature = Signature::default();
        signature.signer = Some(signer);
        signature.matches_from = matches_from;
        signature
    };
    let mut layer = Layer::new(Kind::Signed, State::ConflictingSigners);
    layer.form = "multipart-signed".to_owned();
    layer.weak = vec!["rsa-1024".to_owned(), "sha-1".to_owned()];
    layer.signatures = vec![
        by("dave@example.net", "CN=Example CA,O=Example", true),
        by("mallory@elsewhere.example", "CN=Mallory", false),
        Signature::default(),
    ];
    Sample {
        layers: Layers(vec![Layer::new(Kind::Compressed, State::Expanded), layer]),
        ..sample()
    }
}

#[test]
fn smime_looks_at_one_signer_at_a_time() {
    let check = |smime: &str, expected| {
        check_on(&signed(), &format!(r#"{{"smime":{{{smime}}}}}"#), expected);
    };
    check(r#""form":"multipart-*""#, "bcd");
    check(r#""form":"signed-data""#, "");
    check(r#""weak":"*""#, "bcd");
    check(r#""weak":["md5","sha-1"]"#, "bcd");
    check(r#""weak":"md5""#, "");
    check(r#""kind":"compressed","weak":"*""#, "");
    check(r#""signer":"example.net""#, "bcd");
    check(r#""signer":"list:partners""#, "bcd");
    check(r#""signer":"example.org""#, "");
    check(r#""issuer":"*O=Example""#, "bcd");
    check(r#""issuer":"CN=Mallory","from":"differs""#, "bcd");
    check(r#""issuer":"CN=Mallory","from":"matches""#, "");
    check(r#""signer":"example.net","issuer":"CN=Mallory""#, "");
    check(r#""from":["matches","differs"],"kind":"compressed""#, "");
    let colons = ["0A"; 32].join(":");
    check(&format!(r#""fingerprint":"{colons}""#), "bcd");
    check(&format!(r#""fingerprint":"{}""#, "0b".repeat(32)), "");
    check_on(&sample(), r#"{"smime":{"from":"differs"}}"#, "");
}

#[test]
fn what_cannot_be_told_is_an_error_and_asked_last() {
    let condition: Condition = parse(r#"{"dictionary":"nonsense"}"#).unwrap();
    assert!(condition.pick(&sample(), 0..1).is_err());
    check(r#"{"dictionary":"nonsense","subject":"no"}"#, "");
}

#[test]
fn a_rule_is_about_recipients_when_any_condition_is() {
    let names = |when: &str| parse::<Condition>(when).unwrap().names_recipients();
    assert!(!names(r#"{"all":[{"subject":"a"}],"not":{"tls":"*"}}"#));
    assert!(names(
        r#"{"any":[{"all":[{"not":{"recipient":"a.example"}}]}]}"#
    ));
}

#[track_caller]
fn wrong(rule: &str, path: &str, message: &str) {
    let problem = parse::<Rules>(&format!(r#"{{"rules":[{rule}]}}"#)).unwrap_err();
    assert_eq!(
        (problem.path.as_str(), problem.message.as_str()),
        (path, message)
    );
}

#[test]
fn a_wrong_rule_is_reported_with_its_path() {
    wrong(
        r#"{"then":{}},{"when":{"subjet":"x"},"then":{}}"#,
        "rules[1].when.subjet",
        "not known here; did you mean `subject`?",
    );
    wrong(
        r#"{"when":{"any":[{},{"not":{"subject":7}}]},"then":{}}"#,
        "rules[0].when.any[1].not.subject",
        "invalid type: integer `7`, expected a string",
    );
    wrong(
        r#"{"when":{"any":[]},"then":{}}"#,
        "rules[0].when.any",
        "an empty list never matches",
    );
    wrong(
        r#"{"when":{"recipient":["a.example","no domain"]},"then":{}}"#,
        "rules[0].when.recipient[1]",
        "not a domain or an address: no domain",
    );
    wrong(
        r#"{"when":{"client-ip":"10.0.0.0/33"},"then":{}}"#,
        "rules[0].when.client-ip",
        "not an address or a network: 10.0.0.0/33",
    );
    wrong(r#"{"when":{}}"#, "rules[0]", "missing field `then`");
    wrong(
        r#"{"then":{"verdict":{"reject":{"text":"no","code":450}}}}"#,
        "rules[0].then.verdict.reject.code",
        "must be 500 to 599: 450",
    );
    wrong(
        r#"{"then":{"verdict":"acept"}}"#,
        "rules[0].then.verdict",
        "`acept` is not known here; did you mean `accept`?",
    );
    wrong(
        r#"{"when":{"smime":{"fingerprint":"0a:0b"}},"then":{}}"#,
        "rules[0].when.smime.fingerprint",
        "not 64 hexadecimal digits: 0a:0b",
    );
    wrong(
        r#"{"then":{"remove-signature":"inner"}}"#,
        "rules[0].then.remove-signature",
        "`inner` is not known here; known are `outermost`",
    );
    wrong(
        r#"{"then":{"headers":{"add":{"Content-Type":"text/plain"}}}}"#,
        "rules[0].then.headers.add.Content-Type",
        "belongs to the content and cannot be edited: Content-Type",
    );
    wrong(
        r#"{"then":{"apply":{"profile":"a","timming":"now"}}}"#,
        "rules[0].then.apply.timming",
        "not known here; did you mean `timing`?",
    );
}

/// What needs keys or the store is not in the component that has neither.
#[test]
fn only_inbound_rules_decrypt() {
    let parsed =
        parse::<Rules>(r#"{"rules":[{"then":{"decrypt":"when-possible","harvest":"signers"}}]}"#);
    assert_eq!(parsed.is_ok(), cfg!(feature = "open"));
}

#[test]
fn lists_are_found_with_their_paths() {
    let rules: Rules = parse(
        r#"{"rules":[{"when":{"smime":{"signer":"list:seen"},"sender":"list:staff","not":{"any":[{"recipient":["a.example","list:partners"]}]}},"then":{}}]}"#,
    )
    .unwrap();
    let expected = [
        ("rules[0].when.sender[0]".to_owned(), "staff"),
        ("rules[0].when.smime[0].signer[0]".to_owned(), "seen"),
        (
            "rules[0].when.not.any[0].recipient[1]".to_owned(),
            "partners",
        ),
    ];
    assert_eq!(rules.lists(), expected);
}
