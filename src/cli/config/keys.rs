//! Every key of the configuration, in one table. `docs/configuration.md` is printed from it.

use std::fmt::Write;

/// What may stand for a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// Text that is never shown.
    Secret,
    Path,
    /// `ADDR:PORT`.
    Address,
    Bool,
    Duration,
    Size,
    Count,
    /// One text, or a list of texts; in the environment separated by commas.
    Texts,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// As it would be written; empty where there is none.
    pub default: &'static str,
    pub meaning: &'static str,
}

/// The keys, in the order of the documentation. Those of `[blobs]` beside `url` are the backend's own, those of
/// `[[users]]` are in [`USER_KEYS`].
pub const KEYS: &[Key] = &[
    key("listen", Kind::Address, "127.0.0.1:9000", "Where to accept connections. Flag: `--listen`."),
    key(
        "data_dir",
        Kind::Path,
        "./data",
        "The folder for metadata, blobs and everything else. Flag: `--data-dir`.",
    ),
    key("region", Kind::Text, "us-east-1", "The region that requests are signed for."),
    key(
        "domain",
        Kind::Texts,
        "",
        "A name, or several, under which buckets are found by virtual-hosted-style addressing: `bucket.domain`.",
    ),
    key(
        "sigv2",
        Kind::Bool,
        "false",
        "Accept Signature Version 2 as well, for clients that know nothing newer. It is weaker: leave it off otherwise.",
    ),
    key(
        "default_object_ownership",
        Kind::Word(&["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]),
        "BucketOwnerEnforced",
        "Object ownership of new buckets. `BucketOwnerEnforced` turns ACLs off, the others turn them on.",
    ),
    key(
        "default_public_access_block",
        Kind::Bool,
        "",
        "Whether new buckets get a public access block with everything on, as on AWS, so that no policy or ACL can \
         open one by mistake. Default: `true`, but `false` where `default_object_ownership` turns ACLs on.",
    ),
    key(
        "shutdown_timeout",
        Kind::Duration,
        "30s",
        "How long requests in flight may take to finish after SIGTERM.",
    ),
    key(
        "log_format",
        Kind::Word(&["text", "json"]),
        "text",
        "How a log line on stderr looks. Flag: `--log-format`.",
    ),
    key(
        "blobs.url",
        Kind::Text,
        "",
        "Where bytes are kept: `file:///path`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or \
         `memory://`. Default: `<data_dir>/blobs`.",
    ),
    key("tls.certificate", Kind::Path, "", "A PEM file with the certificate chain. Read again on SIGHUP."),
    key("tls.private_key", Kind::Path, "", "The PEM file with its private key. Read again on SIGHUP."),
    key(
        "encryption.master_key_file",
        Kind::Path,
        "",
        "A file with the master key of SSE-S3: 32 bytes in base64 on a line. Of several lines the last is the newest: it \
         encrypts, the others still decrypt. Default: `<data_dir>/master.key`, made on the first start. Back it up: \
         nothing brings encrypted objects back without it.",
    ),
    key(
        "encryption.master_key",
        Kind::Secret,
        "",
        "The same in place of a file, for the environment; several keys are separated by blanks.",
    ),
    key(
        "encryption.require_tls",
        Kind::Bool,
        "true",
        "Refuse keys of clients (SSE-C) over connections that are not encrypted. Turn it off behind a proxy that ends TLS.",
    ),
    key(
        "limits.connections",
        Kind::Count,
        "1024",
        "Connections open at a time. When one more comes, the one that has asked nothing for longest, for a second at least, is ended.",
    ),
    key(
        "limits.upload_memory",
        Kind::Size,
        "128MiB",
        "Memory for request bodies, 2 MiB each, 3 MiB if they are encrypted. When it is spent, a body waits.",
    ),
    key(
        "limits.upload_wait",
        Kind::Duration,
        "10s",
        "How long a body waits for memory before it is refused with 503 SlowDown.",
    ),
    key(
        "limits.header_timeout",
        Kind::Duration,
        "30s",
        "For a request's header from its first byte, and a TLS handshake.",
    ),
    key("limits.idle_timeout", Kind::Duration, "60s", "How long a connection may be idle between requests."),
    key("limits.body_idle_timeout", Kind::Duration, "30s", "How long a request's body may bring nothing."),
    key(
        "limits.body_min_rate",
        Kind::Size,
        "1KiB",
        "Bytes a second that a request's body has to bring, measured over 30 s of waiting for it. 0: no limit.",
    ),
    key("limits.write_timeout", Kind::Duration, "60s", "How long a client may take nothing of its answer."),
    key(
        "uploads.expire_after",
        Kind::Duration,
        "7d",
        "Multipart uploads this old are aborted and their bytes freed.",
    ),
    key("uploads.sweep_interval", Kind::Duration, "1h", "How often they are looked for."),
    key(
        "uploads.complete_repeat_window",
        Kind::Duration,
        "2d",
        "How long a repeated CompleteMultipartUpload gets the same answer.",
    ),
    key(
        "lifecycle.sweep_interval",
        Kind::Duration,
        "24h",
        "How often lifecycle rules are carried out, counted from midnight UTC. What is due sooner waits for the next time.",
    ),
    key(
        "lifecycle.day_length",
        Kind::Duration,
        "24h",
        "How long a day of a lifecycle rule lasts when rules are carried out. For tests only; what clients are told of \
         expiry is always in real days.",
    ),
    key(
        "metadata.inline_max",
        Kind::Size,
        "64KiB",
        "Objects up to this size are kept in the metadata store rather than in a file of their own. At most 1MiB.",
    ),
    key("metadata.block_cache", Kind::Size, "32MiB", "Memory for what is read from the metadata store."),
    key("metadata.write_buffer", Kind::Size, "64MiB", "Memory for recent writes to the metadata store."),
];

/// The keys of one entry of `[[users]]`.
pub const USER_KEYS: &[Key] = &[
    key("name", Kind::Text, "", "For people and logs. Entries of one name are keys of one user."),
    key("access_key_id", Kind::Text, "", "3 to 128 letters, digits and `-._`."),
    key("secret_access_key", Kind::Secret, "", "At least 8 printable characters."),
    key("id", Kind::Text, "", "The canonical owner id. Default: derived from the name."),
    key("display_name", Kind::Text, "", "The owner's name in listings. Default: the name."),
    key("email", Kind::Text, "", "By which ACLs may name the user."),
];

const fn key(name: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Key {
    Key { name, kind, default, meaning }
}

/// The row of a key; `users.0.name` finds `name` of the users, `blobs.` anything a backend's option.
pub fn find(name: &str) -> Option<Key> {
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        return Some(*key);
    }
    let (table, rest) = name.split_once('.')?;
    match table {
        "blobs" if !rest.is_empty() && !rest.contains('.') => {
            Some(key("blobs.*", Kind::Secret, "", "An option of the backend."))
        }
        "encryption" if rest.strip_prefix("kms_keys.").is_some_and(|id| !id.is_empty()) => {
            Some(key("encryption.kms_keys.*", Kind::Secret, "", "A key for SSE-KMS."))
        }
        "users" => {
            let (index, field) = rest.split_once('.')?;
            index.parse::<usize>().ok()?;
            USER_KEYS.iter().find(|key| key.name == field).copied()
        }
        _ => None,
    }
}

/// The variable that wins over a key of the file.
pub fn environment_variable(name: &str) -> String {
    format!("DOVETAIL_{}", name.replace('.', "__").to_ascii_uppercase())
}

/// `docs/configuration.md`, from the tables.
pub fn document() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         One TOML file, given with `--config`. Every key has an environment variable, which wins over the file:\n\
         `DOVETAIL_` and the key in capitals, with `.` written as `__` (`limits.connections` is\n\
         `DOVETAIL_LIMITS__CONNECTIONS`). A flag, where there is one, wins over both. Unknown keys, and unknown variables\n\
         that begin with `DOVETAIL_`, are errors: `dovetail serve` then says in one line which key, why, and what is\n\
         allowed, and exits with 2 before anything is written. Relative paths start from the working directory.\n\n\
         This page is printed from the tables in `src/cli/config/keys.rs`;\n\
         `DOVETAIL_TEST_WRITE_DOCS=1 cargo test docs_configuration` writes it anew.\n\n\
         | key | value | default | meaning |\n| --- | --- | --- | --- |\n",
    );
    write_rows(&mut text, KEYS);
    text.push_str(
        "\n## `[encryption.kms_keys]`: keys for SSE-KMS\n\n\
         A key id that clients name in `x-amz-server-side-encryption-aws-kms-key-id`, and what it stands for: 32 bytes in\n\
         base64 (`openssl rand -base64 32`). A client that asks for `aws:kms` and names no key gets the one called\n\
         `aws/s3`, if there is one. A key that objects are encrypted with must stay: they cannot be read without it.\n\n\
         ```toml\n[encryption.kms_keys]\ninvoices = \"...\"\n\"aws/s3\" = \"...\"\n```\n\
         \n## `[blobs]`: options of the backend\n\n\
         Keys beside `url` are options of the backend under the names that the object_store crate gives them, for example\n\
         `aws_endpoint`, `aws_access_key_id`, `aws_secret_access_key`, `aws_allow_http`. Their values are never logged.\n\n\
         ```toml\n[blobs]\nurl = \"s3://bucket/prefix\"\naws_region = \"eu-central-1\"\n```\n\n\
         ## `[[users]]`: who may sign requests\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n",
    );
    write_rows(&mut text, USER_KEYS);
    text.push_str(
        "\n```toml\n[[users]]\nname = \"main\"\naccess_key_id = \"...\"\nsecret_access_key = \"...\"\n```\n\n\
         In the environment the entries are numbered from 0: `DOVETAIL_USERS__0__NAME`. `DOVETAIL_ACCESS_KEY_ID` and\n\
         `DOVETAIL_SECRET_ACCESS_KEY` define one more user, `main`, without a file. With no user at all, `serve` makes a\n\
         random key pair on its first start and keeps it in `<data_dir>/credentials`, readable by its owner only.\n\n\
         ## Not keys\n\n\
         | variable | meaning |\n| --- | --- |\n\
         | `DOVETAIL_LOG` | What is logged: `error`, `warn`, `info` (default), `debug`, `trace`, or `module=level` pairs. |\n\
         | `DOVETAIL_CACHE` | Where `make` keeps what it builds once (default `~/.cache/dovetail`). |\n",
    );
    text
}

fn write_rows(text: &mut String, keys: &[Key]) {
    for Key { name, kind, default, meaning } in keys {
        let value = match kind {
            Kind::Text | Kind::Secret => "text".to_string(),
            Kind::Path => "path".to_string(),
            Kind::Address => "ADDR:PORT".to_string(),
            Kind::Bool => "true, false".to_string(),
            Kind::Duration => "duration: `500ms`, `30s`, `5m`, `2h`, `7d`".to_string(),
            Kind::Size => "size: `4096`, `64KiB`, `1GiB`, `10MB`".to_string(),
            Kind::Count => "whole number".to_string(),
            Kind::Texts => "text, or a list of texts".to_string(),
            Kind::Word(words) => words.join(", "),
        };
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        writeln!(text, "| `{name}` | {value} | {default} | {meaning} |")
            .expect("writing to a string cannot fail");
    }
}
