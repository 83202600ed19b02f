//! Links gcc's unwinder statically, if the compiler driver knows its archive. A release never unwinds. Loading the
//! shared library takes a tenth of the run time of an empty program.
#![allow(clippy::print_stdout, clippy::disallowed_macros, clippy::disallowed_methods, reason = "how cargo is told")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let native = env::var_os("TARGET") == env::var_os("HOST");
    if !(native && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu")) {
        return Ok(());
    }
    if let (Some(unwinder), Some(helpers), Some(folder)) =
        (archive("libgcc_eh.a"), archive("libgcc.a"), env::var_os("OUT_DIR"))
    {
        // The standard library links `gcc_s`; the linker finds this script first under that name.
        let script = format!("GROUP ( \"{}\" \"{}\" )\n", unwinder.display(), helpers.display());
        fs::write(Path::new(&folder).join("libgcc_s.so"), script)?;
        println!("cargo::rustc-link-search=native={}", folder.display());
    }
    Ok(())
}

/// Returns the path of a gcc archive that the linking driver knows.
fn archive(name: &str) -> Option<PathBuf> {
    let driver = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let answer = Command::new(driver).arg(format!("-print-file-name={name}")).output().ok()?;
    let path = PathBuf::from(String::from_utf8(answer.stdout).ok()?.trim_end());
    (path.is_absolute() && path.is_file()).then_some(path)
}
