//! `[quarantine]`: where messages are kept for a person (DESIGN §8).

use waxseal_engine::{Profile, Quarantine};
use waxseal_message::Address;

use crate::document::{Section, Value};
use crate::nearest;

/// Reads the section. A problem with it is collected, and it reads as absent.
///
/// `profiles` are the sound ones, `names` all of them: a problem is reported once.
pub(crate) fn read(
    section: Section<'_>,
    profiles: &[Profile],
    names: &[String],
) -> Option<Quarantine> {
    let address = section.required("address").and_then(|value| {
        let text = value.text()?;
        let address = Address::parse(text).ok();
        if address.is_none() {
            value.problem(format!("not an address: {text}"), None);
        }
        address
    });
    let profile = section
        .value("profile")
        .and_then(|value| profile(&value, profiles, names));
    section.finish();
    Some(Quarantine {
        address: address?,
        profile,
    })
}

/// A profile that encrypts.
fn profile(value: &Value<'_>, profiles: &[Profile], names: &[String]) -> Option<String> {
    let name = value.text()?;
    match profiles.iter().find(|profile| profile.name == name) {
        Some(profile) if profile.mode.encrypts() => return Some(name.to_owned()),
        Some(_) => {
            let hint = "give it mode = \"encrypt\", or leave `profile` out";
            value.problem(
                format!("a profile that does not encrypt: {name}"),
                Some(hint.to_owned()),
            );
        }
        None if names.iter().any(|known| known == name) => {}
        None => value.problem(
            format!("no such profile: {name}"),
            nearest::hint(name, names.iter().map(String::as_str)),
        ),
    }
    None
}
