"""Gateways from the sample configurations in docs/mta, each a real MTA with `waxseal serve`.

The files are taken as they are shipped. Replaced are ports, paths and host names; time-outs are
shortened, so that a test of a filter that hangs takes seconds; and where the MTA would look the
world up in DNS, it is told one next hop. What each needs beside the sample (certificates, users,
where mailboxes are) an operator has already.

    gateway = PostfixMilter(directory, policy, users)
    gateway.start()
    gateway.submission, gateway.mx      # ports
    gateway.world, gateway.mailboxes    # sinks: what left, what our mailboxes got
    gateway.waxseal                     # the Server
"""

import os
import re
import shutil
import smtplib
import ssl
from pathlib import Path

from machine import BOUND, HOST, Process, free_port, run, wait_until
from postfix import Postfix
from sink import Sink
from waxseal import REPOSITORY, Server

SAMPLES = REPOSITORY / "docs" / "mta"
# Where tests/install put the MTAs that cannot be installed beside each other.
ROOTS = Path(os.environ.get("WAXSEAL_MTAS", "/var/cache/waxseal-tests"))
# The ports of the samples.
PORTS = ("24", "25", "587", "8890", "8891", "8892", "9464", "10024", "10025", "10026", "10027")
# Clients from the world: no network of ours.
OUTSIDE = "127.0.0.9"


class Users(dict):
    """Addresses of ours with their passwords. `sasl` is the port of Dovecot's authentication,
    `tls` the certificate of the gateways, `dkim` a running OpenDKIM, whose key is `dkim_key`."""

    def __init__(self, passwords, sasl, tls, dkim, dkim_key):
        super().__init__(passwords)
        self.sasl, self.tls, self.dkim, self.dkim_key = sasl, tls, dkim, dkim_key


class Gateway:
    """What all have."""

    sample = None           # directory below docs/mta
    defers = "queue"        # or "client": where mail waits when Waxseal is down
    lmtp_mailboxes = True
    login = True            # the test logs in at the submission port
    results_before = "dkim=none"    # what a check before Waxseal wrote
    reports_return_content = False

    def __init__(self, directory, policy, users, world=None, mailboxes=None):
        """`world` and `mailboxes` have a port; sinks, unless a test has better ones."""
        self.directory = Path(directory) / self.sample
        self.directory.mkdir()
        self.users, self.tls = users, users.tls
        self.world, self.mailboxes = world or Sink(), mailboxes or Sink(lmtp=self.lmtp_mailboxes)
        self.ports = {port: free_port() for port in PORTS} | {
            "24": self.mailboxes.port, "8890": users.dkim.port}
        self.mx, self.submission = self.ports["25"], self.ports["587"]
        self.postfix = self.process = None
        self.waxseal = Server(self.directory, policy)
        self.waxseal.http = self.ports["9464"]
        self.waxseal.sample(self.read("serve.toml", {
            "/var/lib/waxseal": self.waxseal.directory / "state",
            "/run/waxseal/control.sock": self.waxseal.control}))
        self.waxseal.ports = [self.ports[p] for p in self.waxseal_ports]

    def read(self, name, paths=None):
        """A file of the sample with its ports and these paths replaced."""
        text = (SAMPLES / self.sample / name).read_text()
        for path, place in (paths or {}).items():
            if path not in text:
                raise ValueError(f"{self.sample}/{name} no longer says {path}")
            text = text.replace(path, str(place))
        ports = "|".join(PORTS)
        return re.sub(rf"(?<![\w./-])({ports})(?![\w.])", lambda m: str(self.ports[m[1]]), text)

    def start(self):
        self.waxseal.start()
        self.start_mta()
        return self

    def stop(self):
        self.stop_mta()
        self.waxseal.stop()
        for sink in (self.world, self.mailboxes):
            if isinstance(sink, Sink):
                sink.stop()

    def submit(self, sender, recipients, octets):
        """From a user of ours; the reply, (code, text), whatever it is."""
        self.submitted = len(self.log())
        try:
            with smtplib.SMTP(HOST, self.submission, timeout=BOUND) as client:
                if self.login:
                    client.starttls(context=ssl._create_unverified_context())
                    client.login(sender, self.users[sender])
                return _send(client, sender, recipients, octets)
        except smtplib.SMTPResponseException as refused:    # before MAIL
            return refused.smtp_code, str(refused.smtp_error)

    def arrive(self, sender, recipients, octets):
        """From the world."""
        try:
            with smtplib.SMTP(HOST, self.mx, timeout=BOUND, source_address=(OUTSIDE, 0)) as client:
                return _send(client, sender, recipients, octets)
        except smtplib.SMTPResponseException as refused:    # before MAIL
            return refused.smtp_code, str(refused.smtp_error)

    def log(self):
        """Where the MTA says what became of messages."""
        return self.said()

    def wait_deferred(self, count=1):
        """Waits until that many messages are in the queue and have been tried."""
        raise NotImplementedError

    def wait_disconnected(self):
        """Waits until it has no connection to Waxseal open, where that matters."""

    def wait_idle(self):
        """Waits until the queue is empty."""
        raise NotImplementedError

    def flush(self):
        raise NotImplementedError


def _send(client, sender, recipients, octets):
    client.ehlo("client.example")
    code, text = client.mail(sender)
    if code >= 300:
        return code, text.decode(errors="replace")
    for recipient in recipients:
        code, text = client.rcpt(recipient)
        if code >= 300:
            return code, text.decode(errors="replace")
    code, text = client.data(octets)
    return code, text.decode(errors="replace")


# ---------------------------------------------------------------------------------------- Postfix

class PostfixGateway(Gateway):
    waxseal_ports = ("10024", "10025")
    address = HOST          # from which it speaks to the world

    def start_mta(self):
        self.postfix = Postfix(self.directory, "postfix", "gw.example.org", {
            "virtual_mailbox_domains": "example.org",
            "virtual_mailbox_maps": "static:there",
            "virtual_transport": f"lmtp:inet:{HOST}:{self.mailboxes.port}",
            "relayhost": f"[{HOST}]:{self.world.port}",
            "smtpd_tls_cert_file": self.tls.certificate,
            "smtpd_tls_key_file": self.tls.key,
            "smtpd_tls_security_level": "may",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": f"inet:{HOST}:{self.users.sasl}",
        })
        self.postfix.sample(self._shorten(self.read("main.cf")),
                            self._shorten(self._name_ports(self.read("master.cf"))))
        self.postfix.option("smtp", "unix", f"smtp_bind_address={self.address}")
        self.postfix.ports = [self.mx, self.submission, self.ports["10026"], self.ports["10027"]]
        self.postfix.start()

    def _name_ports(self, master):
        """`smtp inet` and `submission inet` at our ports."""
        for name, port in (("smtp", self.mx), ("submission", self.submission)):
            master, count = re.subn(rf"(?m)^{name}(\s+inet)", rf"{HOST}:{port}\1", master)
            if count != 1:
                raise ValueError(f"{self.sample}/master.cf has {count} times {name} inet")
        return master

    def _shorten(self, text):
        """Time-outs towards Waxseal; none of them is what makes a test pass."""
        text = re.sub(r"(milter_(?:connect|command|content)_timeout = )\d+s", r"\g<1>5s", text)
        return re.sub(r"((?:smtp|lmtp)_(?:helo|lhlo)_timeout=)\d+s", r"\g<1>5s", text)

    def stop_mta(self):
        if self.postfix:
            self.postfix.stop()

    def said(self):
        return self.postfix.said()

    def wait_deferred(self, count=1):
        self.postfix.wait_deferred(count)

    def wait_idle(self):
        self.postfix.wait_empty()

    def flush(self):
        self.postfix.flush()


class PostfixMilter(PostfixGateway):
    sample, defers, waxseal_ports = "postfix-milter", "client", ("8891", "8892")


class PostfixSmtp(PostfixGateway):
    sample = "postfix-smtp"


class PostfixLmtp(PostfixGateway):
    sample = "postfix-lmtp"


# --------------------------------------------------------------------------------------- Sendmail

class Sendmail(Gateway):
    """Its users log in by Cyrus SASL, which this test does not set up: it submits where the
    sendmail command does, and the port for users must refuse who has not logged in."""

    sample, defers, waxseal_ports = "sendmail", "client", ("8891", "8892")
    lmtp_mailboxes, login = False, False

    def start_mta(self):
        self.submission = self.ports["10025"]
        root = ROOTS / "sendmail"
        self.etc, run_, var, queue, cf = (
            self.directory / part for part in ("etc", "run/mta", "var/host_status", "queue", "cf"))
        for part in (self.etc, run_, var, queue):
            part.mkdir(parents=True)
        # Debian's pieces name each other by absolute paths.
        paths = {"/usr/share/sendmail/cf": cf, "/etc/mail": self.etc}
        shutil.copytree(root / "usr/share/sendmail/cf", cf)
        for piece in cf.rglob("*.m4"):
            piece.write_text(piece.read_text(errors="surrogateescape")
                             .replace("/usr/share/sendmail/cf", str(cf)), errors="surrogateescape")
        (self.etc / "mailertable").write_text(f"example.org\trelay:[{HOST}]\n")
        (self.etc / "access").write_text("")
        (self.etc / "relay-domains").write_text("example.org\n")
        (self.etc / "local-host-names").write_text("")
        (self.etc / "aliases").write_text("")
        (self.etc / "service.switch").write_text("hosts files\naliases files\n")
        # The world without DNS: before MAILER_DEFINITIONS, where an operator's lines stand too.
        world = f"""\
define(`confSERVICE_SWITCH_FILE', `{self.etc}/service.switch')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`nocanonify')dnl
define(`SMART_HOST', `esmtp:[{HOST}]')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {self.world.port}')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {self.mailboxes.port}')dnl
define(`confMIN_QUEUE_AGE', `0')dnl
MAILER_DEFINITIONS"""
        mc = self.read("waxseal.mc", {"MAILER_DEFINITIONS": world,
                                      "/usr/share/sendmail/cf": cf,
                                      "/etc/mail/": f"{self.etc}/",
                                      "/etc/ssl/gw.example.org.crt": self.tls.certificate,
                                      "/etc/ssl/private/gw.example.org.key": self.tls.key})
        mc = re.sub(r"T=C:30s;S:30s;R:60s", "T=C:5s;S:5s;R:5s", mc)
        (self.directory / "sendmail.mc").write_text(mc)
        made = run(root / "usr/bin/m4", self.directory / "sendmail.mc").decode()
        for path, place in (paths | {"/var/lib/sendmail": var.parent, "/var/spool/mqueue": queue,
                                     "/var/run/sendmail": run_.parent}).items():
            made = made.replace(path + "/", f"{place}/").replace(f"={path}\n", f"={place}\n")
        self.cf = self.directory / "sendmail.cf"
        self.cf.write_text(made)
        self.programs = root / "usr/libexec/sendmail"
        for table in ("mailertable", "access"):
            run(self.programs / "makemap", "-C", self.cf, "hash", self.etc / f"{table}.db",
                stdin=(self.etc / table).read_bytes())
        for path in (run_, var, self.etc):
            shutil.chown(path, "smmta")
        # Its host name must have a dot, or it waits a minute for one.
        self.process = Process("sendmail", [
            "unshare", "--uts", "sh", "-c", 'hostname gw.example.org; exec "$@"', "sh",
            self.programs / "sendmail", "-C", self.cf, "-bD", "-q1h",
            "-X", self.directory / "traffic"], self.directory / "sendmail.log")
        self.process.wait_listening(self.mx, self.ports["587"], self.submission,
                                    self.ports["10026"], self.ports["10027"])

    def stop_mta(self):
        if self.process:
            self.process.stop()

    def said(self):
        traffic = self.directory / "traffic"
        return self.process.said() + (traffic.read_text(errors="replace")
                                      if traffic.exists() else "")

    def wait_idle(self):
        queue = self.directory / "queue"
        wait_until(lambda: not any(queue.glob("qf*")), "sendmail's queue to be empty")

    def flush(self):
        run("unshare", "--uts", "sh", "-c", 'hostname gw.example.org; exec "$@"', "sh",
            self.programs / "sendmail", "-C", self.cf, "-q")


# ------------------------------------------------------------------------------------------- Exim

class Exim(Gateway):
    sample, waxseal_ports = "exim", ("10024", "10025")
    results_before = "gw.example.org"   # and nothing of a signature that is not there

    def start_mta(self):
        self.program = ROOTS / "exim/usr/sbin/exim4"
        etc, spool, log = (self.directory / part for part in ("etc", "spool", "log"))
        for part in (etc, spool, log):
            part.mkdir()
        for part in (spool, log):
            shutil.chown(part, "Debian-exim", "Debian-exim")
        lines = (f"{user}: {_crypt(password)}\n" for user, password in self.users.items())
        (etc / "passwd").write_text("".join(lines))
        (etc / "dkim.domains").write_text("example.org: example.org\n")
        for name, source in (("tls.crt", self.tls.certificate), ("tls.key", self.tls.key),
                             ("dkim.key", self.users.dkim_key)):
            shutil.copyfile(source, etc / name)
            shutil.chown(etc / name, "Debian-exim")
        conf = self.read("exim4.conf", {
            "/etc/exim4/": f"{etc}/", "/var/spool/exim4": spool, "/var/log/exim4": log,
            "driver = dnslookup": f"driver = manualroute\n  route_list = * {HOST}::WORLD\n"
                                  "  self = send",
            "ignore_target_hosts = 0.0.0.0 : 127.0.0.0/8": "",
        }).replace("WORLD", str(self.world.port))
        # After its first try, a message waits for the retry time, even when the queue is run.
        self.config = self.directory / "exim4.conf"
        self.config.write_text(f"exim_path = {self.program}\n" + conf.replace(
            "driver = smtp\n", "driver = smtp\n  command_timeout = 5s\n"))
        self.process = Process("exim", [self.program, "-C", self.config, "-bdf"],
                               self.directory / "exim.out")
        self.process.wait_listening(self.mx, self.submission, self.ports["10026"],
                                    self.ports["10027"])

    def stop_mta(self):
        if self.process:
            self.process.stop()

    def said(self):
        logs = (self.directory / "log").glob("*log")
        return self.process.said() + "".join(p.read_text(errors="replace") for p in logs)

    def queued(self):
        return int(run(self.program, "-C", self.config, "-bpc"))

    def log(self):
        log = self.directory / "log" / "mainlog"
        return log.read_text(errors="replace") if log.exists() else ""

    def wait_deferred(self, count=1):
        def deferred():
            tried = set(re.findall(r"(\S+) == ", self.log()[self.submitted:]))
            return self.queued() == count and len(tried) == count
        wait_until(deferred, lambda: f"{count} deferred in Exim:\n{self.said()[-3000:]}")

    def wait_idle(self):
        wait_until(lambda: self.queued() == 0,
                   lambda: f"Exim's queue to be empty:\n{self.said()[-3000:]}")

    def flush(self):
        run(self.program, "-C", self.config, "-qf")


# -------------------------------------------------------------------------------------- OpenSMTPD

class OpenSmtpd(Gateway):
    """Its queue, socket and chroot are at fixed places, so it gets them in a mount namespace of
    its own. Debian's build against OpenSSL 3 cannot do TLS (OpenSMTPD issues 1171 and 1239), so
    the test submits by the sendmail command, and the port for users must refuse who has not
    logged in."""

    sample, waxseal_ports = "opensmtpd", ("10024", "10025")
    results_before = ""         # it verifies no DKIM itself
    reports_return_content = True   # whole messages, whatever RET says

    def submit(self, sender, recipients, octets):
        self.submitted = len(self.said())
        self.inside(self.sendmail, "-f", sender, "--", *recipients,
                    stdin=octets.replace(b"\r\n", b"\n"))
        return 250, "queued"

    def start_mta(self):
        root = ROOTS / "opensmtpd"
        etc, spool, empty = (self.directory / part for part in ("etc", "spool", "empty"))
        for part in (etc, spool, empty):
            part.mkdir()
        spool.chmod(0o711)
        lines = (f"{user} {_crypt(password)}\n" for user, password in self.users.items())
        (etc / "users").write_text("".join(lines))
        for name, source in (("tls.crt", self.tls.certificate), ("tls.key", self.tls.key),
                             ("dkim.key", self.users.dkim_key)):
            shutil.copyfile(source, etc / name)
        (etc / "tls.key").chmod(0o600)
        shutil.chown(etc / "dkim.key", "nobody")
        # Its library is below root/ too.
        sign = self.directory / "filter-dkimsign"
        sign.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={root}/usr/lib/x86_64-linux-gnu '
                        f'exec {root}/usr/libexec/opensmtpd/filter-dkimsign "$@"\n')
        sign.chmod(0o755)
        self.config = self.directory / "smtpd.conf"
        self.config.write_text(self.read("smtpd.conf", {
            "/etc/mail/users": etc / "users",
            "/etc/ssl/gw.example.org.crt": etc / "tls.crt",
            "/etc/ssl/private/gw.example.org.key": etc / "tls.key",
            "/etc/mail/dkim.key": etc / "dkim.key",
            "/usr/libexec/opensmtpd/filter-dkimsign": sign,
            'action "out" relay\n': f'action "out" relay host "smtp://{HOST}:WORLD"\n',
        }).replace("WORLD", str(self.world.port)))
        self.smtpctl = root / "usr/sbin/smtpctl"
        self.sendmail = self.directory / "sendmail"     # it goes by the name
        self.sendmail.symlink_to(self.smtpctl)
        inside = f"""\
mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty
mount --bind {spool} /var/spool/smtpd
mount --bind {empty} /var/lib/opensmtpd/empty
mount -t tmpfs none /run
exec {root}/usr/sbin/smtpd -d -f {self.config}
"""
        self.process = Process("opensmtpd", ["unshare", "--mount", "sh", "-c", inside],
                               self.directory / "smtpd.log")
        self.process.wait_listening(self.mx, self.submission, self.ports["10026"])

    def stop_mta(self):
        if self.process:
            self.process.stop()

    def said(self):
        return self.process.said()

    def inside(self, program, *arguments, stdin=None):
        """In its namespace, with the group that the setgid bit of an installed smtpctl gives."""
        return run("nsenter", "--target", self.process.pid, "--mount", "setpriv", "--regid",
                   "opensmtpq", "--clear-groups", program, *arguments, stdin=stdin)

    def control(self, *arguments):
        return self.inside(self.smtpctl, *arguments)

    def queued(self):
        return self.control("show", "queue").decode().splitlines()

    def wait_deferred(self, count=1):
        """Queued, and a try was begun. How long it waits for a peer that hangs cannot be set:
        five minutes."""
        def deferred():
            tried = re.search("mta (connecting|error)|TempFail", self.said()[self.submitted:])
            return len(self.queued()) == count and tried
        wait_until(deferred, lambda: f"{count} deferred in OpenSMTPD: {self.queued()}\n"
                                     f"{self.said()[-3000:]}")

    def wait_disconnected(self):
        """Until no connection of its own is open: a try over an open one leaves no line in its
        log."""
        def ended():
            opened = set(re.findall(r"^(\w+) mta connected", self.said(), re.M))
            closed = set(re.findall(r"^(\w+) mta disconnected|Error on session (\w+)",
                                    self.said(), re.M))
            return opened <= {session for pair in closed for session in pair}
        wait_until(ended, lambda: f"OpenSMTPD to disconnect:\n{self.said()[-3000:]}")

    def wait_idle(self):
        wait_until(lambda: not self.queued(),
                   lambda: f"OpenSMTPD's queue to be empty: {self.queued()}\n"
                           f"{self.said()[-3000:]}")

    def flush(self):
        self.control("schedule", "all")


def _crypt(password):
    return run("openssl", "passwd", "-6", password).decode().strip()


ALL = (PostfixMilter, PostfixSmtp, PostfixLmtp, Sendmail, Exim, OpenSmtpd)
