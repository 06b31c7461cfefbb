//! The table that `make bench` prints.

#[derive(Default)]
pub struct Table {
    rows: Vec<(String, String, f64, String)>,
}

impl Table {
    /// Adds a row: what was measured, the figures, the one that is held against the goal, and the goal.
    pub fn row(&mut self, what: &str, figures: String, value: f64, goal: &str) {
        println!("{what}: {figures} -> {value:.2} (goal: {goal})");
        self.rows.push((what.to_string(), figures, value, goal.to_string()));
    }

    pub fn print(&self) {
        println!("\n| what | measured | value | goal |\n| --- | --- | --- | --- |");
        for (what, figures, value, goal) in &self.rows {
            println!("| {what} | {figures} | {value:.2} | {goal} |");
        }
    }
}

/// The run in the middle of their order by `value`.
pub fn middle<T>(mut runs: Vec<T>, value: impl Fn(&T) -> f64) -> T {
    runs.sort_by(|one, other| value(one).total_cmp(&value(other)));
    let middle = runs.len() / 2;
    runs.swap_remove(middle)
}
