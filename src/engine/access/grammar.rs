//! Policy documents, read. What is wrong with one is said in AWS's words, as far as they are known.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use super::action::{Actions, ResourceKind};
use super::condition::{Comparison, Condition, Operand, Operator};
use super::json::{BadJson, Json};
use super::keys::KeyNames;
use super::pattern::{Pattern, Syntax};
use super::policy::{Effect, Policy, Resources, Statement, Who};
use super::principal::Principals;
use std::collections::HashSet;
use std::fmt;

/// S3's limit on a bucket's policy. It bounds what evaluating one costs.
pub const DOCUMENT_LEN_MAX: usize = 20 << 10;
const ARN_PREFIX: &str = "arn:aws:s3:::";

/// Why a document is no policy, as the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedPolicy(pub String);

impl fmt::Display for MalformedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MalformedPolicy {}

fn malformed<T>(message: impl Into<String>) -> Result<T, MalformedPolicy> {
    Err(MalformedPolicy(message.into()))
}

/// What a policy belongs to.
#[derive(Clone, Copy)]
enum Bearer<'a> {
    /// A bucket: its statements name principals, and resources of this bucket alone.
    Bucket(&'a str),
    /// A user: its statements may also be about other services, which does not concern us.
    User,
}

impl Policy {
    /// Reads the policy of this bucket.
    pub fn of_bucket(bytes: &[u8], bucket: &str) -> Result<Policy, MalformedPolicy> {
        parse(bytes, Bearer::Bucket(bucket))
    }

    /// Reads the policy of a user.
    pub fn of_user(bytes: &[u8]) -> Result<Policy, MalformedPolicy> {
        parse(bytes, Bearer::User)
    }
}

fn parse(bytes: &[u8], bearer: Bearer<'_>) -> Result<Policy, MalformedPolicy> {
    if bytes.len() > DOCUMENT_LEN_MAX {
        return malformed("Policy exceeds the maximum allowed document size.");
    }
    let not_json = "Policies must be valid JSON and the first byte must be '{'";
    if bytes.first() != Some(&b'{') {
        return malformed(not_json);
    }
    let json = Json::parse(bytes).map_err(|err| {
        MalformedPolicy(match err {
            BadJson::Syntax => not_json.to_owned(),
            BadJson::Duplicate => "Policies must not have a field twice".to_owned(),
        })
    })?;
    let Json::Object(members) = json else { return malformed(not_json) };
    let mut statements = None;
    // AWS: what has no version follows the older one.
    let mut variables = false;
    for (name, value) in &members {
        match (name.as_str(), value) {
            ("Version", Json::Text(version)) if version == "2012-10-17" => variables = true,
            ("Version", Json::Text(version)) if version == "2008-10-17" => {}
            ("Version", _) => return malformed("The policy must contain a valid version string"),
            ("Id", Json::Text(_)) => {}
            ("Id", _) => return malformed("Invalid policy id"),
            ("Statement", Json::List(_) | Json::Object(_)) => statements = Some(value.elements()),
            ("Statement", _) => return malformed("Invalid policy statement"),
            _ => return malformed(format!("Unknown field {name}")),
        }
    }
    let Some(statements) = statements else { return malformed("Missing required field Statement") };
    if statements.is_empty() {
        return malformed("Could not parse the policy: Statement is empty!");
    }
    let mut reader = Reader { bearer, variables, keys: KeyNames::default(), sids: HashSet::new() };
    let statements = statements.iter().map(|json| reader.statement(json)).collect::<Result<_, _>>()?;
    Ok(Policy { statements, keys: reader.keys })
}

struct Reader<'a> {
    bearer: Bearer<'a>,
    variables: bool,
    keys: KeyNames,
    sids: HashSet<String>,
}

/// The members of a statement, each at most once.
#[derive(Default)]
struct Members<'j> {
    effect: Option<&'j Json>,
    who: Option<(bool, &'j Json)>,
    actions: Option<(bool, &'j Json)>,
    resources: Option<(bool, &'j Json)>,
    condition: Option<&'j Json>,
}

impl Reader<'_> {
    fn statement(&mut self, json: &Json) -> Result<Statement, MalformedPolicy> {
        let members = self.members(json)?;
        let effect = match members.effect {
            None => return malformed("Missing required field Effect"),
            Some(Json::Text(text)) if text == "Allow" => Effect::Allow,
            Some(Json::Text(text)) if text == "Deny" => Effect::Deny,
            Some(other) => {
                return malformed(format!("Invalid effect: {}", other.scalar().unwrap_or_default()));
            }
        };
        let who = self.who(effect, members.who)?;
        let Some(actions) = members.actions else { return malformed("Missing required field Action") };
        let Some(resources) = members.resources else { return malformed("Missing required field Resource") };
        let (patterns, kinds) = self.resources(resources.1)?;
        let actions = self.actions(actions, if resources.0 { None } else { kinds })?;
        let conditions = match members.condition {
            None => Vec::new(),
            Some(json) => self.conditions(json)?,
        };
        let resources = Resources { patterns, negated: resources.0 };
        Ok(Statement { effect, who, actions, resources, conditions })
    }

    fn members<'j>(&mut self, json: &'j Json) -> Result<Members<'j>, MalformedPolicy> {
        let Json::Object(pairs) = json else { return malformed("Invalid policy statement") };
        let mut members = Members::default();
        for (name, value) in pairs {
            let slot = match name.as_str() {
                "Sid" => match value {
                    Json::Text(sid) if self.sids.insert(sid.clone()) || sid.is_empty() => continue,
                    Json::Text(_) => {
                        return malformed("Statement IDs (SID) in a single policy must be unique.");
                    }
                    _ => return malformed("Invalid statement id"),
                },
                "Effect" => {
                    members.effect = Some(value);
                    continue;
                }
                "Condition" => {
                    members.condition = Some(value);
                    continue;
                }
                "Principal" | "NotPrincipal" => &mut members.who,
                "Action" | "NotAction" => &mut members.actions,
                "Resource" | "NotResource" => &mut members.resources,
                _ => return malformed(format!("Unknown field {name}")),
            };
            if slot.replace((name.starts_with("Not"), value)).is_some() {
                let name = name.trim_start_matches("Not");
                return malformed(format!("A statement must not have both {name} and Not{name}"));
            }
        }
        Ok(members)
    }

    fn who(&self, effect: Effect, member: Option<(bool, &Json)>) -> Result<Who, MalformedPolicy> {
        let (negated, json) = match (self.bearer, member) {
            (Bearer::Bucket(_), Some(member)) => member,
            (Bearer::Bucket(_), None) => return malformed("Missing required field Principal"),
            (Bearer::User, None) => return Ok(Who::Bearer),
            (Bearer::User, Some(_)) => return malformed("A user's policy should not specify a principal."),
        };
        // Everybody who is not listed would be let in, nobody in particular too.
        if negated && effect == Effect::Allow {
            return malformed("Allow with NotPrincipal is not allowed.");
        }
        match Principals::parse(json) {
            Ok(principals) if negated => Ok(Who::IsNot(principals)),
            Ok(principals) => Ok(Who::Is(principals)),
            Err(_) => malformed("Invalid principal in policy"),
        }
    }

    /// `kinds`: what the statement's resources are, if each action has to be about one of them.
    fn actions(
        &self,
        (negated, json): (bool, &Json),
        kinds: Option<Kinds>,
    ) -> Result<Actions, MalformedPolicy> {
        let mut all = Actions::NONE;
        for text in texts(json, "Policy has invalid action")? {
            let actions = Actions::matching(text);
            let is_foreign = matches!(self.bearer, Bearer::User) && is_action_of_other_service(text);
            if actions.is_empty() && !is_foreign {
                return malformed("Policy has invalid action");
            }
            if !negated
                && kinds.is_some_and(|kinds| !actions.iter().any(|action| kinds.include(action.kind())))
            {
                return malformed("Action does not apply to any resource(s) in statement");
            }
            all = all.union(actions);
        }
        Ok(if negated { all.complement() } else { all })
    }

    fn resources(&mut self, json: &Json) -> Result<(Vec<Pattern>, Option<Kinds>), MalformedPolicy> {
        const INVALID: &str = "Policy has invalid resource";
        let syntax = Syntax { wildcards: true, variables: self.variables };
        let mut patterns = Vec::new();
        let mut kinds = Kinds::default();
        for text in texts(json, INVALID)? {
            let name = match (text.strip_prefix(ARN_PREFIX), self.bearer) {
                (Some(name), _) if !name.is_empty() => name,
                (None, Bearer::User) if text == "*" => text,
                // About something of another service.
                (None, Bearer::User) if text.starts_with("arn:") => continue,
                _ => return malformed(INVALID),
            };
            let pattern = Pattern::parse(name, syntax, &mut self.keys);
            let pattern = pattern.map_err(|_| MalformedPolicy(INVALID.to_owned()))?;
            if let Bearer::Bucket(bucket) = self.bearer {
                let found = Kinds {
                    bucket: pattern.may_match(bucket),
                    object: pattern.may_match_below(&format!("{bucket}/")),
                };
                if found == Kinds::default() {
                    return malformed(INVALID);
                }
                kinds = Kinds { bucket: kinds.bucket | found.bucket, object: kinds.object | found.object };
            }
            patterns.push(pattern);
        }
        Ok((patterns, matches!(self.bearer, Bearer::Bucket(_)).then_some(kinds)))
    }

    fn conditions(&mut self, json: &Json) -> Result<Vec<Condition>, MalformedPolicy> {
        let Json::Object(operators) = json else { return malformed("Invalid Condition") };
        let mut conditions = Vec::new();
        for (name, keys) in operators {
            let Some(operator) = Operator::parse(name) else {
                return malformed(format!("Invalid Condition type : {name}"));
            };
            let Json::Object(keys) = keys else { return malformed("Invalid Condition") };
            // A name in two cases is the same key.
            let mut seen = HashSet::new();
            for (key, values) in keys {
                if !is_key(key, self.bearer) {
                    return malformed("Policy has an invalid condition key");
                }
                if !seen.insert(key.to_ascii_lowercase()) {
                    return malformed("Policies must not have a field twice");
                }
                let operands = self.operands(operator.comparison, values)?;
                conditions.push(Condition { operator, key: self.keys.index(key), operands });
            }
        }
        Ok(conditions)
    }

    fn operands(&mut self, comparison: Comparison, json: &Json) -> Result<Vec<Operand>, MalformedPolicy> {
        let invalid = || MalformedPolicy("Policy has an invalid condition value".to_owned());
        let values = json.elements();
        if values.is_empty() {
            return Err(invalid());
        }
        let operand = |value: &Json| {
            let text = value.scalar().ok_or_else(invalid)?;
            Operand::parse(&text, comparison, self.variables, &mut self.keys).map_err(|_| invalid())
        };
        values.iter().map(operand).collect()
    }
}

/// What the resources of a statement are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Kinds {
    bucket: bool,
    object: bool,
}

impl Kinds {
    fn include(self, kind: ResourceKind) -> bool {
        match kind {
            ResourceKind::Service => false,
            ResourceKind::Bucket => self.bucket,
            ResourceKind::Object => self.object,
        }
    }
}

/// A text, or a list of one or more.
fn texts<'j>(json: &'j Json, message: &str) -> Result<Vec<&'j str>, MalformedPolicy> {
    let as_text = |element: &'j Json| match element {
        Json::Text(text) => Ok(text.as_str()),
        _ => malformed(message),
    };
    let texts: Vec<&str> = json.elements().iter().map(as_text).collect::<Result<_, _>>()?;
    if texts.is_empty() { malformed(message) } else { Ok(texts) }
}

fn is_action_of_other_service(text: &str) -> bool {
    text.split_once(':').is_some_and(|(service, action)| {
        !service.is_empty() && !action.is_empty() && !service.eq_ignore_ascii_case("s3")
    })
}

/// Keys of S3 that are no request header's; a misspelt one would never be what its author meant.
const S3_KEYS: [&str; 32] = [
    "s3:accessgrantsinstancearn",
    "s3:accesspointnetworkorigin",
    "s3:authtype",
    "s3:bucketobjectlockenabled",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:delimiter",
    "s3:existingobjectmetadata",
    "s3:if-match",
    "s3:if-none-match",
    "s3:inventoryaccessibleoptionalfields",
    "s3:isreplicationpauserequest",
    "s3:locationconstraint",
    "s3:max-keys",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-remaining-retention-days",
    "s3:object-lock-retain-until-date",
    "s3:objectcreationoperation",
    "s3:prefix",
    "s3:requestobjecttagkeys",
    "s3:resourceaccount",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-copy-source",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-object-ownership",
    "s3:x-amz-storage-class",
    "s3:x-amz-website-redirect-location",
];

fn is_key(name: &str, bearer: Bearer<'_>) -> bool {
    let name = name.to_ascii_lowercase();
    let Some((service, rest)) = name.split_once(':') else { return false };
    match service {
        _ if rest.is_empty() => false,
        // What AWS knows and we do not is a key that no request has.
        "aws" => true,
        "s3" => {
            S3_KEYS.contains(&name.as_str())
                || rest.starts_with("x-amz-")
                || ["existingobjecttag/", "requestobjecttag/", "buckettag/"]
                    .iter()
                    .any(|prefix| rest.strip_prefix(prefix).is_some_and(|tag| !tag.is_empty()))
        }
        _ => matches!(bearer, Bearer::User),
    }
}
