//! What Slack gets. `·` stands for a zero-width space in what is expected.

use super::TOUR;
use crate::markdown::parse;
use crate::markdown::slack::pieces;

fn sent(markdown: &str) -> String {
    pieces(&parse(markdown)).join("<cut>").replace('\u{200B}', "·")
}

#[test]
fn formats_are_signs_of_slack() {
    for (markdown, expected) in [
        ("**a** *b* ~~c~~ `d`", "*a* _b_ ~c~ `d`"),
        ("# A **b**", "*A b*"),
        ("**a *b***", "*a _b_*"),
        ("***a***", "*_a_*"),
        ("**a**b*c*", "*a*·b·_c_"),
        ("**a***b*", "*a*·_b_"),
        ("(**a**), **b**.", "(*a*), *b*."),
        ("**a\nb**", "*a*\n*b*"),
        (
            "[a & b](https://a.test/?x=1&y=2)",
            "<https://a.test/?x=1&amp;y=2|a &amp; b>",
        ),
        (
            "[**a**](https://a.test/) **[b](https://b.test)**",
            "*<https://a.test/|a>* *<https://b.test/|b>*",
        ),
        (
            "https://a.test/x_y_z, <https://b.test>",
            "<https://a.test/x_y_z>, <https://b.test>",
        ),
        ("https://a.test/@here", "<https://a.test/%40here>"),
        ("> a\n> b\n>\n> c\n\nd", "> a\n> b\n> \n> c\n\nd"),
        ("```rust\na < b\n```", "```\na &lt; b\n```"),
        ("- a\n  1. **b**", "• a\n  1. *b*"),
        ("| a | b |\n|---|---|\n| c | d |", "```\na | b\n--+--\nc | d\n```"),
        ("![cat](https://a.test/c.png)", "cat (<https://a.test/c.png>)"),
    ] {
        assert_eq!(sent(markdown), expected, "{markdown}");
    }
}

#[test]
fn signs_that_mean_themselves_are_escaped_or_kept_apart() {
    for (markdown, expected) in [
        ("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"),
        ("2 * 3 * 4 snake_case_name ~ x", "2 * 3 * 4 snake_case_name ~ x"),
        ("\\*a\\* \\_b\\_ \\~c\\~", "*·a·* _·b·_ ~·c·~"),
        ("5\\*", "5·*"),
        ("\\`a\\`", "·`·a·`·"),
        ("`` a`*b* ``", "a·`··*·b·*·"),
        ("````\na```b\n````", "```\na`·`·`b\n```"),
        ("\\> a\n\\> b", "·&gt; a\n·&gt; b"),
        ("<b>a</b>", "&lt;b&gt;a&lt;/b&gt;"),
    ] {
        assert_eq!(sent(markdown), expected, "{markdown}");
    }
}

#[test]
fn nobody_is_called() {
    for (markdown, expected) in [
        (
            "<!channel> <!here> <!everyone>",
            "&lt;!channel&gt; &lt;!here&gt; &lt;!everyone&gt;",
        ),
        ("@channel @here @everyone", "@·channel @·here @·everyone"),
        (
            "`<!channel>` [@here](https://a.test)",
            "`&lt;!channel&gt;` <https://a.test/|@·here>",
        ),
        ("<@U1> <!subteam^S1>", "&lt;@U1&gt; &lt;!subteam^S1&gt;"),
    ] {
        assert_eq!(sent(markdown), expected, "{markdown}");
    }
}

#[test]
fn a_bit_of_everything_reads_well() {
    let expected = "\
*Title with `code`*

Some *bold*, _italic_, *_both_*, ~gone~ and <https://a.test/x?a=1&amp;b=2|a link>.

• one
• two
  1. first
  2. second
     more
• [x] done
• [ ] open

> quoted
> 
> deeper
> 
> still

```
fn main() {
    a &lt; b &amp;&amp; c;
}
```

```
Name | Count
-----+------
ab   |     1
c    |    20
```

──────────

A cat (<https://a.test/cat.png>) &lt;b&gt;raw&lt;/b&gt; 2 * 3 &lt; 7";
    assert_eq!(sent(TOUR), expected);
}
