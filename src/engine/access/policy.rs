//! A policy as it is evaluated, and its verdict on a request.

use super::action::{Action, Actions};
use super::condition::Condition;
use super::keys::{Facts, KeyNames, Known};
use super::pattern::Pattern;
use super::principal::{Principal, Principals};
use std::fmt::Write as _;

/// A policy that was checked and taken apart, so that evaluating it parses nothing.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub(super) statements: Vec<Statement>,
    /// The keys that its conditions and variables use.
    pub(super) keys: KeyNames,
}

#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub effect: Effect,
    pub who: Who,
    pub actions: Actions,
    pub resources: Resources,
    /// All of them have to be true.
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Debug)]
pub(super) enum Who {
    /// The user that the policy belongs to.
    Bearer,
    Is(Principals),
    IsNot(Principals),
}

/// Patterns of `bucket` and `bucket/key`, without `arn:aws:s3:::`.
#[derive(Clone, Debug)]
pub(super) struct Resources {
    pub patterns: Vec<Pattern>,
    /// `NotResource`: all that fit none of the patterns.
    pub negated: bool,
}

/// What an action is done to. Neither, for an action on the gateway itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resource<'a> {
    pub bucket: &'a str,
    pub key: Option<&'a str>,
}

/// What a policy says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allows,
    Denies,
    /// Nothing, so that it is up to others.
    Silent,
}

impl Policy {
    /// Denies if a statement does, else allows if one does.
    pub fn judge(
        &self,
        principal: Principal<'_>,
        action: Action,
        resource: Resource<'_>,
        facts: &dyn Facts,
    ) -> Verdict {
        let mut name = None;
        let mut known = None;
        let mut verdict = Verdict::Silent;
        for statement in &self.statements {
            // Most fall away at the first of these, which is why it is the cheapest.
            if !statement.actions.has(action)
                || (statement.effect == Effect::Allow && verdict == Verdict::Allows)
                || !statement.who.includes(principal)
            {
                continue;
            }
            let known = known.get_or_insert_with(|| Known::new(&self.keys, facts));
            let name = name.get_or_insert_with(|| resource.name());
            if !statement.resources.include(name, known)
                || !statement.conditions.iter().all(|condition| condition.holds(known))
            {
                continue;
            }
            match statement.effect {
                Effect::Deny => return Verdict::Denies,
                Effect::Allow => verdict = Verdict::Allows,
            }
        }
        verdict
    }

    /// Whether a condition or a variable uses a key that begins with this, in lower case.
    pub fn uses_key(&self, prefix: &str) -> bool {
        self.keys.iter().any(|key| key.starts_with(prefix))
    }
}

impl Who {
    fn includes(&self, principal: Principal<'_>) -> bool {
        match self {
            Who::Bearer => true,
            Who::Is(principals) => principals.contains(principal),
            Who::IsNot(principals) => !principals.contains(principal),
        }
    }
}

impl Resources {
    fn include(&self, name: &str, known: &Known<'_>) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name, known)) != self.negated
    }
}

impl Resource<'_> {
    /// `bucket` or `bucket/key`.
    fn name(self) -> String {
        let mut name = self.bucket.to_owned();
        if let Some(key) = self.key {
            let _ = write!(name, "/{key}");
        }
        name
    }
}
