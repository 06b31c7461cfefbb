//! Browser forms without a signature: they do what a policy or a list lets everybody do, and no more.

use super::forms::Form;
use super::*;

const TAGS: &str = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";

fn form(key: &str) -> Form {
    Form::new(key).file(None, "of nobody")
}

#[tokio::test]
async fn a_policy_lets_forms_in_and_tags_need_its_leave_too() {
    let client = Client::with_bucket().await;
    client.delete("/bucket?publicAccessBlock").await.expect(204);
    let put_policy = async |actions: &str| {
        let policy = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":"*","Action":[{actions}],"Resource":"arn:aws:s3:::bucket/u/*"}}]}}"#
        );
        client.put("/bucket?policy", policy).await.expect(204);
    };
    form("u/a").send(&client).await.expect_error(403, "AccessDenied");
    put_policy(r#""s3:PutObject""#).await;
    form("u/a").send(&client).await.expect(204);
    assert_eq!(client.get("/bucket/u/a").await.expect(200).text(), "of nobody");
    form("elsewhere").send(&client).await.expect_error(403, "AccessDenied");
    form("u/b").field("tagging", TAGS).send(&client).await.expect_error(403, "AccessDenied");
    put_policy(r#""s3:PutObject","s3:PutObjectTagging""#).await;
    form("u/b").field("tagging", TAGS).send(&client).await.expect(204);
    assert_eq!(client.get("/bucket/u/b?tagging").await.expect(200).element("Key"), "k");
}

#[tokio::test]
async fn a_list_lets_forms_in_with_tags_and_a_list_of_their_own() {
    let client = Client::with_bucket().await;
    client.delete("/bucket?publicAccessBlock").await.expect(204);
    let controls =
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    client.put("/bucket?ownershipControls", controls).await.expect(200);
    let public = form("key").field("acl", "public-read").field("tagging", TAGS);
    public.send(&client).await.expect_error(403, "AccessDenied");
    let acl = client.ask("PUT", "/bucket?acl").header("x-amz-acl", "public-read-write").body("");
    acl.send().await.expect(200);
    public.send(&client).await.expect(204);
    assert_eq!(client.get("/bucket/key").await.expect(200).text(), "of nobody");
    assert_eq!(client.get("/bucket/key?tagging").await.expect(200).element("Key"), "k");
    // Who may write may not change the tags of what is there.
    let bob = client.as_user("bob");
    bob.put("/bucket/key?tagging", TAGS).await.expect_error(403, "AccessDenied");
    let nobody = client.ask("PUT", "/bucket/key?tagging").body(TAGS).anonymous();
    nobody.send().await.expect_error(403, "AccessDenied");
    let tagged = bob.ask("PUT", "/bucket/of-bob").header("x-amz-tagging", "a=b").body("x");
    tagged.send().await.expect(200);
}
