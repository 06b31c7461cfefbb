use super::*;
use crate::engine::testing::{Fixture, START_MS};

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}"#;

/// The users of an engine, read anew.
async fn load(fixture: &Fixture, key: u8) -> Users {
    let users = Users::new(&fixture.engine, SealingKey::new(&[key; KEY_LEN]));
    users.load().await.unwrap();
    users
}

fn new(name: &str, policy: Option<&str>) -> NewUser {
    NewUser { name: name.into(), account: "account".into(), policy: policy.map(str::to_owned) }
}

fn names(users: &Users) -> Vec<String> {
    users.all().iter().map(|user| user.name.clone()).collect()
}

#[tokio::test]
async fn changes_are_followed_at_once_and_after_a_restart() {
    let fixture = Fixture::new().await;
    let users = load(&fixture, 1).await;
    users.add(new("bob", Some(POLICY))).await.unwrap();
    users.add(new("ann", None)).await.unwrap();
    let key = users.create_key("bob").await.unwrap();
    assert_eq!((key.id.len(), key.secret.expose().len()), (20, 40));
    for users in [users.clone(), load(&fixture, 1).await] {
        assert_eq!(names(&users), ["ann", "bob"]);
        let found = users.of_key(&key.id).unwrap();
        assert_eq!((found.user.name.as_str(), found.user.account.as_str()), ("bob", "account"));
        assert_eq!(found.secret.expose(), key.secret.expose());
        assert_eq!(found.user.keys, [(key.id.clone(), START_MS)]);
        assert_eq!(found.user.policy_text.as_deref(), Some(POLICY));
    }
    users.revoke_key(&key.id).await.unwrap();
    let second = users.create_key("bob").await.unwrap();
    users.set_policy("bob", None).await.unwrap();
    for users in [users.clone(), load(&fixture, 1).await] {
        assert!(users.of_key(&key.id).is_none());
        assert_eq!(users.of_key(&second.id).unwrap().user.policy_text, None);
    }
    users.remove("bob").await.unwrap();
    for users in [users.clone(), load(&fixture, 1).await] {
        assert_eq!(names(&users), ["ann"]);
        assert!(users.of_key(&second.id).is_none());
    }
    users.add(new("bob", None)).await.unwrap();
    assert!(users.of_key(&second.id).is_none(), "a user of the same name is another one");
    assert!(users.get("bob").unwrap().keys.is_empty());
}

#[tokio::test]
async fn a_change_that_makes_no_sense_changes_nothing() {
    let fixture = Fixture::new().await;
    let users = load(&fixture, 1).await;
    users.add(new("bob", None)).await.unwrap();
    let refused = users.add(new("bob", Some(POLICY))).await;
    assert!(matches!(refused, Err(ChangeError::Exists(name)) if name == "bob"));
    for name in ["", "a b", "a/b", "ä", &"n".repeat(65)] {
        assert!(matches!(users.add(new(name, None)).await, Err(ChangeError::BadName)), "{name}");
    }
    for policy in ["", "[]", "{}", r#"{"Statement":[{"Effect":"Maybe","Action":"*","Resource":"*"}]}"#] {
        assert!(
            matches!(users.add(new("ann", Some(policy))).await, Err(ChangeError::BadPolicy(_))),
            "{policy}"
        );
        let set = users.set_policy("bob", Some(policy.into())).await;
        assert!(matches!(set, Err(ChangeError::BadPolicy(_))), "{policy}");
    }
    assert!(matches!(users.remove("ann").await, Err(ChangeError::NoSuchUser(_))));
    assert!(matches!(users.create_key("ann").await, Err(ChangeError::NoSuchUser(_))));
    assert!(matches!(users.set_policy("ann", None).await, Err(ChangeError::NoSuchUser(_))));
    assert!(matches!(users.revoke_key("DTNONE").await, Err(ChangeError::NoSuchKey(_))));
    for _ in 0..KEYS_PER_USER_MAX {
        users.create_key("bob").await.unwrap();
    }
    assert!(matches!(users.create_key("bob").await, Err(ChangeError::TooMany { .. })));
    assert_eq!(names(&users), ["bob"]);
    assert_eq!(users.get("bob").unwrap().policy_text, None);
}

#[tokio::test]
async fn secrets_are_sealed_and_a_key_that_cannot_be_opened_signs_nothing() {
    let fixture = Fixture::new().await;
    let users = load(&fixture, 1).await;
    users.add(new("bob", None)).await.unwrap();
    let key = users.create_key("bob").await.unwrap();
    assert!(!format!("{users:?}{key:?}").contains(key.secret.expose()));
    let secret = key.secret.expose().as_bytes().to_vec();
    let is_in_clear = fixture
        .engine
        .meta
        .read(move |read| {
            let mut found = false;
            read.scan(Table::Users, &[], &mut |_, value| {
                found |= value.windows(secret.len()).any(|window| window == secret);
                Step::Next
            })?;
            Ok::<bool, Error>(found)
        })
        .await
        .unwrap();
    assert!(!is_in_clear);
    let other = load(&fixture, 2).await;
    assert!(other.of_key(&key.id).is_none());
    assert_eq!(other.get("bob").unwrap().keys.len(), 1, "it is there to be revoked");
    other.revoke_key(&key.id).await.unwrap();
}
