//! Edits to the plan: what each call of `actions`, `envelope` and `profiles` sets.
//!
//! Every edit happens as a whole or not at all. What was said about encryption is kept
//! beside the rows ([`Table::obliged`]): it outlives a row that is removed and added again,
//! and a filter whose changes are undone.

use std::collections::{BTreeSet, HashMap};

use waxseal_message::Address;

use crate::capabilities::{Basis, CallError, Capabilities, ErrorKind, Parameters};
use crate::plan::{
    Choice, Defaults, MissingCertificate, Plan, Protection, ProtectionMode, Recipe, Row, Step,
};
use crate::reply::Reply;
use crate::transaction::{Recipient, Transaction};

/// When a profile protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// The message as it stands.
    Now,
    /// Whatever the row ends with.
    OnDelivery,
}

/// What a profile does for one recipient, as things stand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) recipient: Address,
    pub(crate) action: &'static str,
    pub(crate) encrypted: bool,
    pub(crate) problem: Option<CallError>,
}

/// The plan while filters work on it.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) plan: Plan,
    /// Everyone who must get an envelope, in the table now or not.
    obliged: Vec<Address>,
}

/// A profile as it was found for one row.
struct Found {
    row: usize,
    protection: Protection,
}

impl Table {
    /// Every recipient gets the message as it is.
    pub(crate) fn new(transaction: &Transaction) -> Self {
        let message = Recipe::plain(transaction.message.clone());
        let rows = transaction.recipients.iter().map(|recipient| Row {
            recipient: recipient.clone(),
            message: message.clone(),
            routed: false,
            on_delivery: None,
            must_encrypt: false,
            refusal: None,
        });
        Self {
            plan: Plan {
                sender: transaction.sender.clone(),
                rows: rows.collect(),
                everyone: Defaults {
                    message,
                    on_delivery: None,
                    must_encrypt: false,
                },
                harvests: Vec::new(),
            },
            obliged: Vec::new(),
        }
    }

    /// The rows of a recipient (a front end may hand one in twice): with the same local
    /// part, else with another case.
    fn find(&self, address: &Address) -> Vec<usize> {
        let rows = |same: fn(&Address, &Address) -> bool| -> Vec<usize> {
            let rows = self.plan.rows.iter().enumerate();
            rows.filter(|(_, row)| same(&row.recipient.address, address))
                .map(|(index, _)| index)
                .collect()
        };
        let exact = rows(Address::matches);
        match exact.is_empty() {
            true => rows(Address::matches_folded),
            false => exact,
        }
    }

    fn rows_of(&self, address: &Address) -> Result<Vec<usize>, CallError> {
        let rows = self.find(address);
        match rows.is_empty() {
            false => Ok(rows),
            true => Err(CallError::new(
                ErrorKind::NotFound,
                "recipient.unknown",
                "not a recipient of this message",
            )
            .about(address.to_string())),
        }
    }

    /// The rows of the recipients named, each once; of everyone when none are.
    fn rows(&self, recipients: Option<&[Address]>) -> Result<Vec<usize>, CallError> {
        let Some(recipients) = recipients else {
            return Ok((0..self.plan.rows.len()).collect());
        };
        let mut known: HashMap<&Address, Vec<usize>> = HashMap::new();
        for (index, row) in self.plan.rows.iter().enumerate() {
            known.entry(&row.recipient.address).or_default().push(index);
        }
        let mut rows = BTreeSet::new();
        for address in recipients {
            match known.get(address) {
                Some(same) => rows.extend(same),
                None => rows.extend(self.rows_of(address)?),
            }
        }
        Ok(rows.into_iter().collect())
    }

    /// What a recipient gets as things stand, before what is applied on delivery.
    pub(crate) fn message_for(&self, recipient: &Address) -> Result<&Recipe, CallError> {
        let rows = self.rows_of(recipient)?;
        Ok(&self.plan.rows[rows[0]].message)
    }

    /// `actions.set-message`.
    pub(crate) fn set_message(
        &mut self,
        recipe: &Recipe,
        capabilities: &dyn Capabilities,
    ) -> Result<(), CallError> {
        let rows = (0..self.plan.rows.len())
            .filter(|row| !self.plan.rows[*row].routed)
            .collect();
        self.set_rows(rows, recipe, capabilities)?;
        self.plan.everyone.message = opened(recipe);
        Ok(())
    }

    /// `actions.route`.
    pub(crate) fn route(
        &mut self,
        recipients: &[Address],
        recipe: &Recipe,
        capabilities: &dyn Capabilities,
    ) -> Result<(), CallError> {
        let rows = self.rows(Some(recipients))?;
        let addresses = rows
            .iter()
            .map(|row| &self.plan.rows[*row].recipient.address);
        for address in addresses {
            if !std::ptr::eq(recipe.for_reader(address), recipe) {
                return Err(not_for(address));
            }
        }
        self.set_rows(rows.clone(), recipe, capabilities)?;
        for row in rows {
            self.plan.rows[row].routed = true;
        }
        Ok(())
    }

    fn set_rows(
        &mut self,
        rows: Vec<usize>,
        recipe: &Recipe,
        capabilities: &dyn Capabilities,
    ) -> Result<(), CallError> {
        let mut messages = Vec::with_capacity(rows.len());
        for row in &rows {
            let row = &self.plan.rows[*row];
            match made_for(recipe, &row.recipient.address, capabilities) {
                Ok(message) => messages.push(message),
                // Who is refused gets no copy, so nothing is missing for it.
                Err(_) if row.refusal.is_some() => {
                    messages.push(opened(recipe.for_reader(&row.recipient.address)));
                }
                Err(error) => return Err(error),
            }
        }
        for (row, message) in rows.into_iter().zip(messages) {
            self.plan.rows[row].message = message;
        }
        Ok(())
    }

    /// `harvest.harvest`.
    pub(crate) fn harvest(&mut self, key: [u8; 32]) {
        if !self.plan.harvests.contains(&key) {
            self.plan.harvests.push(key);
        }
    }

    /// `actions.require-encryption`.
    pub(crate) fn require_encryption(
        &mut self,
        recipients: Option<&[Address]>,
    ) -> Result<(), CallError> {
        for row in self.rows(recipients)? {
            self.oblige(row);
        }
        self.plan.everyone.must_encrypt |= recipients.is_none();
        Ok(())
    }

    fn oblige(&mut self, row: usize) {
        let row = &mut self.plan.rows[row];
        row.must_encrypt = true;
        remember(&mut self.obliged, &row.recipient.address);
    }

    /// `actions.refuse`.
    pub(crate) fn refuse(
        &mut self,
        recipients: &[Address],
        reply: &Reply,
    ) -> Result<(), CallError> {
        for row in self.rows(Some(recipients))? {
            self.plan.rows[row].refusal = Some(reply.clone());
        }
        Ok(())
    }

    /// `envelope.add-recipient`: starts from what was set for everyone.
    pub(crate) fn add_recipient(
        &mut self,
        address: &Address,
        capabilities: &dyn Capabilities,
    ) -> Result<(), CallError> {
        if !self.find(address).is_empty() {
            return Ok(());
        }
        let everyone = &self.plan.everyone;
        let message = made_for(&everyone.message, address, capabilities)?;
        let on_delivery = match &everyone.on_delivery {
            Some(profile) => Some(capabilities.profile_protection(profile, &message, address)?),
            None => None,
        };
        let applied = on_delivery.iter().chain(protections(&message));
        let encrypted = applied
            .filter(|protection| protection.parameters.basis == Basis::Profile)
            .any(|protection| protection.choice.encrypted());
        let must_encrypt = everyone.must_encrypt || encrypted || is_among(&self.obliged, address);
        self.plan.rows.push(Row {
            recipient: Recipient {
                address: address.clone(),
                parameters: Vec::new(),
            },
            message,
            routed: false,
            on_delivery,
            must_encrypt,
            refusal: None,
        });
        if must_encrypt {
            remember(&mut self.obliged, address);
        }
        Ok(())
    }

    /// `envelope.remove-recipient`. Somebody stays: a message for nobody would be a
    /// `discard`, which is granted by name.
    pub(crate) fn remove_recipient(&mut self, address: &Address) -> Result<(), CallError> {
        let rows = self.rows_of(address)?;
        if self.plan.rows.len() == rows.len() {
            let text = "the last recipient cannot be removed";
            return Err(
                CallError::new(ErrorKind::Failed, "envelope.last-recipient", text)
                    .about(address.to_string()),
            );
        }
        for row in rows.into_iter().rev() {
            self.plan.rows.remove(row);
        }
        Ok(())
    }

    /// `profiles.preview`.
    pub(crate) fn preview(
        &self,
        profile: &str,
        recipients: Option<&[Address]>,
        capabilities: &dyn Capabilities,
    ) -> Result<Vec<Outcome>, CallError> {
        let found = self.found(profile, recipients, capabilities)?;
        Ok(found.iter().map(|found| self.outcome(found)).collect())
    }

    /// `profiles.apply`.
    pub(crate) fn apply(
        &mut self,
        profile: &str,
        timing: Timing,
        recipients: Option<&[Address]>,
        capabilities: &dyn Capabilities,
    ) -> Result<Vec<Outcome>, CallError> {
        let for_everyone = match recipients {
            Some(_) => None,
            None => Some(profile_in_general(profile, capabilities)?),
        };
        let found = self.found(profile, recipients, capabilities)?;
        let outcomes = found.iter().map(|found| self.outcome(found)).collect();
        for Found { row, protection } in found {
            if protection.choice.encrypted() {
                self.oblige(row);
            }
            let row = &mut self.plan.rows[row];
            match timing {
                Timing::Now => row.message.steps.push(Step::Protect(protection)),
                Timing::OnDelivery => row.on_delivery = Some(protection),
            }
        }
        if let Some(protection) = for_everyone {
            let everyone = &mut self.plan.everyone;
            match timing {
                Timing::Now => everyone.message.steps.push(Step::Protect(protection)),
                Timing::OnDelivery => everyone.on_delivery = Some(profile.to_owned()),
            }
        }
        Ok(outcomes)
    }

    fn found(
        &self,
        profile: &str,
        recipients: Option<&[Address]>,
        capabilities: &dyn Capabilities,
    ) -> Result<Vec<Found>, CallError> {
        self.rows(recipients)?
            .into_iter()
            .map(|row| {
                let Row {
                    recipient, message, ..
                } = &self.plan.rows[row];
                capabilities
                    .profile_protection(profile, message, &recipient.address)
                    .map(|protection| Found { row, protection })
            })
            .collect()
    }

    fn outcome(&self, found: &Found) -> Outcome {
        let row = &self.plan.rows[found.row];
        let choice = &found.protection.choice;
        let problem = match choice {
            Choice::Missing { problem, .. } | Choice::Refuse { problem } => Some(problem.clone()),
            Choice::Open | Choice::Encrypt(_) | Choice::AlreadyEncrypted => None,
        };
        Outcome {
            recipient: row.recipient.address.clone(),
            action: action(choice, row.must_encrypt),
            encrypted: choice.encrypted(),
            problem,
        }
    }

    /// What a filter leaves encrypted, no later filter undoes.
    pub(crate) fn oblige_encrypted(&mut self) {
        for row in 0..self.plan.rows.len() {
            if self.plan.rows[row].message.encrypted() {
                self.oblige(row);
            }
        }
    }

    /// Undoes what a filter that failed left: its changes are gone, its obligations stay.
    pub(crate) fn undo(&mut self, mut left: Table) {
        left.oblige_encrypted();
        let everyone = left.plan.everyone.must_encrypt;
        self.plan.everyone.must_encrypt |= everyone;
        self.obliged = left.obliged;
        for row in &mut self.plan.rows {
            row.must_encrypt |= everyone || is_among(&self.obliged, &row.recipient.address);
        }
    }

    /// After the last filter: what is applied on delivery is looked at once more, for the
    /// message that it will wrap (another From, or protected meanwhile).
    pub(crate) fn settle_on_delivery(&mut self, capabilities: &dyn Capabilities) {
        for row in &mut self.plan.rows {
            let Some(on_delivery) = &mut row.on_delivery else {
                continue;
            };
            let Some(profile) = on_delivery.parameters.profile.clone() else {
                continue;
            };
            let address = &row.recipient.address;
            match capabilities.profile_protection(&profile, &row.message, address) {
                Ok(protection) => *on_delivery = protection,
                Err(problem) => on_delivery.choice = Choice::Refuse { problem },
            }
        }
    }
}

/// Rule 13: nobody is given what was decrypted for others.
fn not_for(recipient: &Address) -> CallError {
    CallError::new(
        ErrorKind::Denied,
        "open.other-recipient",
        "the message was decrypted for other recipients",
    )
    .about(recipient.to_string())
}

/// The recipe for one recipient: opened only if it was opened for them (rule 13), and every
/// protection in it with what it means for them.
fn made_for(
    recipe: &Recipe,
    recipient: &Address,
    capabilities: &dyn Capabilities,
) -> Result<Recipe, CallError> {
    let recipe = recipe.for_reader(recipient);
    let mut made = Recipe {
        opening: recipe.opening.clone(),
        base: recipe.base.clone(),
        digest: recipe.digest.clone(),
        steps: Vec::with_capacity(recipe.steps.len()),
        view: recipe.base.clone(),
    };
    for step in &recipe.steps {
        let step = match step {
            Step::Edit(edit) => {
                made.view = edit.apply(&made.view).map_err(edit_refused)?;
                Step::Edit(edit.clone())
            }
            Step::Protect(protection) => {
                Step::Protect(chosen(protection, &made, recipient, capabilities)?)
            }
        };
        made.steps.push(step);
    }
    Ok(made)
}

fn chosen(
    protection: &Protection,
    inside: &Recipe,
    recipient: &Address,
    capabilities: &dyn Capabilities,
) -> Result<Protection, CallError> {
    match (protection.parameters.basis, &protection.parameters.profile) {
        (Basis::Profile, Some(profile)) => {
            capabilities.profile_protection(profile, inside, recipient)
        }
        _ if !protection.mode.encrypts() => Ok(protection.clone()),
        _ => Ok(Protection {
            choice: capabilities.choose(protection, recipient)?,
            ..protection.clone()
        }),
    }
}

/// The recipe for nobody in particular.
pub(crate) fn opened(recipe: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    for step in &mut recipe.steps {
        if let Step::Protect(protection) = step {
            protection.choice = Choice::Open;
            if protection.parameters.basis == Basis::Profile {
                protection.signer = None;
                protection.unsigned = None;
            }
        }
    }
    recipe
}

/// An applied profile before any recipient is known.
fn profile_in_general(
    profile: &str,
    capabilities: &dyn Capabilities,
) -> Result<Protection, CallError> {
    let mode = capabilities.profile_mode(profile)?;
    let mode = ProtectionMode::from_name(&mode).ok_or_else(|| {
        let text = "the profile's mode protects nothing";
        CallError::new(ErrorKind::Failed, "profile.mode", text).about(profile)
    })?;
    Ok(Protection {
        mode,
        parameters: Parameters {
            profile: Some(profile.to_owned()),
            ..Parameters::default()
        },
        outer: None,
        choice: Choice::Open,
        signer: None,
        unsigned: None,
    })
}

/// What a choice means, in the words of `profiles.outcome`.
fn action(choice: &Choice, must_encrypt: bool) -> &'static str {
    match choice {
        Choice::Open | Choice::Encrypt(_) | Choice::AlreadyEncrypted => "deliver",
        Choice::Missing { problem, .. } | Choice::Refuse { problem }
            if problem.kind == ErrorKind::Unavailable =>
        {
            "defer"
        }
        Choice::Refuse { .. } => "bounce",
        Choice::Missing { action, .. } => match action {
            // DESIGN §5: where encryption is required, as `encrypt-or-bounce-rest`.
            MissingCertificate::Split if !must_encrypt => "deliver",
            MissingCertificate::Split
            | MissingCertificate::Bounce
            | MissingCertificate::EncryptOrBounceRest => "bounce",
            MissingCertificate::Drop => "drop",
            MissingCertificate::Defer => "defer",
            MissingCertificate::Quarantine => "quarantine",
        },
    }
}

fn protections(recipe: &Recipe) -> impl Iterator<Item = &Protection> {
    recipe.steps.iter().filter_map(|step| match step {
        Step::Protect(protection) => Some(protection),
        Step::Edit(_) => None,
    })
}

fn is_among(obliged: &[Address], address: &Address) -> bool {
    obliged.iter().any(|known| known.matches_folded(address))
}

fn remember(obliged: &mut Vec<Address>, address: &Address) {
    if !obliged.contains(address) {
        obliged.push(address.clone());
    }
}

/// An edit of a header field that the message refuses.
pub(crate) fn edit_refused(error: waxseal_message::Error) -> CallError {
    CallError::new(
        ErrorKind::InvalidArgument,
        "header.refused",
        error.to_string(),
    )
}

#[cfg(test)]
mod tests;
