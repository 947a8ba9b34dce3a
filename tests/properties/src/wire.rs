//! The types that travel between the services.

use std::fmt::Debug;

use proto_schemas::context::Context;
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::delivery::Delivery;
use proto_schemas::fetch::Fetch;
use proto_schemas::inbox::InboxEntry;
use proto_schemas::integration_test::{IntegrationTest, IntegrationTestReport};
use proto_schemas::limits::{CircuitBreaker, RateLimit};
use proto_schemas::progress::{DeliveryProgress, FilesProgress, TurnProgress};
use proto_schemas::transcript::Transcript;
use proto_schemas::turn::Turn;
use proto_schemas::typing::Typing;
use proto_schemas::wire::{DecodeError, Wire, decode, encode};

/// `payload` as each type.
pub fn wire_types(payload: &[u8]) {
    survives::<Context>(payload);
    survives::<DeadLetter>(payload);
    survives::<Delivery>(payload);
    survives::<Fetch>(payload);
    survives::<InboxEntry>(payload);
    survives::<IntegrationTest>(payload);
    survives::<IntegrationTestReport>(payload);
    survives::<RateLimit>(payload);
    survives::<CircuitBreaker>(payload);
    survives::<TurnProgress>(payload);
    survives::<DeliveryProgress>(payload);
    survives::<FilesProgress>(payload);
    survives::<Transcript>(payload);
    survives::<Turn>(payload);
    survives::<Typing>(payload);
}

/// What is read is written so that the same is read again; under another name nothing is read.
fn survives<T: Wire + PartialEq + Debug>(payload: &[u8]) {
    assert!(matches!(
        decode::<T>(Some("other.v1"), payload),
        Err(DecodeError::WrongType { .. })
    ));
    assert!(matches!(
        decode::<T>(None, payload),
        Err(DecodeError::WrongType { .. })
    ));
    let Ok(value) = decode::<T>(Some(T::TYPE), payload) else {
        return;
    };
    let written = encode(&value).expect("what was read has a JSON form");
    let again: T = decode(Some(T::TYPE), &written).expect("what was written is read");
    assert_eq!(again, value);
    assert_eq!(encode(&again).expect("it has been written before"), written);
}
