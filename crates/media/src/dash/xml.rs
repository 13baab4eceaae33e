//! Elements and attributes, escaped and nested as XML wants them.

use std::fmt::{Display, Write};

/// An XML document that is being written.
pub(super) struct Xml {
    out: String,
    /// Elements that are open, outermost first.
    open: Vec<&'static str>,
    /// The start tag of the innermost one still takes attributes.
    in_tag: bool,
}

impl Xml {
    pub(super) fn new() -> Self {
        Self {
            out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
            open: Vec::new(),
            in_tag: false,
        }
    }

    /// An element with what `inside` gives it: attributes first, then elements.
    pub(super) fn element(&mut self, name: &'static str, inside: impl FnOnce(&mut Self)) {
        self.end_tag(">\n");
        self.indent();
        self.out.push('<');
        self.out.push_str(name);
        self.in_tag = true;
        self.open.push(name);
        inside(self);
        self.open.pop();
        if self.in_tag {
            return self.end_tag("/>\n");
        }
        self.indent();
        let _ = writeln!(self.out, "</{name}>");
    }

    /// An attribute of the element that was opened last.
    pub(super) fn attribute(&mut self, name: &str, value: impl Display) {
        debug_assert!(self.in_tag, "{name} comes after an element");
        let _ = write!(self.out, " {name}=\"");
        // Writing to a string cannot fail.
        let _ = write!(Escaped(&mut self.out), "{value}");
        self.out.push('"');
    }

    /// An element that holds text alone.
    pub(super) fn text_element(&mut self, name: &str, text: &str) {
        self.text_element_with(name, &[], text);
    }

    /// An element with `attributes` that holds text alone.
    pub(super) fn text_element_with(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        text: &str,
    ) {
        self.end_tag(">\n");
        self.indent();
        let _ = write!(self.out, "<{name}");
        self.in_tag = true;
        for (name, value) in attributes {
            self.attribute(name, value);
        }
        self.end_tag(">");
        let _ = Escaped(&mut self.out).write_str(text);
        let _ = writeln!(self.out, "</{name}>");
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    fn end_tag(&mut self, with: &str) {
        if std::mem::take(&mut self.in_tag) {
            self.out.push_str(with);
        }
    }

    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n(' ', self.open.len()));
    }
}

/// Writes text as an element, or an attribute in double quotes, may hold it.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                // Others below a space are no characters of XML.
                c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => self.0.push(' '),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Xml;

    #[test]
    fn nests_and_escapes() {
        let mut xml = Xml::new();
        xml.element("a", |xml| {
            xml.attribute("x", "<\"&\u{0}>");
            xml.element("b", |xml| xml.attribute("n", 1));
            xml.element("c", |_| {});
            xml.text_element("d", "1 < \u{ffff}2");
            xml.text_element_with("e", &[("y", "&")], "3");
        });
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <a x=\"&lt;&quot;&amp; &gt;\">\n <b n=\"1\"/>\n <c/>\n <d>1 &lt;  2</d>\n <e y=\"&amp;\">3</e>\n</a>\n";
        assert_eq!(xml.finish(), expected);
    }
}
