#!/usr/bin/env python3
"""Python script that gets an access token without neto; the benchmark times it. It uses only the standard library. The
published recipe also imports `requests` and `jwt`, which takes longer.

~/.netosecret contains the plaintext NETOSECRET, and ~/.neto.token the plaintext response of the API. The cached token is
used until a minute before it expires. `recipe.py sign` prints only the request token.
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
    signed_part = b".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    signature = hmac.new(fields["sharedsecret"].encode(), signed_part, hashlib.sha256).digest()
    return (signed_part + b"." + base64url(signature)).decode()


def token():
    if os.path.exists(CACHE):
        with open(CACHE) as file:
            response = json.load(file)
        if time.time() < os.path.getmtime(CACHE) + response["expires_in"] - 60:
            return response["access_token"]
    fields = credential()
    body = json.dumps({"jwt": sign(fields)}).encode()
    request = urllib.request.Request(fields["url"] + "/auth/token", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        text = response.read()
    with open(CACHE, "wb") as file:
        file.write(text)
    return json.loads(text)["access_token"]


print(sign(credential()) if sys.argv[1:] == ["sign"] else token())
