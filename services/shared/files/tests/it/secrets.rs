//! What becomes of the credentials.

use domain::files::content_key;
use testkit::s3::ACCESS_KEY;

use crate::fixture::{Fixture, MIB};

const WRONG_SECRET: &str = "not-the-secret-of-the-bucket";

#[tokio::test]
async fn a_wrong_secret_is_told_without_showing_one() {
    let fixture = Fixture::start().await;
    let files = fixture.with_secret(WRONG_SECRET);
    let error = files.read(&content_key(b"abc"), MIB).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the file store refuses us: our credentials or their permissions are wrong (SignatureDoesNotMatch)"
    );
    let error = format!("{error:?}");
    for secret in [WRONG_SECRET, ACCESS_KEY] {
        assert!(!error.contains(secret), "{error}");
    }
}
