//! Who sends what to whom, and what the MTA knows of them.

use crate::{Error, bindings::waxseal::filter::session, mail::Message};

pub use session::{AuthResult, EsmtpParameter, Recipient};

/// Recipients asked for in one call.
const PAGE: u32 = 256;

/// One mail on its way. `None` always means that the MTA did not say.
#[derive(Debug)]
pub struct Transaction(pub(crate) session::Transaction);

/// For whom a call is.
#[derive(Clone, Copy, Debug)]
pub enum Recipients<'a> {
    /// Everyone, those added later too.
    All,
    /// Just these addresses.
    Only(&'a [String]),
}

impl<'a> Recipients<'a> {
    pub(crate) fn list(self) -> Option<&'a [String]> {
        match self {
            Recipients::All => None,
            Recipients::Only(list) => Some(list),
        }
    }
}

impl<'a> From<&'a [String]> for Recipients<'a> {
    fn from(list: &'a [String]) -> Self {
        Recipients::Only(list)
    }
}

impl<'a> From<&'a Vec<String>> for Recipients<'a> {
    fn from(list: &'a Vec<String>) -> Self {
        Recipients::Only(list)
    }
}

impl From<session::Transaction> for Transaction {
    fn from(handle: session::Transaction) -> Self {
        Transaction(handle)
    }
}

impl Transaction {
    /// The MTA's name for the message.
    pub fn queue_id(&self) -> Option<String> {
        self.0.queue_id()
    }

    /// `outbound`, `inbound` or `internal`.
    pub fn direction(&self) -> Option<String> {
        self.0.direction()
    }

    /// The reverse-path; empty for the null one.
    pub fn sender(&self) -> String {
        self.0.sender()
    }

    /// ESMTP parameters of MAIL FROM.
    pub fn sender_parameters(&self) -> Vec<EsmtpParameter> {
        self.0.sender_parameters()
    }

    /// All recipients of the envelope.
    pub fn recipients(&self) -> Vec<Recipient> {
        let mut all = Vec::new();
        for start in (0..).step_by(PAGE as usize) {
            let page = self.0.recipients(start, PAGE);
            let is_last = page.len() < PAGE as usize;
            all.extend(page);
            if is_last {
                break;
            }
        }
        all
    }

    /// The addresses of the recipients that a test picks.
    pub fn recipients_where(&self, mut test: impl FnMut(&Recipient) -> bool) -> Vec<String> {
        let chosen = self
            .recipients()
            .into_iter()
            .filter(|recipient| test(recipient));
        chosen.map(|recipient| recipient.address).collect()
    }

    /// The client's IP address.
    pub fn client_ip(&self) -> Option<String> {
        self.0.client_ip()
    }

    /// The client's verified host name.
    pub fn client_name(&self) -> Option<String> {
        self.0.client_name()
    }

    /// What the client called itself.
    pub fn helo(&self) -> Option<String> {
        self.0.helo()
    }

    /// Whom the client authenticated as.
    pub fn auth_user(&self) -> Option<String> {
        self.0.auth_user()
    }

    /// `TLSv1.3`.
    pub fn tls_version(&self) -> Option<String> {
        self.0.tls_version()
    }

    /// The cipher suite of the session.
    pub fn tls_cipher(&self) -> Option<String> {
        self.0.tls_cipher()
    }

    /// The subject of the client's certificate.
    pub fn tls_client_subject(&self) -> Option<String> {
        self.0.tls_client_subject()
    }

    /// Results of SPF, DKIM, DMARC that the MTA vouches for.
    pub fn auth_results(&self) -> Vec<AuthResult> {
        self.0.auth_results()
    }

    /// A milter macro or another fact of the front end, by its name.
    pub fn property(&self, name: &str) -> Option<String> {
        self.0.property(name)
    }

    /// Can the front end do it: `route`, `set-sender`, `quarantine`?
    pub fn supports(&self, ability: &str) -> bool {
        self.0.supports(ability)
    }

    /// The message as earlier filters left it, and this one so far: what everybody
    /// gets whom no `route` names.
    pub fn message(&self) -> Message {
        Message(self.0.message())
    }

    /// What this recipient would get as the plan stands.
    pub fn message_for(&self, recipient: &str) -> Result<Message, Error> {
        Ok(Message(self.0.message_for(recipient)?))
    }

    /// The message as the MTA handed it in.
    pub fn original(&self) -> Message {
        Message(self.0.original())
    }

    /// A value that an earlier filter left.
    pub fn note(&self, key: &str) -> Option<String> {
        self.0.note(key)
    }

    /// Leaves a small value for later filters of this transaction.
    pub fn set_note(&self, key: &str, value: &str) {
        self.0.set_note(key, value);
    }
}
