//! What a file is, by its first bytes. What its sender says is believed where bytes cannot tell.

/// The type of bytes of which nobody knows what they are.
const UNKNOWN_TYPE: &str = "application/octet-stream";
/// Types that begin alike: sound and pictures in one container, and documents that are archives inside. A claim within
/// the family says more than the bytes.
const FAMILIES: [&[&str]; 5] = [
    &[
        "video/mp4",
        "video/x-m4v",
        "video/quicktime",
        "audio/mp4",
        "audio/m4a",
        "audio/x-m4a",
    ],
    &["audio/ogg", "video/ogg", "application/ogg", "audio/opus"],
    &["video/webm", "audio/webm", "video/x-matroska", "audio/x-matroska"],
    &[
        "text/xml",
        "application/xml",
        "image/svg+xml",
        "application/xhtml+xml",
    ],
    &["text/html", "application/xhtml+xml"],
];
/// Archives: what else lies in them makes them documents, applications, books.
const ARCHIVES: [&str; 2] = ["application/zip", "application/x-ole-storage"];

/// The media type of a file of which its sender, or the server it came from, claims this one. Always one that may stand
/// in a header.
///
/// A picture that does not begin as pictures do is `application/octet-stream`: a model's API would refuse the whole
/// conversation because of it.
pub fn sniffed_type(bytes: &[u8], claimed: Option<&str>) -> String {
    let seen = infer::get(bytes).map(|kind| kind.mime_type());
    let kind = match (seen, claimed) {
        (Some(seen), Some(claimed)) if is_alike(seen, claimed) => claimed,
        (Some(seen), _) => seen,
        (None, Some(claimed)) if claimed.starts_with("image/") && infer::is_mime_supported(claimed) => {
            UNKNOWN_TYPE
        }
        (None, Some(claimed)) => claimed,
        (None, None) if is_text(bytes) => "text/plain",
        (None, None) => UNKNOWN_TYPE,
    };
    kind.to_owned()
}

/// Whether something of this type is a page for people that was sent in place of a file, as sign-in pages and expired
/// links are. `name` and `claimed` are what its sender says of the file.
pub fn is_stray_page(mime_type: &str, name: &str, claimed: Option<&str>) -> bool {
    is_html(mime_type) && !may_be_html(name, claimed)
}

fn is_html(mime_type: &str) -> bool {
    matches!(mime_type, "text/html" | "application/xhtml+xml")
}

/// Whether a web page is what was asked for.
fn may_be_html(name: &str, claimed: Option<&str>) -> bool {
    let name = name.to_ascii_lowercase();
    claimed.is_some_and(is_html)
        || [".html", ".htm", ".xhtml"]
            .iter()
            .any(|ending| name.ends_with(ending))
}

fn is_alike(seen: &str, claimed: &str) -> bool {
    let both_in = |family: &&[&str]| family.contains(&seen) && family.contains(&claimed);
    FAMILIES.iter().any(both_in) || ARCHIVES.contains(&seen) && claimed.starts_with("application/")
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const PDF: &[u8] = b"%PDF-1.7\n";
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0";
    const OGG: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0";
    const PAGE: &[u8] = b"<!DOCTYPE html><html><title>Sign in</title>";
    const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

    #[test]
    fn bytes_win_over_claims() {
        for (bytes, claimed, expected) in [
            (PNG, Some("image/jpeg"), "image/png"),
            (PNG, Some("text/plain"), "image/png"),
            (PDF, None, "application/pdf"),
            (PAGE, Some("application/pdf"), "text/html"),
            (ZIP, Some("image/png"), "application/zip"),
        ] {
            assert_eq!(sniffed_type(bytes, claimed), expected, "{claimed:?}");
        }
    }

    #[test]
    fn a_claim_stands_where_bytes_cannot_tell() {
        for (bytes, claimed) in [
            (ZIP, DOCX),
            (OGG, "audio/opus"),
            (b"a,b\n1,2\n", "text/csv"),
            (b"<?xml version=\"1.0\"?><svg/>", "image/svg+xml"),
        ] {
            assert_eq!(sniffed_type(bytes, Some(claimed)), claimed);
        }
    }

    #[test]
    fn what_only_claims_to_be_a_picture_is_none() {
        assert_eq!(sniffed_type(b"hello", Some("image/png")), UNKNOWN_TYPE);
        assert_eq!(sniffed_type(b"", Some("image/jpeg")), UNKNOWN_TYPE);
    }

    #[test]
    fn without_a_claim_text_is_text_and_the_rest_unknown() {
        assert_eq!(sniffed_type("grüße".as_bytes(), None), "text/plain");
        assert_eq!(sniffed_type(b"\0\x01", None), UNKNOWN_TYPE);
        assert_eq!(sniffed_type(b"", None), UNKNOWN_TYPE);
    }

    #[test]
    fn a_page_is_stray_unless_one_was_meant() {
        let is_stray = |bytes: &[u8], name: &str, claimed: Option<&str>| {
            is_stray_page(&sniffed_type(bytes, claimed), name, claimed)
        };
        assert!(is_stray(PAGE, "report.pdf", Some("application/pdf")));
        assert!(is_stray(PAGE, "report", None));
        assert!(!is_stray(PAGE, "page.HTML", None));
        assert!(!is_stray(PAGE, "page", Some("text/html")));
        assert!(!is_stray(PDF, "report", None));
    }
}
