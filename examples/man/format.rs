//! The page `neto-profiles(5)`: the store, key by key.

use super::roff::Page;
use neto::internals::format::{API_KEY_KEYS, DEFAULTS, KeySpec, PERSON_KEYS, PROFILE, SEALED, SOURCE, TOP, ValueType};

/// Store with an example of most keys; a test has neto read it.
const EXAMPLE: &str = include_str!("example.toml");

/// Sealed secret as neto writes it.
const SEALED_EXAMPLE: &str = r#"sealed = { id = "5f0c9a3e7b1d2c44", to = "9c1b77aa03e2d5f1", since = 2026-11-23 }
secret = """
-----BEGIN AGE ENCRYPTED FILE-----
...
-----END AGE ENCRYPTED FILE-----
""""#;

/// Returns the page.
pub(crate) fn page() -> String {
    let mut page = Page::new("neto-profiles", 5);
    page.section("Name").paragraph("neto-profiles - the profile store of neto");
    page.section("Synopsis").paragraph("`profiles.toml`");
    page.section("Description")
        .paragraph(TOP.description)
        .paragraph(
            "The file is TOML, in UTF-8. It is edited by hand or by command: whatever a command does not mean to change \
             (comments, order, spacing, line ends) stays byte for byte. Since secrets are sealed before they are kept, it \
             may be shared and pushed.",
        )
        .paragraph(
            "What is wrong inside one profile fails that profile. What is wrong with the file (syntax, keys that are \
             declared twice, unknown keys at the top, a bad name) fails every command. Unknown keys are refused \
             everywhere.",
        )
        .paragraph("`neto schema` prints the JSON Schema of the file, for editors.");
    page.section("Keys").subsection("The top of the file");
    keys(&mut page, TOP.keys());
    page.subsection("[defaults]").paragraph(DEFAULTS.description);
    keys(&mut page, DEFAULTS.keys());
    page.subsection("[profiles.NAME]")
        .paragraph(PROFILE.description)
        .paragraph("Beside these it takes the keys of [defaults].");
    keys(&mut page, PROFILE.keys().filter(|key| !DEFAULTS.has_key(key.name)));
    page.paragraph(&format!(
        "None of {} goes with any of {}. Beside a sealed secret stand `sealed` and what it is bound to: `shortname` and \
         `appname`, or `username`.",
        listed(&PERSON_KEYS),
        listed(&API_KEY_KEYS)
    ));
    page.subsection("sealed").paragraph(SEALED.description);
    keys(&mut page, SEALED.keys());
    page.paragraph("As neto writes it:").verbatim(&SEALED_EXAMPLE.lines().collect::<Vec<_>>());
    page.subsection("secret, where it is a table").paragraph(SOURCE.description);
    keys(&mut page, SOURCE.keys());
    page.section("Names").paragraph(
        "The name of a profile or of a recipient is 1 to 64 lower-case letters, digits, dots, underscores and hyphens. It \
         starts with a letter or a digit, does not end in a dot, and is none of the device names of Windows (con, prn, \
         aux, nul, com0 to com9, lpt0 to lpt9, with any extension). No profile is called `env`, which is the one that \
         NETOSECRET makes.",
    );
    page.section("Examples").verbatim(&EXAMPLE.lines().collect::<Vec<_>>());
    page.section("Files")
        .term("`~/.config/neto/profiles.toml`", "The standard store. --store or NETO_STORE names another.")
        .term(
            "`profiles.schema.json`",
            "Its JSON Schema, where an editor finds it by the comment in the first line of the store.",
        );
    let related = ["neto(1)", "neto-profile(1)", "neto-seal(1)", "neto-trust(1)", "neto-schema(1)", "age(1)"];
    page.see_also(&related.map(str::to_owned)).finish()
}

fn keys<'a>(page: &mut Page, keys: impl IntoIterator<Item = &'a KeySpec>) {
    for key in keys {
        page.term(&format!("`{}` = {}", key.name, key.value_type.expected()), &description(key));
    }
}

/// Returns the paragraph about a key.
fn description(key: &KeySpec) -> String {
    if matches!(key.value_type, ValueType::Table(_)) {
        return "See below.".to_owned();
    }
    let mut text = key.description.to_owned();
    if key.required {
        text += " It has to be there.";
    }
    if let Some(usual) = key.default_value {
        text += &[" Unless said: ", usual, "."].concat();
    }
    if !key.examples.is_empty() {
        text += &[" For example: ", &key.examples.join(", ")].concat();
    }
    text
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
