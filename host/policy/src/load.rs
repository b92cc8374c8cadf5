//! Loading a policy, in the order of DESIGN §7: configuration, digest, imports against
//! grants, compilation, full instantiation, the filter's own look at its settings.
//!
//! A component that asks for what was not granted is refused before any of its code is
//! compiled. An export of a wrong type passes every step before a full instantiation,
//! which is why there is one.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use crate::bindings::OpenerPre;
use crate::breaker::Breaker;
use crate::component::{Names, is_our_line, names, of_contract};
use crate::config::{FilterConfig, OnError, PolicyConfig};
use crate::error::{LoadError, LoadReason, LoadStep};
use crate::filter::{Filter, Settings};
use crate::grants::{DECIDER, GRANTABLE, Grants};
use crate::host::Failure;
use crate::policy::FilterInfo;
use crate::prepare;
use crate::runtime::{Runtime, TABLE_ELEMENTS};

/// Loads every filter.
pub(crate) fn filters(runtime: &Runtime, config: PolicyConfig) -> Result<Vec<Filter>, LoadError> {
    let mut seen = BTreeSet::new();
    for filter in &config.filters {
        if !seen.insert(filter.name.as_str()) {
            let step = LoadStep::Configuration;
            return Err(LoadError::of(&filter.name, step, LoadReason::DuplicateName));
        }
    }
    config
        .filters
        .iter()
        .map(|filter| load(runtime, filter, &config))
        .collect()
}

fn load(
    runtime: &Runtime,
    filter: &FilterConfig,
    policy: &PolicyConfig,
) -> Result<Filter, LoadError> {
    let at = |step| move |reason| LoadError::of(&filter.name, step, reason);
    configured(runtime, filter, policy).map_err(at(LoadStep::Configuration))?;
    let sha256 = pinned(filter).map_err(at(LoadStep::Digest))?;
    let names = granted(&filter.component, &filter.grants).map_err(at(LoadStep::Imports))?;
    let loaded = |component| loaded(runtime, filter, policy, &names, &sha256, component);
    if let Some(component) = prepared(runtime, filter, &names) {
        match loaded(component) {
            // What the filter does before it is called, it does a second time.
            Err(error) if error.step == LoadStep::Instantiate => unprepared(filter, &error),
            other => return other,
        }
    }
    let component = runtime
        .compile(&filter.component)
        .map_err(|error| at(LoadStep::Compile)(LoadReason::Compile(format!("{error:#}"))))?;
    loaded(component)
}

/// The component with its settings read, where there is one ([`crate::prepare`]).
fn prepared(runtime: &Runtime, filter: &FilterConfig, names: &Names) -> Option<Component> {
    let export = prepare::export(names)?;
    let prepared = runtime.prepare(&filter.component, export, &filter.settings, &filter.limits);
    prepared.unwrap_or_else(|error| {
        unprepared(filter, &format_args!("{error:#}"));
        None
    })
}

fn unprepared(filter: &FilterConfig, reason: &dyn std::fmt::Display) {
    let name = filter.name.as_str();
    tracing::warn!(filter = name, %reason, "a filter reads its settings for each message");
}

/// The filter, linked and tried.
fn loaded(
    runtime: &Runtime,
    filter: &FilterConfig,
    policy: &PolicyConfig,
    names: &Names,
    sha256: &[u8; 32],
    component: Component,
) -> Result<Filter, LoadError> {
    let component = runtime
        .linker()
        .instantiate_pre(&component)
        .and_then(OpenerPre::new)
        .map_err(|error| {
            let reason = LoadReason::Instantiate(format!("{error:#}"));
            LoadError::of(&filter.name, LoadStep::Instantiate, reason)
        })?;
    let filter = Filter {
        settings: Arc::new(settings(filter, policy)),
        on_error: filter.on_error,
        always: filter.always,
        info: FilterInfo {
            name: filter.name.clone(),
            sha256: hex(sha256),
            imports: names.imports.clone(),
            grants: filter.grants.to_strings(),
        },
        breaker: Breaker::new(&filter.name, runtime.limits().breaker),
        component,
    };
    tried(runtime, &filter)?;
    Ok(filter)
}

fn settings(filter: &FilterConfig, policy: &PolicyConfig) -> Settings {
    Settings {
        name: filter.name.clone(),
        json: filter.settings.clone(),
        grants: filter.grants.clone(),
        limits: filter.limits,
        lists: policy.lists.clone(),
        dictionaries: policy.dictionaries.clone(),
        profiles: policy.profiles.clone(),
        time: policy.time,
    }
}

/// Names, grants, limits and `on-error` make sense together.
fn configured(
    runtime: &Runtime,
    filter: &FilterConfig,
    policy: &PolicyConfig,
) -> Result<(), LoadReason> {
    filter.grants.check(
        &policy.profiles,
        |list| policy.lists.has(list),
        |dictionary| policy.dictionaries.find(dictionary).is_some(),
    )?;
    // DESIGN §4: what protects or decides is not skipped without saying what that means.
    if filter.on_error == OnError::Skip && filter.grants.exceeds_decider() && !filter.may_leak {
        return Err(LoadReason::SkipMayLeak);
    }
    let memory = runtime.limits().memory;
    let too_high = |what, limit| Err(LoadReason::LimitTooHigh { what, limit });
    match filter.limits {
        limits if limits.memory > memory => too_high("memory", memory),
        limits if limits.table > TABLE_ELEMENTS => too_high("table", TABLE_ELEMENTS),
        _ => Ok(()),
    }
}

/// The octets' digest, if it is the one that the operator pinned.
fn pinned(filter: &FilterConfig) -> Result<[u8; 32], LoadReason> {
    let found: [u8; 32] = Sha256::digest(&filter.component).into();
    match &filter.sha256 {
        Some(pinned) if *pinned != found => Err(LoadReason::DigestMismatch {
            found: hex(&found),
            pinned: hex(pinned),
        }),
        _ => Ok(found),
    }
}

/// The component's names, if all that it imports is granted.
fn granted(component: &[u8], grants: &Grants) -> Result<Names, LoadReason> {
    let names = names(component).map_err(LoadReason::NotAComponent)?;
    let (offered, foreign): (Vec<_>, Vec<_>) = names
        .imports
        .iter()
        .cloned()
        .partition(|name| is_offered(name));
    if !foreign.is_empty() {
        return Err(LoadReason::NotOffered(foreign));
    }
    let refused: Vec<String> = offered
        .iter()
        .filter_map(|name| of_contract(name))
        .map(|(interface, _)| interface)
        .filter(|interface| !grants.interface(interface))
        .map(str::to_owned)
        .collect();
    match refused.is_empty() {
        true => Ok(names),
        false => Err(LoadReason::NotGranted(refused)),
    }
}

/// Is it an interface of the contract, in a version that this host speaks?
pub(crate) fn is_offered(import: &str) -> bool {
    of_contract(import).is_some_and(|(interface, version)| {
        is_our_line(version) && (DECIDER.contains(&interface) || GRANTABLE.contains(&interface))
    })
}

/// The component runs, and has nothing against its settings.
fn tried(runtime: &Runtime, filter: &Filter) -> Result<(), LoadError> {
    let name = filter.settings.name.as_str();
    let _slot = runtime.slots.acquire().ok_or_else(|| {
        let reason = LoadReason::Instantiate("no slot is free to try it in".to_owned());
        LoadError::of(name, LoadStep::Instantiate, reason)
    })?;
    filter.try_instantiate(runtime).map_err(|failure| {
        let Failure { code, message } = failure;
        let reason = LoadReason::Instantiate(format!("{code}: {message}"));
        LoadError::of(name, LoadStep::Instantiate, reason)
    })?;
    let settings = |reason| LoadError::of(name, LoadStep::Settings, reason);
    filter
        .validate_config(runtime)
        .map_err(|Failure { code, message }| LoadReason::ValidateFailed { code, message })
        .map_err(settings)?
        .map_err(|problems| settings(LoadReason::Settings(problems)))
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
