//! What is printed: text for people, or JSON for programs.

use std::io::Write as _;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints `json` as one line, or `text`. A reader that went away is no error of ours.
    pub(crate) fn print(self, json: &serde_json::Value, text: &str) {
        let line = if self.json { json.to_string() } else { text.to_owned() };
        let mut out = std::io::stdout().lock();
        let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// One line to standard error.
pub(crate) fn stderr(line: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "{line}");
}
