use super::*;

const RULES: &str = "<CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">
    <CORSRule>
        <ID>app</ID>
        <AllowedOrigin>https://app.example.com</AllowedOrigin><AllowedOrigin>https://*.dev.example.com</AllowedOrigin>
        <AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod>
        <AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Content-Type</AllowedHeader>
        <ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-checksum-crc32</ExposeHeader>
        <MaxAgeSeconds> 600 </MaxAgeSeconds>
    </CORSRule>
    <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>
    <CORSRule>
        <AllowedOrigin>https://app.example.com</AllowedOrigin>
        <AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>*</AllowedHeader>
    </CORSRule>
</CORSConfiguration>";

fn rules() -> CorsRecord {
    parse(RULES.as_bytes()).unwrap()
}

#[test]
fn one_star_stands_for_any_text() {
    for (pattern, text, expected) in [
        ("https://a", "https://a", true),
        ("https://a", "https://A", false),
        ("https://a", "https://a.b", false),
        ("*", "", true),
        ("*", "null", true),
        ("https://*.a", "https://x.a", true),
        ("https://*.a", "https://x.y.a", true),
        ("https://*.a", "https://.a", true),
        ("https://*.a", "https://a", false),
        ("https://*.a", "http://x.a", false),
        ("https://*.a", "https://x.a.evil", false),
        ("*suffix", "suffix", true),
        ("*suffix", "suffix.x", false),
        ("prefix*", "prefix", true),
        ("prefix*", "a.prefix", false),
        // What the star leaves may not be used twice.
        ("aba*ba", "aba", false),
        ("aba*ba", "ababa", true),
        ("", "", true),
        ("", "x", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}

#[test]
fn the_first_rule_for_all_that_is_asked_answers_a_preflight() {
    let rules = rules();
    for (origin, method, headers, allowed_origin, allowed_headers) in [
        (
            "https://app.example.com",
            "PUT",
            "X-Amz-Date, content-type",
            "https://app.example.com",
            "x-amz-date, content-type",
        ),
        ("https://x.dev.example.com", "POST", "", "https://x.dev.example.com", ""),
        // The first rule does not allow the header, the third one does.
        (
            "https://app.example.com",
            "PUT",
            "authorization,x-amz-date",
            "https://app.example.com",
            "authorization, x-amz-date",
        ),
        ("https://x.dev.example.com", "PUT", "authorization", "none", ""),
        ("https://app.example.com", "GET", "", "*", ""),
        ("https://app.example.com", "GET", "range", "https://app.example.com", "range"),
        ("https://elsewhere.example.com", "GET", "", "*", ""),
        ("https://elsewhere.example.com", "PUT", "", "none", ""),
        ("HTTPS://APP.example.com", "PUT", "", "none", ""),
        ("https://app.example.com", "DELETE", "", "none", ""),
        ("https://app.example.com", "put", "", "none", ""),
        ("https://app.example.com", "PATCH", "", "none", ""),
    ] {
        let answer = preflight(&rules, &Preflight { origin, method, headers });
        let value = |name| {
            let value = answer.as_ref()?.get(name)?;
            Some(value.to_str().unwrap())
        };
        let what = format!("{origin} {method} {headers}");
        let found = if answer.is_some() { value(ACCESS_CONTROL_ALLOW_ORIGIN).unwrap() } else { "none" };
        assert_eq!(found, allowed_origin, "{what}");
        assert_eq!(value(ACCESS_CONTROL_ALLOW_HEADERS).unwrap_or(""), allowed_headers, "{what}");
        let has_credentials = value(ACCESS_CONTROL_ALLOW_CREDENTIALS).is_some();
        assert_eq!(has_credentials, !["*", "none"].contains(&allowed_origin), "{what}");
    }
    let many = vec!["x-amz-a"; REQUESTED_HEADERS_MAX + 1].join(",");
    let asked = Preflight { origin: "https://app.example.com", method: "PUT", headers: &many };
    assert!(preflight(&rules, &asked).is_none());
}

#[test]
fn an_actual_request_is_told_what_its_rule_says() {
    let rules = rules();
    let told = actual(&rules, "https://app.example.com", "PUT").unwrap();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "https://app.example.com"),
        (ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
        (ACCESS_CONTROL_ALLOW_METHODS, "PUT, POST"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, "ETag, x-amz-checksum-crc32"),
        (ACCESS_CONTROL_MAX_AGE, "600"),
        (VARY, "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
    ] {
        assert_eq!(told.get(&name).unwrap(), value, "{name}");
    }
    assert!(!told.contains_key(ACCESS_CONTROL_ALLOW_HEADERS));
    let told = actual(&rules, "null", "GET").unwrap();
    assert_eq!(told.get(ACCESS_CONTROL_ALLOW_ORIGIN).unwrap(), "*");
    assert!(
        !told.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS) && !told.contains_key(ACCESS_CONTROL_MAX_AGE)
    );
    assert!(actual(&rules, "https://app.example.com", "HEAD").is_none(), "HEAD is not GET");
}

#[test]
fn a_configuration_comes_back_as_it_was_set() {
    let rules = rules();
    assert_eq!(rules.rules.len(), 3);
    assert_eq!(rules.rules[0].id.as_deref(), Some("app"));
    assert_eq!(parse(&write(&rules).finish()).unwrap(), rules);
}

#[test]
fn refuses_what_cannot_be_followed() {
    let with = |inner: &str| {
        format!(
            "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>{inner}</CORSRule></CORSConfiguration>"
        )
    };
    let rule = "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>";
    let rules = |count: usize| format!("<CORSConfiguration>{}</CORSConfiguration>", rule.repeat(count));
    for (document, expected) in [
        (String::new(), "MalformedXML"),
        ("<Other/>".into(), "MalformedXML"),
        (rules(0), "MalformedXML"),
        (rules(100), "ok"),
        (rules(101), "InvalidRequest"),
        (
            "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>"
                .into(),
            "MalformedXML",
        ),
        (
            "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"
                .into(),
            "MalformedXML",
        ),
        (with("<AllowedMethod>PATCH</AllowedMethod>"), "InvalidRequest"),
        (with("<AllowedMethod>get</AllowedMethod>"), "InvalidRequest"),
        (with("<AllowedMethod>*</AllowedMethod>"), "InvalidRequest"),
        (with("<AllowedOrigin>http://*.*</AllowedOrigin>"), "InvalidRequest"),
        (with("<AllowedHeader>x-*-*</AllowedHeader>"), "InvalidRequest"),
        (with("<AllowedHeader>x-*</AllowedHeader>"), "ok"),
        (with("<ExposeHeader>x-*</ExposeHeader>"), "InvalidRequest"),
        (with("<ExposeHeader>a: b</ExposeHeader>"), "InvalidRequest"),
        (with("<MaxAgeSeconds>-1</MaxAgeSeconds>"), "MalformedXML"),
        (with("<MaxAgeSeconds>soon</MaxAgeSeconds>"), "MalformedXML"),
        (with(&format!("<ID>{}</ID>", "i".repeat(255))), "ok"),
        (with(&format!("<ID>{}</ID>", "i".repeat(256))), "InvalidRequest"),
    ] {
        let found = parse(document.as_bytes()).map_or_else(|err| err.code().as_str(), |_| "ok");
        assert_eq!(found, expected, "{document}");
    }
}
