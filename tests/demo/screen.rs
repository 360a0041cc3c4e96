//! What a person reads: headings, wrapped text, commands, colour where there is a terminal.

use std::{
    env,
    io::{self, IsTerminal, Write},
    process::{Command, Stdio},
};

/// Text wider than this is tiresome to read.
const WIDEST: usize = 110;
const NARROWEST: usize = 50;
const DEFAULT: usize = 100;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";

/// Standard output.
pub struct Screen {
    width: usize,
    colour: bool,
}

impl Screen {
    /// With the terminal's width and, unless `NO_COLOR` is set, colours.
    pub fn detect() -> Self {
        let terminal = io::stdout().is_terminal();
        let no_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            width: terminal.then(columns).flatten().unwrap_or(DEFAULT).clamp(NARROWEST, WIDEST),
            colour: terminal && !no_colour,
        }
    }

    /// One line as it is.
    #[allow(clippy::unused_self)] // all output goes through here
    pub fn line(&self, text: &str) {
        // A closed terminal or pipe is no reason to leave processes behind.
        let mut out = io::stdout();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    /// The title of a part.
    pub fn heading(&self, title: &str) {
        self.line("");
        self.line(&self.paint(BOLD, title));
    }

    /// A paragraph of a part.
    pub fn text(&self, text: &str) {
        self.indented(2, text);
    }

    /// A paragraph, moved right by some columns.
    pub fn indented(&self, columns: usize, text: &str) {
        let margin = " ".repeat(columns);
        for line in text.lines().flat_map(|line| wrap(line, self.width.saturating_sub(columns))) {
            self.line(&format!("{margin}{line}"));
        }
    }

    /// A command, as it could be typed.
    pub fn command(&self, command: &str) {
        self.line(&format!("  {}", self.paint(DIM, &format!("$ {command}"))));
    }

    /// The output of a command or a log, line by line.
    pub fn output(&self, output: &str) {
        for line in output.lines() {
            self.line(&format!("    {line}"));
        }
    }

    /// Why the demo failed, on standard error.
    pub fn failure(&self, text: &str) {
        let title = self.paint(RED, "This is not what was expected:");
        let _ = writeln!(io::stderr(), "\n{title}\n{}", self.wrapped(2, text));
    }

    /// A cell of a table, padded; green or red where it says whether all is well.
    pub fn cell(&self, text: &str, width: usize, good: Option<bool>) -> String {
        let padded = format!("{text:width$}");
        match good {
            Some(true) => self.paint(GREEN, &padded),
            Some(false) => self.paint(RED, &padded),
            None => padded,
        }
    }

    /// Less important than what stands around it.
    pub fn dim(&self, text: &str) -> String {
        self.paint(DIM, text)
    }

    fn wrapped(&self, columns: usize, text: &str) -> String {
        let margin = " ".repeat(columns);
        let lines = text.lines().flat_map(|line| wrap(line, self.width.saturating_sub(columns)));
        lines.map(|line| format!("{margin}{line}")).collect::<Vec<_>>().join("\n")
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The terminal's width, which only it knows.
fn columns() -> Option<usize> {
    let stty = Command::new("stty").arg("size").stdin(Stdio::inherit()).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(stty.stdout).ok()?.split_whitespace().nth(1)?.parse().ok().filter(|columns| *columns > 0)
}

/// Breaks a line between words. A longer word has a line of its own.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in line.split_whitespace() {
        if !current.is_empty() && current.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut current));
        }
        if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    lines.push(current);
    lines
}
