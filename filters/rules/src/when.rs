//! Conditions: which recipients does a rule pick?

use waxseal_guest::{
    Error,
    inspect::{Kind, Layer, Signature, State},
};

use crate::{
    facts::{Facts, SessionFact, any},
    settings::{
        AnyOf, Attachment, Condition, Direction, Fingerprint, Named, SignerIs, Smime, Text, Whom,
    },
};

/// Recipients by their place in the envelope, ascending.
pub(crate) type Picked = Vec<usize>;

/// What a condition picks, and the key that picked the last one away.
pub(crate) struct Pick {
    pub(crate) picked: Picked,
    pub(crate) broken: Option<&'static str>,
}

impl Condition {
    /// Does it single out recipients, or is it about the whole message?
    pub(crate) fn names_recipients(&self) -> bool {
        let below = self.all.iter().chain(&self.any).flat_map(|any| &any.0);
        self.recipient.is_some()
            || below.into_iter().any(Condition::names_recipients)
            || self.not.as_ref().is_some_and(|not| not.names_recipients())
    }

    /// Picks among some of the recipients. Cheap conditions go first, and nothing
    /// is asked once nobody is left.
    pub(crate) fn pick(
        &self,
        mail: &impl Facts,
        among: impl ExactSizeIterator<Item = usize>,
    ) -> Result<Pick, Error> {
        if among.len() == 0 {
            return Ok(Pick::nobody(None));
        }
        if let Some(key) = self.broken(mail)? {
            return Ok(Pick::nobody(Some(key)));
        }
        let mut picked: Picked = among.collect();
        let narrowings: [(&'static str, &Narrowing<'_>); 4] = [
            ("recipient", &|picked| self.pick_recipients(mail, picked)),
            ("all", &|picked| self.pick_all(mail, picked)),
            ("any", &|picked| self.pick_any(mail, picked)),
            ("not", &|picked| self.pick_not(mail, picked)),
        ];
        for (key, narrow) in narrowings {
            picked = narrow(picked)?;
            if picked.is_empty() {
                return Ok(Pick::nobody(Some(key)));
            }
        }
        Ok(Pick {
            picked,
            broken: None,
        })
    }

    /// The first condition about the whole message that does not hold.
    fn broken<F: Facts>(&self, mail: &F) -> Result<Option<&'static str>, Error> {
        type Check<'a> = &'a dyn Fn() -> Result<bool, Error>;
        let text = |test, fact| given(test, |text: &Text| Ok(text.fits(mail.session(fact))));
        let checks: [(&'static str, Check<'_>); 17] = [
            ("direction", &|| Ok(self.direction_holds(mail))),
            ("auth-user", &|| {
                text(&self.auth_user, SessionFact::AuthUser)
            }),
            ("client-ip", &|| Ok(self.client_ip_holds(mail))),
            ("client-name", &|| {
                text(&self.client_name, SessionFact::ClientName)
            }),
            ("helo", &|| text(&self.helo, SessionFact::Helo)),
            ("tls", &|| text(&self.tls, SessionFact::Tls)),
            ("property", &|| {
                given(&self.property, |test| {
                    Ok(test.fits(mail.property(&test.name.0)))
                })
            }),
            ("note", &|| {
                given(&self.note, |test| Ok(test.fits(mail.note(&test.name.0))))
            }),
            ("auth-result", &|| Ok(self.auth_result_holds(mail))),
            ("sender", &|| {
                given(&self.sender, |whom| whom.is(mail, mail.sender()))
            }),
            ("from", &|| {
                given(&self.from, |whom| {
                    any(mail.from(), |from| whom.is(mail, from))
                })
            }),
            ("header", &|| {
                given(&self.header, |test| {
                    Ok(test.fits(mail.headers(&test.name.0).iter()))
                })
            }),
            ("subject", &|| {
                given(&self.subject, |text| {
                    Ok(text.fits(mail.headers("subject").iter()))
                })
            }),
            ("size", &|| Ok(self.size_holds(mail))),
            ("attachment", &|| {
                given(&self.attachment, |test| Ok(attached(test, mail)))
            }),
            ("smime", &|| given(&self.smime, |test| test.holds(mail))),
            ("text", &|| self.content_holds(mail)),
        ];
        for (key, holds) in checks {
            if !holds()? {
                return Ok(Some(key));
            }
        }
        let dictionary = given(&self.dictionary, |name| mail.in_dictionary(&name.0))?;
        Ok((!dictionary).then_some("dictionary"))
    }

    fn direction_holds(&self, mail: &impl Facts) -> bool {
        let Some(AnyOf(directions)) = &self.direction else {
            return true;
        };
        let direction = match mail.session(SessionFact::Direction).as_deref() {
            Some("outbound") => Direction::Outbound,
            Some("inbound") => Direction::Inbound,
            Some("internal") => Direction::Internal,
            _ => return false,
        };
        directions.contains(&direction)
    }

    fn client_ip_holds(&self, mail: &impl Facts) -> bool {
        let Some(AnyOf(networks)) = &self.client_ip else {
            return true;
        };
        let address = mail.session(SessionFact::ClientIp);
        address.is_some_and(|address| networks.iter().any(|network| network.holds(&address)))
    }

    fn auth_result_holds(&self, mail: &impl Facts) -> bool {
        let Some(AnyOf(tests)) = &self.auth_result else {
            return true;
        };
        mail.auth_results().iter().any(|(method, result)| {
            let fits = |text: &Text| text.0.matches(result);
            let mut tests = tests.iter().filter(|test| test.method.0.matches(method));
            tests.any(|test| test.result.0.iter().any(fits))
        })
    }

    fn size_holds(&self, mail: &impl Facts) -> bool {
        self.size.as_ref().is_none_or(|size| {
            let octets = mail.size();
            size.min.is_none_or(|min| octets >= min) && size.max.is_none_or(|max| octets <= max)
        })
    }

    fn content_holds(&self, mail: &impl Facts) -> Result<bool, Error> {
        given(&self.text, |words| mail.text_contains(&words.0))
    }

    fn pick_recipients(&self, mail: &impl Facts, among: Picked) -> Result<Picked, Error> {
        let mut picked = Vec::new();
        for index in among {
            let address = &mail.recipients()[index].address;
            if given(&self.recipient, |whom| whom.is(mail, address))? {
                picked.push(index);
            }
        }
        Ok(picked)
    }

    fn pick_all(&self, mail: &impl Facts, among: Picked) -> Result<Picked, Error> {
        let conditions = self.all.iter().flat_map(|all| &all.0);
        conditions.into_iter().try_fold(among, |picked, condition| {
            Ok(condition.pick(mail, picked.into_iter())?.picked)
        })
    }

    fn pick_any(&self, mail: &impl Facts, among: Picked) -> Result<Picked, Error> {
        let Some(AnyOf(conditions)) = &self.any else {
            return Ok(among);
        };
        let mut left = among.clone();
        for condition in conditions {
            let more = condition.pick(mail, left.iter().copied())?.picked;
            left.retain(|index| !more.contains(index));
        }
        Ok(among
            .into_iter()
            .filter(|index| !left.contains(index))
            .collect())
    }

    fn pick_not(&self, mail: &impl Facts, among: Picked) -> Result<Picked, Error> {
        let Some(condition) = &self.not else {
            return Ok(among);
        };
        let theirs = condition.pick(mail, among.iter().copied())?.picked;
        Ok(among
            .into_iter()
            .filter(|index| !theirs.contains(index))
            .collect())
    }
}

type Narrowing<'a> = dyn Fn(Picked) -> Result<Picked, Error> + 'a;

impl Pick {
    fn nobody(broken: Option<&'static str>) -> Self {
        Pick {
            picked: Vec::new(),
            broken,
        }
    }
}

impl Whom {
    fn is(&self, mail: &impl Facts, address: &str) -> Result<bool, Error> {
        match self {
            Whom::Address(pattern) => Ok(pattern.matches(address)),
            Whom::List(name) => mail.in_list(name, address),
        }
    }
}

impl Smime {
    fn holds(&self, mail: &impl Facts) -> Result<bool, Error> {
        let layers = mail.smime()?;
        if layers.is_empty() {
            let nothing = Layer::new(Kind::Other("none".to_owned()), State::default());
            return self.fits(mail, &nothing);
        }
        any(layers.iter(), |layer| self.fits(mail, layer))
    }

    fn fits(&self, mail: &impl Facts, layer: &Layer) -> Result<bool, Error> {
        let named = text_holds(&self.kind, [layer.kind.name()])
            && text_holds(&self.state, [layer.state.name()])
            && text_holds(&self.form, [&layer.form])
            && text_holds(&self.weak, &layer.weak);
        if !named || !self.asks_of_signer() {
            return Ok(named);
        }
        any(&layer.signatures, |signature| self.is_by(mail, signature))
    }

    fn asks_of_signer(&self) -> bool {
        self.signer.is_some()
            || self.issuer.is_some()
            || self.fingerprint.is_some()
            || self.from.is_some()
    }

    fn is_by(&self, mail: &impl Facts, signature: &Signature) -> Result<bool, Error> {
        let from = if signature.matches_from {
            SignerIs::Matches
        } else {
            SignerIs::Differs
        };
        let signer = signature.signer.as_ref();
        let wanted =
            |print: &Fingerprint| Ok(signer.is_some_and(|signer| signer.fingerprint == print.0));
        let addresses = signer.map_or(&[][..], |signer| &signer.addresses);
        Ok(given(&self.from, |wanted| Ok(*wanted == from))?
            && given(&self.fingerprint, wanted)?
            && text_holds(&self.issuer, signer.map(|signer| &signer.issuer))
            && given(&self.signer, |whom| {
                any(addresses, |address| whom.is(mail, address))
            })?)
    }
}

fn attached(test: &Attachment, mail: &impl Facts) -> bool {
    mail.attachments().iter().any(|attachment| {
        text_holds(&test.name, &attachment.name)
            && text_holds(&test.media_type, [&attachment.media_type])
    })
}

/// A condition that is not given holds; else one of its entries must.
fn given<T>(
    test: &Option<AnyOf<T>>,
    holds: impl FnMut(&T) -> Result<bool, Error>,
) -> Result<bool, Error> {
    test.as_ref()
        .map_or(Ok(true), |AnyOf(entries)| any(entries, holds))
}

/// The same for patterns, of which one must match one of the values.
fn text_holds<S: AsRef<str>>(
    test: &Option<AnyOf<Text>>,
    values: impl IntoIterator<Item = S>,
) -> bool {
    let Some(AnyOf(patterns)) = test else {
        return true;
    };
    let mut values = values.into_iter();
    values.any(|value| {
        patterns
            .iter()
            .any(|pattern| pattern.0.matches(value.as_ref()))
    })
}

impl Text {
    /// Is one of the values of this form?
    fn fits<S: AsRef<str>>(&self, values: impl IntoIterator<Item = S>) -> bool {
        let mut values = values.into_iter();
        values.any(|value| self.0.matches(value.as_ref()))
    }
}

impl Named {
    /// Is one of the values what is asked for? To be there is enough when no value is.
    fn fits<S: AsRef<str>>(&self, values: impl IntoIterator<Item = S>) -> bool {
        let mut values = values.into_iter();
        values.any(|value| text_holds(&self.value, [value]))
    }
}
