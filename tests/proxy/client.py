"""What the vendor's client does, with the library that is named: decode NETOSECRET, sign in, call.

client.py LIBRARY (urllib, requests, httpx) SPELLING (keep: the url as it stands, strip: without /api/v1)
"""

import base64
import hashlib
import hmac
import json
import os
import random
import sys
import time

library, spelling = sys.argv[1:]
secret = json.loads(base64.b64decode(os.environ["NETOSECRET"]))
base = secret["url"] if spelling == "keep" else secret["url"].removesuffix("/api/v1") + "/api/v1"


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


claims = {name: secret[name] for name in ("appname", "appkey", "shortname")}
claims.update(iat=int(time.time()), jti=random.randint(0, 10_000_000))
message = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims)
signature = hmac.new(secret["sharedsecret"].encode(), message, hashlib.sha256).digest()
jwt = (message + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()

if library == "urllib":
    from urllib.request import Request, urlopen

    def call(method, url, body, headers):
        data = None if body is None else json.dumps(body).encode()
        headers = headers if body is None else {**headers, "Content-Type": "application/json"}
        with urlopen(Request(url, data, headers, method=method)) as answer:
            return json.load(answer)

else:
    client = __import__(library).Session() if library == "requests" else __import__(library).Client()

    def call(method, url, body, headers):
        answer = client.request(method, url, json=body, headers=headers)
        answer.raise_for_status()
        return answer.json()


bearer = call("POST", f"{base}/auth/token", {"jwt": jwt}, {})["access_token"]
headers = {"Authorization": f"Bearer {bearer}"}
for number in range(3):
    answer = call("GET", f"{base}/widgets?number={number}", None, headers)
    print(answer["data"]["shortname"], answer["data"]["query"])
answer = call("POST", f"{base}/search/flow", {"limit": 5}, headers)
print(answer["data"]["shortname"], answer["data"]["body"]["limit"])
