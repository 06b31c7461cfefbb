//! RestoreObject, where nothing is archived.

use super::*;

#[tokio::test]
async fn what_is_archived_on_aws_is_restored_already() {
    let client = Client::with_bucket().await;
    for (key, class) in
        [("standard", "STANDARD"), ("ia", "STANDARD_IA"), ("glacier", "GLACIER"), ("deep", "DEEP_ARCHIVE")]
    {
        let put = client.ask("PUT", &format!("/bucket/{key}")).header("x-amz-storage-class", class).body("x");
        put.send().await.expect(200);
    }
    let days = |days: &str| format!("<RestoreRequest><Days>{days}</Days></RestoreRequest>");
    let tier = |tier: &str| {
        format!(
            "<RestoreRequest><Days>1</Days><GlacierJobParameters><Tier>{tier}</Tier></GlacierJobParameters>\
             </RestoreRequest>"
        )
    };
    for (key, document, status, code) in [
        ("glacier", days("3"), 200, ""),
        ("deep", tier("Bulk"), 200, ""),
        ("standard", days("3"), 403, "InvalidObjectState"),
        ("ia", days("3"), 403, "InvalidObjectState"),
        ("missing", days("3"), 404, "NoSuchKey"),
        ("glacier", days("0"), 400, "MalformedXML"),
        ("glacier", days("soon"), 400, "MalformedXML"),
        ("glacier", "<RestoreRequest/>".to_owned(), 400, "MalformedXML"),
        ("glacier", tier("Slow"), 400, "MalformedXML"),
        ("glacier", String::new(), 400, "MissingRequestBodyError"),
        ("glacier", "<RestoreRequest><Type>SELECT</Type></RestoreRequest>".to_owned(), 501, "NotImplemented"),
    ] {
        let answer = client.post(&format!("/bucket/{key}?restore"), document.clone()).await;
        assert_eq!(answer.status, status, "{key} {document}");
        if !code.is_empty() {
            assert_eq!(answer.element("Code"), code, "{key} {document}");
        }
    }
}
