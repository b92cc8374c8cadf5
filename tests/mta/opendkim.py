"""A private OpenDKIM: signs for one domain, verifies all others, without DNS.

    keys = DkimKeys(directory)                  # what DNS would hold
    dkim = OpenDKIM(directory, "gateway", "example.org", keys, "gw.example.org")
    dkim.start()                                # dkim.port, for smtpd_milters
"""

import tempfile
from pathlib import Path

from machine import HOST, Process, free_port, run

SELECTOR = "test"

CONFIGURATION = """\
Background no
AutoRestart no
Syslog no
LogResults yes
UserID root
Socket inet:{port}@{host}
Mode sv
Domain {domain}
Selector {selector}
KeyFile {key}
Canonicalization relaxed/simple
SignHeaders From,To,Subject,Date,Message-ID,MIME-Version,Content-Type,Content-Transfer-Encoding
OversignHeaders From
AuthservID {authserv}
AlwaysAddARHeader yes
InternalHosts {internal}
RequireSafeKeys no
TestDNSData {dns}
PidFile {directory}/pid
"""


class DkimKeys:
    """Keys by domain, and the TXT records that verifiers read instead of DNS."""

    def __init__(self, directory):
        self.directory = Path(directory) / "dkim"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.dns = self.directory / "dns"
        self.dns.touch()

    def key(self, domain):
        path = self.directory / f"{domain}.key"
        if not path.exists():
            run("openssl", "genrsa", "-out", path, 2048)
            public = run("openssl", "rsa", "-in", path, "-pubout")
            octets = "".join(public.decode().split("\n")[1:-2])
            with self.dns.open("a") as records:
                records.write(f"{SELECTOR}._domainkey.{domain} v=DKIM1; k=rsa; p={octets}\n")
        return path


class OpenDKIM:
    """`internal` are the clients whose mail is signed (those of authenticated users is, too)."""

    def __init__(self, directory, name, domain, keys, authserv, internal="127.0.0.1"):
        self.directory = Path(directory) / f"opendkim-{name}"
        self.directory.mkdir()
        self.name, self.port, self.process = name, free_port(), None
        hosts = self.directory / "internal"
        hosts.write_text(f"{internal}\n")
        self.configuration = self.directory / "opendkim.conf"
        self.configuration.write_text(CONFIGURATION.format(
            port=self.port, host=HOST, domain=domain, selector=SELECTOR, key=keys.key(domain),
            authserv=authserv, internal=hosts, dns=keys.dns, directory=self.directory))

    def start(self):
        self.process = Process(f"opendkim {self.name}",
                               ["opendkim", "-f", "-x", self.configuration],
                               self.directory / "opendkim.log")
        self.process.wait_listening(self.port)
        return self

    def stop(self):
        if self.process:
            self.process.stop()

    def said(self):
        return self.process.said()


def verifies(directory, keys, octets, domain):
    """OpenDKIM's judgement of a mail: signed by `domain`, and whole."""
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        mail, configuration = Path(scratch) / "mail", Path(scratch) / "conf"
        mail.write_bytes(octets)
        configuration.write_text(f"Mode v\nTestDNSData {keys.dns}\nAlwaysAddARHeader yes\n"
                                 "AuthservID judge.example\nSyslog no\n")
        said = run("opendkim", "-x", configuration, "-t", mail, codes=None).decode()
    return f"verification (s={SELECTOR}, d={domain}," in said and "succeeded" in said
