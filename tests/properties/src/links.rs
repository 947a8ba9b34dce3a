//! Signed links to files.

use domain::links::{LinkError, sign, verify};
use proto_schemas::ids::UnixMillis;
use url::Url;
use url::form_urlencoded;

use crate::files::split_line;

const SECRET: &[u8] = b"a secret for links";
const EXPIRES: UnixMillis = UnixMillis(2_000);
const BEFORE: UnixMillis = UnixMillis(1_999);

/// The first line as a forged signature, the rest as the key of a file.
pub fn signed_link(input: &[u8]) {
    let (forged, key) = split_line(input);
    let (Ok(forged), Ok(key)) = (std::str::from_utf8(forged), std::str::from_utf8(key)) else {
        return;
    };
    let link = Url::parse(&sign("https://files.test/files", key, EXPIRES, SECRET)).expect("a link is a URL");
    let query: Vec<(String, String)> = link.query_pairs().into_owned().collect();
    let [(_, expires), (_, signature)] = query.as_slice() else {
        panic!("a link says when it ends and who made it: {link}")
    };
    assert_eq!(expires, &EXPIRES.0.to_string());
    assert_eq!(link.host_str(), Some("files.test"));
    if !has_dots_alone(key) {
        let path = link
            .path()
            .strip_prefix("/files/")
            .expect("the key stays behind the base");
        assert_eq!(unescaped(path), key);
    }
    assert_eq!(verify(key, EXPIRES, signature, BEFORE, SECRET), Ok(()));
    assert_eq!(
        verify(key, EXPIRES, signature, EXPIRES, SECRET),
        Err(LinkError::Expired)
    );
    let opens = |key: &str, expires, signature: &str| verify(key, expires, signature, BEFORE, SECRET);
    assert_eq!(
        opens(&format!("{key}x"), EXPIRES, signature),
        Err(LinkError::BadSignature)
    );
    assert_eq!(
        opens(key, UnixMillis(EXPIRES.0 + 1), signature),
        Err(LinkError::BadSignature)
    );
    if forged != signature {
        assert_eq!(
            opens(key, EXPIRES, forged),
            Err(LinkError::BadSignature),
            "{forged}"
        );
    }
}

/// Segments that a URL has no place for; no name of a file is made so.
fn has_dots_alone(key: &str) -> bool {
    key.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Neither `+`, `&` nor `=` stands in a path as it is.
fn unescaped(path: &str) -> String {
    form_urlencoded::parse(path.as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect()
}
