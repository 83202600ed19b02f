//! Counts of instructions as they are committed, and how far new ones may lie above them.
//!
//! A count says something only beside one that was made alike. Another compiler or processor makes other code of the same
//! source: then nothing is compared. Another C library or valgrind changes what runs outside of neto: then only neto's own
//! instructions are.

use std::fmt::Write as _;

/// How far a count may lie above the committed one, in hundredths.
pub(crate) const ALLOWED: u64 = 5;

/// What is said in the file's head.
const HEAD: &str = "\
# Instructions of neto's hot paths, counted by callgrind: those of its own code, and those with the C library and the
# loader beyond what they need for an empty program. `bench/instructions --check` fails where one has risen by more than
# 5 %; `bench/instructions --accept` writes this file.
";

/// What it was counted with: a change of the first makes everything incomparable, of the second all but neto's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// Compiler, target, processor.
    pub(crate) code: String,
    /// C library and valgrind.
    pub(crate) beside: String,
}

/// One path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) path: String,
    /// In neto's own code.
    pub(crate) own: u64,
    /// With those of the libraries, without those of an empty program.
    pub(crate) whole: u64,
}

/// What is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) made: Made,
    pub(crate) counts: Vec<Count>,
}

/// What a comparison found: lines to be shown, and whether any of them is a failure.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) lines: Vec<String>,
    pub(crate) failed: bool,
}

impl Counts {
    /// None: not such a file.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let code = lines.next()?.strip_prefix("code: ")?.to_owned();
        let beside = lines.next()?.strip_prefix("beside: ")?.to_owned();
        let count = |line: &str| {
            let (own, rest) = line.trim_start().split_once(' ')?;
            let (whole, path) = rest.trim_start().split_once(' ')?;
            Some(Count { path: path.trim_start().to_owned(), own: own.parse().ok()?, whole: whole.parse().ok()? })
        };
        Some(Self { made: Made { code, beside }, counts: lines.map(count).collect::<Option<_>>()? })
    }

    pub(crate) fn render(&self) -> String {
        let mut text = format!("{HEAD}\ncode: {}\nbeside: {}\n\n", self.made.code, self.made.beside);
        writeln!(text, "#      own       whole  path").expect("text");
        for Count { path, own, whole } in &self.counts {
            writeln!(text, "{own:>10}  {whole:>10}  {path}").expect("text");
        }
        text
    }

    /// These, which were committed, against those counted now.
    #[allow(clippy::cast_precision_loss, reason = "a change in hundredths, to be read")]
    pub(crate) fn compare(&self, now: &Self) -> Verdict {
        let mut lines = vec![];
        if self.made.code != now.made.code {
            lines.push(format!(
                "NOT COMPARED: counted with {}, and here is {}; look at the figures, then `bench/instructions --accept`",
                self.made.code, now.made.code
            ));
            return Verdict { lines, failed: false };
        }
        let alike = self.made.beside == now.made.beside;
        if !alike {
            lines.push(format!(
                "only neto's own instructions are compared: counted beside {}, and here is {}",
                self.made.beside, now.made.beside
            ));
        }
        let (mut failed, mut fallen) = (false, false);
        for Count { path, own, whole } in &now.counts {
            let Some(old) = self.counts.iter().find(|count| count.path == *path) else {
                lines.push(format!("{path}: not among the committed counts"));
                failed = true;
                continue;
            };
            let both = [("own", old.own, *own), ("whole", old.whole, *whole)];
            for (kind, old, new) in both.into_iter().take(if alike { 2 } else { 1 }) {
                let change = (new as f64 / old as f64 - 1.0) * 100.0;
                let risen = new * 100 > old * (100 + ALLOWED);
                fallen |= new * 100 < old * (100 - ALLOWED);
                failed |= risen;
                let mark = if risen { "  TOO MANY" } else { "" };
                lines.push(format!("{path} ({kind}): {old} -> {new}, {change:+.2} %{mark}"));
            }
        }
        for Count { path, .. } in &self.counts {
            if !now.counts.iter().any(|count| count.path == *path) {
                lines.push(format!("{path}: committed, and no longer counted"));
                failed = true;
            }
        }
        if failed {
            lines.push(
                "If that is worth its price: `bench/instructions --accept`, and say in the commit what it buys."
                    .to_owned(),
            );
        } else if fallen {
            lines.push("Fewer than committed: `bench/instructions --accept` keeps it so.".to_owned());
        }
        Verdict { lines, failed }
    }
}
