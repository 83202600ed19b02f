//! The keys of each table, as people read of them.

use super::{Form, Key, Takes};

/// The top of the file.
pub(crate) const TOP: Form = Form::new(
    "The credentials of Netography (Vectra) Fusion tenants, as neto keeps them: declared here, secrets sealed with age.",
    &[&[
        Key::new("version", Takes::Version, "The version of the format.").examples(&["1"]).needed(),
        Key::new(
            "explicit",
            Takes::Flag,
            "Whether a command must always be told its profile: no current one, no \"only one there is\".",
        )
        .usual("false"),
        Key::new(
            "recipients",
            Takes::Recipients,
            "Who can open the secrets: a name and an age public key each, those of plugins too. A key that somebody \
             entered here is sealed to only after `neto trust` has shown it.",
        ),
        Key::new("defaults", Takes::Table(&DEFAULTS), DEFAULTS.says),
        Key::new("profiles", Takes::Profiles(&PROFILE), "The profiles, by name."),
    ]],
);

/// `[defaults]`.
pub(crate) const DEFAULTS: Form = Form::new(
    "What every profile starts from. Each key may stand in a profile as well, and holds there instead; of `env` the two \
     are united.",
    &[SETTINGS],
);

/// One `[profiles.NAME]`.
pub(crate) const PROFILE: Form = Form::new(
    "One tenant and the credential for it: an API key (`shortname` and `appname`) or a person (`username`). Without a secret \
     it is a skeleton: it is listed, and only a command that names it fails.",
    &[OWN, SETTINGS, SECRETS, CLEAR],
);

/// The table `sealed`.
pub(crate) const SEALED: Form = Form::new(
    "What listing and checking need of a sealed secret without opening it. Written by neto.",
    &[&[
        Key::new("id", Takes::Hex, "Names the credential; new only with a new one.")
            .examples(&["\"5f0c9a3e7b1d2c44\""])
            .needed(),
        Key::new(
            "to",
            Takes::Hex,
            "Whom it is sealed to: the first 16 hex digits of the SHA-256 of the sorted recipients' keys.",
        )
        .examples(&["\"9c1b77aa03e2d5f1\""])
        .needed(),
        Key::new("since", Takes::Date, "The day the credential came.").examples(&["2026-11-23"]).needed(),
    ]],
);

/// A `secret` that is a table.
pub(crate) const SOURCE: Form = Form::new(
    "Where a NETOSECRET (a person's password) comes from at login; its other fields must agree with the profile's. Used \
     only after `neto trust` has shown it.",
    &[&[
        Key::new("command", Takes::Command, "A program that prints it, run without a shell.")
            .examples(&["[\"op\", \"read\", \"op://soc/acme/netosecret\"]"]),
        Key::new("file", Takes::Word, "A file that holds it; a relative path starts at the folder of the store.")
            .examples(&["\"secrets/acme.netosecret\""]),
        Key::new("env", Takes::Variable, "An environment variable that holds it.").examples(&["\"ACME_NETOSECRET\""]),
    ]],
);

/// What a person's profile has of its own; none of it goes with any of [`API_KEY`].
pub(crate) const PERSON: [&str; 2] = ["username", "password"];
/// What an API key's profile has of its own.
pub(crate) const API_KEY: [&str; 5] = ["shortname", "appname", "netosecret", "appkey", "sharedsecret"];

/// What a profile says of itself alone.
const OWN: &[Key] = &[
    Key::new("shortname", Takes::Word, "The tenant, as the API names it. With `appname`: an API key.")
        .examples(&["\"acme\""]),
    Key::new("appname", Takes::Word, "The name of the API key.").examples(&["\"soc-automation\""]),
    Key::new(
        "username",
        Takes::Word,
        "Who signs in, in place of `shortname` and `appname`; the secret is the password.",
    )
    .examples(&["\"alice@example.com\""]),
    Key::new("tags", Takes::Texts, "Labels to select by: --tag and --not-tag.").examples(&["[\"prod\", \"emea\"]"]),
    Key::new("description", Takes::Text, "Free text for whoever reads the list.")
        .examples(&["\"Acme Corp, production\""]),
    Key::new("protected", Takes::Flag, "Whether calls that write, and decoys, ask first.").usual("false"),
];

/// What stands in a profile or in `[defaults]`.
const SETTINGS: &[Key] = &[
    Key::new(
        "url",
        Takes::Url,
        "The address of the API, with or without /api/v1; no user, query or fragment. A profile needs it, its own or that \
         of [defaults].",
    )
    .examples(&["\"https://api.netography.com/api/v1\""]),
    Key::new(
        "leeway",
        Takes::Span,
        "How long before its expiry a token counts as stale, at most a tenth of its life.",
    )
    .usual("\"60s\""),
    Key::new("timeout", Takes::Span, "How long one request with its retries may take.").usual("\"30s\""),
    Key::new("ca_file", Takes::AbsolutePath, "A file of root certificates (PEM), beside those of the system.")
        .examples(&["\"/etc/ssl/private-authority.pem\""]),
    Key::new(
        "env",
        Takes::Env,
        "Further variables that `neto export` and `neto exec` set. In a value exactly {token}, {url}, {shortname}, \
         {appname} and {profile} are replaced, with --with-secret also {appkey} and {sharedsecret}; every other brace is \
         itself. A variable that steers programs, such as PATH, and neto's own are refused.",
    ),
    Key::new(
        "recipients",
        Takes::RecipientNames,
        "Who can open the secret: names from [recipients]. All of them unless said.",
    )
    .examples(&["[\"alice\", \"ci\"]"]),
];

/// The secret, and what is known of it.
const SECRETS: &[Key] = &[
    Key::new(
        "secret",
        Takes::Secret(&SOURCE),
        "The credential: the sealed text (an armored age file, written by neto), or where it comes from. The seal holds \
         `url`, `shortname` and `appname` (`username`) too: change one of them and neto refuses the profile until \
         `neto seal NAME --accept` has shown old and new.",
    ),
    Key::new("sealed", Takes::Table(&SEALED), SEALED.says),
];

/// What may stand in clear, until it is sealed.
const CLEAR: &[Key] = &[
    Key::new(
        "netosecret",
        Takes::Text,
        "In clear: a NETOSECRET as the portal shows it. `neto seal` seals it in place; until then every \
         command refuses the profile.",
    ),
    Key::new("appkey", Takes::Text, "In clear: the API key. `neto seal` seals it in place."),
    Key::new("sharedsecret", Takes::Text, "In clear: the account's signing secret. `neto seal` seals it in place."),
    Key::new("password", Takes::Text, "In clear: a person's password. `neto seal` seals it in place."),
];
