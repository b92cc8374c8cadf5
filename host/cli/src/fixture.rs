//! Fixtures: a mail with its envelope, session and clock, and the plan that is expected of it.

pub(crate) mod case;
pub(crate) mod session;
