"""A service in Python, with PyJWT, that signs and verifies tokens with a tenant's secret as a pod sees it.

    mounted.py sign DIRECTORY ROLE           claims as JSON on standard input; prints the token
    mounted.py verify DIRECTORY              a token on standard input; prints its claims as JSON
    mounted.py verify-by-set DIRECTORY       the same by jwks.json
    mounted.py verify-raw DIRECTORY          the same with the bytes of `raw` as they are

ROLE is current, previous or next. A token that is refused: exit status 3, and PyJWT's exception on standard output.
"""

import base64
import json
import pathlib
import sys
import warnings

import jwt

# A key that is too short for its algorithm is an error, not a warning.
warnings.simplefilter("error")

PREFIXES = {"current": "", "previous": "previous-", "next": "next-"}
REFUSED = 3


class Mount:
    """The files of a mounted Secret."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def text(self, name):
        return (self.directory / name).read_text(encoding="ascii")

    def raw(self):
        return (self.directory / "raw").read_bytes()

    def key(self, role):
        """Key id, algorithm and key of a value."""
        prefix = PREFIXES[role]
        key = base64.b64decode(self.text(prefix + "secret"), validate=True)
        return self.text(prefix + "key-id"), self.text(prefix + "algorithm"), key

    def keys(self):
        """Algorithm and key of each value that is there, by its key id."""
        roles = [role for role, prefix in PREFIXES.items() if (self.directory / (prefix + "secret")).exists()]
        return {key_id: (algorithm, key) for key_id, algorithm, key in map(self.key, roles)}


def sign(mount, role):
    key_id, algorithm, key = mount.key(role)
    return jwt.encode(json.load(sys.stdin), key, algorithm=algorithm, headers={"kid": key_id})


def decode(token, key, algorithm):
    options = {"require": ["exp"], "enforce_minimum_key_length": True}
    return json.dumps(jwt.decode(token, key, algorithms=[algorithm], options=options))


def verify(mount):
    token = sys.stdin.read()
    algorithm, key = mount.keys()[jwt.get_unverified_header(token)["kid"]]
    return decode(token, key, algorithm)


def verify_by_set(mount):
    token = sys.stdin.read()
    keys = jwt.PyJWKSet.from_json(mount.text("jwks.json"))
    # PyJWKSet leaves out what it can't use.
    assert len(keys.keys) == len(mount.keys())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return decode(token, key, key.algorithm_name)


def verify_raw(mount):
    return decode(sys.stdin.read(), mount.raw(), mount.text("algorithm"))


COMMANDS = {"sign": sign, "verify": verify, "verify-by-set": verify_by_set, "verify-raw": verify_raw}


def main(command, directory, *arguments):
    run = COMMANDS[command]
    try:
        print(run(Mount(directory), *arguments), end="")
    except (jwt.PyJWTError, KeyError) as error:
        print(f"{type(error).__name__}: {error}", end="")
        sys.exit(REFUSED)


if __name__ == "__main__":
    main(*sys.argv[1:])
