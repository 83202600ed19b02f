//! Tables of the format and their keys, with descriptions for users.

use super::{KeySpec, TableSpec, ValueType};

/// Top level of the file.
pub const TOP: TableSpec = TableSpec::new(
    "The credentials of Netography (Vectra) Fusion tenants, as neto keeps them: declared here, secrets sealed with age.",
    &[&[
        KeySpec::new("version", ValueType::Version, "The version of the format.").examples(&["1"]).required(),
        KeySpec::new(
            "explicit",
            ValueType::Flag,
            "Whether a command must always be told its profile: no current one, no \"only one there is\".",
        )
        .default_value("false"),
        KeySpec::new(
            "recipients",
            ValueType::Recipients,
            "Who can open the secrets: a name and an age public key each, those of plugins too. A key that somebody \
             entered here is sealed to only after `neto trust` has shown it.",
        ),
        KeySpec::new("defaults", ValueType::Table(&DEFAULTS), DEFAULTS.description),
        KeySpec::new("profiles", ValueType::Profiles(&PROFILE), "The profiles, by name."),
    ]],
);

/// Table `[defaults]`.
pub const DEFAULTS: TableSpec = TableSpec::new(
    "What every profile starts from. Each key may stand in a profile as well, and holds there instead; of `env` the two \
     are united.",
    &[SETTINGS],
);

/// Table `[profiles.NAME]`.
pub const PROFILE: TableSpec = TableSpec::new(
    "One tenant and the credential for it: an API key (`shortname` and `appname`) or a person (`username`). Without a secret \
     it is a skeleton: it is listed, and only a command that names it fails.",
    &[PROFILE_ONLY, SETTINGS, SECRETS, PLAINTEXT],
);

/// Table `sealed` of a profile.
pub const SEALED: TableSpec = TableSpec::new(
    "What listing and checking need of a sealed secret without opening it. Written by neto.",
    &[&[
        KeySpec::new("id", ValueType::Hex, "Names the credential; new only with a new one.")
            .examples(&["\"5f0c9a3e7b1d2c44\""])
            .required(),
        KeySpec::new(
            "to",
            ValueType::Hex,
            "Whom it is sealed to: the first 16 hex digits of the SHA-256 of the sorted recipients' keys.",
        )
        .examples(&["\"9c1b77aa03e2d5f1\""])
        .required(),
        KeySpec::new("since", ValueType::Date, "The day the credential came.").examples(&["2026-11-23"]).required(),
    ]],
);

/// Key `secret` of a profile, if its value is a table.
pub const SOURCE: TableSpec = TableSpec::new(
    "Where a NETOSECRET (a person's password) comes from at login; its other fields must agree with the profile's. Used \
     only after `neto trust` has shown it.",
    &[&[
        KeySpec::new("command", ValueType::Command, "A program that prints it, run without a shell.")
            .examples(&["[\"op\", \"read\", \"op://soc/acme/netosecret\"]"]),
        KeySpec::new(
            "file",
            ValueType::Word,
            "A file that holds it; a relative path starts at the folder of the store.",
        )
        .examples(&["\"secrets/acme.netosecret\""]),
        KeySpec::new("env", ValueType::Variable, "An environment variable that holds it.")
            .examples(&["\"ACME_NETOSECRET\""]),
    ]],
);

/// Keys of a profile with a user name and password. A profile cannot combine these keys with [`API_KEY_KEYS`].
pub const PERSON_KEYS: [&str; 2] = ["username", "password"];
/// Keys of a profile with an API key.
pub const API_KEY_KEYS: [&str; 5] = ["shortname", "appname", "netosecret", "appkey", "sharedsecret"];

/// Keys that only a profile can have, not `[defaults]`. Does not include the keys of the secret.
const PROFILE_ONLY: &[KeySpec] = &[
    KeySpec::new("shortname", ValueType::Word, "The tenant, as the API names it. With `appname`: an API key.")
        .examples(&["\"acme\""]),
    KeySpec::new("appname", ValueType::Word, "The name of the API key.").examples(&["\"soc-automation\""]),
    KeySpec::new(
        "username",
        ValueType::Word,
        "Who signs in, in place of `shortname` and `appname`; the secret is the password.",
    )
    .examples(&["\"alice@example.com\""]),
    KeySpec::new("tags", ValueType::Texts, "Labels to select by: --tag and --not-tag.")
        .examples(&["[\"prod\", \"emea\"]"]),
    KeySpec::new("description", ValueType::Text, "Free text for whoever reads the list.")
        .examples(&["\"Acme Corp, production\""]),
    KeySpec::new("protected", ValueType::Flag, "Whether calls that write, and decoys, ask first.")
        .default_value("false"),
];

/// Keys that both a profile and `[defaults]` can have.
const SETTINGS: &[KeySpec] = &[
    KeySpec::new(
        "url",
        ValueType::Url,
        "The address of the API, with or without /api/v1; no user, query or fragment. A profile needs it, its own or that \
         of [defaults].",
    )
    .examples(&["\"https://api.netography.com/api/v1\""]),
    KeySpec::new(
        "leeway",
        ValueType::Span,
        "How long before its expiry a token counts as stale, at most a tenth of its life.",
    )
    .default_value("\"60s\""),
    KeySpec::new("timeout", ValueType::Span, "How long one request with its retries may take.").default_value("\"30s\""),
    KeySpec::new("ca_file", ValueType::AbsolutePath, "A file of root certificates (PEM), beside those of the system.")
        .examples(&["\"/etc/ssl/private-authority.pem\""]),
    KeySpec::new(
        "env",
        ValueType::Env,
        "Further variables that `neto export` and `neto exec` set. In a value exactly {token}, {url}, {shortname}, \
         {appname} and {profile} are replaced, with --with-secret also {appkey} and {sharedsecret}; every other brace is \
         itself. A variable that steers programs, such as PATH, and neto's own are refused.",
    ),
    KeySpec::new(
        "recipients",
        ValueType::RecipientNames,
        "Who can open the secret: names from [recipients]. All of them unless said.",
    )
    .examples(&["[\"alice\", \"ci\"]"]),
];

/// Keys of the secret and its metadata.
const SECRETS: &[KeySpec] = &[
    KeySpec::new(
        "secret",
        ValueType::Secret(&SOURCE),
        "The credential: the sealed text (an armored age file, written by neto), or where it comes from. The seal holds \
         `url`, `shortname` and `appname` (`username`) too: change one of them and neto refuses the profile until \
         `neto seal NAME --accept` has shown old and new.",
    ),
    KeySpec::new("sealed", ValueType::Table(&SEALED), SEALED.description),
];

/// Keys of plaintext secrets. `neto seal` replaces these keys with `secret`.
const PLAINTEXT: &[KeySpec] = &[
    KeySpec::new(
        "netosecret",
        ValueType::Text,
        "In clear: a NETOSECRET as the portal shows it. `neto seal` seals it in place; until then every \
         command refuses the profile.",
    ),
    KeySpec::new("appkey", ValueType::Text, "In clear: the API key. `neto seal` seals it in place."),
    KeySpec::new(
        "sharedsecret",
        ValueType::Text,
        "In clear: the account's signing secret. `neto seal` seals it in place.",
    ),
    KeySpec::new("password", ValueType::Text, "In clear: a person's password. `neto seal` seals it in place."),
];
