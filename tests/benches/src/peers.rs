//! Beside other programs, on the same mails: `openssl cms` as a process for each mail, Python's
//! libraries, a milter that signs.

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

use bytes::Bytes;
use waxseal_tests::openssl;
use waxseal_tests::operator::{Policy, binary, repository};

use crate::Effort;
use crate::files::{Files, prove_content};
use crate::gateway::{PROTECT, policy};
use crate::mail::{FROM, mail};
use crate::milter::Milter;
use crate::page::Section;
use crate::paired::{Turn, paired, seconds};
use crate::people::{People, RSA};
use crate::process::{self, Program, succeeded};
use crate::smime::{Operation, perform};
use crate::table::{table, time, times};

const SIZES: [(&str, usize); 2] = [("10 kB", 10_000), ("1 MB", 1_000_000)];
const OPERATIONS: [Operation; 4] = [
    Operation::Sign,
    Operation::Encrypt,
    Operation::Decrypt,
    Operation::Verify,
];
/// `nobody` and its group, of whom signing-milter is one when root starts it.
const NOBODY: u32 = 65_534;

/// Ways to do it, ours first: others are compared with ours of the same way.
const IN_PROCESS: &str = "Waxseal, in process";
const PROCESS: &str = "`waxseal`, a process for each mail";
const OPENSSL: &str = "`openssl cms`, a process for each mail";
const SERVICE: &str = "`waxseal serve`, as a milter";

/// Measures it; `peers` is where `peers/install` put them.
pub fn section(people: &People, peers: &Path, effort: Effort) -> Section {
    let python = Python::start(peers, people);
    let mut figures = String::new();
    for (name, size) in SIZES {
        let files = Files::new(people, "peers", size);
        let rounds = effort.of(10, if size < 100_000 { 200 } else { 50 });
        let mut results = Results::default();
        for operation in OPERATIONS {
            hand_by_hand(
                operation,
                &files,
                people,
                python.as_ref(),
                rounds,
                &mut results,
            );
        }
        figures.push_str(&results.table(name));
        figures.push('\n');
    }
    figures.push_str(&milters(people, peers, effort));
    if python.is_none() {
        figures.push_str("\nNot measured, because they are not installed: the Python libraries.\n");
    }
    Section::new(
        "Other programs",
        "The same mails and keys, RSA-2048, AES-256-CBC, in turn. Behind the time stands how many times \
         as long as Waxseal it takes, used in the same way. Python's libraries run in a process that is \
         there already. Waxseal reads back what it makes and judges the signer's path and address; \
         the others do not read back, and cryptography does not verify at all.",
        figures,
    )
}

/// One operation, done by all who can.
fn hand_by_hand(
    operation: Operation,
    files: &Files,
    people: &People,
    python: Option<&Python>,
    rounds: usize,
    results: &mut Results,
) {
    let (from, to) = (files.input(operation), files.output());
    let octets = Bytes::from(fs::read(from).unwrap());
    let program = |program: Program| {
        let work = move || process::run(program(operation, people, from, to));
        Box::new(move || seconds(work)) as Turn<'_>
    };
    let ours: Turn<'_> = Box::new(|| seconds(|| perform(operation, &octets, people)));
    // Whom each is compared with.
    let mut contestants = vec![
        (IN_PROCESS.to_owned(), IN_PROCESS, ours),
        (PROCESS.to_owned(), PROCESS, program(process::waxseal)),
        (OPENSSL.to_owned(), PROCESS, program(process::openssl)),
    ];
    for library in python
        .into_iter()
        .flat_map(|python| python.libraries(operation))
    {
        let turn = move || library.run(operation, from, to);
        contestants.push((library.label(), IN_PROCESS, Box::new(turn)));
    }
    files.prove_ours(operation, people);
    for (_, _, turn) in contestants.iter_mut().skip(1) {
        turn();
        files.prove(operation, people);
    }
    results.measure(operation.name(), rounds, contestants);
}

/// A table in the making: a row for each contestant, a column for each discipline.
#[derive(Default)]
struct Results {
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Results {
    /// Lets contestants (name, whom it is compared with, turn) take turns.
    fn measure(&mut self, column: &str, rounds: usize, contestants: Vec<(String, &str, Turn<'_>)>) {
        let names: Vec<(String, String)> = contestants
            .iter()
            .map(|(name, rival, _)| (name.clone(), (*rival).to_owned()))
            .collect();
        let turns = contestants.into_iter().map(|(_, _, turn)| turn);
        let paired = paired(rounds, turns.collect());
        for (at, (name, rival)) in names.iter().enumerate() {
            let median = time(paired.median(at));
            let cell = match names.iter().position(|(other, _)| other == rival) {
                Some(other) if other != at => {
                    format!("{median}, {} ×", times(paired.ratio(at, other)))
                }
                _ => median,
            };
            self.set(name, cell);
        }
        self.columns.push(column.to_owned());
    }

    /// Fills in the column that is being measured.
    fn set(&mut self, name: &str, cell: String) {
        if !self.rows.iter().any(|(row, _)| row == name) {
            self.rows.push((name.to_owned(), Vec::new()));
        }
        let row = self.rows.iter_mut().find(|(row, _)| row == name);
        let cells = &mut row.expect("it was there or was added").1;
        cells.resize(self.columns.len(), String::new());
        cells.push(cell);
    }

    fn table(&self, what: &str) -> String {
        let columns = self.columns.iter().map(String::as_str);
        let head: Vec<&str> = [what].into_iter().chain(columns).collect();
        let rows = self.rows.iter().map(|(name, cells)| {
            let mut row = vec![name.clone()];
            row.extend(cells.iter().cloned());
            row.resize(head.len(), String::new());
            row
        });
        table(&head, &rows.collect::<Vec<_>>())
    }
}

/// A process with Python's libraries (`peers/python.py`).
struct Python {
    process: Child,
    libraries: Vec<Library>,
}

/// One library, with what it can do.
struct Library {
    name: String,
    version: String,
    operations: Vec<String>,
    /// Requests and answers, shared by all libraries.
    line: Rc<RefCell<(ChildStdin, BufReader<ChildStdout>)>>,
}

impl Python {
    /// `None`: there is no Python with them.
    fn start(peers: &Path, people: &People) -> Option<Self> {
        let python = peers.join("venv/bin/python");
        if !python.exists() {
            return None;
        }
        let script = repository().join("tests/benches/peers/python.py");
        let mut command = Command::new(python);
        command.arg(script).arg(people.file(""));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut started = Self {
            process: command.spawn().unwrap(),
            libraries: Vec::new(),
        };
        let process = &mut started.process;
        let (requests, answers) = (process.stdin.take()?, process.stdout.take()?);
        let line = Rc::new(RefCell::new((requests, BufReader::new(answers))));
        let libraries = &mut started.libraries;
        loop {
            let said = answer(&line);
            let [name, version, operation] = said.split_whitespace().collect::<Vec<_>>()[..] else {
                break;
            };
            if libraries.last().is_none_or(|last| last.name != name) {
                libraries.push(Library {
                    name: name.to_owned(),
                    version: version.to_owned(),
                    operations: Vec::new(),
                    line: Rc::clone(&line),
                });
            }
            let last = libraries.last_mut().expect("there is one now");
            last.operations.push(operation.to_owned());
        }
        (!started.libraries.is_empty()).then_some(started)
    }

    fn libraries(&self, operation: Operation) -> impl Iterator<Item = &Library> {
        let can = move |library: &&Library| {
            let mut operations = library.operations.iter();
            operations.any(|each| each == operation.name())
        };
        self.libraries.iter().filter(can)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Library {
    fn label(&self) -> String {
        format!("Python, {} {}", self.name, self.version)
    }

    /// Seconds that it took.
    fn run(&self, operation: Operation, from: &Path, to: &Path) -> f64 {
        let (library, operation) = (&self.name, operation.name());
        let (from, to) = (from.display(), to.display());
        let request = format!("{library} {operation} {from} {to}\n");
        self.line
            .borrow_mut()
            .0
            .write_all(request.as_bytes())
            .unwrap();
        let said = answer(&self.line);
        said.trim()
            .parse()
            .expect("Python says why on standard error")
    }
}

fn answer(line: &RefCell<(ChildStdin, BufReader<ChildStdout>)>) -> String {
    let mut said = String::new();
    line.borrow_mut().1.read_line(&mut said).unwrap();
    said
}

/// A table of milters that sign.
fn milters(people: &People, peers: &Path, effort: Effort) -> String {
    let place = tempfile::tempdir().unwrap();
    // Where signing-milter, which gives up root, can go too.
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let policy = policy(1, &[PROTECT], "sign", RSA, "listeners = [\"in\"]");
    let mut ours = service(place.path(), &policy);
    let mut theirs = signing_milter(place.path(), peers, people);
    let mut results = Results::default();
    for (name, size) in SIZES {
        let mail = mail(size, 0);
        prove_signed(&ours.filter(&mail), &mail, place.path(), &policy.root());
        let turn: Turn<'_> = Box::new(|| seconds(|| ours.filter(&mail)));
        let mut contestants = vec![(SERVICE.to_owned(), SERVICE, turn)];
        if let Some(theirs) = &mut theirs {
            prove_signed(&theirs.filter(&mail), &mail, place.path(), &people.root());
            let turn = Box::new(|| seconds(|| theirs.filter(&mail)));
            contestants.push(("signing-milter".to_owned(), SERVICE, turn));
        }
        results.measure(&format!("sign, {name}"), effort.of(20, 200), contestants);
    }
    let table = results.table("milter");
    match theirs {
        Some(_) => table,
        None => format!("{table}\nNot measured, because it is not installed: signing-milter.\n"),
    }
}

fn service(place: &Path, policy: &Policy) -> Milter {
    let at = place.display();
    let socket = place.join("waxseal.sock");
    let configuration = format!(
        "hostname = \"gw.example.org\"\nstate = \"{at}/state\"\n\n[[listener]]\nname = \"in\"\n\
         protocol = \"milter\"\naddress = \"unix:{}\"\n\n[control]\nsocket = \"{at}/control.sock\"\n",
        socket.display()
    );
    let file = place.join("serve.toml");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new(binary());
    command.args(["serve", "--policy"]).arg(policy.directory());
    command.arg("--config").arg(file);
    Milter::start(command, &socket, &place.join("waxseal.log"))
}

/// `None`: it is not installed.
fn signing_milter(place: &Path, peers: &Path, people: &People) -> Option<Milter> {
    let program = peers.join("signing-milter/signing-milter");
    if !program.exists() {
        return None;
    }
    let (socket, pem) = (
        place.join("signing.sock"),
        place.join("sender-cert+key.pem"),
    );
    let both = [&people.sender.certificate, &people.sender.key].map(|file| fs::read(file).unwrap());
    fs::write(&pem, both.concat()).unwrap();
    // It must be able to read the key, and not to write it.
    fs::set_permissions(&pem, Permissions::from_mode(0o400)).unwrap();
    let mut command = Command::new(program);
    if chown(&pem, Some(NOBODY), Some(NOBODY)).is_err() {
        for (flag, option) in [("-u", "-un"), ("-g", "-gn")] {
            let output = Command::new("id").arg(option).output().unwrap();
            command.args([flag, String::from_utf8(output.stdout).unwrap().trim()]);
        }
    }
    command.args(["-l", "-c", ":relax", "-s"]);
    command.arg(format!("unix:{}", socket.display()));
    command.arg("-m").arg(signing_table(place, peers, &pem));
    Some(Milter::start(command, &socket, &place.join("signing.log")))
}

/// Whose mail is signed with what, as the milter reads it.
fn signing_table(place: &Path, peers: &Path, pem: &Path) -> PathBuf {
    let (text, table) = (place.join("table"), place.join("table.cdb"));
    fs::write(&text, format!("{FROM} {}\n", pem.display())).unwrap();
    let root = peers.join("sysroot/usr");
    let mut cdb = Command::new(root.join("bin/cdb"));
    let libraries = fs::read_dir(root.join("lib")).unwrap().flatten();
    let libraries = libraries
        .map(|entry| entry.path())
        .find(|path| path.is_dir());
    cdb.env("LD_LIBRARY_PATH", libraries.unwrap_or_default());
    cdb.args(["-c", "-m"]).arg(&table).arg(&text);
    let output = cdb.output().unwrap();
    succeeded(&cdb, &output);
    table
}

/// Panics unless OpenSSL finds the mail's body, whole, signed under this root.
fn prove_signed(octets: &[u8], mail: &Bytes, place: &Path, root: &Path) {
    let file = place.join("signed.eml");
    fs::write(&file, octets).unwrap();
    let content = openssl::verify(&file, root);
    let content =
        content.unwrap_or_else(|| panic!("OpenSSL refuses it: {}", octets.escape_ascii()));
    prove_content(&content, mail, Operation::Sign);
}
