//! As much XML as a manifest takes: elements, attributes, text, character references. Comments,
//! processing instructions and namespace prefixes are dropped; a DOCTYPE is refused, so that there
//! are no entities to expand.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::playlist::InvalidPlaylist;

/// Most elements in a document: a day of segments that are all of another length, in two tracks.
pub(super) const MAX_ELEMENTS: usize = 100_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 16;

/// The elements of a document in the order in which they begin.
pub(super) struct Document<'a> {
    elements: Vec<Element<'a>>,
}

struct Element<'a> {
    name: &'a str,
    /// As written, from the name to the end of the tag.
    attributes: &'a str,
    /// The first run of text in it that is not blank.
    text: &'a str,
    /// Index of the first element that is not inside.
    end: usize,
}

/// An element in its document.
#[derive(Clone, Copy)]
pub(super) struct Node<'d, 'a> {
    document: &'d Document<'a>,
    at: usize,
}

impl<'a> Document<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, InvalidPlaylist> {
        let mut elements: Vec<Element<'a>> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut rest = text;
        while let Some((before, markup)) = rest.split_once('<') {
            note_text(&mut elements, &open, before);
            rest = if let Some(after) = markup.strip_prefix('?') {
                cut(after, b"?>")?.1
            } else if let Some(after) = markup.strip_prefix("!--") {
                cut(after, b"-->")?.1
            } else if let Some(after) = markup.strip_prefix("![CDATA[") {
                let (data, after) = cut(after, b"]]>")?;
                note_text(&mut elements, &open, data);
                after
            } else if markup.starts_with('!') {
                return Err(InvalidPlaylist::Unsupported("DOCTYPE"));
            } else if let Some(after) = markup.strip_prefix('/') {
                let (name, after) = cut(after, b">")?;
                let end = elements.len();
                let closed = open.pop().and_then(|at| elements.get_mut(at));
                let closed = closed.filter(|element| element.name == local(name.trim_end()));
                closed.ok_or(InvalidPlaylist::Malformed("end tag"))?.end = end;
                after
            } else {
                let (tag, after) = split_tag(markup)?;
                let (tag, is_empty) = match tag.strip_suffix('/') {
                    Some(tag) => (tag, true),
                    None => (tag, false),
                };
                let name_ends = tag.find(|c: char| c.is_ascii_whitespace());
                let (name, attributes) = name_ends
                    .and_then(|at| tag.split_at_checked(at))
                    .unwrap_or((tag, ""));
                if elements.len() >= MAX_ELEMENTS || open.len() >= MAX_DEPTH {
                    return Err(InvalidPlaylist::TooLarge("elements"));
                }
                if !is_empty {
                    open.push(elements.len());
                }
                elements.push(Element {
                    name: local(name),
                    attributes,
                    text: "",
                    end: elements.len() + 1,
                });
                after
            };
        }
        if elements.is_empty() || !open.is_empty() {
            return Err(InvalidPlaylist::Malformed("XML"));
        }
        Ok(Self { elements })
    }

    pub(super) fn root(&self) -> Node<'_, 'a> {
        Node {
            document: self,
            at: 0,
        }
    }
}

impl<'d, 'a> Node<'d, 'a> {
    pub(super) fn name(self) -> &'a str {
        self.element().map_or("", |element| element.name)
    }

    pub(super) fn children(self) -> impl Iterator<Item = Node<'d, 'a>> {
        let end = self.element().map_or(0, |element| element.end);
        let document = self.document;
        let mut at = self.at + 1;
        core::iter::from_fn(move || {
            let child = Node { document, at };
            let element = child.element().filter(|_| at < end)?;
            at = element.end;
            Some(child)
        })
    }

    pub(super) fn all(self, name: &'static str) -> impl Iterator<Item = Node<'d, 'a>> {
        self.children().filter(move |child| child.name() == name)
    }

    pub(super) fn child(self, name: &'static str) -> Option<Node<'d, 'a>> {
        self.all(name).next()
    }

    pub(super) fn text(self) -> Cow<'a, str> {
        unescaped(self.element().map_or("", |element| element.text))
    }

    pub(super) fn attribute(self, wanted: &str) -> Option<Cow<'a, str>> {
        let mut rest = self.element()?.attributes;
        loop {
            let (name, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, after) = after.strip_prefix(quote)?.split_once(quote)?;
            if local(name.trim()) == wanted {
                return Some(unescaped(value));
            }
            rest = after;
        }
    }

    fn element(self) -> Option<&'d Element<'a>> {
        self.document.elements.get(self.at)
    }
}

fn note_text<'a>(elements: &mut [Element<'a>], open: &[usize], text: &'a str) {
    let inside = open.last().and_then(|at| elements.get_mut(*at));
    if let Some(inside) = inside.filter(|element| element.text.is_empty()) {
        inside.text = text.trim();
    }
}

/// What stands before and after a mark.
fn cut<'a>(text: &'a str, mark: &[u8]) -> Result<(&'a str, &'a str), InvalidPlaylist> {
    let mut windows = text.as_bytes().windows(mark.len());
    let parts = windows.position(|window| window == mark).and_then(|at| {
        let (before, after) = text.split_at_checked(at)?;
        Some((before, after.get(mark.len()..)?))
    });
    parts.ok_or(InvalidPlaylist::Malformed("XML"))
}

/// A tag up to its `>`, which may also stand in an attribute's value, and what follows.
fn split_tag(markup: &str) -> Result<(&str, &str), InvalidPlaylist> {
    let mut quote = None;
    let end = markup.bytes().position(|b| {
        match quote {
            Some(open) if open == b => quote = None,
            None if matches!(b, b'"' | b'\'') => quote = Some(b),
            _ => {}
        }
        b == b'>' && quote.is_none()
    });
    let parts = end.and_then(|at| {
        let (tag, after) = markup.split_at_checked(at)?;
        Some((tag, after.get(1..)?))
    });
    parts.ok_or(InvalidPlaylist::Malformed("tag"))
}

/// A name without its namespace's prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Text with its character references replaced; what is none stays as it is.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let reference = after.split_once(';').and_then(|(name, after)| {
            let referred = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix('x') {
                        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                        None => number.parse(),
                    };
                    char::from_u32(code.ok()?)?
                }
            };
            Some((referred, after))
        });
        let (referred, after) = reference.unwrap_or(('&', after));
        plain.push(referred);
        rest = after;
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_elements_attributes_and_text() {
        let text = "\u{feff}<?xml version='1.0'?><!-- > <a> --><x:A b = \"1>2\" c='a&amp;b' n:d=''>\n\
                    <B/> <C>t &lt;&#65;&#x42;&bad; </C><B e=\"2\"></B ><![CDATA[d<]]></x:A>\n";
        let document = Document::parse(text).unwrap();
        let root = document.root();
        assert_eq!(root.name(), "A");
        assert_eq!(root.attribute("b").as_deref(), Some("1>2"));
        assert_eq!(root.attribute("c").as_deref(), Some("a&b"));
        assert_eq!(root.attribute("d").as_deref(), Some(""));
        assert_eq!(root.attribute("e"), None);
        assert_eq!(root.text(), "d<");
        let names: Vec<&str> = root.children().map(Node::name).collect();
        assert_eq!(names, ["B", "C", "B"]);
        assert_eq!(root.child("C").unwrap().text(), "t <AB&bad;");
        let last = root.all("B").nth(1).unwrap();
        assert_eq!(last.attribute("e").as_deref(), Some("2"));
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        let check = |text: &str| assert!(Document::parse(text).is_err(), "{text}");
        check("");
        check("text");
        check("<a>");
        check("<a></b>");
        check("</a>");
        check("<a b=\"></a>");
        check("<!DOCTYPE a [<!ENTITY b \"c\">]><a/>");
        check("<!-- <a/>");
        check(&"<a>".repeat(MAX_DEPTH + 1));
        check(&["<a>", &"<b/>".repeat(MAX_ELEMENTS), "</a>"].concat());
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[<>/a =\"'&;!?\\-#é]{0,60}") {
            if let Ok(document) = Document::parse(&text) {
                let mut nodes = vec![document.root()];
                while let Some(node) = nodes.pop() {
                    let _ = (node.text(), node.attribute("a"));
                    nodes.extend(node.children());
                }
            }
        }
    }
}
