//! Reads and writes the committed instruction counts, and compares new counts with them.
//!
//! Counts are comparable only if they were made with the same tools. With another compiler or target nothing is
//! compared, because neto's code differs. Another C library or valgrind changes only the code outside neto, so neto's
//! own instructions are still compared.

use std::fmt::Write as _;

/// Maximum increase over a committed count that does not fail the comparison, in percent.
pub(crate) const ALLOWED_PERCENT: u64 = 5;

/// Comment at the start of the counts file.
const HEADER: &str = "\
# Instructions of neto's hot paths, counted by callgrind: those of its own code, and those with the C library and the
# loader beyond what they need for an empty program. `bench/instructions --check` fails where one has risen by more than
# 5 %; `bench/instructions --accept` writes this file.
";

/// Tools on which the counts depend. After a change of `compiler` no counts are comparable. After a change of `runtime`
/// only the counts of neto's own code are comparable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// Compiler, target, and whether AVX2 is available.
    pub(crate) compiler: String,
    /// Versions of the C library and of valgrind.
    pub(crate) runtime: String,
}

/// Instruction counts of one hot path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) path: String,
    /// Instructions in neto's own code.
    pub(crate) own: u64,
    /// Instructions of neto and its libraries, minus the total of an empty program.
    pub(crate) total: u64,
}

/// Content of the counts file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) toolchain: Toolchain,
    pub(crate) counts: Vec<Count>,
}

/// Result of a comparison: the lines to print, and whether the comparison failed.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) lines: Vec<String>,
    pub(crate) failed: bool,
}

impl Counts {
    /// Parses the counts file. Returns `None` if the text has another format.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let compiler = lines.next()?.strip_prefix("code: ")?.to_owned();
        let runtime = lines.next()?.strip_prefix("beside: ")?.to_owned();
        let count = |line: &str| {
            let (own, rest) = line.trim_start().split_once(' ')?;
            let (total, path) = rest.trim_start().split_once(' ')?;
            Some(Count { path: path.trim_start().to_owned(), own: own.parse().ok()?, total: total.parse().ok()? })
        };
        Some(Self { toolchain: Toolchain { compiler, runtime }, counts: lines.map(count).collect::<Option<_>>()? })
    }

    pub(crate) fn render(&self) -> String {
        let mut text = format!("{HEADER}\ncode: {}\nbeside: {}\n\n", self.toolchain.compiler, self.toolchain.runtime);
        writeln!(text, "#      own       whole  path").expect("text");
        for Count { path, own, total } in &self.counts {
            writeln!(text, "{own:>10}  {total:>10}  {path}").expect("text");
        }
        text
    }

    /// Compares these committed counts with new counts. A risen count or a different set of paths fails.
    #[allow(clippy::cast_precision_loss, reason = "a change in hundredths, to be read")]
    pub(crate) fn compare(&self, new_counts: &Self) -> Comparison {
        let mut lines = vec![];
        if self.toolchain.compiler != new_counts.toolchain.compiler {
            lines.push(format!(
                "NOT COMPARED: counted with {}, and here is {}; look at the figures, then `bench/instructions --accept`",
                self.toolchain.compiler, new_counts.toolchain.compiler
            ));
            return Comparison { lines, failed: false };
        }
        let same_runtime = self.toolchain.runtime == new_counts.toolchain.runtime;
        if !same_runtime {
            lines.push(format!(
                "only neto's own instructions are compared: counted beside {}, and here is {}",
                self.toolchain.runtime, new_counts.toolchain.runtime
            ));
        }
        let (mut failed, mut any_fallen) = (false, false);
        for Count { path, own, total } in &new_counts.counts {
            let Some(old) = self.counts.iter().find(|count| count.path == *path) else {
                lines.push(format!("{path}: not among the committed counts"));
                failed = true;
                continue;
            };
            let both = [("own", old.own, *own), ("whole", old.total, *total)];
            for (kind, old, new) in both.into_iter().take(if same_runtime { 2 } else { 1 }) {
                let change = (new as f64 / old as f64 - 1.0) * 100.0;
                let has_risen = new * 100 > old * (100 + ALLOWED_PERCENT);
                any_fallen |= new * 100 < old * (100 - ALLOWED_PERCENT);
                failed |= has_risen;
                let mark = if has_risen { "  TOO MANY" } else { "" };
                lines.push(format!("{path} ({kind}): {old} -> {new}, {change:+.2} %{mark}"));
            }
        }
        for Count { path, .. } in &self.counts {
            if !new_counts.counts.iter().any(|count| count.path == *path) {
                lines.push(format!("{path}: committed, and no longer counted"));
                failed = true;
            }
        }
        if failed {
            lines.push(
                "If that is worth its price: `bench/instructions --accept`, and say in the commit what it buys."
                    .to_owned(),
            );
        } else if any_fallen {
            lines.push("Fewer than committed: `bench/instructions --accept` keeps it so.".to_owned());
        }
        Comparison { lines, failed }
    }
}
