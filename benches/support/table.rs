//! Tables in Markdown.

/// A table that prints itself.
pub(crate) struct Table {
    columns: usize,
    lines: Vec<String>,
}

impl Table {
    pub(crate) fn new<S: AsRef<str>>(title: &str, columns: &[S]) -> Self {
        let head = row(columns);
        let rule = format!("|{}", "---|".repeat(columns.len()));
        Self { columns: columns.len(), lines: vec![format!("### {title}"), String::new(), head, rule] }
    }

    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        assert_eq!(cells.len(), self.columns, "a row has as many cells as the head");
        self.lines.push(row(cells));
    }

    pub(crate) fn print(self) {
        println!("{}\n", self.lines.join("\n"));
    }
}

fn row<S: AsRef<str>>(cells: &[S]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}

/// A number with three digits that count, and thousands set apart.
pub(crate) fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    let magnitude = value.abs();
    if magnitude < 9.995 {
        return format!("{value:.2}");
    }
    if magnitude < 99.95 {
        return format!("{value:.1}");
    }
    let whole = format!("{magnitude:.0}");
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if value < 0.0 { format!("-{grouped}") } else { grouped }
}

/// The median of some samples, and how far they lie apart.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) median: f64,
    /// Half the distance between the quartiles.
    spread: f64,
    samples: usize,
}

impl Measured {
    /// Returns none for no samples.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |quarter: usize| sorted[(last * quarter + 2) / 4];
        Some(Self { median: at(2), spread: (at(3) - at(1)) / 2.0, samples: sorted.len() })
    }

    pub(crate) fn show(self) -> String {
        let percent = if self.median > 0.0 { 100.0 * self.spread / self.median } else { 0.0 };
        // Of three samples or fewer the spread says nothing.
        let doubt = if self.samples > 3 { "" } else { " ?" };
        format!("{} ±{percent:.0}%{doubt}", digits(self.median))
    }
}

/// The cell of what may not have been measured.
pub(crate) fn shown(measured: Option<Measured>) -> String {
    measured.map_or_else(|| "-".into(), Measured::show)
}
