//! Measures what a message costs, prints it, and writes docs/performance.md. `tests/run speed` builds
//! what it needs and runs it.
//!
//! ```text
//! speed [--quick] [--peers DIR] [--out DIR] [SECTION…]
//! ```
//!
//! A full run of all sections writes the page and its drawings into docs/; any other only where
//! `--out` says.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use waxseal_benches::page::{self, Section};
use waxseal_benches::people::People;
use waxseal_benches::{Effort, cores, decision, growth, large, machine, peers};
use waxseal_tests::operator::repository;

const SECTIONS: [&str; 5] = ["decision", "cores", "large", "peers", "growth"];

struct Arguments {
    effort: Effort,
    peers: PathBuf,
    out: Option<PathBuf>,
    sections: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("error: {error}");
            eprintln!(
                "hint: speed [--quick] [--peers DIR] [--out DIR] [{}]…",
                SECTIONS.join("|")
            );
            return ExitCode::from(64);
        }
    };
    let place = tempfile::tempdir().unwrap();
    let people = People::make(place.path());
    let mut sections = vec![machine::section()];
    print(&sections[0]);
    for name in &arguments.sections {
        let began = Instant::now();
        sections.push(measure(name, &people, &arguments));
        print(&sections[sections.len() - 1]);
        eprintln!("{name}: {} s", began.elapsed().as_secs());
    }
    if let Some(out) = &arguments.out {
        page::write(out, &sections).unwrap();
        eprintln!("written: {}", out.join("performance.md").display());
    }
    ExitCode::SUCCESS
}

fn measure(name: &str, people: &People, arguments: &Arguments) -> Section {
    let effort = arguments.effort;
    match name {
        "decision" => decision::section(people, effort),
        "cores" => cores::section(people, effort),
        "large" => large::section(people, effort),
        "peers" => peers::section(people, &arguments.peers, effort),
        "growth" => growth::section(people, effort),
        other => unreachable!("no section: {other}"),
    }
}

fn print(section: &Section) {
    println!("{}", section.text());
}

fn arguments(given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut given = given;
    let mut arguments = Arguments {
        effort: Effort::Full,
        peers: PathBuf::from("peers"),
        out: None,
        sections: Vec::new(),
    };
    while let Some(argument) = given.next() {
        let mut directory = || given.next().map(PathBuf::from).ok_or("no directory");
        match argument.as_str() {
            "--quick" => arguments.effort = Effort::Quick,
            "--peers" => arguments.peers = directory()?,
            "--out" => arguments.out = Some(directory()?),
            name if SECTIONS.contains(&name) => arguments.sections.push(name.to_owned()),
            other => return Err(format!("no section of this name: {other}")),
        }
    }
    if arguments.sections.is_empty() {
        arguments.sections = SECTIONS.map(str::to_owned).into();
        if arguments.effort == Effort::Full && arguments.out.is_none() {
            arguments.out = Some(repository().join("docs"));
        }
    }
    Ok(arguments)
}
