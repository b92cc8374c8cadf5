//! What conditions may ask. A trait, so that conditions are tested without a host.

use std::borrow::Borrow;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use waxseal_guest::{inspect::Layers, prelude::*};

/// One fact of the session that is a plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SessionFact {
    AuthUser,
    ClientIp,
    ClientName,
    Direction,
    Helo,
    Tls,
}

/// An attachment as its sender names it.
#[derive(Clone, Debug)]
pub(crate) struct AttachmentFact {
    pub(crate) name: Option<String>,
    pub(crate) media_type: String,
}

/// The facts of one mail. What an error leaves open is no match and no mismatch:
/// it ends the evaluation.
pub(crate) trait Facts {
    fn recipients(&self) -> &[Recipient];
    fn sender(&self) -> &str;
    fn from(&self) -> &[String];
    fn session(&self, fact: SessionFact) -> Option<Rc<str>>;
    fn property(&self, name: &str) -> Option<String>;
    fn note(&self, name: &str) -> Option<String>;
    /// Method and result.
    fn auth_results(&self) -> Vec<(String, String)>;
    fn headers(&self, name: &str) -> Rc<[String]>;
    fn size(&self) -> u32;
    fn attachments(&self) -> &[AttachmentFact];
    fn text_contains(&self, words: &str) -> Result<bool, Error>;
    fn in_dictionary(&self, name: &str) -> Result<bool, Error>;
    /// From the outside in.
    fn smime(&self) -> Result<Layers, Error>;
    fn in_list(&self, list: &str, address: &str) -> Result<bool, Error>;
}

/// The host's facts. What several rules may ask for is asked once and kept.
pub(crate) struct Mail<'a> {
    tx: &'a Transaction,
    message: Message,
    recipients: Vec<Recipient>,
    sender: OnceCell<String>,
    from: OnceCell<Vec<String>>,
    session: Kept<SessionFact, Option<Rc<str>>>,
    headers: Kept<String, Rc<[String]>>,
    attachments: OnceCell<Vec<AttachmentFact>>,
}

/// Answers by what was asked.
struct Kept<K, V>(RefCell<Vec<(K, V)>>);

impl<K, V: Clone> Kept<K, V> {
    fn new() -> Self {
        Kept(RefCell::new(Vec::new()))
    }

    fn answer<Q>(&self, key: &Q, ask: impl FnOnce(&Q) -> V) -> V
    where
        K: Borrow<Q>,
        Q: PartialEq + ToOwned<Owned = K> + ?Sized,
    {
        let mut kept = self.0.borrow_mut();
        if let Some((_, answer)) = kept.iter().find(|(known, _)| known.borrow() == key) {
            return answer.clone();
        }
        let answer = ask(key);
        kept.push((key.to_owned(), answer.clone()));
        answer
    }
}

impl<'a> Mail<'a> {
    pub(crate) fn new(tx: &'a Transaction) -> Self {
        Mail {
            tx,
            message: tx.message(),
            recipients: tx.recipients(),
            sender: OnceCell::new(),
            from: OnceCell::new(),
            session: Kept::new(),
            headers: Kept::new(),
            attachments: OnceCell::new(),
        }
    }
}

impl Facts for Mail<'_> {
    fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    fn sender(&self) -> &str {
        self.sender.get_or_init(|| self.tx.sender())
    }

    fn from(&self) -> &[String] {
        let ask = || {
            let addresses = self.message.addresses("from").into_iter();
            addresses
                .map(|from| format!("{}@{}", from.local, from.domain))
                .collect()
        };
        self.from.get_or_init(ask)
    }

    fn session(&self, fact: SessionFact) -> Option<Rc<str>> {
        self.session.answer(&fact, |fact| {
            let told = match fact {
                SessionFact::AuthUser => self.tx.auth_user(),
                SessionFact::ClientIp => self.tx.client_ip(),
                SessionFact::ClientName => self.tx.client_name(),
                SessionFact::Direction => self.tx.direction(),
                SessionFact::Helo => self.tx.helo(),
                SessionFact::Tls => self.tx.tls_version(),
            };
            told.map(Rc::from)
        })
    }

    fn property(&self, name: &str) -> Option<String> {
        self.tx.property(name)
    }

    fn note(&self, name: &str) -> Option<String> {
        self.tx.note(name)
    }

    fn auth_results(&self) -> Vec<(String, String)> {
        let results = self.tx.auth_results().into_iter();
        results
            .map(|result| (result.method, result.verdict))
            .collect()
    }

    fn headers(&self, name: &str) -> Rc<[String]> {
        self.headers.answer(name, |name| {
            let fields = self.message.headers(name).into_iter();
            fields.map(|field| field.value).collect()
        })
    }

    fn size(&self) -> u32 {
        self.message.size()
    }

    fn attachments(&self) -> &[AttachmentFact] {
        self.attachments.get_or_init(|| {
            let parts = self.message.parts().filter(Part::is_attachment);
            let fact = |part: Part| AttachmentFact {
                name: part.filename(),
                media_type: part.media_type(),
            };
            parts.map(fact).collect()
        })
    }

    fn text_contains(&self, words: &str) -> Result<bool, Error> {
        let parts = self.message.parts();
        let texts = parts.filter(|part| part.media_type().starts_with("text/"));
        any(texts, |part| part.contains(words))
    }

    fn in_dictionary(&self, name: &str) -> Result<bool, Error> {
        any(self.message.parts(), |part| part.matches(name))
    }

    fn smime(&self) -> Result<Layers, Error> {
        inspect::outline(&self.message)
    }

    fn in_list(&self, list: &str, address: &str) -> Result<bool, Error> {
        if config::in_list(list, address)? {
            return Ok(true);
        }
        match address.rsplit_once('@') {
            Some((_, domain)) => config::in_list(list, domain),
            None => Ok(false),
        }
    }
}

/// `Iterator::any` for a test that may fail.
pub(crate) fn any<T>(
    items: impl IntoIterator<Item = T>,
    mut test: impl FnMut(T) -> Result<bool, Error>,
) -> Result<bool, Error> {
    for item in items {
        if test(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}
