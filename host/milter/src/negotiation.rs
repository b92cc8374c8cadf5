//! SMFIC_OPTNEG: what the MTA offers, and what of it we use.
//!
//! We take what is offered and claim nothing more. An MTA that grants fewer actions than a
//! message needs is not refused: what it cannot do is done by re-injection, or deferred with a
//! reason (see `answer`), and mail that needs no change passes.

use crate::Error;

/// Defines a set of bits with named members.
macro_rules! bits {
    ($(#[$doc:meta])* $set:ident { $($(#[$each:meta])* $name:ident = $value:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $set(pub u32);

        impl $set {
            $($(#[$each])* pub const $name: Self = Self($value);)*

            /// Are all of these in it?
            pub fn has(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Those in both.
            pub fn and(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            const fn or(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }
    };
}

bits! {
    /// What a filter may do to a message (`SMFIF_*`).
    Actions {
        /// SMFIF_ADDHDRS: add and insert header fields.
        ADD_HEADERS = 0x01;
        /// SMFIF_CHGBODY.
        CHANGE_BODY = 0x02;
        /// SMFIF_ADDRCPT.
        ADD_RECIPIENTS = 0x04;
        /// SMFIF_DELRCPT.
        DELETE_RECIPIENTS = 0x08;
        /// SMFIF_CHGHDRS: change and delete header fields.
        CHANGE_HEADERS = 0x10;
        /// SMFIF_QUARANTINE.
        QUARANTINE = 0x20;
        /// SMFIF_CHGFROM.
        CHANGE_SENDER = 0x40;
        /// SMFIF_ADDRCPT_PAR: add recipients with ESMTP parameters.
        ADD_RECIPIENTS_WITH_PARAMETERS = 0x80;
    }
}

bits! {
    /// Which steps a filter does without, and what else is agreed (`SMFIP_*`).
    Steps {
        /// SMFIP_NOEOH.
        NO_END_OF_HEADER = 0x40;
        /// SMFIP_NR_HDR: no reply to header fields. Likewise the others below.
        NO_REPLY_HEADER = 0x80;
        /// SMFIP_NOUNKNOWN.
        NO_UNKNOWN = 0x100;
        /// SMFIP_NODATA.
        NO_DATA = 0x200;
        /// SMFIP_NR_CONN.
        NO_REPLY_CONNECT = 0x1000;
        /// SMFIP_NR_HELO.
        NO_REPLY_HELO = 0x2000;
        /// SMFIP_NR_MAIL.
        NO_REPLY_MAIL = 0x4000;
        /// SMFIP_NR_RCPT.
        NO_REPLY_RCPT = 0x8000;
        /// SMFIP_NR_DATA.
        NO_REPLY_DATA = 0x1_0000;
        /// SMFIP_NR_UNKN.
        NO_REPLY_UNKNOWN = 0x2_0000;
        /// SMFIP_NR_EOH.
        NO_REPLY_END_OF_HEADER = 0x4_0000;
        /// SMFIP_NR_BODY.
        NO_REPLY_BODY = 0x8_0000;
        /// SMFIP_HDR_LEADSPC: values of header fields begin right after the colon.
        LEADING_SPACE = 0x10_0000;
    }
}

/// All that some message may need.
const WANTED: Actions = Actions::ADD_HEADERS
    .or(Actions::CHANGE_BODY)
    .or(Actions::ADD_RECIPIENTS)
    .or(Actions::DELETE_RECIPIENTS)
    .or(Actions::CHANGE_HEADERS)
    .or(Actions::QUARANTINE)
    .or(Actions::CHANGE_SENDER)
    .or(Actions::ADD_RECIPIENTS_WITH_PARAMETERS);

/// Everything is decided at the end of the message: no event before it needs a reply, and some
/// are not needed at all. Macros of the end of the message have what those of DATA have.
const SPARED: Steps = Steps::NO_END_OF_HEADER
    .or(Steps::NO_UNKNOWN)
    .or(Steps::NO_DATA)
    .or(Steps::NO_REPLY_HEADER)
    .or(Steps::NO_REPLY_CONNECT)
    .or(Steps::NO_REPLY_HELO)
    .or(Steps::NO_REPLY_MAIL)
    .or(Steps::NO_REPLY_RCPT)
    .or(Steps::NO_REPLY_DATA)
    .or(Steps::NO_REPLY_UNKNOWN)
    .or(Steps::NO_REPLY_END_OF_HEADER)
    .or(Steps::NO_REPLY_BODY)
    .or(Steps::LEADING_SPACE);

const OLDEST: u32 = 2;
const NEWEST: u32 = 6;

/// What an MTA can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The newest version of the protocol that it speaks.
    pub version: u32,
    /// The actions that it grants.
    pub actions: Actions,
    /// The steps that it can leave out.
    pub steps: Steps,
}

/// What is agreed for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The version that is spoken.
    pub version: u32,
    /// What we may do.
    pub actions: Actions,
    /// What is left out.
    pub steps: Steps,
}

impl Offer {
    pub(crate) fn parse(data: &[u8]) -> Result<Self, Error> {
        let (words, _) = data.as_chunks::<4>();
        let [version, actions, steps, ..] = words else {
            return Err(Error::Malformed("negotiation"));
        };
        Ok(Self {
            version: u32::from_be_bytes(*version),
            actions: Actions(u32::from_be_bytes(*actions)),
            steps: Steps(u32::from_be_bytes(*steps)),
        })
    }

    /// What of it we use.
    pub fn agree(self) -> Result<Agreement, Error> {
        if self.version < OLDEST {
            return Err(Error::Version(self.version));
        }
        Ok(Agreement {
            version: self.version.min(NEWEST),
            actions: self.actions.and(WANTED),
            steps: self.steps.and(SPARED),
        })
    }
}

impl Agreement {
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        for word in [self.version, self.actions.0, self.steps.0] {
            out.extend_from_slice(&word.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: u32, actions: u32, steps: u32, expected: (u32, u32, u32)) {
        let offer = Offer {
            version,
            actions: Actions(actions),
            steps: Steps(steps),
        };
        let agreed = offer.agree().unwrap();
        assert_eq!((agreed.version, agreed.actions.0, agreed.steps.0), expected);
    }

    #[test]
    fn what_is_offered_is_taken_and_nothing_else() {
        // Postfix 3 and Sendmail 8.14.
        check(6, 0x1ff, 0x1f_ffff, (6, 0xff, 0x1f_f3c0));
        // Sendmail 8.13: version 2.
        check(2, 0x3f, 0x7f, (2, 0x3f, 0x40));
        check(4, 0x3f, 0x3ff, (4, 0x3f, 0x3c0));
        // One that lets nothing be changed.
        check(6, 0, 0, (6, 0, 0));
        // A later version speaks ours.
        check(9, 0xffff_ffff, 0xffff_ffff, (6, 0xff, 0x1f_f3c0));
    }

    #[test]
    fn a_version_without_quarantine_is_refused() {
        for version in [0, 1] {
            let offer = Offer {
                version,
                actions: Actions(0x1f),
                steps: Steps(0x3f),
            };
            assert!(matches!(offer.agree(), Err(Error::Version(v)) if v == version));
        }
    }

    #[test]
    fn trailing_macro_lists_are_read_over() {
        let mut data = Vec::new();
        for word in [6u32, 1, 2] {
            data.extend_from_slice(&word.to_be_bytes());
        }
        data.extend_from_slice(b"\0\0\0\0j _\0");
        let offer = Offer::parse(&data).unwrap();
        assert_eq!((offer.version, offer.actions.0, offer.steps.0), (6, 1, 2));
    }
}
