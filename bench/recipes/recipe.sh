#!/usr/bin/env bash
# Shell script that gets an access token without neto; the benchmark times it. A short version of the published recipe.
#
# ~/.netosecret contains the plaintext NETOSECRET, and ~/.neto.token the plaintext response of the API. The cached token
# is used until a minute before it expires. `recipe.sh sign` prints only the request token.
set -euo pipefail
cache=$HOME/.neto.token

field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p"; }
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

sign() {
    local credential claims head
    credential=$(openssl base64 -d -A <"$HOME/.netosecret")
    claims=$(printf '{"iat":%d,"jti":%d,"appname":"%s","appkey":"%s","shortname":"%s"}' "$(date +%s)" "$RANDOM" \
        "$(field appname <<<"$credential")" "$(field appkey <<<"$credential")" "$(field shortname <<<"$credential")")
    head=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url).$(printf %s "$claims" | base64url)
    printf '%s.%s' "$head" "$(printf %s "$head" |
        openssl dgst -sha256 -hmac "$(field sharedsecret <<<"$credential")" -binary | base64url)"
}

if [[ ${1-} == sign ]]; then
    sign
    exit
fi
if [[ ! -f $cache ]] || (($(stat -c %Y "$cache") + $(field expires_in <"$cache") - 60 <= $(date +%s))); then
    url=$(openssl base64 -d -A <"$HOME/.netosecret" | field url)
    curl -sSf -H 'Content-Type: application/json' -d "{\"jwt\":\"$(sign)\"}" "$url/auth/token" >"$cache"
fi
field access_token <"$cache"
