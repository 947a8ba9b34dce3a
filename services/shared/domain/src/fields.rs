//! One unambiguous byte string from several fields: what is hashed or signed.

/// Writes `fields` so that two different lists never give the same bytes: each field is marked as absent, or
/// as present with its length before it. `purpose` keeps apart what is hashed for different ends.
pub(crate) fn encode(purpose: &str, fields: &[Option<&str>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [Some(purpose)].iter().chain(fields) {
        match field {
            None => bytes.push(0),
            Some(text) => {
                bytes.push(1);
                bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("[ab\\x00\\x01]{0,3}")
    }

    fn bytes(fields: &[Option<String>]) -> Vec<u8> {
        encode("test", &fields.iter().map(Option::as_deref).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn different_fields_give_different_bytes(
            one in proptest::collection::vec(field(), 0..4),
            other in proptest::collection::vec(field(), 0..4),
        ) {
            prop_assert_eq!(bytes(&one) == bytes(&other), one == other);
        }
    }

    #[test]
    fn the_purpose_is_part_of_the_bytes() {
        assert_ne!(encode("a", &[]), encode("b", &[]));
        assert_ne!(encode("a", &[Some("b")]), encode("ab", &[]));
    }
}
