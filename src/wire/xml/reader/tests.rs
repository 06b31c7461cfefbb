use super::*;

/// Reads a document of any shape: its element names and texts, in order.
fn walk(bytes: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut document = Document::new(bytes)?;
    let mut root = document.root(&["R"])?;
    let mut seen = Vec::new();
    while let Some(mut child) = root.next_child()? {
        let name = child.name().to_owned();
        match name.as_str() {
            "group" => {
                while let Some(mut inner) = child.next_child()? {
                    let text = inner.text()?;
                    seen.push(format!("group/{}={text}", inner.name()));
                }
            }
            "skipped" => child.skip()?,
            "ignored" => {}
            _ => seen.push(format!("{name}={}", child.text()?)),
        }
    }
    Ok(seen)
}

fn refusal(bytes: impl AsRef<[u8]>) -> String {
    match walk(bytes.as_ref()) {
        Ok(seen) => panic!("{:?} was read as {seen:?}", String::from_utf8_lossy(bytes.as_ref())),
        Err(Malformed(why)) => why,
    }
}

#[test]
fn walks_a_document_by_its_schema() {
    let seen = walk(
        b"\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c --><s3:R xmlns:s3=\"urn:any\" a='1'>\n\
          <a>1</a><s3:b> x </s3:b><empty/><group><c>2</c> <!-- c --> <d>3</d></group>\
          <skipped><deep><er>&amp;</er></deep>text</skipped><ignored><x/>text</ignored><e>4</e>\n</s3:R>\n<!-- end --> ",
    );
    let expected = ["a=1", "b= x ", "empty=", "group/c=2", "group/d=3", "e=4"];
    assert_eq!(seen.unwrap(), expected);
}

#[test]
fn keeps_text_exactly_and_resolves_references() {
    for (text, expected) in [
        (" k ", " k "),
        ("a&amp;b&lt;&gt;&quot;&apos;", "a&b<>\"'"),
        ("&#65;&#x42;&#x1F600;&#x1;&#10;&#13;", "AB😀\u{1}\n\r"),
        ("a<![CDATA[<b>&amp;]]>c", "a<b>&amp;c"),
        ("a<!-- c -->b", "ab"),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("é😀", "é😀"),
        ("", ""),
    ] {
        let document = format!("<R><Key>{text}</Key></R>");
        assert_eq!(walk(document.as_bytes()).unwrap(), [format!("Key={expected}")], "{text}");
    }
}

#[test]
fn reads_back_what_the_writer_writes() {
    let value = "\u{1}\u{1f}\t\r\n\"'&<>]]> é\u{fffe}\u{ffff}😀 ";
    let mut writer = crate::wire::xml::Writer::document("R", Some(crate::wire::xml::NAMESPACE));
    writer.text("Key", value);
    assert_eq!(walk(&writer.finish()).unwrap(), [format!("Key={value}")]);
}

#[test]
fn trims_and_parses_only_when_asked() {
    let mut document =
        Document::new(b"<R><n> 12\n</n><t> Enabled </t><f>true</f><bad>1 2</bad></R>").unwrap();
    let mut root = document.root(&["X", "R"]).unwrap();
    assert_eq!(root.next_child().unwrap().unwrap().parsed::<u32>(), Ok(12));
    assert_eq!(root.next_child().unwrap().unwrap().text_trimmed().unwrap(), "Enabled");
    assert_eq!(root.next_child().unwrap().unwrap().flag(), Ok(true));
    assert!(root.next_child().unwrap().unwrap().parsed::<u32>().is_err());
    assert!(root.next_child().unwrap().is_none());
}

#[test]
fn finds_attributes_by_local_name() {
    let bytes = b"<R xmlns:xsi=\"urn:x\"><g xsi:type='Canonical&amp;User' b=\"&#65;\"/></R>";
    let mut document = Document::new(bytes).unwrap();
    let mut root = document.root(&["R"]).unwrap();
    let grantee = root.next_child().unwrap().unwrap();
    assert_eq!(grantee.attribute("type").unwrap().as_deref(), Some("Canonical&User"));
    assert_eq!(grantee.attribute("b").unwrap().as_deref(), Some("A"));
    assert_eq!(grantee.attribute("c").unwrap(), None);
}

#[test]
fn refuses_documents_that_are_not_well_formed() {
    for text in [
        "",
        " ",
        "text",
        "<",
        "<R",
        "<R>",
        "<R></S>",
        "<R><a></R>",
        "<R></R",
        "<R></R>x",
        "<R></R><R></R>",
        "<R/><!DOCTYPE R>",
        "</R>",
        "<R/></R>",
        "x<R/>",
        "<R/>&amp;",
        "<R/><![CDATA[x]]>",
        "<!-- c -->",
        "<R><a>&</a></R>",
        "<R><a>&nbsp;</a></R>",
        "<R><a>&amp</a></R>",
        "<R><a>&#0;</a></R>",
        "<R><a>&#xD800;</a></R>",
        "<R><a>&#x110000;</a></R>",
        "<R><a>&#;</a></R>",
        "<R><a>&#x;</a></R>",
        "<R><a>&#+1;</a></R>",
        "<R><a>&#99999999999;</a></R>",
        "<R a></R>",
        "<R a=1></R>",
        "<R a='1' a='2'/>",
        "<R a='<'/>",
        "<R a='&x;'/>",
        "<R><skipped>&x;</skipped></R>",
        "<R><ignored a></ignored></R>",
        "<R><ignored><x></ignored></R>",
        "<R>text</R>",
        "<R><group>text<c/></group></R>",
        "<R><group>&amp;</group></R>",
        "<R><a><b/></a></R>",
        "<R><1/></R>",
        "<R>< a/></R>",
        "<R><?xml version=\"1.0\"?></R>",
        "<S/>",
        "<R><a>\u{1}</a></R>",
        "<R><a>\u{0}</a></R>",
        "<R><a$b/></R>",
        "<:/>",
        "<></>",
        "<R><></></R>",
        "<R><x:/></R>",
        "<R><!-- a -- b --></R>",
    ] {
        refusal(text);
    }
    assert!(refusal(b"<R>\xff</R>").contains("UTF-8"));
    assert!(refusal("<\u{0}R/>").contains("control"));
    // UTF-16, which AWS does not take either.
    refusal(b"\xFF\xFE<\0R\0/\0>\0");
}

#[test]
fn refuses_document_types_and_so_every_entity() {
    for document in [
        "<!DOCTYPE R><R/>",
        "<!DOCTYPE R [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><R><k>&b;</k></R>",
        "<?xml version=\"1.0\"?><!DOCTYPE R SYSTEM \"file:///etc/passwd\"><R/>",
        "<R><!DOCTYPE R></R>",
    ] {
        refusal(document);
    }
}

#[test]
fn refuses_elements_nested_too_deeply() {
    let nested =
        |depth: usize| format!("<R>{}{}</R>", "<ignored>".repeat(depth - 1), "</ignored>".repeat(depth - 1));
    assert_eq!(walk(nested(DEPTH_MAX).as_bytes()), Ok(vec![]));
    assert!(refusal(nested(DEPTH_MAX + 1)).contains("deeper"));
    // A megabyte of open tags ends at the seventeenth.
    assert!(refusal(format!("<R>{}", "<ignored>".repeat(400_000))).contains("deeper"));
}

#[test]
fn survives_megabytes_of_nothing_much() {
    let many = format!("<R>{}</R>", "<a/>".repeat(250_000));
    assert_eq!(walk(many.as_bytes()).unwrap().len(), 250_000);
    let wide = format!("<R><k>{}</k></R>", "&#65;".repeat(200_000));
    assert_eq!(walk(wide.as_bytes()).unwrap()[0].len(), 200_002);
    refusal(format!("<R {}/>", "a='' ".repeat(1_000)));
    refusal(format!("<R><k>{}</R>", "<![CDATA[".repeat(100_000)));
}
