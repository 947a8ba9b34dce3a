//! Amazon's signature of requests, version 4, as a server checks it: over what arrived, with everything in the header.

use axum::http::{HeaderMap, Method, Uri};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Headers without which a signature says too little.
const MUST_BE_SIGNED: [&str; 3] = ["host", "x-amz-content-sha256", "x-amz-date"];

/// A request whose signature is to be checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
}

/// Why a request is refused. The detail repeats key and signed text, as the real answer does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl Signed<'_> {
    /// Refuses a request that was not signed with this key and secret, or was changed since.
    pub(super) fn check(&self, key: &str, secret: &str, region: &str) -> Result<(), Refusal> {
        let refuse = |code, detail: &str| Refusal {
            code,
            detail: detail.to_owned(),
        };
        let authorization = self.header("authorization");
        let fields = authorization
            .strip_prefix(ALGORITHM)
            .ok_or_else(|| refuse("AccessDenied", "no signature"))?;
        let field = |name: &str| {
            let found = fields
                .split(',')
                .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| refuse("AuthorizationHeaderMalformed", name))
        };
        let (credential, names, given) = (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
        let (given_key, scope) = credential.split_once('/').unwrap_or_default();
        if given_key != key {
            return Err(refuse("InvalidAccessKeyId", given_key));
        }
        let time = self.header("x-amz-date");
        let day = time.get(..8).unwrap_or_default();
        if scope != format!("{day}/{region}/s3/aws4_request") {
            return Err(refuse("AuthorizationHeaderMalformed", scope));
        }
        let unsigned = MUST_BE_SIGNED
            .into_iter()
            .find(|must| !names.split(';').any(|name| name == *must));
        if let Some(unsigned) = unsigned {
            return Err(refuse("AccessDenied", unsigned));
        }
        if self.header("x-amz-content-sha256") != hash(self.body) {
            return Err(refuse("XAmzContentSHA256Mismatch", "the body was changed"));
        }
        let text = format!(
            "{ALGORITHM}\n{time}\n{scope}\n{}",
            hash(self.canonical(names).as_bytes())
        );
        let mut signing_key = mac(format!("AWS4{secret}").as_bytes(), day);
        for part in [region, "s3", "aws4_request"] {
            signing_key = mac(&signing_key, part);
        }
        if HEXLOWER.encode(&mac(&signing_key, &text)) != given {
            return Err(refuse("SignatureDoesNotMatch", &format!("{key} {text}")));
        }
        Ok(())
    }

    /// The request in the form that is signed. Paths and queries are taken as they were sent.
    fn canonical(&self, names: &str) -> String {
        let mut query: Vec<&str> = self.uri.query().unwrap_or_default().split('&').collect();
        query.sort_unstable();
        let headers: String = names
            .split(';')
            .map(|name| format!("{name}:{}\n", self.header(name).trim()))
            .collect();
        format!(
            "{}\n{}\n{}\n{headers}\n{names}\n{}",
            self.method,
            self.uri.path(),
            query.join("&"),
            self.header("x-amz-content-sha256")
        )
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const GET_SIGNATURE: &str = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    const PUT_SIGNATURE: &str = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";

    struct Example {
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    }

    impl Example {
        fn new(
            method: Method,
            uri: &'static str,
            body: &'static str,
            headers: &[(&'static str, String)],
        ) -> Self {
            let mut all = HeaderMap::new();
            let fixed = [
                ("host", "examplebucket.s3.amazonaws.com".to_owned()),
                ("x-amz-content-sha256", hash(body.as_bytes())),
                ("x-amz-date", "20130524T000000Z".to_owned()),
            ];
            for (name, value) in fixed.iter().chain(headers) {
                all.insert(*name, value.parse().unwrap());
            }
            Self {
                method,
                uri: Uri::from_static(uri),
                headers: all,
                body: Bytes::from_static(body.as_bytes()),
            }
        }

        fn check(&self, secret: &str) -> Result<(), &'static str> {
            let signed = Signed {
                method: &self.method,
                uri: &self.uri,
                headers: &self.headers,
                body: &self.body,
            };
            let checked = signed.check(KEY, secret, "us-east-1");
            checked.map_err(|refusal| refusal.code)
        }
    }

    fn authorization(names: &str, signature: &str) -> (&'static str, String) {
        let scope = "20130524/us-east-1/s3/aws4_request";
        let value =
            format!("{ALGORITHM} Credential={KEY}/{scope},SignedHeaders={names},Signature={signature}");
        ("authorization", value)
    }

    fn get() -> Example {
        let names = "host;range;x-amz-content-sha256;x-amz-date";
        let headers = [
            ("range", "bytes=0-9".to_owned()),
            authorization(names, GET_SIGNATURE),
        ];
        Example::new(Method::GET, "/test.txt", "", &headers)
    }

    fn put() -> Example {
        let names = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class";
        let headers = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
            authorization(names, PUT_SIGNATURE),
        ];
        Example::new(
            Method::PUT,
            "/test%24file.text",
            "Welcome to Amazon S3.",
            &headers,
        )
    }

    #[test]
    fn the_published_examples_are_accepted() {
        assert_eq!(get().check(SECRET), Ok(()));
        assert_eq!(put().check(SECRET), Ok(()));
    }

    #[test]
    fn what_is_changed_or_signed_by_others_is_refused() {
        assert_eq!(get().check("another"), Err("SignatureDoesNotMatch"));
        let mut changed = put();
        changed.body = Bytes::from_static(b"Welcome to Amazon S4.");
        assert_eq!(changed.check(SECRET), Err("XAmzContentSHA256Mismatch"));
        let mut elsewhere = put();
        elsewhere.uri = Uri::from_static("/other");
        assert_eq!(elsewhere.check(SECRET), Err("SignatureDoesNotMatch"));
        let mut anonymous = get();
        anonymous.headers.remove("authorization");
        assert_eq!(anonymous.check(SECRET), Err("AccessDenied"));
    }
}
