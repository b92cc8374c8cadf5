//! How the service begins, ends, and is looked at.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Place, Service};

#[test]
fn the_control_socket_is_for_its_owner_and_goes_with_the_service() {
    let place = Place::new();
    let socket = place.path("control.sock");
    let service = place.start();
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let state = fs::metadata(place.path("state"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(state & 0o777, 0o700);
    service.stop();
    assert!(!socket.exists());
}

#[test]
fn the_permissions_of_sockets_are_those_of_serve_toml() {
    let place = Place::new();
    let socket = place.path("mail.sock");
    place.listen(
        "smtp",
        &format!("unix:{}", socket.display()),
        "127.0.0.1:9",
        "",
    );
    let text = fs::read_to_string(place.path("serve.toml")).unwrap();
    let text = text
        .replace("control.sock\"\n", "control.sock\"\nmode = \"0640\"\n")
        .replace(
            "next-hop = \"out\"\n",
            "next-hop = \"out\"\nmode = \"0666\"\n",
        );
    fs::write(place.path("serve.toml"), text).unwrap();
    let service = place.start();
    for (path, expected) in [(place.path("control.sock"), 0o640), (socket, 0o666)] {
        let metadata = fs::metadata(&path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(
            metadata.permissions().mode() & 0o777,
            expected,
            "{}",
            path.display()
        );
    }
    service.stop();
}

#[test]
fn a_killed_service_leaves_nothing_in_the_way() {
    let place = Place::new();
    place.start().kill();
    assert!(place.path("control.sock").exists());
    place.start().stop();
}

#[test]
fn what_is_in_the_way_of_a_socket_stays() {
    let place = Place::new();
    let socket = place.path("control.sock");
    fs::write(&socket, "mine").unwrap();
    let (code, stderr) = place.fails_to_start();
    assert_eq!(code, 73, "{stderr}");
    let expected = format!(
        "error: cannot listen (a file that is no socket is in the way): unix:{}\n",
        socket.display()
    );
    assert!(stderr.ends_with(&expected), "{stderr}");
    fs::remove_file(&socket).unwrap();
    let other = UnixListener::bind(&socket).unwrap();
    assert_eq!(place.fails_to_start().0, 69);
    drop(other);
}

#[test]
fn a_state_directory_has_one_service() {
    let place = Place::new();
    let service = place.start();
    let (code, stderr) = place.fails_to_start();
    assert_eq!(code, 75, "{stderr}");
    assert!(
        stderr.contains("another server uses this state directory"),
        "{stderr}"
    );
    assert_eq!(service.status()["state"], "running");
    service.stop();
}

#[test]
fn without_a_service_commands_say_so() {
    let place = Place::new();
    for command in ["status", "reload", "rollback"] {
        let output = place.tell(&[command]);
        assert_eq!(output.status.code(), Some(69), "{output:?}");
        assert!(output.stdout.is_empty());
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = stderr.lines().collect();
        assert!(
            lines[0].starts_with("error: no service is running here: /"),
            "{stderr}"
        );
        assert!(
            lines[1].starts_with("hint: start it with `waxseal serve"),
            "{stderr}"
        );
    }
    // A name that serve.toml gives leads to the same socket.
    let output = Command::new(env!("CARGO_BIN_EXE_waxseal"))
        .args(["status", "--config"])
        .arg(place.path("serve.toml"))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains(&place.path("control.sock").display().to_string()),
        "{stderr}"
    );
}

#[test]
fn a_service_without_settings_does_not_start() {
    let place = Place::new();
    fs::remove_file(place.path("serve.toml")).unwrap();
    let (code, stderr) = place.fails_to_start();
    assert_eq!(code, 66);
    assert!(stderr.starts_with("error: no serve.toml: "), "{stderr}");
    place.serve_toml("[lmits]\nworkers = 4\n");
    let (code, stderr) = place.fails_to_start();
    assert_eq!(code, 78);
    assert!(
        stderr.contains("lmits: unknown key: lmits\nhint: did you mean `limits`?"),
        "{stderr}"
    );
}

/// A line to the control socket, and the line that comes back.
fn ask(place: &Place, octets: &[u8]) -> Value {
    let mut stream = UnixStream::connect(place.path("control.sock")).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(300)))
        .unwrap();
    stream.write_all(octets).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.lines().next().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{answer}"))
}

#[test]
fn the_control_socket_takes_lines_of_json() {
    let place = Place::new();
    let service = place.start();
    let answer = ask(&place, b"{\"command\":\"status\"}\n");
    assert_eq!(answer["ok"]["pid"], service.pid());
    for (octets, words) in [
        (b"status\n".as_slice(), "not a request"),
        (
            b"{\"command\":\"dance\"}\n",
            "not a request: unknown variant `dance`",
        ),
        (
            b"{\"command\":\"status\"}",
            "not a line of up to 16384 octets",
        ),
        (&[b' '; 100_000], "not a line of up to 16384 octets"),
    ] {
        let answer = ask(&place, octets);
        assert!(
            answer["error"].as_str().unwrap().starts_with(words),
            "{answer}"
        );
    }
    // Several requests on one connection, and more connections than are served at a time.
    let mut streams: Vec<_> = (0..40)
        .map(|_| UnixStream::connect(place.path("control.sock")).unwrap())
        .collect();
    assert!(streams.drain(..).map(drop).count() == 40);
    assert_eq!(service.status()["state"], "running");
    service.stop();
}

#[test]
fn health_readiness_and_metrics() {
    let place = Place::new();
    let service = place.start();
    assert_eq!(service.http("/healthz"), Some((200, "ok\n".to_owned())));
    let (code, body) = service.http("/readyz").unwrap();
    let mut body: Value = serde_json::from_str(&body).unwrap();
    let next_hops = body.as_object_mut().unwrap().remove("next-hops").unwrap();
    assert_eq!(
        (&next_hops[0]["name"], &next_hops[0]["address"]),
        (&json!("out"), &json!("127.0.0.1:9"))
    );
    let expected = json!({
        "ready": true, "state": "running", "generation": service.active(), "degraded": [],
    });
    assert_eq!((code, body), (200, expected));
    assert_eq!(service.metric("waxseal_degraded"), Some(0.0));
    assert_eq!(
        service.metric("waxseal_reloads_total{result=\"activated\"}"),
        Some(1.0)
    );
    assert_eq!(service.metric("waxseal_identities_expiring"), Some(0.0));
    let generation = format!("waxseal_generation{{id=\"{}\"}}", service.active());
    assert_eq!(service.metric(&generation), Some(1.0));
    // Nobody is there: that is said, and changes nothing.
    service.wait_for("the next hop to be asked", |service| {
        (service.metric("waxseal_next_hop_up{hop=\"out\"}") == Some(0.0)).then_some(())
    });
    let text = String::from_utf8(place.tell(&["status"]).stdout).unwrap();
    assert!(
        text.contains("next hop out: 127.0.0.1:9, away at "),
        "{text}"
    );
    assert_eq!(service.http("/readyz").unwrap().0, 200);
    assert_eq!(service.http("/nothing").unwrap().0, 404);
    service.stop();
}

#[test]
fn core_dumps_are_off() {
    let place = Place::new();
    let service = place.start();
    let limits = fs::read_to_string(format!("/proc/{}/limits", service.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
    // Not dumpable: its files in /proc belong to root.
    service.stop();
}

#[test]
fn systemd_hears_what_goes_on() {
    let place = Place::new();
    let path = place.path("notify.sock");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd
        .set_read_timeout(Some(Duration::from_secs(300)))
        .unwrap();
    let hear = |wanted: &str| {
        let mut heard = String::new();
        while !heard.lines().any(|line| line == wanted) {
            let mut octets = [0; 4096];
            let length = systemd
                .recv(&mut octets)
                .unwrap_or_else(|error| panic!("{wanted}: {error}"));
            heard = String::from_utf8_lossy(&octets[..length]).into_owned();
        }
        heard
    };
    // systemd names the process that the watchdog is for.
    let serve = place.command();
    let mut command = Command::new("sh");
    command.args(["-c", "export WATCHDOG_PID=$$; exec \"$@\"", "sh"]);
    command.arg(serve.get_program()).args(serve.get_args());
    command.env("NOTIFY_SOCKET", &path);
    command.env("WATCHDOG_USEC", "200000");
    let service = place.launch(command);
    hear("READY=1");
    hear("WATCHDOG=1");
    assert!(place.tell(&["reload"]).status.success());
    assert!(hear("RELOADING=1").contains("MONOTONIC_USEC="));
    hear("READY=1");
    service.signal("TERM");
    hear("STOPPING=1");
    service.stop_was_asked();
}

impl Service<'_> {
    /// It was told to stop already.
    fn stop_was_asked(mut self) {
        assert!(self.ended().success(), "{}", self.log());
    }
}

/// `systemd-socket-activate` listens, and starts the service when somebody connects.
#[test]
fn a_socket_comes_from_systemd_by_its_name() {
    let place = Place::new();
    place.listen("smtp", "systemd:mail", "127.0.0.1:9", "");
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let serve = place.command();
    let mut command = Command::new("systemd-socket-activate");
    command.args(["--fdname=mail", &format!("--listen=127.0.0.1:{port}")]);
    command.arg(serve.get_program()).args(serve.get_args());
    let service = place.launch(command);
    let mut client = service.wait_for("the socket", |_| {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    client
        .set_read_timeout(Some(Duration::from_secs(300)))
        .unwrap();
    let mut greeting = [0; 3];
    client.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"220");
    assert_eq!(service.address(), format!("127.0.0.1:{port}"));
    drop(client);
    service.stop();
}

#[test]
fn a_name_that_systemd_does_not_know_is_named() {
    let place = Place::new();
    place.listen("smtp", "systemd:mail", "127.0.0.1:9", "");
    let (code, stderr) = place.fails_to_start();
    assert_eq!(code, 78);
    assert!(
        stderr.contains("systemd handed over no socket of this name: mail"),
        "{stderr}"
    );
}

/// Runs `waxseal` in a place: exit code, standard output, standard error.
fn waxseal(place: &Place, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_waxseal"))
        .args(arguments)
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn a_new_policy_has_settings_to_serve_by_and_check_reads_them() {
    let place = Place::new();
    let (code, _, stderr) = waxseal(&place, &["init", "mail"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stdout, stderr) = waxseal(&place, &["check", "mail"]);
    assert_eq!(code, 0, "{stderr}");
    let expected = "  listener milter: milter on 127.0.0.1:8891, next hop postfix\n";
    assert!(stdout.ends_with(expected), "{stdout}");
    let file = place.path("mail/serve.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("watch = true", "wach = true")).unwrap();
    let (code, stdout, stderr) = waxseal(&place, &["check", "mail"]);
    assert_eq!((code, stdout.as_str()), (78, ""));
    assert!(
        stderr.contains("reload.wach: unknown key: wach\nhint: did you mean `watch`?\n"),
        "{stderr}"
    );
    let (code, stdout, _) = waxseal(&place, &["check", "--json", "mail"]);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &report["sound"]), (78, &json!(false)));
    assert_eq!(report["errors"][0]["file"], "serve.toml");
}

#[test]
fn changed_settings_wait_for_the_next_start() {
    let place = Place::new();
    let service = place.start();
    assert_eq!(service.status()["pending"], Value::Null);
    place.serve_toml("[limits]\nworkers = 1\n");
    let output = place.tell(&["reload"]);
    assert!(output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("serve.toml: changed, takes effect at the next start: /"),
        "{stderr}"
    );
    let pending = service.status()["pending"].as_str().unwrap().to_owned();
    assert!(
        pending.starts_with("changed, takes effect at the next start: /"),
        "{pending}"
    );
    place.serve_toml("[limits]\nworkers = \"many\"\n");
    let pending = service.status()["pending"].as_str().unwrap().to_owned();
    assert!(
        pending.contains("the next start would fail: serve.toml:"),
        "{pending}"
    );
    service.stop();
}
