//! Every row of the tables of operations, and what is in none of them.

use super::*;

fn ask(method: &str, path: &str, extra: &[(&str, &str)]) -> Result<Operation, S3Error> {
    let uri: http::Uri = path.parse().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, "localhost".parse().unwrap());
    for (name, value) in extra {
        let name = header::HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    let target = address(&uri, http::Version::HTTP_11, &headers, &[]).unwrap();
    route(&method.parse().unwrap(), &target, &Query::parse(uri.query()), &headers)
}

/// One row for each method: GET, PUT, DELETE, POST. An empty name is 405.
fn check(path: &str, names: [&str; 4]) {
    for (method, name) in ["GET", "PUT", "DELETE", "POST"].into_iter().zip(names) {
        let found = match ask(method, path, &[]) {
            Ok(operation) => operation.name(),
            Err(error) if error.code() == ErrorCode::MethodNotAllowed => "",
            Err(error) => panic!("{method} {path}: {error}"),
        };
        assert_eq!(found, name, "{method} {path}");
    }
}

#[test]
fn service_level() {
    check("/", ["ListBuckets", "", "", ""]);
    check("/?x-id=ListBuckets&max-buckets=3", ["ListBuckets", "", "", ""]);
    assert_eq!(ask("POST", "/WriteGetObjectResponse", &[]).unwrap(), Operation::WriteGetObjectResponse);
    assert_eq!(ask("HEAD", "/", &[]).unwrap_err().code(), ErrorCode::MethodNotAllowed);
}

#[test]
fn every_bucket_row() {
    for (sub_resource, names) in [
        ("location", ["GetBucketLocation", "", "", ""]),
        ("versioning", ["GetBucketVersioning", "PutBucketVersioning", "", ""]),
        ("versions", ["ListObjectVersions", "", "", ""]),
        ("uploads", ["ListMultipartUploads", "", "", ""]),
        ("delete", ["", "", "", "DeleteObjects"]),
        ("acl", ["GetBucketAcl", "PutBucketAcl", "", ""]),
        ("policy", ["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy", ""]),
        ("policyStatus", ["GetBucketPolicyStatus", "", "", ""]),
        ("cors", ["GetBucketCors", "PutBucketCors", "DeleteBucketCors", ""]),
        (
            "lifecycle",
            [
                "GetBucketLifecycleConfiguration",
                "PutBucketLifecycleConfiguration",
                "DeleteBucketLifecycle",
                "",
            ],
        ),
        ("tagging", ["GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging", ""]),
        ("website", ["GetBucketWebsite", "PutBucketWebsite", "DeleteBucketWebsite", ""]),
        ("encryption", ["GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption", ""]),
        ("replication", ["GetBucketReplication", "PutBucketReplication", "DeleteBucketReplication", ""]),
        (
            "ownershipControls",
            ["GetBucketOwnershipControls", "PutBucketOwnershipControls", "DeleteBucketOwnershipControls", ""],
        ),
        (
            "publicAccessBlock",
            ["GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock", ""],
        ),
        ("object-lock", ["GetObjectLockConfiguration", "PutObjectLockConfiguration", "", ""]),
        ("logging", ["GetBucketLogging", "PutBucketLogging", "", ""]),
        (
            "notification",
            ["GetBucketNotificationConfiguration", "PutBucketNotificationConfiguration", "", ""],
        ),
        ("requestPayment", ["GetBucketRequestPayment", "PutBucketRequestPayment", "", ""]),
        ("accelerate", ["GetBucketAccelerateConfiguration", "PutBucketAccelerateConfiguration", "", ""]),
        ("abac", ["GetBucketAbac", "PutBucketAbac", "", ""]),
        (
            "analytics&id=x",
            [
                "GetBucketAnalyticsConfiguration",
                "PutBucketAnalyticsConfiguration",
                "DeleteBucketAnalyticsConfiguration",
                "",
            ],
        ),
        (
            "metadataConfiguration",
            [
                "GetBucketMetadataConfiguration",
                "",
                "DeleteBucketMetadataConfiguration",
                "CreateBucketMetadataConfiguration",
            ],
        ),
        (
            "metadataTable",
            [
                "GetBucketMetadataTableConfiguration",
                "",
                "DeleteBucketMetadataTableConfiguration",
                "CreateBucketMetadataTableConfiguration",
            ],
        ),
        ("metadataInventoryTable", ["", "UpdateBucketMetadataInventoryTableConfiguration", "", ""]),
        ("metadataJournalTable", ["", "UpdateBucketMetadataJournalTableConfiguration", "", ""]),
        ("session", ["CreateSession", "", "", ""]),
        ("attributes", ["", "", "", ""]),
        ("torrent", ["", "", "", ""]),
    ] {
        check(&format!("/b?{sub_resource}"), names);
        check(&format!("/b/?{sub_resource}&x-id=X&prefix=p"), names);
        assert_eq!(ask("HEAD", &format!("/b?{sub_resource}"), &[]).unwrap(), Operation::HeadBucket);
    }
    assert_eq!(ask("GET", "/b?inventory", &[]).unwrap(), Operation::ListBucketInventoryConfigurations);
    assert_eq!(ask("GET", "/b?metrics", &[]).unwrap(), Operation::ListBucketMetricsConfigurations);
    let without_id = ask("PUT", "/b?intelligent-tiering", &[]).unwrap_err();
    assert_eq!(without_id.code(), ErrorCode::InvalidArgument);
}

#[test]
fn plain_bucket_requests() {
    for (path, name) in [
        ("/b", "ListObjects"),
        ("/b?list-type=2", "ListObjectsV2"),
        ("/b?list-type=3", "ListObjects"),
        ("/b?list-type", "ListObjects"),
        ("/b?uploadId=x&partNumber=1", "ListObjects"),
        ("/b?Acl&nonsense", "ListObjects"),
    ] {
        assert_eq!(ask("GET", path, &[]).unwrap().name(), name, "{path}");
    }
    assert_eq!(ask("PUT", "/b", &[]).unwrap(), Operation::CreateBucket);
    assert_eq!(ask("DELETE", "/b", &[]).unwrap(), Operation::DeleteBucket);
    let form = [("content-type", "Multipart/Form-Data; boundary=x")];
    assert_eq!(ask("POST", "/b", &form).unwrap(), Operation::PostObject);
    assert_eq!(ask("POST", "/b", &[]).unwrap_err().code(), ErrorCode::PreconditionFailed);
    assert_eq!(ask("PATCH", "/b", &[]).unwrap_err().code(), ErrorCode::MethodNotAllowed);
}

#[test]
fn every_object_row() {
    for (sub_resource, names) in [
        ("acl", ["GetObjectAcl", "PutObjectAcl", "", ""]),
        ("tagging", ["GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging", ""]),
        ("retention", ["GetObjectRetention", "PutObjectRetention", "", ""]),
        ("legal-hold", ["GetObjectLegalHold", "PutObjectLegalHold", "", ""]),
        ("attributes", ["GetObjectAttributes", "", "", ""]),
        ("torrent", ["GetObjectTorrent", "", "", ""]),
        ("restore", ["", "", "", "RestoreObject"]),
        ("select&select-type=2", ["", "", "", "SelectObjectContent"]),
        ("renameObject", ["", "RenameObject", "", ""]),
        ("encryption", ["", "UpdateObjectEncryption", "", ""]),
        ("annotation", ["GetObjectAnnotation", "PutObjectAnnotation", "DeleteObjectAnnotation", ""]),
        ("policy", ["", "", "", ""]),
        ("delete", ["", "", "", ""]),
    ] {
        check(&format!("/b/k?{sub_resource}"), names);
        check(&format!("/b/k?{sub_resource}=&versionId=v"), names);
        assert!(ask("HEAD", &format!("/b/k?{sub_resource}"), &[]).is_err());
    }
}

#[test]
fn plain_object_requests() {
    let copy = [("x-amz-copy-source", "b/k")];
    for (method, path, headers, name) in [
        ("GET", "/b/k", &[][..], "GetObject"),
        ("GET", "/b/k?partNumber=1&versionId=v&response-expires=x", &[], "GetObject"),
        ("HEAD", "/b/k?partNumber=1", &[], "HeadObject"),
        ("PUT", "/b/k", &[], "PutObject"),
        ("PUT", "/b/k", &copy, "CopyObject"),
        ("PUT", "/b/k?X-Amz-Signature=x&X-Amz-Copy-Source=b%2Fk", &[], "CopyObject"),
        ("PUT", "/b/k?partNumber=1&uploadId=", &[], "UploadPart"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", &copy, "UploadPartCopy"),
        ("DELETE", "/b/k?partNumber=1", &[], "DeleteObject"),
        ("DELETE", "/b/k?versionId=v", &[], "DeleteObject"),
        ("DELETE", "/b/k?uploadId=u", &[], "AbortMultipartUpload"),
        ("POST", "/b/k?uploads", &[], "CreateMultipartUpload"),
        ("POST", "/b/k?uploadId=u", &[], "CompleteMultipartUpload"),
        ("GET", "/b/k?uploadId=u&partNumber=2", &[], "ListParts"),
        ("OPTIONS", "/b/k?acl", &[], "CorsPreflight"),
    ] {
        assert_eq!(ask(method, path, headers).unwrap().name(), name, "{method} {path}");
    }
}

#[test]
fn combinations_that_make_no_sense() {
    let copy = [("x-amz-copy-source", "b/k")];
    for (method, path, headers, code) in [
        ("GET", "/b?acl&policy", &[][..], ErrorCode::InvalidArgument),
        ("PUT", "/b/k?acl&uploadId=u&partNumber=1", &[], ErrorCode::InvalidArgument),
        ("PUT", "/b/k?tagging&acl", &[], ErrorCode::InvalidArgument),
        ("PUT", "/b/k?uploadId=u", &[], ErrorCode::InvalidArgument),
        ("PUT", "/b/k?partNumber=1", &[], ErrorCode::InvalidArgument),
        ("PUT", "/b/k?versionId=v", &[], ErrorCode::InvalidArgument),
        ("GET", "/b/k", &copy, ErrorCode::InvalidArgument),
        ("DELETE", "/b/k", &copy, ErrorCode::InvalidArgument),
        ("POST", "/b/k?uploads", &copy, ErrorCode::InvalidArgument),
        ("GET", "/b/k?versions", &[], ErrorCode::InvalidRequest),
        ("GET", "/b/k?uploads", &[], ErrorCode::InvalidRequest),
        ("POST", "/b/k", &[], ErrorCode::MethodNotAllowed),
        ("HEAD", "/b/k?uploadId=u", &[], ErrorCode::MethodNotAllowed),
        ("BREW", "/b/k", &[], ErrorCode::MethodNotAllowed),
        ("PUT", "/b/k?uploads", &[], ErrorCode::MethodNotAllowed),
    ] {
        assert_eq!(ask(method, path, headers).unwrap_err().code(), code, "{method} {path}");
    }
    // The same sub-resource twice is no conflict.
    assert_eq!(ask("GET", "/b?acl&acl=", &[]).unwrap(), Operation::GetBucketAcl);
}

#[test]
fn a_refusal_says_what_is_allowed() {
    let error = ask("DELETE", "/b/k?acl", &[]).unwrap_err();
    assert!(error.has_field("ResourceType"));
    let answer = error.into_response(&crate::s3::response::RequestId::random(), "/b/k", true);
    assert_eq!(answer.headers()[header::ALLOW], "GET, PUT");
}
