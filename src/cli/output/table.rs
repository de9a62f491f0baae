//! Tables for people: no borders, so that they can be copied and filtered; fitted to a terminal, unfolded in a pipe.

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};

use crate::sanitize::printable;

/// How a cell is to be read at a glance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Tone {
    Plain,
    Good,
    Bad,
    Dim,
}

/// The longest text of a cell; a row with an absurd name must not widen all the others. JSON has it whole.
const CELL_LIMIT: usize = 80;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CELL_LIMIT) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

/// A table that grows row by row.
pub(in crate::cli) struct Rows(Table);

impl Rows {
    pub(in crate::cli) fn new<const N: usize>(headings: [&str; N]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if let Some(width) = super::terminal_width() {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        match anstream::AutoStream::choice(&std::io::stdout()) {
            anstream::ColorChoice::Never => table.force_no_tty(),
            _ => table.enforce_styling(),
        };
        table.set_header(headings);
        Self(table)
    }

    /// Adds a row. The texts may come from anywhere.
    pub(in crate::cli) fn add<const N: usize>(&mut self, cells: [(&str, Tone); N]) {
        self.0.add_row(cells.map(|(text, tone)| {
            let cell = Cell::new(shortened(&printable(text)));
            match tone {
                Tone::Plain => cell,
                Tone::Good => cell.fg(Color::Green),
                Tone::Bad => cell.fg(Color::Red),
                Tone::Dim => cell.fg(Color::DarkGrey),
            }
        }));
    }

    /// The table as text, each line without blanks at its end.
    pub(in crate::cli) fn finish(mut self) -> String {
        for column in self.0.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.0.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}
