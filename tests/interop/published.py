"""A service in Python, with PyJWT, that verifies tokens by what an IdentityProvider publishes.

    published.py ISSUER AUDIENCE    a JSON object with `jwks` (the text of jwks.json) and `token` on standard input

Prints the token's claims as JSON. A token that is refused: exit status 3, and PyJWT's exception on standard output.
"""

import json
import sys
import warnings

import jwt

warnings.simplefilter("error")

REFUSED = 3
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]


def verify(issuer, audience, jwks, token):
    published = json.loads(jwks)["keys"]
    keys = jwt.PyJWKSet.from_json(jwks)
    # PyJWKSet leaves out what it can't use.
    assert len(keys.keys) == len(published)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(
        token,
        key,
        # A key that says for which algorithm it is is for no other one.
        algorithms=[key.algorithm_name] if key.algorithm_name in ALGORITHMS else [],
        issuer=issuer,
        audience=audience,
        options={"require": ["exp", "iat"], "enforce_minimum_key_length": True},
    )


def main(issuer, audience):
    try:
        print(json.dumps(verify(issuer, audience, **json.load(sys.stdin))), end="")
    except (jwt.PyJWTError, KeyError) as error:
        print(f"{type(error).__name__}: {error}", end="")
        sys.exit(REFUSED)


if __name__ == "__main__":
    main(*sys.argv[1:])
