"""Policy directories for the harness: the stock filter `rules` applies one profile to everything.

The identity is a gateway's, since the corpus has as many senders as mails.
"""

import json
import shutil

from producers import POLICIES


def make(directory, dist, sender, recipients):
    """A policy directory for each policy; returns the directory that holds them."""
    identity = directory / "gateway-identity.pem"
    identity.write_text(sender.certificate.read_text() + sender.key.read_text())
    for name, (_, settings) in POLICIES.items():
        write(directory / "policies" / name, dist, settings, recipients, sender.address, identity)
    return directory / "policies"


def write(policy, dist, settings, recipients, address, identity, passphrase=None):
    """One policy directory: `settings` are those of the profile, `identity` is a file."""
    for part in ("filters", "identities", "certificates", "anchors"):
        (policy / part).mkdir(parents=True)
    shutil.copyfile(dist / "rules.wasm", policy / "filters" / "rules.wasm")
    rules = {"rules": [{"name": "everything", "then": {"apply": {"profile": "corpus"}}}]}
    (policy / "rules.json").write_text(json.dumps(rules))
    own = f"identities/gateway{identity.suffix}"
    private(policy / own, identity.read_bytes())
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    secret = ""
    if passphrase:
        private(policy / "identities" / "passphrase", passphrase.encode())
        secret = 'passphrase-file = "identities/passphrase"'
    for number, recipient in enumerate(recipients):
        shutil.copyfile(recipient.certificate, policy / "certificates" / f"{number}.pem")
        shutil.copyfile(recipient.root, policy / "anchors" / f"{number}.pem")
    (policy / "waxseal.toml").write_text(f'''\
[[filter]]
name = "rules"
component = "filters/rules.wasm"
grant = ["actions", "inspect", "profiles:corpus"]
settings = "rules.json"

[origin]
networks = ["10.0.0.0/8"]

[identity.gateway]
file = "{own}"
addresses = ["{address}"]
use = ["sign"]
{secret}

[profile.corpus]
identity = "gateway"
{chr(10).join(lines)}
''')


def private(path, octets):
    path.write_bytes(octets)
    path.chmod(0o600)
