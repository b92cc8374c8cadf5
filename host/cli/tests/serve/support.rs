//! A policy directory and a running `waxseal serve`.
//!
//! Everything is in one temporary directory; ports are the system's choice. Waiting is for a
//! condition, and a bound that fails the test loudly.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A policy directory, a state directory and a `serve.toml`.
pub(crate) struct Place {
    home: tempfile::TempDir,
}

impl Place {
    /// A policy with one filter that does nothing.
    pub(crate) fn new() -> Self {
        let home = tempfile::Builder::new()
            .prefix("waxseal-serve-")
            .tempdir()
            .unwrap();
        let place = Self { home };
        place.policy_in("policy", "nothing");
        place.serve_toml("");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The policy directory that is served.
    pub(crate) fn policy(&self) -> PathBuf {
        self.path("policy")
    }

    /// Makes a directory with a policy whose filter behaves like this.
    pub(crate) fn policy_in(&self, name: &str, behave: &str) {
        let directory = self.path(name);
        fs::create_dir_all(directory.join("filters")).unwrap();
        let fixture = repository().join("tests/fixtures/misbehave.wasm");
        fs::copy(fixture, directory.join("filters/first.wasm")).unwrap();
        fs::write(directory.join("waxseal.toml"), configuration(behave)).unwrap();
    }

    /// Writes a file of the policy as an editor does: under another name, then renamed.
    pub(crate) fn put(&self, name: &str, octets: impl AsRef<[u8]>) {
        let path = self.policy().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let draft = self.path("draft");
        fs::write(&draft, octets).unwrap();
        fs::rename(&draft, path).unwrap();
    }

    /// Makes the filter behave otherwise.
    pub(crate) fn behave(&self, behave: &str) {
        self.put("waxseal.toml", configuration(behave));
    }

    /// Writes `serve.toml`: one listener in front of a next hop that is not there.
    pub(crate) fn serve_toml(&self, more: &str) {
        self.listen("smtp", "127.0.0.1:0", "127.0.0.1:9", more);
    }

    /// Writes `serve.toml` with one listener in front of this next hop.
    pub(crate) fn listen(&self, protocol: &str, address: &str, next_hop: &str, more: &str) {
        let home = self.home.path().display();
        let text = format!(
            "hostname = \"gw.example.org\"\nstate = \"{home}/state\"\n\n\
             [[listener]]\nname = \"in\"\nprotocol = \"{protocol}\"\naddress = \"{address}\"\n\
             next-hop = \"out\"\n\n\
             [next-hop.out]\nprotocol = \"smtp\"\naddress = \"{next_hop}\"\ntimeout = \"5s\"\n\n\
             [control]\nsocket = \"{home}/control.sock\"\n\n\
             [http]\naddress = \"unix:{home}/http.sock\"\n\n{more}\n"
        );
        fs::write(self.path("serve.toml"), text).unwrap();
    }

    /// `waxseal serve` on this place, not started.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
        command.args(["serve", "--log", "json", "--policy"]);
        command
            .arg(self.policy())
            .arg("--config")
            .arg(self.path("serve.toml"));
        command.env_remove("WAXSEAL_LOG").stdin(Stdio::null());
        command
    }

    /// Starts and waits until the service is ready.
    pub(crate) fn start(&self) -> Service<'_> {
        let service = self.launch(self.command());
        service.wait_for("the service to be ready", |service| {
            service
                .http("/readyz")
                .is_some_and(|(code, _)| code == 200)
                .then_some(())
        });
        service
    }

    /// Starts this command with its log in a file.
    pub(crate) fn launch(&self, mut command: Command) -> Service<'_> {
        let log = self.path("log");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        command.stdout(Stdio::null()).stderr(file);
        Service {
            child: command.spawn().unwrap(),
            place: self,
        }
    }

    /// Runs it to its end: for services that do not start.
    pub(crate) fn fails_to_start(&self) -> (i32, String) {
        let output = self.command().output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), stderr)
    }

    /// Runs a command that talks to the service.
    pub(crate) fn tell(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_waxseal"))
            .args(arguments)
            .arg("--socket")
            .arg(self.path("control.sock"))
            .env_remove("WAXSEAL_LOG")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

/// A policy of one filter.
fn configuration(behave: &str) -> String {
    format!(
        "[[filter]]\nname = \"first\"\ncomponent = \"filters/first.wasm\"\n\
         grant = [\"actions\", \"profiles:secret\"]\n\
         settings = {{ behave = \"{behave}\", name = \"secret\" }}\n\n\
         [origin]\nlisteners = [\"in\", \"cli\"]\n\n[profile.secret]\nmode = \"encrypt\"\n"
    )
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A running service. Dropping it kills it.
pub(crate) struct Service<'p> {
    child: Child,
    place: &'p Place,
}

impl Service<'_> {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn status(&self) -> Value {
        let output = self.place.tell(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    /// The id of the active generation.
    pub(crate) fn active(&self) -> String {
        self.status()["active"]["id"].as_str().unwrap().to_owned()
    }

    /// The address of the only listener.
    pub(crate) fn address(&self) -> String {
        self.status()["listeners"][0]["address"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGTERM, and its end.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.ended();
        assert!(status.success(), "{status}: {}", self.log());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.place.path("log")).unwrap()
    }

    /// The log lines with this message.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        let log = self.log();
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == message).collect()
    }

    /// Waits until this gives something.
    pub(crate) fn wait_for<T>(&self, what: &str, mut found: impl FnMut(&Self) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            assert!(Instant::now() < until, "waited for {what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the active generation is another one; its id.
    pub(crate) fn wait_for_other_than(&self, id: &str) -> String {
        self.wait_for("another generation", |service| {
            Some(service.active()).filter(|active| active != id)
        })
    }

    /// Waits until the last change was rejected; the report.
    pub(crate) fn wait_for_rejection(&self) -> Value {
        self.wait_for("a rejection", |service| {
            let last = service.status()["last-change"].clone();
            (last["result"] == "rejected").then_some(last)
        })
    }

    /// Status code and body of a GET; `None` when nobody answers.
    pub(crate) fn http(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = UnixStream::connect(self.place.path("http.sock")).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let code = head.split(' ').nth(1)?.parse().ok()?;
        Some((code, body.to_owned()))
    }

    /// The value of a series of `/metrics`.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let (_, text) = self.http("/metrics")?;
        let line = text.lines().find(|line| {
            line.strip_prefix(series)
                .is_some_and(|rest| rest.starts_with(' '))
        })?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of SMTP that says one command at a time.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(address: impl ToSocketAddrs) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self(BufReader::new(stream));
        assert!(client.reply().starts_with("220"));
        client
    }

    /// The last line of the reply.
    pub(crate) fn say(&mut self, line: &str) -> String {
        self.0
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
        self.reply()
    }

    /// The same when the service may go away: empty then.
    pub(crate) fn try_send(&mut self) -> String {
        let begun = self.begin();
        assert!(begun.starts_with("354"), "{begun}");
        let mut line = String::new();
        let mail = b"From: anna@example.org\r\n\r\nhello\r\n.\r\n";
        let sent = self.0.get_mut().write_all(mail);
        let _ = sent.and_then(|()| self.0.read_line(&mut line));
        line
    }

    /// A mail up to the reply to its end.
    pub(crate) fn send(&mut self) -> String {
        let begun = self.begin();
        assert!(begun.starts_with("354"), "{begun}");
        self.say("From: anna@example.org\r\nSubject: hello\r\n\r\nhello\r\n.")
    }

    fn begin(&mut self) -> String {
        assert!(self.say("EHLO client.example").starts_with("250"));
        for line in ["MAIL FROM:<anna@example.org>", "RCPT TO:<ben@example.net>"] {
            let reply = self.say(line);
            assert!(reply.starts_with("250"), "{line}: {reply}");
        }
        self.say("DATA")
    }

    fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line;
            }
        }
    }
}
