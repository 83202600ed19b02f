#!/usr/bin/env python3
"""Python recipe for users without neto, to be timed by the benchmark. It uses only the standard library. The published
recipe also imports `requests` and `jwt`, which takes longer.

~/.netosecret contains the plaintext NETOSECRET, ~/.neto.token the plaintext answer of the API. The token is used until
a minute before it expires. `recipe.py sign` prints only the request token.
"""

import base64
import hashlib
import hmac
import json
import os
import random
import sys
import time
import urllib.request

SECRET = os.path.expanduser("~/.netosecret")
CACHE = os.path.expanduser("~/.neto.token")


def credential():
    with open(SECRET) as file:
        return json.loads(base64.b64decode(file.read()))


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(fields):
    claims = {name: fields[name] for name in ("appname", "appkey", "shortname")}
    claims.update(iat=int(time.time()), jti=random.randint(0, 10_000_000))
    head = b".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    mark = hmac.new(fields["sharedsecret"].encode(), head, hashlib.sha256).digest()
    return (head + b"." + base64url(mark)).decode()


def token():
    if os.path.exists(CACHE):
        with open(CACHE) as file:
            answer = json.load(file)
        if time.time() < os.path.getmtime(CACHE) + answer["expires_in"] - 60:
            return answer["access_token"]
    fields = credential()
    body = json.dumps({"jwt": sign(fields)}).encode()
    asked = urllib.request.Request(fields["url"] + "/auth/token", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as response:
        text = response.read()
    with open(CACHE, "wb") as file:
        file.write(text)
    return json.loads(text)["access_token"]


print(sign(credential()) if sys.argv[1:] == ["sign"] else token())
