//! Signed links to files.

use domain::files::{content_key, link_path, split_path};
use domain::links::{LinkError, Linked, sign, verify};
use proto_schemas::content::StoredFile;
use proto_schemas::ids::UnixMillis;
use url::Url;
use url::form_urlencoded;

use crate::files::split_line;

const SECRET: &[u8] = b"a secret for links";
const EXPIRES: UnixMillis = UnixMillis(2_000);
const BEFORE: UnixMillis = UnixMillis(1_999);
const TYPE: &str = "image/png";

/// The first line as a forged signature, the rest as the name of a file.
pub fn signed_link(input: &[u8]) {
    let (forged, name) = split_line(input);
    let (Ok(forged), Ok(name)) = (std::str::from_utf8(forged), std::str::from_utf8(name)) else {
        return;
    };
    let file = StoredFile {
        key: content_key(name.as_bytes()),
        name: name.to_owned(),
        mime_type: TYPE.to_owned(),
        bytes: 3,
    };
    let link =
        Url::parse(&sign("https://files.test/files", &file, EXPIRES, SECRET)).expect("a link is a URL");
    let query: Vec<(String, String)> = link.query_pairs().into_owned().collect();
    let [(_, mime_type), (_, expires), (_, signature)] = query.as_slice() else {
        panic!("a link says what it is, when it ends and who made it: {link}")
    };
    assert_eq!((mime_type.as_str(), expires), (TYPE, &EXPIRES.0.to_string()));
    assert_eq!(link.host_str(), Some("files.test"));
    let path = link_path(&file);
    assert_eq!(split_path(&path).0, file.key);
    if !has_dots_alone(&path) {
        let shown = link.path().strip_prefix("/files/");
        assert_eq!(unescaped(shown.expect("the path stays behind the base")), path);
    }
    let opens = |path: &str, expires, signature: &str, now| {
        let linked = Linked {
            path,
            mime_type: Some(TYPE),
            expires,
        };
        verify(linked, signature, now, SECRET)
    };
    let forgery = Err(LinkError::BadSignature);
    assert_eq!(opens(&path, EXPIRES, signature, BEFORE), Ok(()));
    assert_eq!(opens(&path, EXPIRES, signature, EXPIRES), Err(LinkError::Expired));
    assert_eq!(opens(&format!("{path}x"), EXPIRES, signature, BEFORE), forgery);
    assert_eq!(
        opens(&path, UnixMillis(EXPIRES.0 + 1), signature, BEFORE),
        forgery
    );
    if forged != signature {
        assert_eq!(opens(&path, EXPIRES, forged, BEFORE), forgery, "{forged}");
    }
}

/// Segments that a URL has no place for; no name of a file is made so.
fn has_dots_alone(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Neither `+`, `&` nor `=` stands in a path as it is.
fn unescaped(path: &str) -> String {
    form_urlencoded::parse(path.as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect()
}
