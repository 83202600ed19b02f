# The commands of this repository; `.ci/run` runs the same ones on a machine it has made ready first.

# What there is.
default:
    @just --list

# Formats the code.
fmt:
    cargo fmt

# Checks format and lints, warnings as errors.
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked -- -D warnings

# All tests. Those that need a shell which is not here say so.
test *ARGS:
    cargo test --locked {{ ARGS }}

# The whole product against a server on loopback, as a transcript.
tour:
    cargo run --locked --release --example tour

# Writes the golden files anew (the pages of `--help`, the schema of the store, man/); look at the difference before
# committing it.
golden:
    cargo run --locked --example man
    UPDATE_GOLDEN=1 cargo test --locked --test neto
    git diff --stat

# The documentation of the modules, warnings as errors.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

# Licences, bans, sources and advisories of the dependencies (needs cargo-deny).
deny:
    cargo deny check

# What neto costs beside an empty program and its peers; --fleet: many profiles at once, beside the ideal (--help says more).
bench *ARGS:
    bench/run {{ ARGS }}

# Instructions of the hot paths; --check compares them with the committed ones, --accept commits to new ones. Needs valgrind.
instructions *ARGS:
    bench/instructions {{ ARGS }}

# The long rounds in full: kills, failing system calls, bursts, at the numbers that the tests promise. Needs strace, and
# faketime for the clock.
torture:
    NETO_TORTURE=1.0 cargo test --locked --release --test neto torture

# Every fuzz target for so many seconds, or executions: just fuzz 0 1000000. Needs cargo-fuzz.
fuzz SECONDS="60" RUNS="-1":
    bash fuzz/run {{ SECONDS }} {{ RUNS }}

# Everything that CI does; the tree must be committed, because it must stay clean.
ci:
    bash .ci/run

# Lines of code by module, without blank lines, comments and tests; with a revision, that beside the working tree.
weight *REV:
    bench/weight {{ REV }}
