//! What `/proc` says, read right.

use crate::cpu::{cpu_seconds, kibibytes, usage, whole_machine};

#[test]
fn a_name_with_spaces_and_parentheses_moves_no_field() {
    let stat = "12 (a (b) c) S 1 12 12 0 -1 4194560 100 0 0 0 150 50 7 7 20 0 4 0 100";
    assert_eq!(cpu_seconds(stat), 2.0);
    assert_eq!(cpu_seconds(""), 0.0);
}

#[test]
fn sizes_are_read_in_bytes() {
    let status = "Name:\tnats\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
    let sizes = ["VmHWM:", "VmRSS:", "VmSwap:"].map(|key| kibibytes(status, key));
    assert_eq!(sizes, [2 << 20, 1 << 20, 0]);
}

#[test]
fn this_process_uses_memory_and_is_part_of_the_machine() {
    let own = usage(std::process::id());
    assert!(own.rss_bytes > 0 && own.peak_rss_bytes >= own.rss_bytes);
    assert!(whole_machine() >= own.cpu_seconds);
}
