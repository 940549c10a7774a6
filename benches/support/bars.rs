//! What the project asks of itself, held against what was measured in the same run.

use super::table::{Table, digits};

/// The bars, in the order in which they were asked.
pub(crate) struct Bars(Table);

impl Bars {
    pub(crate) fn new() -> Self {
        Self(Table::new("Bars", &["bar", "measured", "bound", ""]))
    }

    /// `measured` must not be above `bound`.
    pub(crate) fn at_most(&mut self, bar: &str, measured: Option<f64>, bound: Option<f64>) {
        self.add(bar, measured, bound, "at most", |measured, bound| measured <= bound);
    }

    /// `measured` must not be below `bound`.
    pub(crate) fn at_least(&mut self, bar: &str, measured: Option<f64>, bound: Option<f64>) {
        self.add(bar, measured, bound, "at least", |measured, bound| measured >= bound);
    }

    fn add(
        &mut self,
        bar: &str,
        measured: Option<f64>,
        bound: Option<f64>,
        relation: &str,
        holds: impl Fn(f64, f64) -> bool,
    ) {
        let verdict = match measured.zip(bound) {
            None => "not measured",
            Some((measured, bound)) if holds(measured, bound) => "holds",
            Some(_) => "**does not hold**",
        };
        let cell = |value: Option<f64>| value.map_or_else(|| "-".into(), digits);
        self.0.row(&[bar.to_owned(), cell(measured), format!("{relation} {}", cell(bound)), verdict.to_owned()]);
    }

    pub(crate) fn print(self) {
        self.0.print();
    }
}
