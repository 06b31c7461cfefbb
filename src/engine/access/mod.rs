//! Who may do what: policies, their evaluation, and the one decision that everything about access goes through.
//!
//! Nothing here knows HTTP: a front end says who asks ([`Principal`]), for which [`Action`] on what, and what else is
//! known of the request ([`Facts`]). Policies are parsed when they are put and kept in memory taken apart.

pub mod acl;
mod action;
mod bucket;
mod condition;
mod grammar;
mod json;
mod keys;
pub mod lists;
mod pattern;
mod policy;
mod principal;
#[cfg(test)]
mod properties;
mod public;
#[cfg(test)]
mod tests;
mod values;

pub use action::{Action, ResourceKind};
pub use bucket::BucketAccess;
pub use grammar::{DOCUMENT_LEN_MAX, MalformedPolicy};
pub use keys::Facts;
pub use policy::{Policy, Resource, Verdict};
pub use principal::{Principal, User};

/// A request, as far as it matters for who may make it.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub principal: Principal<'a>,
    pub action: Action,
    pub resource: Resource<'a>,
    /// The canonical id of who owns the bucket.
    pub owner: &'a str,
    pub facts: &'a dyn Facts,
}

/// Whether a request may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    Denied,
    /// No policy says anything: an access control list may still let the caller in.
    UpToAcl,
}

/// The decision, before access control lists. What is denied anywhere is denied. The owner's root may do all else; a
/// user in the owner's account what its own policy or the bucket's allows; others what the bucket's allows, and their
/// own if they have one.
pub fn decide(question: &Question<'_>, access: &BucketAccess) -> Decision {
    let Question { principal, action, resource, owner, facts } = *question;
    let judge = |policy: &Policy| policy.judge(principal, action, resource, facts);
    let by_bucket = access.policy().map_or(Verdict::Silent, judge);
    let by_user = match principal {
        Principal::User(user) => user.policy.map_or(Verdict::Allows, judge),
        Principal::Anonymous => Verdict::Allows,
    };
    if by_user == Verdict::Denies || (by_bucket == Verdict::Denies && !is_rescue(question, access)) {
        return Decision::Denied;
    }
    if principal.account() == Some(owner) {
        let allowed = by_user == Verdict::Allows || by_bucket == Verdict::Allows;
        return if allowed { Decision::Allowed } else { Decision::Denied };
    }
    match by_bucket {
        _ if by_user != Verdict::Allows => Decision::Denied,
        Verdict::Allows if !access.restricts_others() => Decision::Allowed,
        _ => Decision::UpToAcl,
    }
}

/// What a user's own policy says where there is no bucket's: listing buckets, making one.
pub fn decide_without_bucket(
    principal: Principal<'_>,
    action: Action,
    bucket: &str,
    facts: &dyn Facts,
) -> Decision {
    let resource = Resource { bucket, key: None };
    let allowed = match principal {
        Principal::Anonymous => false,
        Principal::User(user) => match user.policy {
            None => true,
            Some(policy) => policy.judge(principal, action, resource, facts) == Verdict::Allows,
        },
    };
    if allowed { Decision::Allowed } else { Decision::Denied }
}

/// The owner's root can always reach the policy, so that nobody locks a bucket for good by mistake; unless that was
/// confirmed to be no mistake.
fn is_rescue(question: &Question<'_>, access: &BucketAccess) -> bool {
    let is_about_policy = matches!(
        question.action,
        Action::GetBucketPolicy | Action::PutBucketPolicy | Action::DeleteBucketPolicy
    );
    let is_owner = matches!(question.principal, Principal::User(user)
        if user.is_root() && user.account == question.owner);
    is_about_policy && is_owner && !access.owner_is_bound()
}
