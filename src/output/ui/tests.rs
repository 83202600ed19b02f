//! Unit tests of `output::ui`.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

/// Writer that records its output.
#[derive(Clone, Default)]
pub(in crate::output) struct RecordedOutput(Rc<RefCell<Vec<u8>>>);

impl RecordedOutput {
    pub(in crate::output) fn bytes(&self) -> Vec<u8> {
        self.0.take()
    }

    pub(in crate::output) fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }
}

impl Write for RecordedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Pipe without a reader.
struct ClosedPipe;

impl Write for ClosedPipe {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

fn ui(streams: Streams) -> (Ui, RecordedOutput, RecordedOutput) {
    let (stdout, stderr) = (RecordedOutput::default(), RecordedOutput::default());
    (Ui::new(Box::new(stdout.clone()), Box::new(stderr.clone()), streams), stdout, stderr)
}

#[test]
fn results_are_exact_and_messages_are_sanitized() {
    let (ui, stdout, stderr) = ui(Streams::default());
    ui.print("a\x1bb").unwrap();
    ui.note("one\ntwo\x1b\n");
    ui.warn("late\nerror: feigned");
    ui.error("no such\nthing", Some("neto init\nneto login"));
    assert_eq!(stdout.text(), "a\x1bb");
    let hint = "  hint: neto init\n        neto login\n";
    let expected = format!("one\ntwo\\u{{1b}}\nwarning: late\n  error: feigned\nerror: no such\n  thing\n{hint}");
    assert_eq!(stderr.text(), expected);
}

#[test]
fn the_volume_selects_the_messages() {
    for (volume, expected) in
        [(Volume::Quiet, "warning: w\n"), (Volume::Normal, "n\nwarning: w\n"), (Volume::Verbose, "n\nv\nwarning: w\n")]
    {
        let (mut ui, _, stderr) = ui(Streams::default());
        ui.set_volume(volume);
        ui.note("n");
        ui.verbose(|| "v".to_owned());
        ui.warn("w");
        assert_eq!(stderr.text(), expected);
    }
}

#[test]
fn color_follows_the_option_the_terminal_and_no_color() {
    let terminal = Streams { stdout_terminal: true, stderr_terminal: true, width: Some(80), ..Streams::default() };
    let pipe = Streams { width: Some(80), ..Streams::default() };
    for (streams, color, expects_color) in [
        (terminal, ColorChoice::Auto, true),
        (terminal, ColorChoice::Never, false),
        (Streams { no_color: true, ..terminal }, ColorChoice::Auto, false),
        (Streams { no_color: true, ..terminal }, ColorChoice::Always, false),
        (pipe, ColorChoice::Auto, false),
        (pipe, ColorChoice::Always, true),
    ] {
        let (mut ui, _, stderr) = ui(streams);
        ui.set_color(color);
        ui.warn("w");
        assert_eq!(stderr.text().contains('\x1b'), expects_color);
        assert_eq!(ui.render_options().color, expects_color);
        assert_eq!(ui.render_options().width, streams.width.filter(|_| streams.stdout_terminal));
    }
}

#[test]
fn a_closed_pipe_does_not_panic() {
    let ui = Ui::new(Box::new(ClosedPipe), Box::new(ClosedPipe), Streams::default());
    ui.note("n");
    ui.error("e", None);
    assert_eq!(ui.print("a").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}
