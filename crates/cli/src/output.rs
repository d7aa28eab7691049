//! What is printed: text for people, or JSON for programs.

use std::io::Write as _;

use oriel_onvif::discovery::printable;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints `json` as one line, or `text`. A reader that went away is no error of ours.
    pub(crate) fn print(self, json: &serde_json::Value, text: &str) {
        let line = if self.json { json.to_string() } else { shown(text) };
        let mut out = std::io::stdout().lock();
        let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// One line to standard error.
pub(crate) fn stderr(line: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "{}", shown(line));
}

/// A text with the words of devices in it, which must not steer the terminal.
fn shown(text: &str) -> String {
    let lines = text.split('\n').map(|line| line.split('\t').map(printable).collect::<Vec<_>>().join("\t"));
    lines.collect::<Vec<_>>().join("\n")
}
