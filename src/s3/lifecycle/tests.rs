use super::*;

fn document(rules: &str) -> String {
    format!(
        "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{rules}</LifecycleConfiguration>"
    )
}

fn rule(inner: &str) -> String {
    document(&format!("<Rule><ID>a</ID><Status>Enabled</Status>{inner}</Rule>"))
}

fn code(text: &str) -> &'static str {
    let read = parse(text.as_bytes(), TransitionMinimum::default());
    read.map_or_else(|err| err.code().as_str(), |_| "ok")
}

#[test]
fn what_is_sent_comes_back() {
    for inner in [
        "<Prefix>logs/</Prefix><Expiration><Days>31</Days></Expiration>",
        "<Prefix></Prefix><Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>",
        "<Filter></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
        "<Filter><Prefix> a&amp;b</Prefix></Filter><Expiration><Days>1</Days></Expiration>",
        "<Filter><Tag><Key>k</Key><Value></Value></Tag></Filter><Expiration><Days>1</Days></Expiration>",
        "<Filter><ObjectSizeGreaterThan>0</ObjectSizeGreaterThan></Filter><Expiration><Days>1</Days></Expiration>",
        "<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value>w</Value></Tag>\
         <ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>\
         <Expiration><Days>1</Days></Expiration>",
        "<Filter><Prefix>a</Prefix></Filter><Expiration><Days>400</Days></Expiration>\
         <Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>\
         <Transition><Days>60</Days><StorageClass>GLACIER</StorageClass></Transition>\
         <NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays><NewerNoncurrentVersions>5</NewerNoncurrentVersions>\
         </NoncurrentVersionExpiration><NoncurrentVersionTransition><NoncurrentDays>0</NoncurrentDays>\
         <NewerNoncurrentVersions>100</NewerNoncurrentVersions><StorageClass>DEEP_ARCHIVE</StorageClass>\
         </NoncurrentVersionTransition><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
         </AbortIncompleteMultipartUpload>",
    ] {
        let read = parse(rule(inner).as_bytes(), TransitionMinimum::default()).unwrap();
        let written = String::from_utf8(write(&read).finish()).unwrap();
        let text = written.replace("<Status>Enabled</Status>", "");
        assert!(text.contains(&format!("<Rule><ID>a</ID>{inner}</Rule>")), "{inner}\n{text}");
        assert_eq!(parse(written.as_bytes(), TransitionMinimum::default()).unwrap(), read, "{inner}");
    }
}

#[test]
fn a_rule_without_a_name_gets_one() {
    let nameless = "<Rule><Prefix/><Status>Disabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
    let read = parse(document(&nameless.repeat(3)).as_bytes(), TransitionMinimum::default()).unwrap();
    let mut ids: Vec<_> = read.rules.iter().map(|rule| rule.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| id.len() == 32) && read.rules.iter().all(|rule| !rule.enabled));
}

#[test]
fn refuses_what_aws_refuses() {
    let days = "<Expiration><Days>1</Days></Expiration>";
    let with = |filter: &str, action: &str| rule(&format!("{filter}{action}"));
    let all = |action: &str| with("<Filter/>", action);
    let filtered = |filter: &str| with(&format!("<Filter>{filter}</Filter>"), days);
    let tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";
    let status = |status: &str| all(days).replace("<Status>Enabled</Status>", status);
    let id = |id: &str| all(days).replace("<ID>a</ID>", &format!("<ID>{id}</ID>"));
    let same = document(
        &"<Rule><ID>a</ID><Prefix/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
            .repeat(2),
    );
    let abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    let marker = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>";
    let moved = |days: &str, class: &str| {
        format!("<Transition><Days>{days}</Days><StorageClass>{class}</StorageClass></Transition>")
    };
    let many = |count: usize| {
        document(
            &"<Rule><Prefix/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
                .repeat(count),
        )
    };
    for (text, expected) in [
        (all(days), "ok"),
        (document(""), "MalformedXML"),
        (String::new(), "MalformedXML"),
        ("<Other/>".to_owned(), "MalformedXML"),
        (many(1000), "ok"),
        (many(1001), "InvalidRequest"),
        (id(&"ä".repeat(255)), "ok"),
        (id(&"a".repeat(256)), "InvalidArgument"),
        (same, "InvalidArgument"),
        (status("<Status>enabled</Status>"), "MalformedXML"),
        (status("<Status>invalid</Status>"), "MalformedXML"),
        (status(""), "MalformedXML"),
        // The filter.
        (with("", days), "MalformedXML"),
        (with("<Filter/><Prefix>a</Prefix>", days), "MalformedXML"),
        (filtered(&format!("<Prefix>a</Prefix>{tag}")), "MalformedXML"),
        (filtered(&format!("<And><Prefix>a</Prefix></And>{tag}")), "MalformedXML"),
        (filtered("<And/>"), "MalformedXML"),
        (filtered("<Tag><Key>k</Key></Tag>"), "MalformedXML"),
        (filtered("<ObjectSizeLessThan>-1</ObjectSizeLessThan>"), "MalformedXML"),
        (filtered(&format!("<And>{tag}{tag}</And>")), "InvalidRequest"),
        (
            filtered(
                "<And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And>",
            ),
            "InvalidRequest",
        ),
        (filtered(&format!("<Prefix>{}</Prefix>", "a".repeat(1024))), "ok"),
        (filtered(&format!("<Prefix>{}</Prefix>", "a".repeat(1025))), "InvalidRequest"),
        (with(&format!("<Prefix>{}</Prefix>", "a".repeat(1025)), days), "InvalidRequest"),
        // What is done.
        (all(""), "InvalidRequest"),
        (all("<Expiration/>"), "MalformedXML"),
        (all("<Expiration><Days>0</Days></Expiration>"), "InvalidArgument"),
        (all("<Expiration><Days>-1</Days></Expiration>"), "InvalidArgument"),
        (all("<Expiration><Days>2147483647</Days></Expiration>"), "ok"),
        (all("<Expiration><Days>2147483648</Days></Expiration>"), "InvalidArgument"),
        (all("<Expiration><Days>one</Days></Expiration>"), "MalformedXML"),
        (all("<Expiration><Date>2017-09-27</Date></Expiration>"), "ok"),
        (all("<Expiration><Date>2017-09-27T01:00:00+01:00</Date></Expiration>"), "ok"),
        (all("<Expiration><Date>1970-08-22T19:08:21Z</Date></Expiration>"), "InvalidArgument"),
        (all("<Expiration><Date>someday</Date></Expiration>"), "MalformedXML"),
        (all("<Expiration><Days>1</Days><Date>2017-09-27</Date></Expiration>"), "MalformedXML"),
        (
            all(
                "<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
            ),
            "MalformedXML",
        ),
        (all(&format!("{days}{days}")), "MalformedXML"),
        (all("<NoncurrentVersionExpiration/>"), "MalformedXML"),
        (
            all(
                "<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>",
            ),
            "InvalidArgument",
        ),
        (
            all(
                "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101\
                 </NewerNoncurrentVersions></NoncurrentVersionExpiration>",
            ),
            "InvalidArgument",
        ),
        (all(abort), "ok"),
        (all(&abort.replace(">1<", ">0<")), "InvalidArgument"),
        (with(&format!("<Filter>{tag}</Filter>"), abort), "InvalidRequest"),
        (with("<Filter><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>", abort), "InvalidRequest"),
        (with(&format!("<Filter>{tag}</Filter>"), marker), "InvalidRequest"),
        (all(&moved("0", "GLACIER")), "ok"),
        (all(&moved("-1", "GLACIER")), "InvalidArgument"),
        (all(&moved("1", "STANDARD")), "MalformedXML"),
        (all("<Transition><Days>1</Days></Transition>"), "MalformedXML"),
        (all("<Transition><StorageClass>GLACIER</StorageClass></Transition>"), "MalformedXML"),
        (all(&moved("1", "GLACIER").repeat(2)), "InvalidRequest"),
        (all(&format!("{}{days}", moved("1", "GLACIER"))), "InvalidArgument"),
        (
            all(&format!("{}<Expiration><Date>2030-01-01</Date></Expiration>", moved("1", "GLACIER"))),
            "InvalidRequest",
        ),
        (
            all(
                "<NoncurrentVersionTransition><NoncurrentDays>2</NoncurrentDays><StorageClass>GLACIER</StorageClass>\
                 </NoncurrentVersionTransition><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>\
                 </NoncurrentVersionExpiration>",
            ),
            "InvalidArgument",
        ),
    ] {
        assert_eq!(code(&text), expected, "{text}");
    }
}

#[test]
fn the_minimum_for_transitions_has_two_names() {
    for (value, expected) in [
        (None, Ok(TransitionMinimum::All128KiB)),
        (Some("all_storage_classes_128K"), Ok(TransitionMinimum::All128KiB)),
        (Some("varies_by_storage_class"), Ok(TransitionMinimum::ByStorageClass)),
        (Some("none"), Err("InvalidRequest")),
    ] {
        let mut headers = HeaderMap::new();
        headers.extend(value.map(|value| (MINIMUM, http::HeaderValue::from_static(value))));
        let read = minimum_from_header(&headers).map_err(|err| err.code().as_str());
        assert_eq!(read, expected, "{value:?}");
    }
}
