//! The table that `make bench` prints.

use crate::process::Measured;

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

/// The run with the middle CPU cost.
pub fn median(runs: &[Measured]) -> Measured {
    let mut runs = runs.to_vec();
    runs.sort_by(|one, other| one.cpu_per_gb.total_cmp(&other.cpu_per_gb));
    runs[runs.len() / 2]
}
