//! Where lines for people go: stdout, or stderr if stdout is for machines. Colour only on a terminal.

use std::io::{self, IsTerminal, Write};

/// A place for lines.
pub(crate) struct Screen {
    stderr: bool,
    terminal: bool,
    colour: bool,
}

/// How a text looks on a terminal.
#[derive(Clone, Copy)]
pub(crate) enum Paint {
    Bad,
    Bold,
    Careful,
    Dim,
    Good,
}

impl Screen {
    pub(crate) fn new(stderr: bool) -> Self {
        let terminal = if stderr { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { stderr, terminal, colour }
    }

    /// Writes a line, in place of the progress if that is shown.
    pub(crate) fn line(&self, line: &str) {
        self.write(&format!("{}{line}\n", self.clear()));
    }

    /// Shows a line until the next one; nothing where it could not be taken back.
    pub(crate) fn progress(&self, line: &str) {
        if self.terminal {
            self.write(&format!("{}{}", self.clear(), self.paint(Paint::Dim, line)));
        }
    }

    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Bad => "31",
            Paint::Bold => "1",
            Paint::Careful => "33",
            Paint::Dim => "2",
            Paint::Good => "32",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    fn clear(&self) -> &'static str {
        if self.terminal { "\r\x1b[2K" } else { "" }
    }

    /// Whoever closes the pipe does not want to read on; the run still counts.
    fn write(&self, text: &str) {
        let _ = if self.stderr {
            io::stderr().write_all(text.as_bytes())
        } else {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        };
    }
}
