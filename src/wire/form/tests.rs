//! Forms as browsers and libraries write them, cut anywhere, and what is none.

use super::*;
use bytes::Bytes;

const BOUNDARY: &str = "----WebKitFormBoundaryAbC";

/// What a form holds: names, file names and data.
type Parts = Vec<(String, Option<String>, Vec<u8>)>;

/// Reads a form that arrives in frames of this length. `None` when it is cut off.
fn read(form: &[u8], frame_len: usize) -> Result<Option<Parts>, FormError> {
    let mut parser = Parser::new(BOUNDARY);
    let mut parts = Parts::new();
    let mut is_open = false;
    for frame in form.chunks(frame_len) {
        parser.feed(Bytes::copy_from_slice(frame));
        while let Some(event) = parser.next_event()? {
            match event {
                Event::Part(head) => {
                    assert!(!std::mem::replace(&mut is_open, true));
                    parts.push((head.name, head.filename, Vec::new()));
                }
                Event::Data(data) => {
                    assert!(is_open && !data.is_empty());
                    parts.last_mut().unwrap().2.extend_from_slice(&data);
                }
                Event::PartEnd => assert!(std::mem::replace(&mut is_open, false)),
                Event::End => return Ok(Some(parts)),
            }
        }
        assert!(parser.held_len() <= HEAD_LEN_MAX + frame_len, "{} bytes are held", parser.held_len());
    }
    Ok(None)
}

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (head, data) in parts {
        form.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
        form.extend_from_slice(data);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    form
}

#[test]
fn a_form_reads_alike_however_it_is_cut() {
    let tricky = format!("\r\n--{}\r\n\r\n--\r\r\n--{BOUNDARY}", &BOUNDARY[..8]);
    let form = form(&[
        ("Content-Disposition: form-data; name=\"key\"", b"a/${filename}"),
        ("content-disposition: FORM-DATA; name=empty", b""),
        (
            "Content-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\a%22b \\\"c.txt\"\r\nContent-Type: x/y",
            &tricky.as_bytes()[..tricky.len() - BOUNDARY.len() - 4],
        ),
    ]);
    let whole = read(&form, form.len()).unwrap().unwrap();
    assert_eq!(whole[0], ("key".into(), None, b"a/${filename}".to_vec()));
    assert_eq!(whole[1], ("empty".into(), None, Vec::new()));
    assert_eq!((whole[2].0.as_str(), whole[2].1.as_deref()), ("file", Some("a\"b \"c.txt")));
    assert_eq!(whole[2].2, &tricky.as_bytes()[..tricky.len() - BOUNDARY.len() - 4]);
    for frame_len in 1..80 {
        assert_eq!(read(&form, frame_len).unwrap().as_ref(), Some(&whole), "frames of {frame_len}");
    }
    for end in 0..form.len() - 4 {
        assert_eq!(read(&form[..end], 7), Ok(None), "cut after {end} bytes");
    }
}

#[test]
fn a_large_part_is_not_gathered_and_hardly_copied() {
    let mut parser = Parser::new(BOUNDARY);
    parser.feed(Bytes::from(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=file\r\n\r\n")));
    assert!(matches!(parser.next_event(), Ok(Some(Event::Part(_)))));
    let frame = Bytes::from(vec![b'\r'; 1 << 16]);
    for _ in 0..100 {
        parser.feed(frame.clone());
        while parser.next_event().unwrap().is_some() {}
        assert!(parser.held_len() < BOUNDARY.len() + 4);
    }
    let plain = Bytes::from(vec![b'x'; 1 << 16]);
    parser.feed(plain.clone());
    while parser.next_event().unwrap().is_some() {}
    parser.feed(plain.clone());
    let Ok(Some(Event::Data(data))) = parser.next_event() else { panic!("data was expected") };
    assert_eq!(data.as_ptr(), plain.as_ptr(), "handed through");
}

#[test]
fn preamble_padding_and_epilogue_mean_nothing() {
    let form = format!(
        "hello\r\n--{BOUNDARY} \t\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--{BOUNDARY}--bye\r\n--{BOUNDARY}"
    );
    assert_eq!(read(form.as_bytes(), 5).unwrap().unwrap(), [("a".into(), None, b"b".to_vec())]);
    assert_eq!(read(format!("--{BOUNDARY}--").as_bytes(), 3).unwrap(), Some(Vec::new()));
}

#[test]
fn what_is_no_form_is_refused() {
    let part = |head: &str| form(&[(head, b"data")]);
    let long = format!("Content-Disposition: form-data; name=\"{}\"", "n".repeat(HEAD_LEN_MAX));
    for (form, what) in [
        (part(""), "no colon"),
        (part("X: y"), "no Content-Disposition"),
        (part("Content-Disposition: attachment; name=a"), "is not form-data"),
        (part("Content-Disposition: form-data"), "no name"),
        (part("Content-Disposition: form-data; name=\"a"), "no name"),
        (
            part("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b"),
            "more than",
        ),
        (part("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64"), "encoded"),
        (part("Content-Disposition form-data"), "no colon"),
        (part(&long), "too long"),
        (format!("--{BOUNDARY}x\r\n").into_bytes(), "something else"),
        (format!("--{BOUNDARY}{}\r\n", " ".repeat(HEAD_LEN_MAX + 1)).into_bytes(), "too long"),
        ([b"--".as_slice(), BOUNDARY.as_bytes(), b"\r\nContent-Disposition: \xff\r\n\r\n"].concat(), "UTF-8"),
    ] {
        for frame_len in [1, 64, form.len()] {
            let error = read(&form, frame_len).unwrap_err();
            assert!(error.0.contains(what), "{what}: {error}");
        }
    }
    assert_eq!(read(b"key=value&other=more", 4), Ok(None));
}

#[test]
fn names_of_files_come_in_several_forms() {
    let name = |disposition: &str| {
        let form = form(&[(&format!("Content-Disposition: form-data; name=file{disposition}"), b"")]);
        read(&form, 9).unwrap().unwrap().remove(0).1
    };
    assert_eq!(name(""), None);
    assert_eq!(name("; filename=plain.txt").as_deref(), Some("plain.txt"));
    assert_eq!(name("; filename=\"\"").as_deref(), Some(""));
    assert_eq!(name("; filename=\"dir/über.txt\"").as_deref(), Some("über.txt"));
    assert_eq!(name("; filename=\"x\"; filename*=UTF-8''na%C3%AFve%20file").as_deref(), Some("naïve file"));
    assert_eq!(name("; filename*=latin1''x; filename=\"y\"").as_deref(), Some("y"));
}

#[test]
fn boundaries_are_found_or_refused() {
    let of = |parameters: &str| boundary(&format!("multipart/form-data{parameters}"));
    assert_eq!(of("; boundary=abc").as_deref(), Some("abc"));
    assert_eq!(of(";charset=utf-8; BOUNDARY=\"a b:c\"").as_deref(), Some("a b:c"));
    let longest = "b".repeat(70);
    assert_eq!(of(&format!("; boundary={longest}")), Some(longest.clone()));
    for none in ["", ";", "; boundary", "; boundary=", "; boundary=\"a", "; boundary=\"a \"", "; boundary=é"]
    {
        assert_eq!(of(none), None, "{none}");
    }
    assert_eq!(of(&format!("; boundary={longest}b")), None);
    assert_eq!(boundary("text/plain; boundary=abc"), None);
}
