//! `WebsiteConfiguration`, checked, read and written. Nothing serves a website from it; clients get back what they set.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_WebsiteConfiguration.html>

use crate::meta::records::{RoutingRule, WebsiteRecord};
use crate::s3::error::S3Error;
use crate::s3::response;
use crate::wire::error_code::ErrorCode;
use crate::wire::xml::{Document, Element, Writer};

/// S3's limit on the request that sets one.
pub const DOCUMENT_LEN_MAX: usize = 128 << 10;
/// S3's limit.
const RULES_MAX: usize = 50;

/// Reads a configuration.
pub fn parse(bytes: &[u8]) -> Result<WebsiteRecord, S3Error> {
    let mut website = WebsiteRecord::default();
    let mut has_rules = false;
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["WebsiteConfiguration"])?;
    while let Some(mut child) = root.next_child()? {
        match child.name() {
            "IndexDocument" => website.index_suffix = Some(only_child(&mut child, "Suffix")?),
            "ErrorDocument" => website.error_key = Some(only_child(&mut child, "Key")?),
            "RedirectAllRequestsTo" => website.redirect_all = Some(redirect_all(&mut child)?),
            "RoutingRules" => {
                has_rules = true;
                website.rules = routing_rules(&mut child)?;
            }
            _ => {}
        }
    }
    check(&website, has_rules)?;
    Ok(website)
}

fn check(website: &WebsiteRecord, has_rules: bool) -> Result<(), S3Error> {
    if website.redirect_all.is_some() {
        if website.index_suffix.is_some() || website.error_key.is_some() || has_rules {
            return Err(S3Error::argument(
                "RedirectAllRequestsTo",
                "",
                "RedirectAllRequestsTo cannot be provided in conjunction with other configuration.",
            ));
        }
        return Ok(());
    }
    match website.index_suffix.as_deref() {
        None | Some("") => {
            return Err(S3Error::argument(
                "IndexDocument",
                "",
                "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            ));
        }
        Some(suffix) if suffix.contains('/') => {
            return Err(S3Error::argument(
                "IndexDocument",
                suffix,
                "The IndexDocument Suffix is not well formed",
            ));
        }
        Some(_) => {}
    }
    match website.error_key.as_deref() {
        Some("") => Err(S3Error::argument("ErrorDocument", "", "The ErrorDocument Key is not well formed")),
        _ => Ok(()),
    }
}

/// The text of an element that has to have this child.
fn only_child(element: &mut Element<'_, '_>, name: &str) -> Result<String, S3Error> {
    let mut text = None;
    while let Some(mut child) = element.next_child()? {
        if child.name() == name {
            text = Some(child.text()?.into_owned());
        }
    }
    text.ok_or_else(|| ErrorCode::MalformedXML.into())
}

fn redirect_all(element: &mut Element<'_, '_>) -> Result<(String, Option<String>), S3Error> {
    let (mut host, mut protocol) = (None, None);
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "HostName" => host = Some(child.text_trimmed()?),
            "Protocol" => protocol = Some(checked_protocol(child.text_trimmed()?)?),
            _ => {}
        }
    }
    let host = host.filter(|host| !host.is_empty()).ok_or(ErrorCode::MalformedXML)?;
    Ok((host, protocol))
}

fn routing_rules(element: &mut Element<'_, '_>) -> Result<Vec<RoutingRule>, S3Error> {
    let mut rules = Vec::new();
    while let Some(mut child) = element.next_child()? {
        if child.name() == "RoutingRule" {
            rules.push(routing_rule(&mut child)?);
        }
    }
    if rules.len() > RULES_MAX {
        return Err(S3Error::invalid_request(format!(
            "{} routing rules provided, the number of routing rules in a website configuration is limited to \
             {RULES_MAX}.",
            rules.len()
        )));
    }
    Ok(rules)
}

fn routing_rule(element: &mut Element<'_, '_>) -> Result<RoutingRule, S3Error> {
    let mut rule = RoutingRule::default();
    let mut has_redirect = false;
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "Condition" => condition(&mut child, &mut rule)?,
            "Redirect" => {
                has_redirect = true;
                redirect(&mut child, &mut rule)?;
            }
            _ => {}
        }
    }
    if has_redirect { Ok(rule) } else { Err(ErrorCode::MalformedXML.into()) }
}

fn condition(element: &mut Element<'_, '_>, rule: &mut RoutingRule) -> Result<(), S3Error> {
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "HttpErrorCodeReturnedEquals" => {
                let code = child.text_trimmed()?;
                if !is_status(&code, &['4', '5']) {
                    return Err(S3Error::invalid_request(format!(
                        "The provided HTTP error code ({code}) is not valid. Valid codes are 4XX or 5XX."
                    )));
                }
                rule.error_code = Some(code);
            }
            "KeyPrefixEquals" => rule.key_prefix = Some(child.text()?.into_owned()),
            _ => {}
        }
    }
    if rule.error_code.is_none() && rule.key_prefix.is_none() {
        return Err(S3Error::invalid_request(
            "Condition cannot be empty. To redirect all requests without a condition, the condition element \
             shouldn't be present.",
        ));
    }
    Ok(())
}

fn redirect(element: &mut Element<'_, '_>, rule: &mut RoutingRule) -> Result<(), S3Error> {
    while let Some(mut child) = element.next_child()? {
        match child.name() {
            "HostName" => rule.host = Some(child.text_trimmed()?),
            "Protocol" => rule.protocol = Some(checked_protocol(child.text_trimmed()?)?),
            "HttpRedirectCode" => {
                let code = child.text_trimmed()?;
                if !is_status(&code, &['3']) || code == "300" {
                    return Err(S3Error::invalid_request(format!(
                        "The provided HTTP redirect code ({code}) is not valid. Valid codes are 3XX except 300."
                    )));
                }
                rule.redirect_code = Some(code);
            }
            "ReplaceKeyPrefixWith" => rule.replace_prefix = Some(child.text()?.into_owned()),
            "ReplaceKeyWith" => rule.replace_key = Some(child.text()?.into_owned()),
            _ => {}
        }
    }
    if rule.replace_prefix.is_some() && rule.replace_key.is_some() {
        return Err(S3Error::invalid_request(
            "You can only define ReplaceKeyPrefix or ReplaceKey but not both.",
        ));
    }
    let says_something = rule.host.is_some()
        || rule.protocol.is_some()
        || rule.redirect_code.is_some()
        || rule.replace_prefix.is_some()
        || rule.replace_key.is_some();
    if says_something { Ok(()) } else { Err(ErrorCode::MalformedXML.into()) }
}

fn checked_protocol(text: String) -> Result<String, S3Error> {
    match text.as_str() {
        "http" | "https" => Ok(text),
        _ => Err(S3Error::invalid_request(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected \
             automatically.",
        )),
    }
}

/// Three digits that begin with one of these.
fn is_status(text: &str, classes: &[char]) -> bool {
    text.len() == 3 && text.starts_with(classes) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The configuration as GetBucketWebsite gives it back.
pub fn write(website: &WebsiteRecord) -> Writer {
    let mut document = response::document("WebsiteConfiguration");
    if let Some((host, protocol)) = &website.redirect_all {
        document.open("RedirectAllRequestsTo").text("HostName", host);
        document.text_optional("Protocol", protocol.as_deref()).close();
    }
    if let Some(suffix) = &website.index_suffix {
        document.open("IndexDocument").text("Suffix", suffix).close();
    }
    if let Some(key) = &website.error_key {
        document.open("ErrorDocument").text("Key", key).close();
    }
    if !website.rules.is_empty() {
        document.open("RoutingRules");
        for rule in &website.rules {
            write_rule(&mut document, rule);
        }
        document.close();
    }
    document
}

fn write_rule(document: &mut Writer, rule: &RoutingRule) {
    document.open("RoutingRule");
    if rule.error_code.is_some() || rule.key_prefix.is_some() {
        document
            .open("Condition")
            .text_optional("HttpErrorCodeReturnedEquals", rule.error_code.as_deref())
            .text_optional("KeyPrefixEquals", rule.key_prefix.as_deref())
            .close();
    }
    document
        .open("Redirect")
        .text_optional("HostName", rule.host.as_deref())
        .text_optional("HttpRedirectCode", rule.redirect_code.as_deref())
        .text_optional("Protocol", rule.protocol.as_deref())
        .text_optional("ReplaceKeyPrefixWith", rule.replace_prefix.as_deref())
        .text_optional("ReplaceKeyWith", rule.replace_key.as_deref())
        .close()
        .close();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(inner: &str) -> &'static str {
        let document = format!("<WebsiteConfiguration>{inner}</WebsiteConfiguration>");
        parse(document.as_bytes()).map_or_else(|err| err.code().as_str(), |_| "ok")
    }

    #[test]
    fn what_is_set_is_given_back() {
        let index = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>";
        let rule = "<RoutingRule><Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>\
                    <KeyPrefixEquals>docs/ &amp;</KeyPrefixEquals></Condition><Redirect><HostName>h</HostName>\
                    <HttpRedirectCode>302</HttpRedirectCode><Protocol>https</Protocol>\
                    <ReplaceKeyPrefixWith></ReplaceKeyPrefixWith></Redirect></RoutingRule>";
        let all = "<RedirectAllRequestsTo><HostName>example.com</HostName><Protocol>http</Protocol></RedirectAllRequestsTo>";
        let whole = format!(
            "{index}<ErrorDocument><Key>error.html</Key></ErrorDocument><RoutingRules>{rule}\
             <RoutingRule><Redirect><ReplaceKeyWith>k</ReplaceKeyWith></Redirect></RoutingRule></RoutingRules>"
        );
        for inner in [index, all, &whole] {
            let document = format!("<WebsiteConfiguration>{inner}</WebsiteConfiguration>");
            let website = parse(document.as_bytes()).unwrap();
            let written = write(&website).finish();
            assert_eq!(parse(&written).unwrap(), website, "{}", String::from_utf8_lossy(&written));
        }
    }

    #[test]
    fn what_is_no_website_is_refused() {
        const INDEX: &str = "<IndexDocument><Suffix>i</Suffix></IndexDocument>";
        let rule = |inner: &str| {
            refusal(&format!("{INDEX}<RoutingRules><RoutingRule>{inner}</RoutingRule></RoutingRules>"))
        };
        for (inner, code) in [
            ("", "InvalidArgument"),
            ("<IndexDocument/>", "MalformedXML"),
            ("<IndexDocument><Suffix/></IndexDocument>", "InvalidArgument"),
            ("<IndexDocument><Suffix>a/b</Suffix></IndexDocument>", "InvalidArgument"),
            ("<ErrorDocument><Key>e</Key></ErrorDocument>", "InvalidArgument"),
            (
                "<IndexDocument><Suffix>i</Suffix></IndexDocument><ErrorDocument><Key/></ErrorDocument>",
                "InvalidArgument",
            ),
            ("<RedirectAllRequestsTo/>", "MalformedXML"),
            (
                "<RedirectAllRequestsTo><HostName>h</HostName><Protocol>ftp</Protocol></RedirectAllRequestsTo>",
                "InvalidRequest",
            ),
            (
                "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo><IndexDocument><Suffix>i</Suffix></IndexDocument>",
                "InvalidArgument",
            ),
            (
                "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo><RoutingRules/>",
                "InvalidArgument",
            ),
        ] {
            assert_eq!(refusal(inner), code, "{inner}");
        }
        for (inner, code) in [
            ("<Redirect><HostName>h</HostName></Redirect>", "ok"),
            ("", "MalformedXML"),
            ("<Redirect/>", "MalformedXML"),
            ("<Condition/><Redirect><HostName>h</HostName></Redirect>", "InvalidRequest"),
            (
                "<Condition><HttpErrorCodeReturnedEquals>200</HttpErrorCodeReturnedEquals></Condition><Redirect><HostName>h</HostName></Redirect>",
                "InvalidRequest",
            ),
            ("<Redirect><HttpRedirectCode>300</HttpRedirectCode></Redirect>", "InvalidRequest"),
            ("<Redirect><HttpRedirectCode>30x</HttpRedirectCode></Redirect>", "InvalidRequest"),
            ("<Redirect><Protocol>HTTP</Protocol></Redirect>", "InvalidRequest"),
            (
                "<Redirect><ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith></Redirect>",
                "InvalidRequest",
            ),
        ] {
            assert_eq!(rule(inner), code, "{inner}");
        }
        let many = "<RoutingRule><Redirect><HostName>h</HostName></Redirect></RoutingRule>".repeat(51);
        assert_eq!(refusal(&format!("{INDEX}<RoutingRules>{many}</RoutingRules>")), "InvalidRequest");
        assert!(parse(b"<Website/>").is_err() && parse(b"").is_err());
    }
}
