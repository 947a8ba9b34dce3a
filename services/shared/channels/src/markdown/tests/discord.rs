//! What Discord gets. `·` stands for a zero-width space in what is expected.

use super::TOUR;
use crate::markdown::discord::pieces;
use crate::markdown::parse;

fn sent(markdown: &str) -> String {
    pieces(&parse(markdown)).join("<cut>").replace('\u{200B}', "·")
}

#[test]
fn formats_are_signs_of_discord() {
    for (markdown, expected) in [
        ("**a** *b* ~~c~~ `d`", "**a** *b* ~~c~~ `d`"),
        ("# A **b**\n### C\n#### D", "# A b\n\n### C\n\n**D**"),
        ("***a***", "***a***"),
        ("**a**b*c*", "**a**b*c*"),
        ("**a***b*", "**a**·*b*"),
        ("`` a`b `` `` `c` ``", "``a`b`` `` `c` ``"),
        (
            "[a](https://a.test/b_(c)?d=*)",
            "[a](https://a.test/b_%28c%29?d=%2A)",
        ),
        ("[a\\]](https://a.test)", "[a\\]](https://a.test/)"),
        (
            "https://a.test/x_y_z and <https://b.test>",
            "https://a.test/x_y_z and https://b.test",
        ),
        ("https://a.test/@everyone", "https://a.test/%40everyone"),
        ("> a\n> b\n\nc", "> a\n> b\n\nc"),
        ("> ```py\n> x\n> ```", "> ```py\n> x\n> ```"),
        ("```rust\na < b_c\n```", "```rust\na < b_c\n```"),
        ("````\na```b\n````", "```\na`·`·`b\n```"),
        ("* a\n  1. b", "- a\n  1. b"),
        ("| a | b |\n|---|---|\n| c | d |", "```\na | b\n--+--\nc | d\n```"),
        ("![cat](https://a.test/c.png)", "cat (https://a.test/c.png)"),
    ] {
        assert_eq!(sent(markdown), expected, "{markdown}");
    }
}

#[test]
fn signs_that_mean_themselves_are_escaped() {
    for (markdown, expected) in [
        ("1 \\* 2", "1 \\* 2"),
        (
            "snake_case a~b |c| [d] e\\\\f",
            "snake\\_case a\\~b \\|c\\| \\[d\\] e\\\\f",
        ),
        ("\\# a\n\\- b\n\\> c # - >", "\\# a\n\\- b\n\\> c # - >"),
        ("- \\# a", "- \\# a"),
        ("> \\# a", "> \\# a"),
        ("a < b <b>c</b>", "a \\< b \\<b>c\\</b>"),
        ("\\`a\\`", "\\`a\\`"),
    ] {
        assert_eq!(sent(markdown), expected, "{markdown}");
    }
}

#[test]
fn nobody_is_called() {
    for (markdown, expected) in [
        ("@everyone @here", "@·everyone @·here"),
        ("`@everyone`\n```\n@here\n```", "`@·everyone`\n\n```\n@·here\n```"),
        ("<@&12> <@12>", "\\<@·&12> \\<@12>"),
        ("[@here](https://a.test)", "[@·here](https://a.test/)"),
    ] {
        assert_eq!(sent(markdown), expected, "{markdown}");
    }
}

#[test]
fn a_bit_of_everything_reads_well() {
    let expected = "\
# Title with `code`

Some **bold**, *italic*, ***both***, ~~gone~~ and [a link](https://a.test/x?a=1&b=2).

- one
- two
  1. first
  2. second
     more
- \\[x\\] done
- \\[ \\] open

> quoted
> 
> deeper
> 
> still

```rust
fn main() {
    a < b && c;
}
```

```
Name | Count
-----+------
ab   |     1
c    |    20
```

──────────

A cat (https://a.test/cat.png) \\<b>raw\\</b> 2 \\* 3 \\< 7";
    assert_eq!(sent(TOUR), expected);
}
