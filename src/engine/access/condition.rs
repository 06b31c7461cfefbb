//! The conditions of statements: an operator, a key, and the values it is compared with.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use super::keys::{KeyIndex, Known};
use super::pattern::{BadVariable, Pattern, Syntax};
use super::values::{self, Arn, Cidr, Number, Time};

/// A key and what it is compared with. True if one of `operands` fits, or with a negated operator if none does.
#[derive(Clone, Debug)]
pub struct Condition {
    pub operator: Operator,
    pub key: KeyIndex,
    pub operands: Vec<Operand>,
}

/// An operator as written: `ForAllValues:StringNotLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    pub quantifier: Option<Quantifier>,
    pub comparison: Comparison,
    /// True where the request does not have the key.
    pub if_exists: bool,
}

/// How a key of several values is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    ForAllValues,
    ForAnyValue,
}

/// What is compared, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Text { how: TextMatch, negated: bool },
    Number { order: Order, negated: bool },
    Date { order: Order, negated: bool },
    Bool,
    Binary,
    Ip { negated: bool },
    Arn { negated: bool },
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMatch {
    Equals,
    EqualsIgnoreCase,
    Like,
}

/// How the request's value stands to the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Equals,
    Less,
    LessEquals,
    Greater,
    GreaterEquals,
}

/// A value of a policy, taken apart for its operator.
#[derive(Clone, Debug)]
pub enum Operand {
    /// Compared as text, once its variables are known.
    Text(Pattern),
    Number(Number),
    Date(Time),
    Bool(bool),
    Cidr(Cidr),
    Arn(Arn),
}

impl Operator {
    /// Reads a name; its case counts, as on AWS.
    pub fn parse(name: &str) -> Option<Operator> {
        let (quantifier, name) = match name.split_once(':') {
            None => (None, name),
            Some(("ForAllValues", name)) => (Some(Quantifier::ForAllValues), name),
            Some(("ForAnyValue", name)) => (Some(Quantifier::ForAnyValue), name),
            Some(_) => return None,
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let comparison = comparison(name)?;
        // Whether a key exists cannot be asked only if it exists.
        let makes_sense = comparison != Comparison::Null || (!if_exists && quantifier.is_none());
        makes_sense.then_some(Operator { quantifier, comparison, if_exists })
    }

    /// Whether it says what must not be.
    pub fn is_negated(&self) -> bool {
        match self.comparison {
            Comparison::Text { negated, .. }
            | Comparison::Number { negated, .. }
            | Comparison::Date { negated, .. }
            | Comparison::Ip { negated }
            | Comparison::Arn { negated } => negated,
            Comparison::Bool | Comparison::Binary | Comparison::Null => false,
        }
    }
}

fn comparison(name: &str) -> Option<Comparison> {
    use Comparison as C;
    let text = |how, negated| C::Text { how, negated };
    Some(match name {
        "StringEquals" => text(TextMatch::Equals, false),
        "StringNotEquals" => text(TextMatch::Equals, true),
        "StringEqualsIgnoreCase" => text(TextMatch::EqualsIgnoreCase, false),
        "StringNotEqualsIgnoreCase" => text(TextMatch::EqualsIgnoreCase, true),
        "StringLike" => text(TextMatch::Like, false),
        "StringNotLike" => text(TextMatch::Like, true),
        "Bool" => C::Bool,
        "BinaryEquals" => C::Binary,
        "IpAddress" => C::Ip { negated: false },
        "NotIpAddress" => C::Ip { negated: true },
        // AWS: ArnEquals and ArnLike behave the same.
        "ArnEquals" | "ArnLike" => C::Arn { negated: false },
        "ArnNotEquals" | "ArnNotLike" => C::Arn { negated: true },
        "Null" => C::Null,
        _ => {
            let (order, negated) = order(name.strip_prefix("Numeric").or(name.strip_prefix("Date"))?)?;
            match name.starts_with("Numeric") {
                true => C::Number { order, negated },
                false => C::Date { order, negated },
            }
        }
    })
}

fn order(name: &str) -> Option<(Order, bool)> {
    Some(match name {
        "Equals" => (Order::Equals, false),
        "NotEquals" => (Order::Equals, true),
        "LessThan" => (Order::Less, false),
        "LessThanEquals" => (Order::LessEquals, false),
        "GreaterThan" => (Order::Greater, false),
        "GreaterThanEquals" => (Order::GreaterEquals, false),
        _ => return None,
    })
}

impl Order {
    fn holds<T: PartialOrd>(self, value: &T, operand: &T) -> bool {
        match self {
            Order::Equals => value == operand,
            Order::Less => value < operand,
            Order::LessEquals => value <= operand,
            Order::Greater => value > operand,
            Order::GreaterEquals => value >= operand,
        }
    }
}

/// Why a value cannot stand beside its operator.
#[derive(Debug, PartialEq, Eq)]
pub struct BadOperand;

impl From<BadVariable> for BadOperand {
    fn from(_: BadVariable) -> BadOperand {
        BadOperand
    }
}

impl Operand {
    /// Reads a value for this comparison.
    pub fn parse(
        text: &str,
        comparison: Comparison,
        variables: bool,
        keys: &mut super::keys::KeyNames,
    ) -> Result<Operand, BadOperand> {
        let wildcards = matches!(comparison, Comparison::Text { how: TextMatch::Like, .. });
        Ok(match comparison {
            Comparison::Text { .. } => {
                Operand::Text(Pattern::parse(text, Syntax { wildcards, variables }, keys)?)
            }
            Comparison::Binary => {
                Operand::Text(Pattern::parse(text, Syntax { wildcards: false, variables: false }, keys)?)
            }
            Comparison::Number { .. } => Operand::Number(Number::parse(text).ok_or(BadOperand)?),
            Comparison::Date { .. } => Operand::Date(Time::parse(text).ok_or(BadOperand)?),
            Comparison::Bool | Comparison::Null => Operand::Bool(values::boolean(text).ok_or(BadOperand)?),
            Comparison::Ip { .. } => Operand::Cidr(Cidr::parse(text).ok_or(BadOperand)?),
            Comparison::Arn { .. } => Operand::Arn(Arn::parse(text, variables, keys)?),
        })
    }

    /// Whether a value of the request fits this one, whatever the operator's negation says.
    fn fits(&self, value: &str, comparison: Comparison, known: &Known<'_>) -> bool {
        match (self, comparison) {
            (Operand::Text(pattern), Comparison::Text { how: TextMatch::Like, .. }) => {
                pattern.matches(value, known)
            }
            (Operand::Text(pattern), Comparison::Text { how: TextMatch::EqualsIgnoreCase, .. }) => {
                pattern.text(known).is_some_and(|text| text.to_lowercase() == value.to_lowercase())
            }
            (Operand::Text(pattern), _) => pattern.text(known).is_some_and(|text| text == value),
            (Operand::Number(operand), Comparison::Number { order, .. }) => {
                Number::parse(value).is_some_and(|value| order.holds(&value, operand))
            }
            (Operand::Date(operand), Comparison::Date { order, .. }) => {
                Time::parse(value).is_some_and(|value| order.holds(&value, operand))
            }
            (Operand::Bool(operand), _) => values::boolean(value) == Some(*operand),
            (Operand::Cidr(cidr), _) => value.parse().is_ok_and(|address| cidr.contains(address)),
            (Operand::Arn(pattern), _) => pattern.matches(value, known),
            (Operand::Number(_) | Operand::Date(_), _) => false,
        }
    }
}

impl Condition {
    /// Whether it is true of the request.
    pub fn holds(&self, known: &Known<'_>) -> bool {
        let values = known.values(self.key);
        if self.operator.comparison == Comparison::Null {
            let is_absent = values.is_none_or(<[String]>::is_empty);
            return self
                .operands
                .iter()
                .any(|operand| matches!(operand, Operand::Bool(b) if *b == is_absent));
        }
        let negated = self.operator.is_negated();
        let Some(values) = values.filter(|values| !values.is_empty()) else {
            return self.operator.if_exists
                || match self.operator.quantifier {
                    Some(Quantifier::ForAllValues) => true,
                    Some(Quantifier::ForAnyValue) => false,
                    // What is not there is not equal to anything.
                    None => negated,
                };
        };
        let fits = |value: &String| {
            self.operands.iter().any(|operand| operand.fits(value, self.operator.comparison, known))
        };
        match self.operator.quantifier {
            Some(Quantifier::ForAllValues) => values.iter().all(|value| fits(value) != negated),
            Some(Quantifier::ForAnyValue) => values.iter().any(|value| fits(value) != negated),
            None => values.iter().any(fits) != negated,
        }
    }
}
