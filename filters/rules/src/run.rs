//! Rules from the top, and the actions of those that match.

use waxseal_guest::prelude::*;

use crate::{
    facts::{Facts, Mail},
    settings::{self, Actions, Apply, Edits, Moment, RemoveSignature, Rule, To},
    when::Pick,
};

/// Runs the rules on one message.
pub(crate) fn run(rules: &[Rule], tx: &Transaction) -> Result<Verdict, Error> {
    let mut acting = Acting {
        tx,
        mail: Mail::new(tx),
        message: None,
        wrapped: false,
    };
    for rule in rules {
        let everybody = 0..acting.mail.recipients().len();
        let pick = rule.when.pick(&acting.mail, everybody)?;
        let matching = addresses(&acting.mail, &pick);
        explain(rule, &pick, &matching);
        if matching.is_empty() {
            continue;
        }
        let scope = Scope {
            about_recipients: rule.when.names_recipients(),
            matching: &matching,
        };
        if let Some(verdict) = acting.carry_out(&rule.then, scope)? {
            return Ok(verdict);
        }
    }
    Ok(Verdict::Proceed)
}

fn addresses(mail: &Mail<'_>, pick: &Pick) -> Vec<String> {
    let recipients = mail.recipients();
    let picked = pick
        .picked
        .iter()
        .map(|index| recipients[*index].address.clone());
    picked.collect()
}

fn explain(rule: &Rule, pick: &Pick, matching: &[String]) {
    // `Rules::new` named those that had no name.
    let id = rule.name.as_deref().unwrap_or_default();
    match pick.broken {
        Some(key) => explain::rule(id, false, &[("condition", key)]),
        None => explain::rule(
            id,
            !matching.is_empty(),
            &[("recipients", &matching.join(" "))],
        ),
    }
}

/// For whom the actions of a rule are.
#[derive(Clone, Copy)]
struct Scope<'a> {
    about_recipients: bool,
    matching: &'a [String],
}

impl<'a> Scope<'a> {
    fn recipients(self, to: To) -> Recipients<'a> {
        match to {
            To::Matching if self.about_recipients => Recipients::Only(self.matching),
            To::Matching | To::All => Recipients::All,
        }
    }
}

/// What rules have done to the message so far.
struct Acting<'a> {
    tx: &'a Transaction,
    mail: Mail<'a>,
    /// The message as earlier rules left it, if they changed it.
    message: Option<Message>,
    /// Has `apply` with `now` wrapped a message? Each recipient may then have
    /// another one, and edits go on the outside.
    wrapped: bool,
}

impl Acting<'_> {
    /// In the order of [`Actions`].
    fn carry_out(&mut self, then: &Actions, scope: Scope<'_>) -> Result<Option<Verdict>, Error> {
        for (key, value) in &then.note {
            self.tx.set_note(key, value);
        }
        self.open(then)?;
        if let Some(edits) = &then.headers {
            self.edit(edits)?;
        }
        if let Some(edits) = &then.route {
            self.route(edits, scope.matching.iter())?;
        }
        if let Some(to) = then.require_encryption {
            actions::require_encryption(self.tx, scope.recipients(to))?;
        }
        if let Some(apply) = &then.apply {
            self.apply(apply, scope)?;
        }
        if let Some(refusal) = &then.refuse {
            actions::refuse(self.tx, scope.matching, refusal.reply())?;
        }
        Ok(then.verdict.as_ref().map(verdict))
    }

    /// Layers come off the message, and the certificates of its signers are kept.
    fn open(&mut self, then: &Actions) -> Result<(), Error> {
        #[cfg(feature = "open")]
        self.decrypt_and_harvest(then)?;
        if let Some(RemoveSignature::Outermost) = then.remove_signature {
            match inspect::unwrap_signature(self.message()) {
                Ok(content) => self.replace(content)?,
                Err(error) => nothing_when(error, "inspect.not-signed")?,
            }
        }
        Ok(())
    }

    #[cfg(feature = "open")]
    fn decrypt_and_harvest(&mut self, then: &Actions) -> Result<(), Error> {
        use waxseal_guest::{harvest, open};

        if let Some(settings::Decrypt::WhenPossible) = then.decrypt
            && let Some(opened) = open::decrypt_all(self.message())
        {
            self.replace(opened)?;
        }
        if let Some(settings::Harvest::Signers) = then.harvest {
            // Nowhere to keep them, or not by the operator's rules: no reason to defer mail.
            let kept = harvest::harvest(self.tx, self.message());
            kept.or_else(|error| nothing_when(error, "harvest."))?;
        }
        Ok(())
    }

    fn message(&mut self) -> &Message {
        self.message.get_or_insert_with(|| self.tx.message())
    }

    /// What later rules see is what is inside.
    fn replace(&mut self, message: Message) -> Result<(), Error> {
        actions::set_message(self.tx, &message)?;
        self.message = Some(message);
        self.mail = Mail::new(self.tx);
        Ok(())
    }

    fn edit(&mut self, edits: &Edits) -> Result<(), Error> {
        if self.wrapped {
            let everybody = self.mail.recipients().iter();
            return self.route(edits, everybody.map(|recipient| &recipient.address));
        }
        let message = self.message.take().unwrap_or_else(|| self.tx.message());
        let edited = edits.apply(message)?;
        actions::set_message(self.tx, &edited)?;
        self.message = Some(edited);
        Ok(())
    }

    fn route<'r>(
        &self,
        edits: &Edits,
        recipients: impl Iterator<Item = &'r String>,
    ) -> Result<(), Error> {
        for address in recipients {
            let edited = edits.apply(self.tx.message_for(address)?)?;
            actions::route(self.tx, std::slice::from_ref(address), &edited)?;
        }
        Ok(())
    }

    fn apply(&mut self, apply: &Apply, scope: Scope<'_>) -> Result<(), Error> {
        self.wrapped |= apply.timing == Moment::Now;
        let recipients = scope.recipients(apply.to);
        profiles::apply(self.tx, &apply.profile, apply.timing.into(), recipients)?;
        Ok(())
    }
}

impl Edits {
    fn apply(&self, message: Message) -> Result<Message, Error> {
        let mut edited = message;
        for name in &self.remove {
            edited = edited.with_headers_removed(&name.0)?;
        }
        for (name, value) in &self.replace {
            edited = edited.with_header_replaced(&name.0, &value.0)?;
        }
        // Each goes on top, so that the last one added stands first.
        for (name, value) in self.add.iter().rev() {
            edited = edited.with_header_added(&name.0, &value.0)?;
        }
        Ok(edited)
    }
}

/// An error whose code begins so leaves nothing to do; any other one stays.
fn nothing_when(error: Error, code: &str) -> Result<(), Error> {
    if error.code().starts_with(code) {
        Ok(())
    } else {
        Err(error)
    }
}

fn verdict(verdict: &settings::Verdict) -> Verdict {
    match verdict {
        settings::Verdict::Proceed => Verdict::Proceed,
        settings::Verdict::Accept => Verdict::Accept,
        settings::Verdict::Discard => Verdict::Discard,
        settings::Verdict::Quarantine(reason) => Verdict::Quarantine(reason.clone()),
        settings::Verdict::Reject(refusal) => Verdict::Reject(refusal.reply()),
        settings::Verdict::Defer(refusal) => Verdict::Defer(refusal.reply()),
    }
}
