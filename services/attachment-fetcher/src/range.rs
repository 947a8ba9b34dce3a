//! Which bytes of a file are asked for (RFC 9110, section 14).

use std::ops::Range;

use axum::http::{HeaderMap, header};
use http_range_header::parse_range_header;

/// What is to be sent of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// These bytes.
    Part(Range<usize>),
    /// Bytes that it does not have.
    Beyond,
}

/// What a request wants of a file of this length. A range that is no range is passed over; so are several at once, and
/// one that is wanted only of an unchanged file, as we name no version that could be compared.
pub fn wanted(headers: &HeaderMap, length: usize) -> Wanted {
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let asked = asked.filter(|_| !headers.contains_key(header::IF_RANGE));
    let Some(Ok(ranges)) = asked.map(parse_range_header) else {
        return Wanted::Whole;
    };
    match ranges.validate(length as u64).as_deref() {
        Ok([range]) => match (usize::try_from(*range.start()), usize::try_from(*range.end())) {
            (Ok(start), Ok(end)) if start <= end && end < length => Wanted::Part(start..end + 1),
            (Ok(_) | Err(_), Ok(_) | Err(_)) => Wanted::Beyond,
        },
        Ok(_) => Wanted::Whole,
        Err(_) => Wanted::Beyond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ten(range: &str) -> Wanted {
        let headers = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
        wanted(&headers, 10)
    }

    #[test]
    fn one_range_is_a_part() {
        for (range, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-5", 2..6),
            ("bytes=7-", 7..10),
            ("bytes=-3", 7..10),
            ("bytes=0-9", 0..10),
            ("bytes=8-100", 8..10),
            ("bytes=-100", 0..10),
        ] {
            assert_eq!(of_ten(range), Wanted::Part(expected), "{range}");
        }
    }

    #[test]
    fn bytes_behind_the_end_are_beyond() {
        for range in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(of_ten(range), Wanted::Beyond, "{range}");
        }
        let headers = HeaderMap::from_iter([(header::RANGE, "bytes=0-0".parse().unwrap())]);
        assert_eq!(wanted(&headers, 0), Wanted::Beyond);
    }

    #[test]
    fn what_is_no_single_range_is_the_whole_file() {
        for range in [
            "",
            "bytes=",
            "bytes=b-c",
            "lines=1-2",
            "bytes=5-2",
            "bytes=0-1,4-5",
        ] {
            assert_eq!(of_ten(range), Wanted::Whole, "{range}");
        }
        assert_eq!(wanted(&HeaderMap::new(), 10), Wanted::Whole);
        let headers = [(header::RANGE, "bytes=0-1"), (header::IF_RANGE, "\"v1\"")];
        let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
        assert_eq!(wanted(&HeaderMap::from_iter(headers), 10), Wanted::Whole);
    }
}
