//! Who asks, and whom a statement is about.

use super::Policy;
use super::json::Json;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Principal<'a> {
    /// Nobody in particular.
    Anonymous,
    User(User<'a>),
}

/// A user, as policies see one.
#[derive(Clone, Copy, Debug)]
pub struct User<'a> {
    /// The canonical id of the account: whoever has it owns what it owns.
    pub account: &'a str,
    pub name: &'a str,
    /// What the user may do at all. Without one, the user is the root of the account and may do everything in it.
    pub policy: Option<&'a Policy>,
}

impl<'a> Principal<'a> {
    /// The canonical id; nobody has none.
    pub fn account(self) -> Option<&'a str> {
        match self {
            Principal::Anonymous => None,
            Principal::User(user) => Some(user.account),
        }
    }
}

impl User<'_> {
    pub fn is_root(&self) -> bool {
        self.policy.is_none()
    }

    /// What `aws:PrincipalArn` says.
    pub fn arn(&self) -> String {
        match self.is_root() {
            true => format!("arn:aws:iam::{}:root", self.account),
            false => format!("arn:aws:iam::{}:user/{}", self.account, self.name),
        }
    }
}

/// Whom a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principals {
    /// `*`: everybody, anonymous callers too.
    Everybody,
    Listed(Vec<Named>),
}

/// One entry of a list of principals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A canonical id or an account number.
    Account(String),
    /// A user; an empty account stands for any, as there is no account but the user's own.
    User { account: String, name: String },
    /// A service, or somebody whom another service vouches for: nobody who can come here.
    Elsewhere,
}

/// A principal that is none.
#[derive(Debug, PartialEq, Eq)]
pub struct BadPrincipal;

impl Principals {
    /// Reads the value of `Principal` or `NotPrincipal`.
    pub fn parse(json: &Json) -> Result<Principals, BadPrincipal> {
        let members = match json {
            Json::Text(text) if text == "*" => return Ok(Principals::Everybody),
            Json::Object(members) if !members.is_empty() => members,
            _ => return Err(BadPrincipal),
        };
        let mut named = Vec::new();
        for (kind, values) in members {
            let values = values.elements();
            if values.is_empty() {
                return Err(BadPrincipal);
            }
            for value in values {
                let Json::Text(value) = value else { return Err(BadPrincipal) };
                match (kind.as_str(), value.as_str()) {
                    ("AWS", "*") => return Ok(Principals::Everybody),
                    ("AWS", value) => named.push(aws(value)?),
                    ("CanonicalUser", value) if is_id(value) => {
                        named.push(Named::Account(value.to_owned()));
                    }
                    ("Service", value) if is_service(value) => named.push(Named::Elsewhere),
                    ("Federated", value) if !value.is_empty() => named.push(Named::Elsewhere),
                    _ => return Err(BadPrincipal),
                }
            }
        }
        Ok(Principals::Listed(named))
    }

    pub fn contains(&self, principal: Principal<'_>) -> bool {
        match (self, principal) {
            (Principals::Everybody, _) => true,
            (Principals::Listed(_), Principal::Anonymous) => false,
            (Principals::Listed(named), Principal::User(user)) => named.iter().any(|named| named.is(&user)),
        }
    }
}

impl Named {
    fn is(&self, user: &User<'_>) -> bool {
        match self {
            Named::Account(account) => account == user.account,
            Named::User { account, name } => {
                (account.is_empty() || account == user.account) && (name == user.name || name == user.account)
            }
            Named::Elsewhere => false,
        }
    }
}

/// An account, its root, or a user of it.
fn aws(text: &str) -> Result<Named, BadPrincipal> {
    let Some(arn) = text.strip_prefix("arn:aws:") else {
        return if is_id(text) { Ok(Named::Account(text.to_owned())) } else { Err(BadPrincipal) };
    };
    let (service, rest) = arn.split_once("::").ok_or(BadPrincipal)?;
    let (account, resource) = rest.split_once(':').ok_or(BadPrincipal)?;
    if !(account.is_empty() || is_id(account)) || resource.contains(['*', '?']) {
        return Err(BadPrincipal);
    }
    let account = account.to_owned();
    match (service, resource.split_once('/')) {
        ("iam", None) if resource == "root" && !account.is_empty() => Ok(Named::Account(account)),
        // Before the name stands a path, which does not matter.
        ("iam", Some(("user", path))) => {
            let name = path.rsplit('/').next().unwrap_or_default();
            if name.is_empty() {
                Err(BadPrincipal)
            } else {
                Ok(Named::User { account, name: name.to_owned() })
            }
        }
        ("iam", Some(("role", name))) if !name.is_empty() => Ok(Named::Elsewhere),
        ("sts", Some(("assumed-role" | "federated-user", name))) if !name.is_empty() => Ok(Named::Elsewhere),
        _ => Err(BadPrincipal),
    }
}

/// Accounts go by canonical ids here, which an operator may choose.
fn is_id(text: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@' | b'+');
    !text.is_empty() && text.bytes().all(is_allowed)
}

fn is_service(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    text.strip_suffix(".amazonaws.com").is_some_and(|name| !name.is_empty() && name.bytes().all(is_allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Principals, BadPrincipal> {
        Principals::parse(&Json::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn whom_a_statement_is_about() {
        // Whether alice (id 1234, root) and bob (id 5678, with a policy) and nobody are meant.
        let table = [
            (r#""*""#, [true, true, true]),
            (r#"{"AWS":"*"}"#, [true, true, true]),
            (r#"{"AWS":["arn:aws:iam::1234:root","*"]}"#, [true, true, true]),
            (r#"{"AWS":"1234"}"#, [true, false, false]),
            (r#"{"AWS":"arn:aws:iam::1234:root"}"#, [true, false, false]),
            (r#"{"AWS":"arn:aws:iam::1234:user/alice"}"#, [true, false, false]),
            (r#"{"AWS":"arn:aws:iam::1234:user/path/alice"}"#, [true, false, false]),
            (r#"{"AWS":"arn:aws:iam:::user/bob"}"#, [false, true, false]),
            (r#"{"AWS":"arn:aws:iam:::user/5678"}"#, [false, true, false]),
            (r#"{"AWS":"arn:aws:iam::1234:user/bob"}"#, [false, false, false]),
            (r#"{"AWS":"arn:aws:iam::1234:role/alice"}"#, [false, false, false]),
            (r#"{"AWS":["1234","5678"]}"#, [true, true, false]),
            (r#"{"CanonicalUser":"5678"}"#, [false, true, false]),
            (r#"{"Service":"logging.s3.amazonaws.com","CanonicalUser":"1234"}"#, [true, false, false]),
        ];
        let policy = Policy::default();
        let callers = [
            Principal::User(User { account: "1234", name: "alice", policy: None }),
            Principal::User(User { account: "5678", name: "bob", policy: Some(&policy) }),
            Principal::Anonymous,
        ];
        for (text, expected) in table {
            let principals = parse(text).unwrap();
            assert_eq!(callers.map(|caller| principals.contains(caller)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_principal() {
        for bad in [
            r#""""#,
            r#""1234""#,
            r#"{}"#,
            r#"[]"#,
            r#"{"AWS":[]}"#,
            r#"{"AWS":""}"#,
            r#"{"AWS":1}"#,
            r#"{"AWS":"arn:aws:iam::1234:user/*"}"#,
            r#"{"AWS":"arn:aws:iam::1234:user/"}"#,
            r#"{"AWS":"arn:aws:iam:::root"}"#,
            r#"{"AWS":"arn:aws:s3:::bucket"}"#,
            r#"{"AWS":"some body"}"#,
            r#"{"CanonicalUser":"*"}"#,
            r#"{"Service":"everything"}"#,
            r#"{"Service":"*"}"#,
            r#"{"Nobody":"*"}"#,
        ] {
            assert_eq!(parse(bad), Err(BadPrincipal), "{bad}");
        }
    }
}
