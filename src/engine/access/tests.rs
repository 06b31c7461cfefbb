//! Policies as their authors write them, and what becomes of them.

use super::*;
use std::collections::HashMap;

const BUCKET: &str = "bucket";
const OWNER: &str = "owner-id";

/// A request that has these keys.
struct Has(HashMap<String, Vec<String>>);

impl Facts for Has {
    fn values(&self, key: &str) -> Option<Vec<String>> {
        assert_eq!(key, key.to_ascii_lowercase());
        self.0.get(key).cloned()
    }
}

fn has(pairs: &[(&str, &[&str])]) -> Has {
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    Has(pairs.iter().map(|(key, list)| ((*key).to_owned(), values(list))).collect())
}

fn policy(text: &str) -> Policy {
    Policy::of_bucket(text.as_bytes(), BUCKET).unwrap_or_else(|err| panic!("{err}: {text}"))
}

fn user(account: &str) -> Principal<'_> {
    Principal::User(User { account, name: account, policy: None })
}

fn object(key: &str) -> Resource<'_> {
    Resource { bucket: BUCKET, key: Some(key) }
}

/// A policy that allows everybody to get every object if this holds.
fn on_condition(condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
        "Resource":"arn:aws:s3:::bucket/*","Condition":{condition}}}}}"#
    )
}

fn holds(condition: &str, facts: &Has) -> bool {
    let verdict = policy(&on_condition(condition)).judge(user("x"), Action::GetObject, object("key"), facts);
    verdict == Verdict::Allows
}

#[test]
fn every_operator_as_its_documentation_has_it() {
    let facts = has(&[
        ("s3:prefix", &["Home/ann"]),
        ("s3:max-keys", &["10"]),
        ("aws:currenttime", &["2026-01-01T00:00:00Z"]),
        ("aws:epochtime", &["1767225600"]),
        ("aws:securetransport", &["false"]),
        ("aws:sourceip", &["203.0.113.9"]),
        ("aws:principalarn", &["arn:aws:iam::1234:user/ann"]),
        ("aws:username", &["ann"]),
        ("s3:requestobjecttagkeys", &["a", "b"]),
    ]);
    // Operator, key, value that it is true of, value that it is false of.
    let table = [
        ("StringEquals", "s3:prefix", r#""Home/ann""#, r#""home/ann""#),
        ("StringEquals", "s3:prefix", r#"["x","Home/ann"]"#, r#"["x","y"]"#),
        ("StringEquals", "s3:prefix", r#""Home/${aws:username}""#, r#""Home/*""#),
        ("StringNotEquals", "s3:prefix", r#"["x","y"]"#, r#"["x","Home/ann"]"#),
        ("StringEqualsIgnoreCase", "s3:prefix", r#""hOME/ANN""#, r#""home""#),
        ("StringNotEqualsIgnoreCase", "s3:prefix", r#""home""#, r#""hOME/ANN""#),
        ("StringLike", "s3:prefix", r#""Home/*""#, r#""home/*""#),
        ("StringLike", "s3:prefix", r#""Home/a?n""#, r#""Home/?nn?""#),
        ("StringLike", "s3:prefix", r#""*/${aws:username}""#, r#""*/${aws:missing}""#),
        ("StringNotLike", "s3:prefix", r#""home/*""#, r#""Home/*""#),
        ("NumericEquals", "s3:max-keys", r#""10.0""#, "11"),
        ("NumericNotEquals", "s3:max-keys", "11", "10"),
        ("NumericLessThan", "s3:max-keys", "11", "10"),
        ("NumericLessThanEquals", "s3:max-keys", "10", "9"),
        ("NumericGreaterThan", "s3:max-keys", "9", "10"),
        ("NumericGreaterThanEquals", "s3:max-keys", "10", "11"),
        ("DateEquals", "aws:CurrentTime", r#""2026-01-01T00:00:00Z""#, r#""2026-01-02T00:00:00Z""#),
        ("DateNotEquals", "aws:CurrentTime", r#""2026-01-02""#, r#""2026-01-01""#),
        ("DateLessThan", "aws:CurrentTime", r#""2026-01-01T00:00:01Z""#, r#""2026-01-01""#),
        ("DateLessThanEquals", "aws:EpochTime", "1767225600", "1767225599"),
        ("DateGreaterThan", "aws:CurrentTime", r#""2025-12-31""#, r#""2026-01-01""#),
        ("DateGreaterThanEquals", "aws:CurrentTime", "1767225600", "1767225601"),
        ("Bool", "aws:SecureTransport", "false", r#""true""#),
        ("Bool", "aws:SecureTransport", r#""FALSE""#, "true"),
        ("BinaryEquals", "s3:prefix", r#""Home/ann""#, r#""home/ann""#),
        ("IpAddress", "aws:SourceIp", r#""203.0.113.0/24""#, r#""203.0.114.0/24""#),
        ("IpAddress", "aws:SourceIp", r#"["10.0.0.0/8","203.0.113.9"]"#, r#""2001:db8::/32""#),
        ("NotIpAddress", "aws:SourceIp", r#""203.0.114.0/24""#, r#""203.0.113.9/32""#),
        ("ArnEquals", "aws:PrincipalArn", r#""arn:aws:iam::*:user/ann""#, r#""arn:aws:iam::*""#),
        ("ArnLike", "aws:PrincipalArn", r#""arn:aws:iam::1234:user/a*""#, r#""arn:aws:iam::12:user/a*""#),
        (
            "ArnNotEquals",
            "aws:PrincipalArn",
            r#""arn:aws:iam::12:user/ann""#,
            r#""arn:aws:iam::1234:user/ann""#,
        ),
        ("ArnNotLike", "aws:PrincipalArn", r#""arn:aws:iam::12:*""#, r#""arn:aws:iam::1234:*""#),
        ("Null", "s3:delimiter", "true", "false"),
        ("Null", "s3:prefix", r#""false""#, r#""true""#),
        // A key of several values.
        ("ForAnyValue:StringEquals", "s3:RequestObjectTagKeys", r#"["b","c"]"#, r#""c""#),
        ("ForAllValues:StringEquals", "s3:RequestObjectTagKeys", r#"["a","b","c"]"#, r#"["a","c"]"#),
        ("ForAllValues:StringNotEquals", "s3:RequestObjectTagKeys", r#""c""#, r#""a""#),
        ("ForAnyValue:StringNotEquals", "s3:RequestObjectTagKeys", r#""a""#, r#"["a","b"]"#),
        ("ForAllValues:StringLike", "s3:RequestObjectTagKeys", r#""?""#, r#""a*""#),
        ("StringEquals", "s3:RequestObjectTagKeys", r#""b""#, r#""c""#),
        // A key that is there is compared.
        ("StringEqualsIfExists", "s3:prefix", r#""Home/ann""#, r#""x""#),
        ("NumericLessThanIfExists", "s3:max-keys", "11", "10"),
        ("ForAnyValue:StringLikeIfExists", "s3:RequestObjectTagKeys", r#""b*""#, r#""c*""#),
    ];
    for (operator, key, fits, fits_not) in table {
        for (value, expected) in [(fits, true), (fits_not, false)] {
            let condition = format!(r#"{{"{operator}":{{"{key}":{value}}}}}"#);
            assert_eq!(holds(&condition, &facts), expected, "{condition}");
        }
    }
}

#[test]
fn a_key_that_is_absent() {
    let nothing = has(&[]);
    let table = [
        ("StringEquals", r#""x""#, false),
        ("StringNotEquals", r#""x""#, true),
        ("StringLike", r#""*""#, false),
        ("StringNotLike", r#""*""#, true),
        ("StringEqualsIgnoreCase", r#""x""#, false),
        ("NumericLessThan", "1", false),
        ("NumericNotEquals", "1", true),
        ("DateGreaterThan", r#""2026-01-01""#, false),
        ("Bool", "false", false),
        ("IpAddress", r#""0.0.0.0/0""#, false),
        ("NotIpAddress", r#""0.0.0.0/0""#, true),
        ("ArnLike", r#""*""#, false),
        ("ArnNotLike", r#""*""#, true),
        ("Null", "true", true),
        ("StringEqualsIfExists", r#""x""#, true),
        ("BoolIfExists", "true", true),
        ("StringNotLikeIfExists", r#""*""#, true),
        ("ForAllValues:StringEquals", r#""x""#, true),
        ("ForAnyValue:StringEquals", r#""x""#, false),
        ("ForAnyValue:StringNotEquals", r#""x""#, false),
        ("ForAnyValue:StringEqualsIfExists", r#""x""#, true),
    ];
    for (operator, value, expected) in table {
        let condition = format!(r#"{{"{operator}":{{"aws:anything":{value}}}}}"#);
        assert_eq!(holds(&condition, &nothing), expected, "{condition}");
    }
}

#[test]
fn all_operators_and_keys_of_a_condition_have_to_hold() {
    let facts = has(&[("s3:prefix", &["a"]), ("s3:delimiter", &["/"])]);
    let table = [
        (r#"{"StringEquals":{"s3:prefix":"a","s3:delimiter":"/"}}"#, true),
        (r#"{"StringEquals":{"s3:prefix":"a","s3:delimiter":"x"}}"#, false),
        (r#"{"StringEquals":{"s3:prefix":"a"},"StringLike":{"s3:delimiter":"?"}}"#, true),
        (r#"{"StringEquals":{"S3:PREFIX":"a"},"StringLike":{"s3:delimiter":"??"}}"#, false),
        (r#"{}"#, true),
    ];
    for (condition, expected) in table {
        assert_eq!(holds(condition, &facts), expected, "{condition}");
    }
}

#[test]
fn which_principals_actions_and_resources_a_statement_is_about() {
    // The statement without its effect; caller, action and key; whether it is about them.
    let table = [
        (
            r#""Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::bucket/*""#,
            "ann",
            Action::GetObject,
            "a",
            true,
        ),
        (
            r#""Principal":{"AWS":"ann"},"Action":"*","Resource":"arn:aws:s3:::bucket/a*""#,
            "ann",
            Action::PutObject,
            "ab",
            true,
        ),
        (
            r#""Principal":{"AWS":"ann"},"Action":"*","Resource":"arn:aws:s3:::bucket/a*""#,
            "bob",
            Action::PutObject,
            "ab",
            false,
        ),
        (
            r#""Principal":{"AWS":"ann"},"Action":"*","Resource":"arn:aws:s3:::bucket/a*""#,
            "ann",
            Action::PutObject,
            "b",
            false,
        ),
        (
            r#""NotPrincipal":{"AWS":"ann"},"Action":"*","Resource":"arn:aws:s3:::bucket/*""#,
            "ann",
            Action::GetObject,
            "a",
            false,
        ),
        (
            r#""NotPrincipal":{"AWS":"ann"},"Action":"*","Resource":"arn:aws:s3:::bucket/*""#,
            "bob",
            Action::GetObject,
            "a",
            true,
        ),
        (
            r#""Principal":"*","NotAction":"s3:Get*","Resource":"arn:aws:s3:::bucket/*""#,
            "ann",
            Action::GetObject,
            "a",
            false,
        ),
        (
            r#""Principal":"*","NotAction":"s3:Get*","Resource":"arn:aws:s3:::bucket/*""#,
            "ann",
            Action::DeleteObject,
            "a",
            true,
        ),
        (
            r#""Principal":"*","Action":"s3:*","NotResource":"arn:aws:s3:::bucket/a/*""#,
            "ann",
            Action::GetObject,
            "a/b",
            false,
        ),
        (
            r#""Principal":"*","Action":"s3:*","NotResource":"arn:aws:s3:::bucket/a/*""#,
            "ann",
            Action::GetObject,
            "b",
            true,
        ),
        (
            r#""Principal":"*","Action":["s3:ListBucket","s3:PutObject"],"Resource":["arn:aws:s3:::bucket","arn:aws:s3:::bucket/x"]"#,
            "ann",
            Action::PutObject,
            "x",
            true,
        ),
        (
            r#""Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/x/../y""#,
            "ann",
            Action::GetObject,
            "y",
            false,
        ),
        (
            r#""Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/A""#,
            "ann",
            Action::GetObject,
            "a",
            false,
        ),
    ];
    for (statement, caller, action, key, expected) in table {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny",{statement}}}]}}"#);
        let verdict = policy(&text).judge(user(caller), action, object(key), &has(&[]));
        assert_eq!(verdict == Verdict::Denies, expected, "{statement}");
    }
}

#[test]
fn a_denial_wins_wherever_it_stands() {
    let allow = r#"{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::bucket/*"}"#;
    let deny =
        r#"{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/no*"}"#;
    for statements in [format!("{allow},{deny}"), format!("{deny},{allow}")] {
        let policy = policy(&format!(r#"{{"Statement":[{statements}]}}"#));
        let judge = |action, key| policy.judge(Principal::Anonymous, action, object(key), &has(&[]));
        assert_eq!(judge(Action::GetObject, "no"), Verdict::Denies);
        assert_eq!(judge(Action::GetObject, "yes"), Verdict::Allows);
        assert_eq!(judge(Action::PutObject, "no"), Verdict::Allows);
        let bucket = Resource { bucket: BUCKET, key: None };
        let list = policy.judge(Principal::Anonymous, Action::ListBucket, bucket, &has(&[]));
        assert_eq!(list, Verdict::Silent);
    }
}

#[test]
fn the_older_version_has_no_variables() {
    let facts = has(&[("s3:prefix", &["${aws:username}"]), ("aws:username", &["ann"])]);
    for version in [r#""Version":"2008-10-17","#, ""] {
        let text = format!(
            r#"{{{version}"Statement":{{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket",
            "Resource":"arn:aws:s3:::bucket","Condition":{{"StringEquals":{{"s3:prefix":"${{aws:username}}"}}}}}}}}"#
        );
        let bucket = Resource { bucket: BUCKET, key: None };
        let verdict = policy(&text).judge(user("ann"), Action::ListBucket, bucket, &facts);
        assert_eq!(verdict, Verdict::Allows);
    }
}

#[test]
fn what_is_no_policy() {
    let valid =
        r#""Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*""#;
    let with = |from: &str, to: &str| {
        assert!(valid.contains(from));
        format!(r#"{{"Statement":[{{{}}}]}}"#, valid.replace(from, to))
    };
    let condition = |condition: &str| on_condition(condition);
    let json = "Policies must be valid JSON and the first byte must be '{'";
    let table = [
        (String::new(), json),
        (r#" {"Statement":[]}"#.into(), json),
        ("[]".into(), json),
        ("{".into(), json),
        ("{} x".into(), json),
        ("{}".into(), "Missing required field Statement"),
        (r#"{"Statement":[]}"#.into(), "Statement is empty"),
        (r#"{"Statement":[1]}"#.into(), "Invalid policy statement"),
        (r#"{"Statement":"x"}"#.into(), "Invalid policy statement"),
        (r#"{"Version":"2012","Statement":[]}"#.into(), "valid version string"),
        (r#"{"statement":[]}"#.into(), "Unknown field statement"),
        (r#"{"Id":1,"Statement":[]}"#.into(), "Invalid policy id"),
        (r#"{"Statement":[],"Statement":[]}"#.into(), "twice"),
        (with(r#""Effect":"Allow","#, ""), "Missing required field Effect"),
        (with("Allow", "allow"), "Invalid effect: allow"),
        (with(r#""Principal":"*","#, ""), "Missing required field Principal"),
        (with(r#""Principal":"*""#, r#""Principal":"ann""#), "Invalid principal in policy"),
        (with(r#""Principal":"*""#, r#""NotPrincipal":{"AWS":"ann"}"#), "NotPrincipal is not allowed"),
        (
            with(r#""Principal":"*""#, r#""Principal":"*","NotPrincipal":"*""#),
            "both Principal and NotPrincipal",
        ),
        (with(r#""Action":"s3:GetObject","#, ""), "Missing required field Action"),
        (with("s3:GetObject", "s3:GetObjekt"), "Policy has invalid action"),
        (with("s3:GetObject", "ec2:*"), "Policy has invalid action"),
        (with(r#""s3:GetObject""#, "[]"), "Policy has invalid action"),
        (with(r#""s3:GetObject""#, "1"), "Policy has invalid action"),
        (with("s3:GetObject", "s3:ListBucket"), "Action does not apply to any resource(s) in statement"),
        (with(r#""s3:GetObject""#, r#"["s3:Get*","s3:ListBucket"]"#), "Action does not apply"),
        (with("s3:GetObject", "s3:ListAllMyBuckets"), "Action does not apply"),
        (with("bucket/*", "bucket"), "Action does not apply"),
        (with(r#","Resource":"arn:aws:s3:::bucket/*""#, ""), "Missing required field Resource"),
        (with("arn:aws:s3:::bucket/*", "arn:aws:s3:::other/*"), "Policy has invalid resource"),
        (with("arn:aws:s3:::bucket/*", "arn:aws:s3:::buckets/*"), "Policy has invalid resource"),
        (with("arn:aws:s3:::bucket/*", "*"), "Policy has invalid resource"),
        (with("arn:aws:s3:::bucket/*", "bucket/*"), "Policy has invalid resource"),
        (with("arn:aws:s3:::bucket/*", "arn:aws:s3:::"), "Policy has invalid resource"),
        (with(r#""Effect""#, r#""Sid":1,"Effect""#), "Invalid statement id"),
        (with(r#""Effect""#, r#""effect":1,"Effect""#), "Unknown field effect"),
        (condition(r#"{"StringMatches":{"s3:prefix":"a"}}"#), "Invalid Condition type : StringMatches"),
        (condition(r#"{"stringequals":{"s3:prefix":"a"}}"#), "Invalid Condition type"),
        (condition(r#"{"NullIfExists":{"s3:prefix":"true"}}"#), "Invalid Condition type"),
        (condition(r#"{"ForSomeValues:Bool":{"s3:prefix":"true"}}"#), "Invalid Condition type"),
        (condition(r#"{"StringEquals":{"s3:prefixx":"a"}}"#), "invalid condition key"),
        (condition(r#"{"StringEquals":{"prefix":"a"}}"#), "invalid condition key"),
        (condition(r#"{"StringEquals":{"ec2:a":"a"}}"#), "invalid condition key"),
        (condition(r#"{"StringEquals":{"s3:ExistingObjectTag/":"a"}}"#), "invalid condition key"),
        (condition(r#"{"StringEquals":{"s3:prefix":"a","S3:prefix":"b"}}"#), "twice"),
        (condition(r#"{"StringEquals":{"s3:prefix":[]}}"#), "invalid condition value"),
        (condition(r#"{"StringEquals":{"s3:prefix":{}}}"#), "invalid condition value"),
        (condition(r#"{"StringEquals":{"s3:prefix":"${aws:username"}}"#), "invalid condition value"),
        (condition(r#"{"IpAddress":{"aws:SourceIp":"localhost"}}"#), "invalid condition value"),
        (condition(r#"{"NumericEquals":{"s3:max-keys":"ten"}}"#), "invalid condition value"),
        (condition(r#"{"DateEquals":{"aws:CurrentTime":"now"}}"#), "invalid condition value"),
        (condition(r#"{"Bool":{"aws:SecureTransport":"yes"}}"#), "invalid condition value"),
        (condition(r#"["StringEquals"]"#), "Invalid Condition"),
        (
            format!(r#"{{"Id":"{}","Statement":[{{{valid}}}]}}"#, "x".repeat(DOCUMENT_LEN_MAX)),
            "maximum allowed document size",
        ),
        (format!(r#"{{"Statement":[{{"Sid":"a",{valid}}},{{"Sid":"a",{valid}}}]}}"#), "must be unique"),
    ];
    for (text, message) in table {
        let err = Policy::of_bucket(text.as_bytes(), BUCKET).expect_err(&text);
        assert!(err.0.contains(message), "{err}: {text}");
    }
}

#[test]
fn what_is_a_policy_all_the_same() {
    for text in [
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::*","arn:aws:s3:::*/*"]}}"#,
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"]}}"#,
        r#"{"Statement":{"Effect":"Deny","Principal":"*","NotAction":"s3:ListBucket","Resource":"arn:aws:s3:::bucket/*"}}"#,
        r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:ListBucket","NotResource":"arn:aws:s3:::bucket/*"}}"#,
        r#"{"Id":"","Statement":[{"Sid":"","Effect":"Deny","Principal":"*","Action":"*","Resource":"arn:aws:s3:::bucket*"},
            {"Sid":"","Effect":"Deny","Principal":"*","Action":"*","Resource":"arn:aws:s3:::b?cket/${aws:username}/*"}]}"#,
    ] {
        policy(text);
    }
}

#[test]
fn which_policies_are_public() {
    let table = [
        (r#""Effect":"Allow","Principal":"*""#, true),
        (r#""Effect":"Allow","Principal":{"AWS":"*"}"#, true),
        (r#""Effect":"Deny","Principal":"*""#, false),
        (r#""Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1234:root"}"#, false),
        (r#""Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"}"#, false),
    ];
    let about = r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*""#;
    for (who, expected) in table {
        let text = format!(r#"{{"Statement":[{{{who},{about}}}]}}"#);
        assert_eq!(policy(&text).is_public(), expected, "{who}");
    }
    let conditions = [
        (r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/32"}}"#, false),
        (r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, false),
        (r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","0.0.0.0/1"]}}"#, true),
        (r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, true),
        (r#"{"IpAddressIfExists":{"aws:SourceIp":"203.0.113.0/24"}}"#, true),
        (r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#, false),
        (r#"{"StringLike":{"aws:SourceVpc":"vpc-*"}}"#, true),
        (r#"{"ForAllValues:StringEquals":{"aws:SourceVpc":"vpc-1"}}"#, true),
        (r#"{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}"#, true),
        (r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::1234:user/ann"}}"#, false),
        (r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::1234:user/*"}}"#, true),
        (r#"{"StringEquals":{"aws:UserId":"${aws:username}"}}"#, true),
        (r#"{"StringEquals":{"s3:prefix":"a"}}"#, true),
        (r#"{"StringEquals":{"aws:Referer":"https://example.com"}}"#, true),
        (r#"{"Null":{"aws:SourceVpc":"false"}}"#, true),
    ];
    for (condition, expected) in conditions {
        assert_eq!(policy(&on_condition(condition)).is_public(), expected, "{condition}");
    }
}

/// What a bucket's policy, a caller's own, and who the caller is come to.
#[test]
fn the_decision() {
    use Decision::{Allowed, Denied, UpToAcl};
    let silent = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*"}}"#;
    let allow = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}}"#;
    let deny = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}}"#;
    let of_user = |effect: &str| {
        let text = format!(
            r#"{{"Statement":{{"Effect":"{effect}","Action":["s3:GetObject","ec2:*"],"Resource":"*"}}}}"#
        );
        Policy::of_user(text.as_bytes()).unwrap()
    };
    let (may, may_not) = (of_user("Allow"), of_user("Deny"));
    let nothing = Policy::of_user(
        br#"{"Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::x/*"}}"#,
    )
    .unwrap();
    let with = |account, policy| Principal::User(User { account, name: "name", policy });
    let table = [
        // Caller, then without a policy of the bucket and with each.
        (user(OWNER), [Allowed, Allowed, Allowed, Denied]),
        (with(OWNER, Some(&may)), [Allowed, Allowed, Allowed, Denied]),
        (with(OWNER, Some(&nothing)), [Denied, Denied, Allowed, Denied]),
        (with(OWNER, Some(&may_not)), [Denied, Denied, Denied, Denied]),
        (user("other"), [UpToAcl, UpToAcl, Allowed, Denied]),
        (with("other", Some(&may)), [UpToAcl, UpToAcl, Allowed, Denied]),
        (with("other", Some(&nothing)), [Denied, Denied, Denied, Denied]),
        (with("other", Some(&may_not)), [Denied, Denied, Denied, Denied]),
        (Principal::Anonymous, [UpToAcl, UpToAcl, Allowed, Denied]),
    ];
    let facts = has(&[]);
    for (principal, expected) in table {
        let question = Question {
            principal,
            action: Action::GetObject,
            resource: object("key"),
            owner: OWNER,
            facts: &facts,
        };
        let policies = [None, Some(silent), Some(allow), Some(deny)];
        let found = policies.map(|text| decide(&question, &BucketAccess::of(text, false, None)));
        assert_eq!(found, expected, "{principal:?}");
    }
}

#[test]
fn a_restricted_bucket_lets_in_its_owners_account_alone() {
    let block =
        crate::meta::records::PublicAccessBlockRecord { restrict_public_buckets: true, ..Default::default() };
    let allow = |who: &str| {
        format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{who},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}}}}"#
        )
    };
    let facts = has(&[]);
    let decide_for = |who: &str, principal| {
        let question = Question {
            principal,
            action: Action::GetObject,
            resource: object("key"),
            owner: OWNER,
            facts: &facts,
        };
        decide(&question, &BucketAccess::of(Some(&allow(who)), false, Some(block)))
    };
    assert_eq!(decide_for(r#""*""#, user("ann")), Decision::UpToAcl);
    assert_eq!(decide_for(r#""*""#, Principal::Anonymous), Decision::UpToAcl);
    assert_eq!(decide_for(r#""*""#, user(OWNER)), Decision::Allowed);
    assert_eq!(decide_for(r#"{"AWS":"ann"}"#, user("ann")), Decision::Allowed);
}

#[test]
fn the_owner_reaches_the_policy_whatever_it_says() {
    let deny = r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"]}}"#;
    let facts = has(&[]);
    let nothing = Policy::default();
    let sub_user = Principal::User(User { account: OWNER, name: "sub", policy: Some(&nothing) });
    for (principal, action, bound, expected) in [
        (user(OWNER), Action::DeleteBucketPolicy, false, Decision::Allowed),
        (user(OWNER), Action::GetBucketPolicy, false, Decision::Allowed),
        (user(OWNER), Action::PutBucketPolicy, false, Decision::Allowed),
        (user(OWNER), Action::PutBucketPolicy, true, Decision::Denied),
        (user(OWNER), Action::GetBucketPolicyStatus, false, Decision::Denied),
        (sub_user, Action::PutBucketPolicy, false, Decision::Denied),
        (user("other"), Action::PutBucketPolicy, false, Decision::Denied),
    ] {
        let resource = Resource { bucket: BUCKET, key: None };
        let question = Question { principal, action, resource, owner: OWNER, facts: &facts };
        assert_eq!(
            decide(&question, &BucketAccess::of(Some(deny), bound, None)),
            expected,
            "{action:?} {bound}"
        );
    }
}

/// Examples with a few bytes or words put in, taken out or repeated.
#[test]
fn changed_policies_keep_their_properties() {
    use proptest::prelude::*;
    let examples = [
        on_condition(r#"{"StringLike":{"s3:prefix":["a/*","${aws:username}"]},"Null":{"aws:SourceIp":"true"}}"#),
        on_condition(r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"},"DateLessThan":{"aws:CurrentTime":1}}"#),
        r#"{"Id":"x","Statement":[{"Sid":"1","Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1234:user/ann"},
            "NotAction":"s3:Get*","NotResource":"arn:aws:s3:::bucket/${aws:username, 'x'}/*"}]}"#
            .to_owned(),
    ];
    let words = [
        "*",
        "?",
        "${",
        "}",
        "${aws:username}",
        "\"",
        ",",
        "[]",
        "{}",
        "Not",
        ":",
        "IfExists",
        "ForAllValues:",
    ];
    let change = (any::<prop::sample::Index>(), 0..12_usize, prop::sample::select(words.to_vec()));
    let changes = (prop::sample::select(examples.to_vec()), prop::collection::vec(change, 0..4));
    proptest!(|((example, changes) in changes)| {
        let mut bytes = example.into_bytes();
        for (at, taken, word) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + taken).min(bytes.len());
            bytes.splice(at..end, word.bytes());
        }
        properties::policy(&bytes);
    });
    for example in &examples {
        properties::policy(example.as_bytes());
    }
}
