//! A mail of 25 MB: time beside `openssl cms` on the same files, and memory as a multiple of the
//! message.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;

use crate::Effort;
use crate::files::Files;
use crate::mail::LARGE;
use crate::page::Section;
use crate::paired::{Turn, paired, seconds};
use crate::people::People;
use crate::process::{self, Program, succeeded};
use crate::smime::{Operation, perform};
use crate::table::{table, time, times};

/// Measures it.
pub fn section(people: &People, effort: Effort) -> Section {
    let files = Files::new(people, "large", LARGE);
    let mut speed = Vec::new();
    let mut memory = Vec::new();
    for operation in Operation::ALL {
        files.prove_ours(operation, people);
        speed.push(speed_of(operation, &files, people, effort));
        memory.push(memory_of(operation, &files, people));
    }
    let head = [
        "25 MB",
        "`openssl cms`",
        "`waxseal`",
        "times as fast",
        "in process",
        "times as fast",
        "aim",
    ];
    let speed = table(&head, &speed);
    let head = [
        "times the message",
        "heap, in process",
        "`waxseal`",
        "aim",
        "`openssl cms`",
    ];
    let memory = table(&head, &memory);
    Section::new(
        "A large mail",
        "Programs read a file and write one, with a pipe between two for sign-encrypt; that \
         includes their start and reading the keys. In process is from octets in memory to a \
         message in memory. What we make we read back; `openssl cms` does not. It runs with \
         `-binary` but for verify, and is slower without.\n\n\
         Peak memory counts the message that came in. The heap is counted at each allocation, \
         where a buffer that grows is there twice for a moment; of programs it is what the system \
         says was resident at most.",
        format!("{speed}\n{memory}"),
    )
}

fn speed_of(operation: Operation, files: &Files, people: &People, effort: Effort) -> Vec<String> {
    let (from, to) = (files.input(operation), files.output());
    let octets = Bytes::from(std::fs::read(from).unwrap());
    let program = |program: Program| {
        let work = move || process::run(program(operation, people, from, to));
        Box::new(move || seconds(work)) as Turn<'_>
    };
    let in_process: Turn<'_> = Box::new(|| seconds(|| perform(operation, &octets, people)));
    let turns = vec![
        program(process::openssl),
        program(process::waxseal),
        in_process,
    ];
    let paired = paired(effort.of(3, 15), turns);
    vec![
        operation.name().to_owned(),
        time(paired.median(0)),
        time(paired.median(1)),
        times(paired.ratio(0, 1)),
        time(paired.median(2)),
        times(paired.ratio(0, 2)),
        "3".to_owned(),
    ]
}

fn memory_of(operation: Operation, files: &Files, people: &People) -> Vec<String> {
    vec![
        operation.name().to_owned(),
        times(heap(operation, files.input(operation))),
        times(resident(process::waxseal, operation, files, people)),
        "2.5".to_owned(),
        times(resident(process::openssl, operation, files, people)),
    ]
}

/// Resident memory of a program at most; of two programs, of the one that takes more.
fn resident(program: Program, operation: Operation, files: &Files, people: &People) -> f64 {
    let parts: &[Operation] = match operation {
        Operation::SignEncrypt => &[Operation::Sign, Operation::Encrypt],
        _ => &[operation],
    };
    let peaks = parts.iter().map(|part| {
        let from = files.input(*part);
        let [command] = <[Command; 1]>::try_from(program(*part, people, from, files.output()))
            .expect("one program for one operation");
        process::peak(&command) as f64 / size(from)
    });
    peaks.fold(0.0, f64::max)
}

/// Peak of the heap, by the program `peak`, which counts allocations.
fn heap(operation: Operation, from: &Path) -> f64 {
    let mut command = Command::new(std::env::current_exe().unwrap().with_file_name("peak"));
    let output = command.arg(operation.name()).arg(from).output().unwrap();
    succeeded(&command, &output);
    let octets = String::from_utf8(output.stdout).unwrap();
    octets.trim().parse::<f64>().unwrap() / size(from)
}

fn size(file: &Path) -> f64 {
    std::fs::metadata(file).unwrap().len() as f64
}
