//! Whether a policy is public: whether it lets in anybody whom its author does not know.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status>

use super::condition::{Comparison, Condition, Operand, Quantifier};
use super::policy::{Effect, Policy, Statement, Who};
use super::principal::Principals;

/// Keys whose fixed values leave only callers whom the author knows.
const LIMITING_KEYS: [&str; 13] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

impl Policy {
    /// Public until shown otherwise: a statement that allows something to everybody, with no condition that leaves
    /// only fixed callers.
    pub fn is_public(&self) -> bool {
        self.statements.iter().any(|statement| self.is_public_statement(statement))
    }

    fn is_public_statement(&self, statement: &Statement) -> bool {
        let everybody = match &statement.who {
            Who::Is(Principals::Everybody) | Who::IsNot(_) => true,
            Who::Is(Principals::Listed(_)) | Who::Bearer => false,
        };
        statement.effect == Effect::Allow
            && everybody
            && !statement.conditions.iter().any(|condition| self.is_limiting(condition))
    }

    fn is_limiting(&self, condition: &Condition) -> bool {
        let operator = condition.operator;
        LIMITING_KEYS.contains(&self.keys.name(condition.key))
            && !operator.is_negated()
            && !operator.if_exists
            // True of a request without the key.
            && operator.quantifier != Some(Quantifier::ForAllValues)
            && matches!(operator.comparison, Comparison::Text { .. } | Comparison::Ip { .. } | Comparison::Arn { .. })
            && condition.operands.iter().all(is_fixed)
    }
}

fn is_fixed(operand: &Operand) -> bool {
    match operand {
        Operand::Text(pattern) => !pattern.is_open(),
        Operand::Arn(arn) => !arn.is_open(),
        Operand::Cidr(cidr) => !cidr.is_public(),
        Operand::Number(_) | Operand::Date(_) | Operand::Bool(_) => false,
    }
}
