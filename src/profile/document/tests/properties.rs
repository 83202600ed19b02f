//! Applies random edits to random stores in every style. Unedited text must stay byte-identical, and
//! the result must equal the model after the edits. The model consists of plain maps and does not use
//! the code under test.

use crate::profile::ProfileName;
use crate::profile::document::{Document, Edit, EditValue, Section};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const KEYS: [&str; 5] = ["shortname", "appname", "description", "env/ONE", "env/TWO"];
const NAMES: [&str; 6] = ["hooli", "acme", "globex", "b.c", "initech", "x-1"];

/// Way of writing a profile.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    Header,
    SubHeader,
    Dotted,
    Inline,
    InlineLines,
}

#[derive(Debug, Clone)]
struct ProfileSpec {
    style: Style,
    /// Keys of the profile: bit N stands for `KEYS[N]`.
    keys: u8,
    /// Bits that choose comments, blanks and quotes.
    noise: u8,
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "any of the sixteen files is meant")]
struct GeneratedStore {
    specs: Vec<ProfileSpec>,
    /// Index of the first profile's name in `NAMES`.
    first_name: usize,
    crlf: bool,
    byte_order_mark: bool,
    no_final_newline: bool,
    /// Whether dotted profiles are at the top of the file instead of under `[profiles]`.
    at_top: bool,
}

/// Effect of an edit on the text. The numbers are indices of profiles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    Set(usize, &'static str),
    Unset(usize, &'static str),
    Rename(usize),
    Remove(usize),
    /// Any other change of a profile's keys, after which commas and blanks may differ.
    Touch(usize),
}

/// Piece of text, and the effects that may change or remove the piece.
struct TextPiece(String, Vec<Effect>);

type Model = BTreeMap<String, BTreeMap<&'static str, String>>;

fn generated_store() -> impl Strategy<Value = GeneratedStore> {
    let style = prop_oneof![
        Just(Style::Header),
        Just(Style::SubHeader),
        Just(Style::Dotted),
        Just(Style::Inline),
        Just(Style::InlineLines)
    ];
    let spec = (style, 0_u8..32, any::<u8>()).prop_map(|(style, keys, noise)| ProfileSpec { style, keys, noise });
    (prop::collection::vec(spec, 0..=NAMES.len()), 0..NAMES.len(), any::<[bool; 4]>()).prop_map(
        |(specs, first_name, [crlf, byte_order_mark, no_final_newline, at_top])| GeneratedStore {
            specs,
            first_name,
            crlf,
            byte_order_mark,
            no_final_newline,
            at_top,
        },
    )
}

impl GeneratedStore {
    fn name(&self, number: usize) -> &'static str {
        NAMES[(number + self.first_name) % NAMES.len()]
    }

    fn model(&self) -> Model {
        let keys = |number: usize, spec: &ProfileSpec| {
            let has = move |bit: &usize| spec.keys & (1 << bit) != 0;
            (0..KEYS.len()).filter(has).map(|bit| (KEYS[bit], format!("v{number}{bit}"))).collect()
        };
        self.specs.iter().enumerate().map(|(number, spec)| (self.name(number).to_owned(), keys(number, spec))).collect()
    }

    fn pieces(&self) -> Vec<TextPiece> {
        let mut pieces = Vec::new();
        let fixed = |text: &str| TextPiece(text.to_owned(), vec![]);
        if self.byte_order_mark {
            pieces.push(fixed("\u{feff}"));
        }
        pieces.push(fixed("# the file\nversion = 1 # v\ndefaults.url = 'https://x.example'\n"));
        let has_header = |spec: &ProfileSpec| matches!(spec.style, Style::Header | Style::SubHeader);
        let numbered = || self.specs.iter().enumerate();
        let without_header: Vec<_> = numbered().filter(|(_, spec)| !has_header(spec)).collect();
        if !without_header.is_empty() && !self.at_top {
            pieces.push(fixed("\n# together\n[ profiles ] # p\n"));
        }
        for (number, spec) in without_header {
            self.dotted_or_inline(number, spec, if self.at_top { "profiles." } else { "" }, &mut pieces);
        }
        for (number, spec) in numbered().filter(|(_, spec)| has_header(spec)) {
            self.under_headers(number, spec, &mut pieces);
        }
        if self.crlf {
            for piece in &mut pieces {
                piece.0 = piece.0.replace('\n', "\r\n");
            }
        }
        if self.no_final_newline
            && let Some(last) = pieces.last_mut()
        {
            last.0.truncate(last.0.trim_end_matches(['\r', '\n']).len());
        }
        pieces
    }

    fn name_piece(&self, number: usize, spec: &ProfileSpec) -> TextPiece {
        let name = self.name(number);
        let quoted = match (spec.noise & 1 != 0, name.contains('.')) {
            (true, _) => format!("'{name}'"),
            (false, true) => format!("\"{name}\""),
            (false, false) => name.to_owned(),
        };
        TextPiece(quoted, vec![Effect::Rename(number), Effect::Remove(number)])
    }

    fn under_headers(&self, number: usize, spec: &ProfileSpec, pieces: &mut Vec<TextPiece>) {
        let own = |text: &str| TextPiece(text.to_owned(), vec![Effect::Remove(number)]);
        pieces.push(TextPiece("\n".to_owned(), vec![Effect::Remove(number), Effect::Touch(number)]));
        if spec.noise & 2 != 0 {
            pieces.push(own(&format!("# about {number}\n")));
        }
        pieces.extend([own("[profiles."), self.name_piece(number, spec), own("] # h\n")]);
        let sub = spec.style == Style::SubHeader;
        let keys = Self::keys(spec);
        let (env, plain): (Vec<_>, Vec<_>) = keys.into_iter().partition(|bit| sub && KEYS[*bit].starts_with("env/"));
        for bit in plain {
            let key = KEYS[bit].replace('/', " . ");
            Self::push_pair_line(number, bit, spec, vec![TextPiece(key, vec![])], pieces);
        }
        if !env.is_empty() {
            pieces.extend([own("[profiles."), self.name_piece(number, spec), own(".env]\n")]);
            for bit in env {
                Self::push_pair_line(number, bit, spec, vec![TextPiece(KEYS[bit][4..].to_owned(), vec![])], pieces);
            }
        }
        if spec.noise & 4 != 0 {
            pieces.push(TextPiece(format!("\n# between {number}\n"), vec![]));
        }
    }

    fn keys(spec: &ProfileSpec) -> Vec<usize> {
        (0..KEYS.len()).filter(|bit| spec.keys & (1 << bit) != 0).collect()
    }

    /// Pushes a pair on a line of its own. `key` contains the pieces of the pair's key.
    fn push_pair_line(number: usize, bit: usize, spec: &ProfileSpec, key: Vec<TextPiece>, pieces: &mut Vec<TextPiece>) {
        let (set, unset, remove) =
            (Effect::Set(number, KEYS[bit]), Effect::Unset(number, KEYS[bit]), Effect::Remove(number));
        let with = |mut piece: TextPiece| {
            piece.1.extend([unset.clone(), remove.clone()]);
            piece
        };
        let indent = if spec.noise & 8 != 0 { "  " } else { "" };
        pieces.push(with(TextPiece(indent.to_owned(), vec![])));
        pieces.extend(key.into_iter().map(with));
        pieces.push(with(TextPiece(if spec.noise & 16 != 0 { "=" } else { "\t = " }.to_owned(), vec![])));
        let value = match spec.noise >> 5 & 3 {
            0 => format!("'v{number}{bit}'"),
            1 => format!("\"\"\"v{number}\\\n  {bit}\"\"\""),
            _ => format!("\"v{number}{bit}\""),
        };
        pieces.push(with(TextPiece(value, vec![set])));
        if spec.noise & 128 != 0 {
            pieces.push(TextPiece(format!("# on {number}{bit}"), vec![remove.clone()]));
        }
        pieces.push(with(TextPiece("\n".to_owned(), vec![])));
    }

    /// Pushes a profile with dotted keys or as an inline table.
    fn dotted_or_inline(&self, number: usize, spec: &ProfileSpec, before: &str, pieces: &mut Vec<TextPiece>) {
        let own = |text: &str| TextPiece(text.to_owned(), vec![Effect::Remove(number)]);
        let keys = Self::keys(spec);
        if spec.style == Style::Dotted && !keys.is_empty() {
            for bit in keys {
                let dotted = format!(".{}", KEYS[bit].replace('/', "."));
                let key = vec![
                    TextPiece(before.to_owned(), vec![]),
                    self.name_piece(number, spec),
                    TextPiece(dotted, vec![]),
                ];
                Self::push_pair_line(number, bit, spec, key, pieces);
            }
            return;
        }
        let lines = spec.style == Style::InlineLines;
        pieces.extend([own(before), self.name_piece(number, spec), own(" = {")]);
        pieces.push(own(if lines { "\n" } else { " " }));
        for (index, bit) in keys.iter().copied().enumerate() {
            let mut entry = Vec::new();
            let plain = ProfileSpec { noise: spec.noise & !(8 | 128), ..*spec };
            Self::push_pair_line(number, bit, &plain, vec![TextPiece(KEYS[bit].replace('/', "."), vec![])], &mut entry);
            entry.pop();
            pieces.append(&mut entry);
            let comma = if index + 1 < keys.len() || (lines && spec.noise & 8 != 0) { "," } else { "" };
            let effects = vec![Effect::Touch(number), Effect::Remove(number)];
            pieces.push(TextPiece(format!("{comma}{}", if lines { "\n" } else { " " }), effects));
        }
        pieces.push(own("} # t\n"));
    }
}

/// Random edit as numbers: its kind, its profile and its key.
type RandomEdit = (u8, usize, usize);

/// Turns random edits into valid edits. Returns the edits, their effects on the pieces, and the model
/// after the edits.
fn plan_edits(file: &GeneratedStore, random_edits: &[RandomEdit]) -> (Vec<Edit>, BTreeSet<Effect>, Model) {
    let (mut edits, mut effects, mut model) = (Vec::new(), BTreeSet::new(), file.model());
    let mut new_names: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (serial, (kind, profile, key)) in random_edits.iter().enumerate() {
        if *kind == 6 {
            let name: ProfileName =
                format!("{}new{serial}", (b'a' + u8::try_from(*key).unwrap() * 5) as char).parse().unwrap();
            let value = format!("n{serial}");
            model.insert(name.to_string(), [("description", value.clone())].into());
            edits.push(Edit::AddProfile { name, entries: vec![("description".to_owned(), EditValue::Text(value))] });
            continue;
        }
        if file.specs.is_empty() {
            continue;
        }
        let number = profile % file.specs.len();
        let name = file.name(number);
        let section = Section::Profile(name.parse().unwrap());
        let path: Vec<String> = KEYS[*key].split('/').map(str::to_owned).collect();
        let keys = model.get_mut(name).unwrap();
        match kind {
            0..=2 => {
                let value = format!("n{serial}");
                let effect = if file.model()[name].contains_key(KEYS[*key]) {
                    Effect::Set(number, KEYS[*key])
                } else {
                    Effect::Touch(number)
                };
                effects.insert(effect);
                effects.insert(Effect::Touch(number));
                keys.insert(KEYS[*key], value.clone());
                edits.push(Edit::Set { section, key: path, value: EditValue::Text(value) });
            }
            3 => {
                effects.extend([Effect::Unset(number, KEYS[*key]), Effect::Touch(number)]);
                keys.remove(KEYS[*key]);
                edits.push(Edit::Unset { section, key: path });
            }
            4 if !new_names.contains_key(name) => {
                effects.insert(Effect::Rename(number));
                new_names.insert(name.to_owned(), Some(format!("re.{serial}")));
                edits.push(Edit::RenameProfile {
                    from: name.parse().unwrap(),
                    to: format!("re.{serial}").parse().unwrap(),
                });
            }
            5 if !new_names.contains_key(name) => {
                effects.insert(Effect::Remove(number));
                new_names.insert(name.to_owned(), None);
                edits.push(Edit::RemoveProfile { name: name.parse().unwrap() });
            }
            _ => {}
        }
    }
    for (name, to) in new_names {
        let profile = model.remove(&name).unwrap();
        if let Some(to) = to {
            model.insert(to, profile);
        }
    }
    (edits, effects, model)
}

/// Converts the parsed store into the model.
fn read_model(document: &Document) -> Model {
    let mut model = Model::new();
    for entry in &document.store().profiles {
        let profile = entry.profile.as_ref().unwrap();
        let mut keys: BTreeMap<&'static str, String> = BTreeMap::new();
        let env = |name: &str| profile.env.get(name).map(|value| value.0.clone());
        let found =
            [profile.shortname.clone(), profile.appname.clone(), profile.description.clone(), env("ONE"), env("TWO")];
        keys.extend(KEYS.into_iter().zip(found).filter_map(|(key, value)| Some((key, value?))));
        model.insert(entry.name.to_string(), keys);
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_change_only_the_edited_text(
        file in generated_store(),
        moves in prop::collection::vec((0_u8..=6, 0_usize..6, 0_usize..5), 0..8),
    ) {
        let pieces = file.pieces();
        let text: String = pieces.iter().map(|piece| piece.0.as_str()).collect();
        let before = Document::parse(text.clone().into_bytes(), Path::new("/")).unwrap_or_else(|error| panic!("{error}\n{text}"));
        prop_assert_eq!(read_model(&before), file.model(), "\n{}", &text);
        let (edits, effects, model) = plan_edits(&file, &moves);
        let after = before.apply(&edits).unwrap_or_else(|error| panic!("{error:?}\n{text}\n{edits:#?}"));
        prop_assert_eq!(read_model(&after), model, "\n{}\n-----\n{}", &text, &after.text);

        // All pieces that the edits do not touch are still there, in order.
        let mut rest = after.text.as_str();
        for TextPiece(piece, _) in pieces.iter().filter(|piece| !piece.1.iter().any(|effect| effects.contains(effect))) {
            let Some(at) = rest.find(piece.as_str()) else {
                return Err(TestCaseError::fail(format!("{piece:?} is lost\n{text}\n-----\n{}", after.text)));
            };
            rest = &rest[at + piece.len()..];
        }
        let cr = after.text.matches("\r\n").count();
        prop_assert_eq!(cr, if file.crlf { after.text.matches('\n').count() } else { 0 });
        prop_assert_eq!(after.text.starts_with('\u{feff}'), file.byte_order_mark);
        if edits.is_empty() {
            prop_assert_eq!(&*after.text, &text);
        }
    }

    #[test]
    fn setting_and_renaming_change_no_other_bytes(file in generated_store(), moves in prop::collection::vec((0_usize..6, 0_usize..5), 0..8)) {
        let pieces = file.pieces();
        let text: String = pieces.iter().map(|piece| piece.0.as_str()).collect();
        let (mut expected, mut edits) = (String::new(), BTreeMap::new());
        let chosen = |effect: &Effect| match effect {
            Effect::Set(number, key) => moves.iter().any(|(profile, chosen)| *number == profile % file.specs.len() && *key == KEYS[*chosen]),
            Effect::Rename(number) => moves.iter().any(|(profile, _)| *number == profile % file.specs.len()),
            _ => false,
        };
        for TextPiece(piece, effects) in &pieces {
            let section = |number: &usize| Section::Profile(file.name(*number).parse().unwrap());
            match effects.iter().find(|effect| chosen(effect)) {
                Some(effect @ Effect::Set(number, key)) => {
                    expected.push_str("\"new\"");
                    let key = key.split('/').map(str::to_owned).collect();
                    edits.insert(effect, Edit::Set { section: section(number), key, value: EditValue::Text("new".to_owned()) });
                }
                Some(effect @ Effect::Rename(number)) => {
                    let quote = piece.chars().next().filter(|first| "'\"".contains(*first)).map_or(String::new(), String::from);
                    expected.extend([quote.clone(), format!("to{number}"), quote]);
                    edits.insert(effect, Edit::RenameProfile { from: file.name(*number).parse().unwrap(), to: format!("to{number}").parse().unwrap() });
                }
                _ => expected.push_str(piece),
            }
        }
        let edits: Vec<Edit> = edits.into_values().collect();
        let before = Document::parse(text.into_bytes(), Path::new("/")).unwrap();
        prop_assert_eq!(&*before.apply(&edits).unwrap().text, &expected);
    }
}
