//! All that the API has.

use registry::{Bot, Connection, Integration};

use crate::route::Route;
use crate::{
    ab, breakers, conversations, dead_letters, messages, openapi, overview, records, test_integration,
};

/// The routes, in the order of the API's description.
pub(crate) fn all() -> Vec<Route> {
    [
        openapi::routes(),
        overview::routes(),
        records::routes::<Bot>(),
        ab::routes(),
        records::routes::<Integration>(),
        test_integration::routes(),
        breakers::routes(),
        records::routes::<Connection>(),
        conversations::routes(),
        messages::routes(),
        dead_letters::routes(),
    ]
    .concat()
}
