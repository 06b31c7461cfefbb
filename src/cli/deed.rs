//! Commands that change something on the server without moving bytes: what they would do, and what they have done.

use clap::Args;
use serde_json::{Map, Value};

use super::transfer::print_line;

/// Whether it is done at all, and how it is told.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Deed {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print what was done as JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// Print failures only
    #[arg(short, long, conflicts_with_all = ["json", "dry_run"])]
    pub quiet: bool,
}

impl Deed {
    /// Whether this is only to be talked about; then it is told here.
    pub fn only_said(&self, verb: &str, what: impl ToString) -> bool {
        if self.dry_run {
            let text = format!("would {verb} {}", what.to_string());
            self.tell(&format!("would_{}", verb.replace(' ', "_")), what, &[], &text);
        }
        self.dry_run
    }

    /// It is done. `text` is for people; without it they are not told, as they asked for just this.
    pub fn done(&self, event: &str, what: impl ToString, more: &[(&str, Value)], text: Option<String>) {
        if self.json || text.is_some() && !self.quiet {
            self.tell(event, what, more, &text.unwrap_or_default());
        }
    }

    fn tell(&self, event: &str, what: impl ToString, more: &[(&str, Value)], text: &str) {
        if !self.json {
            return print_line(text);
        }
        let mut object = Map::new();
        object.insert("event".into(), event.into());
        object.insert("what".into(), what.to_string().into());
        object.extend(more.iter().map(|(name, value)| (name.to_string(), value.clone())));
        print_line(Value::Object(object));
    }
}
