//! `[[filter]]`: the chain.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use waxseal_policy::{
    ConfigProblem, FilterConfig, FilterLimits, GrantError, Grants, LoadError, LoadReason, LoadStep,
    OnError, Policy, PolicyConfig, Runtime,
};

use crate::FILE;
use crate::directory::Directory;
use crate::document::{Section, Source, Value, table_to_json};
use crate::nearest;
use crate::problem::Problem;

const ON_ERROR: [(&str, OnError); 3] = [
    ("defer", OnError::Defer),
    ("reject", OnError::Reject),
    ("skip", OnError::Skip),
];

/// Words that a grant may begin with, for suggestions.
const GRANTS: [&str; 14] = [
    "actions",
    "envelope",
    "certificates",
    "profiles",
    "protect",
    "inspect",
    "harvest",
    "open",
    "accept",
    "quarantine",
    "discard",
    "list:NAME",
    "dictionary:NAME",
    "identity:NAME",
];

/// What loading a filter may complain about.
const KEYS_OF_LOADING: [&str; 6] = [
    "component",
    "sha256",
    "grant",
    "on-error",
    "limits",
    "settings",
];

/// Names that grants may refer to.
pub(crate) struct Names {
    pub(crate) profiles: Vec<String>,
    pub(crate) identities: Vec<String>,
    pub(crate) lists: Vec<String>,
    pub(crate) dictionaries: Vec<String>,
}

/// A filter as configured, and where its parts stand, for what goes wrong later.
pub(crate) struct Draft {
    pub(crate) config: FilterConfig,
    path: String,
    line: usize,
    /// Lines of the keys that loading may complain about.
    lines: Vec<(&'static str, usize)>,
    /// The file that the settings are in, when they are not in `waxseal.toml`.
    settings_file: Option<PathBuf>,
}

impl Draft {
    /// The line of a key, or of the filter.
    fn line_of(&self, key: &str) -> usize {
        let found = self.lines.iter().find(|(name, _)| *name == key);
        found.map_or(self.line, |(_, line)| *line)
    }
}

/// Reads the chain. A filter with a problem is left out.
pub(crate) fn read(
    sections: Vec<Section<'_>>,
    names: &Names,
    directory: &Directory<'_>,
) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for section in sections {
        let name = section.required("name");
        let good = name.as_ref().is_some_and(|name| is_new(name, &seen));
        seen.extend(name.and_then(|name| name.text()));
        drafts.extend(draft(section, names, directory).filter(|_| good));
    }
    drafts
}

fn is_new(name: &Value<'_>, seen: &[&str]) -> bool {
    match name.text() {
        Some("") => name.problem("the name is empty", None),
        Some(text) if seen.contains(&text) => {
            name.problem(format!("two filters have this name: {text}"), None);
        }
        Some(_) => return true,
        None => {}
    }
    false
}

fn draft(section: Section<'_>, names: &Names, directory: &Directory<'_>) -> Option<Draft> {
    let (path, line) = (section.path().to_owned(), section.line());
    let lines = KEYS_OF_LOADING
        .iter()
        .filter_map(|key| Some((*key, section.line_of(key)?)))
        .collect();
    let component = component(&section, directory);
    let sha256 = section.value("sha256").map(|value| digest(&value));
    let grants = grants(&section, names);
    let settings = settings(&section, directory);
    let config = FilterConfig {
        on_error: section.word("on-error", &ON_ERROR).unwrap_or_default(),
        may_leak: section.flag("may-leak").unwrap_or(false),
        always: section.flag("always").unwrap_or(false),
        limits: section.section("limits").map(limits).unwrap_or_default(),
        ..FilterConfig::new(section.text("name").unwrap_or_default(), Vec::new())
    };
    section.finish();
    let (settings_file, settings) = settings?;
    let config = FilterConfig {
        component: component?.into(),
        sha256: match sha256 {
            Some(pin) => Some(pin?),
            None => None,
        },
        grants: grants?,
        settings,
        ..config
    };
    Some(Draft {
        config,
        path,
        line,
        lines,
        settings_file,
    })
}

/// The grants, when every one means something.
fn grants(section: &Section<'_>, names: &Names) -> Option<Grants> {
    let values = section.texts("grant");
    let sound = values.iter().filter(|value| check_grant(value, names));
    let sound: Vec<String> = sound
        .filter_map(|value| value.text().map(str::to_owned))
        .collect();
    let all = sound.len() == values.len();
    Grants::parse(&sound).ok().filter(|_| all)
}

fn component(section: &Section<'_>, directory: &Directory<'_>) -> Option<Vec<u8>> {
    let value = section.required("component")?;
    let name = directory.named_by(&value)?;
    directory.read_named(&value, &name)
}

/// A SHA-256 in hexadecimal.
fn digest(value: &Value<'_>) -> Option<[u8; 32]> {
    let text = value.text()?;
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let octets = digits.map(|digits| {
        digits
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit))
            .collect()
    });
    let digest = octets.and_then(|octets: Vec<u8>| <[u8; 32]>::try_from(octets).ok());
    if digest.is_none() || text.len() != 64 {
        let hint = Some("`waxseal inspect` and `sha256sum` print it".to_owned());
        value.problem("not 64 hexadecimal digits", hint);
        return None;
    }
    digest
}

/// Does the grant mean something, and is there what it names?
fn check_grant(value: &Value<'_>, names: &Names) -> bool {
    let Some(grant) = value.text() else {
        return false;
    };
    if let Err(error) = Grants::parse(&[grant.to_owned()]) {
        let word = grant.split(':').next().unwrap_or(grant);
        let hint = match &error {
            GrantError::Unknown(_) => nearest::hint(word, GRANTS),
            _ => None,
        };
        value.problem(error.to_string(), hint);
        return false;
    }
    let Some((kind, name)) = grant.split_once(':') else {
        return true;
    };
    let (what, known) = match kind.trim() {
        "profiles" => ("profile", &names.profiles),
        "list" => ("list", &names.lists),
        "dictionary" => ("dictionary", &names.dictionaries),
        "identity" => ("identity", &names.identities),
        _ => return true,
    };
    let name = name.trim();
    if known.iter().any(|each| each == name) {
        return true;
    }
    let hint = nearest::hint(name, known.iter().map(String::as_str));
    value.problem(format!("no such {what}: {name}"), hint);
    false
}

/// Settings as JSON text, with the file that they are in when they have one of their own.
fn settings(section: &Section<'_>, directory: &Directory<'_>) -> Option<(Option<PathBuf>, String)> {
    let Some(value) = section.value("settings") else {
        return Some((None, "null".to_owned()));
    };
    if value.is_table() {
        return Some((None, value.json().to_string()));
    }
    let name = directory.named_by(&value)?;
    let octets = directory.read_named(&value, &name)?;
    let Ok(text) = String::from_utf8(octets) else {
        directory
            .problems
            .add(Problem::with_file(name, "not UTF-8"));
        return None;
    };
    let json = match name.extension() {
        Some(extension) if extension == "toml" => {
            let source = Source::new(&name, &text, directory.problems);
            table_to_json(source.parse().get_ref()).to_string()
        }
        _ => json(text, &name, directory)?,
    };
    Some((Some(name), json))
}

fn json(text: String, name: &Path, directory: &Directory<'_>) -> Option<String> {
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Some(text),
        Err(error) => {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or(&message);
            let problem = Problem::with_file(name, format!("not JSON: {message}"));
            directory.problems.add(problem.on_line(error.line()));
            None
        }
    }
}

fn limits(section: Section<'_>) -> FilterLimits {
    let default = FilterLimits::default();
    let limits = FilterLimits {
        time: section
            .number("time-ms", 1..=60_000)
            .map_or(default.time, Duration::from_millis),
        host_time: section
            .number("wait-ms", 1..=240_000)
            .map_or(default.host_time, Duration::from_millis),
        memory: section
            .number("memory-mib", 1..=4096)
            .and_then(|mib| usize::try_from(mib << 20).ok())
            .unwrap_or(default.memory),
        ..default
    };
    section.finish();
    limits
}

/// Warns about a filter that changes or requires something and may never run.
pub(crate) fn warn_about_order(drafts: &[Draft], directory: &Directory<'_>) {
    for (index, draft) in drafts.iter().enumerate() {
        let grants = &draft.config.grants;
        if draft.config.always || !grants.interface("actions") {
            continue;
        }
        let earlier = drafts[..index]
            .iter()
            .find(|other| other.config.grants.verdict("accept"));
        if let Some(earlier) = earlier {
            let message = format!(
                "filter {:?} does not run for what an earlier filter accepts: {}",
                draft.config.name, earlier.config.name
            );
            let hint = "set always = true if it must run, or put it first".to_owned();
            directory.warnings.add(
                Problem::with_file(FILE, message)
                    .at(&draft.path)
                    .on_line(draft.line)
                    .hint(hint),
            );
        }
    }
}

/// Loads the filters into a policy. A filter that fails is reported and left out, and the
/// others are tried, so that one load reports all of them. `None` when anything failed.
pub(crate) fn load(
    runtime: &Arc<Runtime>,
    mut config: PolicyConfig,
    drafts: &[Draft],
    directory: &Directory<'_>,
) -> Option<Policy> {
    let mut failed = false;
    config.filters = drafts.iter().map(|draft| draft.config.clone()).collect();
    loop {
        let error = match Policy::load(runtime, config.clone()) {
            Ok(policy) => return Some(policy).filter(|_| !failed),
            Err(error) => error,
        };
        failed = true;
        let Some(draft) = drafts
            .iter()
            .find(|draft| Some(&draft.config.name) == error.filter.as_ref())
        else {
            directory
                .problems
                .add(Problem::with_file(FILE, error.to_string()));
            return None;
        };
        report(&error, draft, directory);
        config
            .filters
            .retain(|filter| filter.name != draft.config.name);
    }
}

fn report(error: &LoadError, draft: &Draft, directory: &Directory<'_>) {
    let name = &draft.config.name;
    if let LoadReason::Settings(problems) = &error.reason {
        for problem in problems {
            let problem = in_settings(problem, draft).loading(name, error.step);
            directory.problems.add(problem);
        }
        return;
    }
    let key = match (error.step, &error.reason) {
        (_, LoadReason::SkipMayLeak) => "on-error",
        (_, LoadReason::LimitTooHigh { .. }) => "limits",
        (LoadStep::Digest, _) => "sha256",
        (LoadStep::Imports, LoadReason::NotGranted(_)) | (LoadStep::Configuration, _) => "grant",
        (LoadStep::Settings, _) => "settings",
        _ => "component",
    };
    let hint = match &error.reason {
        LoadReason::NotGranted(imports) => Some(format!(
            "if it may do this, add to grant: {}",
            imports
                .iter()
                .map(|import| interface(import))
                .collect::<Vec<_>>()
                .join(", ")
        )),
        LoadReason::DigestMismatch { found, .. } => Some(format!(
            "if this is the component that you want, set sha256 to {found}"
        )),
        _ => None,
    };
    let message = format!("filter {name:?}: {}: {}", error.step, error.reason);
    directory.problems.add(
        Problem::with_file(FILE, message)
            .at(format!("{}.{key}", draft.path))
            .on_line(draft.line_of(key))
            .hint(hint)
            .loading(name, error.step),
    );
}

/// `waxseal:filter/actions@0.1.0` → `actions`.
fn interface(import: &str) -> &str {
    let name = import.rsplit_once('/').map_or(import, |(_, name)| name);
    name.split('@').next().unwrap_or(name)
}

fn in_settings(problem: &ConfigProblem, draft: &Draft) -> Problem {
    match &draft.settings_file {
        Some(settings) => Problem::with_file(settings, &problem.message).at(&problem.path),
        None => {
            let path = [
                &draft.path,
                ".settings",
                separator(&problem.path),
                &problem.path,
            ]
            .concat();
            Problem::with_file(FILE, &problem.message)
                .at(path)
                .on_line(draft.line_of("settings"))
        }
    }
}

fn separator(path: &str) -> &'static str {
    if path.is_empty() || path.starts_with(['[', '.', '/']) {
        ""
    } else {
        "."
    }
}
