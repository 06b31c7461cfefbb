//! Every rule of the configuration, by an example that keeps it or breaks it.

use super::*;

/// Loads a file's text under these variables and flags.
fn load_text(text: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dovetail.toml");
    std::fs::write(&path, text).unwrap();
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    load(Flags { config: Some(path), ..flags }, variables.into_iter())
}

/// The error's line without the folder of the file.
fn refused(text: &str, variables: &[(&str, &str)]) -> String {
    let line = load_text(text, variables, Flags::default()).unwrap_err().to_string();
    assert!(!line.contains('\n'), "an error is one line: {line}");
    line
}

#[test]
fn docs_configuration_is_current() {
    crate::base::document::assert_current("docs/configuration.md", &keys::document());
}

#[test]
fn defaults_of_the_table_are_valid_and_are_those_of_the_layers() {
    let settings = load_text("", &[], Flags::default()).unwrap();
    assert_eq!(settings.data_dir, Path::new("./data"));
    assert_eq!(settings.region, "us-east-1");
    assert!(settings.users.is_empty() && settings.domains.is_empty() && settings.blobs_url.is_none());
    assert_eq!(format!("{:?}", settings.http), format!("{:?}", http::Settings::default()));
    assert_eq!(format!("{:?}", settings.engine), format!("{:?}", engine::Settings::default()));
    assert_eq!(settings.metadata, meta::rocksdb::Settings::default());
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let text = "listen = \"127.0.0.1:1\"\nregion = \"eu-west-1\"\n[limits]\nconnections = 5\n";
    let variables = [("DOVETAIL_LISTEN", "127.0.0.1:2"), ("DOVETAIL_LIMITS__CONNECTIONS", "6")];
    let flags = Flags { listen: Some("127.0.0.1:3".to_string()), ..Flags::default() };
    let settings = load_text(text, &variables, flags).unwrap();
    assert_eq!(settings.http.listen.port(), 3);
    assert_eq!(settings.http.connections, 6);
    assert_eq!(settings.region, "eu-west-1");
    assert_eq!(load_text(text, &variables, Flags::default()).unwrap().http.listen.port(), 2);
}

#[test]
fn reads_the_whole_example_of_the_contract() {
    let text = r#"
        listen   = "127.0.0.1:9000"
        data_dir = "./data"
        region   = "us-east-1"
        domain   = "s3.localhost"
        sigv2    = false
        default_object_ownership = "ObjectWriter"
        [blobs]
        url = "s3://bucket/prefix"
        aws_endpoint = "http://127.0.0.1:9001"
        aws_allow_http = true
        [[users]]
        name              = "main"
        access_key_id     = "AKIDEXAMPLE"
        secret_access_key = "wJalrXUtnFEMI/K7MDENG"
        [[users]]
        name              = "other"
        access_key_id     = "AKIDOTHER"
        secret_access_key = "another-secret"
        id = "owner"
        display_name = "Other Person"
        email = "other@example.com"
    "#;
    let settings = load_text(text, &[("DOVETAIL_BLOBS__AWS_REGION", "eu-1")], Flags::default()).unwrap();
    assert_eq!(settings.domains, ["s3.localhost"]);
    assert!(!settings.sigv2);
    assert!(load_text("sigv2 = true", &[], Flags::default()).unwrap().sigv2);
    assert_eq!(settings.blobs_url.as_deref(), Some("s3://bucket/prefix"));
    let options: Vec<_> =
        settings.blob_options.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(options, ["aws_allow_http=true", "aws_endpoint=http://127.0.0.1:9001", "aws_region=eu-1"]);
    assert_eq!(settings.default_object_ownership, ObjectOwnership::ObjectWriter);
    assert_eq!(settings.users[0].id.len(), 64);
    assert_eq!(settings.users[1].email.as_deref(), Some("other@example.com"));
    assert_eq!(
        (settings.users[1].id.as_str(), settings.users[1].display_name.as_str()),
        ("owner", "Other Person")
    );
    let shown = format!("{settings:?}");
    assert!(
        !shown.contains("wJalr") && !shown.contains("another-secret") && !shown.contains("9001"),
        "{shown}"
    );
}

#[test]
fn refuses_what_it_does_not_know() {
    assert!(refused("liste = \"x\"", &[]).contains("did you mean listen?"));
    assert!(refused("[limits]\nconections = 3", &[]).starts_with("limits.conections (from "));
    assert!(refused("[[users]]\nnam = \"x\"", &[]).starts_with("users.0.nam (from "));
    assert!(
        refused("", &[("DOVETAIL_LISTN", "x")])
            .starts_with("listn (from DOVETAIL_LISTN): unknown key; did you mean listen?")
    );
    assert!(refused("listen = ", &[]).contains("line 1 is not TOML"));
    assert!(refused("users = [1]", &[]).contains("[[users]]"));
}

#[test]
fn leaves_variables_alone_that_are_no_keys() {
    let variables = [
        ("DOVETAIL_LOG", "debug"),
        ("DOVETAIL_CACHE", "/tmp"),
        ("DOVETAIL_TEST_SEED", "1"),
        ("DOVETAIL_KILL_AT", "x"),
        // Kubernetes, beside a service called dovetail.
        ("DOVETAIL_SERVICE_HOST", "10.0.0.1"),
        ("DOVETAIL_PORT_9000_TCP", "tcp://10.0.0.1:9000"),
        ("DOVETAIL_DOMAIN", ""),
        ("PATH", "/bin"),
    ];
    assert!(load_text("", &variables, Flags::default()).is_ok());
}

#[test]
fn a_bad_value_names_its_key_its_place_and_what_is_allowed() {
    let line = refused("", &[("DOVETAIL_LISTEN", "here")]);
    assert_eq!(
        line,
        "listen (from DOVETAIL_LISTEN): `here` is not an address; allowed: ADDR:PORT, such as 127.0.0.1:9000 or [::]:9000"
    );
    for (text, key) in [
        ("data_dir = \"\"", "data_dir"),
        ("region = \"Mars 1\"", "region"),
        ("region = 7", "region"),
        ("domain = \"10.0.0.1\"", "domain"),
        ("domain = [\"a.b\", 3]", "domain"),
        ("domain = [\"a.b:9000\"]", "domain"),
        ("sigv2 = \"perhaps\"", "sigv2"),
        ("default_object_ownership = \"Nobody\"", "default_object_ownership"),
        ("log_format = \"xml\"", "log_format"),
        ("shutdown_timeout = 30", "shutdown_timeout"),
        ("[limits]\nconnections = 0", "limits.connections"),
        ("[limits]\nupload_memory = \"1MiB\"", "limits.upload_memory"),
        ("[limits]\nidle_timeout = \"0s\"", "limits.idle_timeout"),
        ("[limits]\nbody_min_rate = \"fast\"", "limits.body_min_rate"),
        ("[metadata]\ninline_max = \"2MiB\"", "metadata.inline_max"),
        ("[uploads]\nexpire_after = \"soon\"", "uploads.expire_after"),
        ("[tls]\ncertificate = \"cert.pem\"", "tls.private_key"),
        ("[blobs]\naws_endpoint = \"http://x\"", "blobs.url"),
        ("[[users]]\nname = \"a\"\nsecret_access_key = \"12345678\"", "users.0.access_key_id"),
        (
            "[[users]]\nname = \"a\"\naccess_key_id = \"a/b\"\nsecret_access_key = \"12345678\"",
            "users.0.access_key_id",
        ),
        (
            "[[users]]\nname = \"a\"\naccess_key_id = \"abc\"\nsecret_access_key = \"short\"",
            "users.0.secret_access_key",
        ),
    ] {
        let line = refused(text, &[]);
        assert!(
            line.starts_with(&format!("{key}:")) || line.starts_with(&format!("{key} (from ")),
            "{text}: {line}"
        );
        assert!(
            line.contains("allowed: ") || key == "tls.private_key" || key == "blobs.url",
            "{text}: {line}"
        );
    }
}

#[test]
fn the_key_pair_of_the_environment_is_one_more_user() {
    let pair = [("DOVETAIL_ACCESS_KEY_ID", "AKID"), ("DOVETAIL_SECRET_ACCESS_KEY", "secret-secret")];
    let users = load_text("", &pair, Flags::default()).unwrap().users;
    assert_eq!((users.len(), users[0].name.as_str(), users[0].access_key_id.as_str()), (1, "main", "AKID"));
    assert!(refused("", &pair[..1]).starts_with("DOVETAIL_SECRET_ACCESS_KEY: is not set"));
    let line = refused("", &[pair[0], ("DOVETAIL_SECRET_ACCESS_KEY", "short")]);
    assert!(line.starts_with("DOVETAIL_SECRET_ACCESS_KEY: ") && !line.contains("short"), "{line}");
    let twice = "[[users]]\nname = \"a\"\naccess_key_id = \"AKID\"\nsecret_access_key = \"12345678\"";
    assert!(refused(twice, &pair).contains("AKID is there twice"));
}

#[test]
fn users_can_come_from_numbered_variables() {
    let variables = [
        ("DOVETAIL_USERS__0__NAME", "a"),
        ("DOVETAIL_USERS__0__ACCESS_KEY_ID", "123"),
        ("DOVETAIL_USERS__0__SECRET_ACCESS_KEY", "12345678"),
    ];
    assert_eq!(load_text("", &variables, Flags::default()).unwrap().users[0].access_key_id, "123");
}

#[test]
fn every_key_has_a_variable_that_is_read() {
    for key in keys::KEYS {
        let variable = keys::environment_variable(key.name);
        // The value is refused or taken, but the variable is known.
        if let Err(error) = load_text("", &[(&variable, "\u{1}")], Flags::default()) {
            assert!(!error.to_string().contains("unknown key"), "{variable}: {error}");
        }
    }
}
