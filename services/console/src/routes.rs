//! All that the API has.

use registry::{Bot, Connection, Integration};

use crate::route::Route;
use crate::{ab, conversations, dead_letters, openapi, records, test_integration};

/// The routes, in the order of the API's description.
pub(crate) fn all() -> Vec<Route> {
    [
        openapi::routes(),
        records::routes::<Bot>(),
        ab::routes(),
        records::routes::<Integration>(),
        test_integration::routes(),
        records::routes::<Connection>(),
        conversations::routes(),
        dead_letters::routes(),
    ]
    .concat()
}
