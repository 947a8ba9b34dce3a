//! The dialects, each by a table of inputs and outputs, and what holds for every input.

mod discord;
mod properties;
mod slack;
mod splitting;
mod telegram;

/// A document with a bit of everything.
const TOUR: &str = "\
# Title with `code`

Some **bold**, *italic*, ***both***, ~~gone~~ and [a link](https://a.test/x?a=1&b=2).

- one
- two
  1. first
  2. second
     more
- [x] done
- [ ] open

> quoted
> > deeper
>
> still

```rust
fn main() {
    a < b && c;
}
```

| Name | Count |
|:-----|------:|
| ab   | 1     |
| c    | 20    |

---

![A cat](https://a.test/cat.png) <b>raw</b> 2 * 3 < 7
";
