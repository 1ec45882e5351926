//! HTML and SVG that cannot be broken by its content.
//!
//! File names and folder names are untrusted. [`Html`] can only be made of elements whose names are literals in this
//! program, and of text, which is always escaped; there is no other way to put a string into a page.

use std::fmt::{Display, Write};

/// A piece of a page: well-formed and escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Pieces one after the other.
    pub fn all(pieces: impl IntoIterator<Item = Self>) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }

    /// The text written to the file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An element under construction: `element("td").class("number").text("0.93")`.
#[derive(Debug, Clone)]
pub struct Element {
    tag: &'static str,
    attributes: String,
    content: Html,
}

/// Starts an element. `tag` is one that needs an end tag.
#[must_use]
pub fn element(tag: &'static str) -> Element {
    debug_assert!(!["br", "hr", "img", "meta", "link", "input"].contains(&tag), "{tag} has no end tag");
    Element { tag, attributes: String::new(), content: Html::default() }
}

impl Element {
    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        write!(self.attributes, " {name}=\"{}\"", escape(&value.to_string())).expect("a string takes any text");
        self
    }

    /// Adds a class of the style sheet.
    #[must_use]
    pub fn class(self, name: &'static str) -> Self {
        self.with("class", name)
    }

    /// Adds text, escaped.
    #[must_use]
    pub fn text(mut self, text: impl Display) -> Self {
        self.content.0.push_str(&escape(&text.to_string()));
        self
    }

    /// Adds a child.
    #[must_use]
    pub fn child(mut self, child: impl Into<Html>) -> Self {
        self.content.0.push_str(&child.into().0);
        self
    }

    /// Adds several children.
    #[must_use]
    pub fn children<C: Into<Html>>(self, children: impl IntoIterator<Item = C>) -> Self {
        children.into_iter().fold(self, Self::child)
    }
}

impl From<Element> for Html {
    fn from(Element { tag, attributes, content: Self(content) }: Element) -> Self {
        Self(format!("<{tag}{attributes}>{content}</{tag}>"))
    }
}

/// Escapes characters with a meaning in HTML text or in a quoted attribute. Control characters, which HTML forbids, and
/// those that change the direction of text, which could disguise a file name, become the replacement character.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(letter),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{FFFD}'),
            control if control.is_control() => escaped.push('\u{FFFD}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A whole document: the title, the style sheet, and no external resources, which the content security policy also
/// forbids.
#[must_use]
pub fn page(title: &str, body: &Html) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>{}</main>\n</body>\n</html>\n",
        escape(title),
        body.as_str()
    )
}

const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_name_can_leave_its_place() {
        let name = "<script>alert(\"1\")</script>&amp;'.wav";
        let shown = Html::from(element("td").with("title", name).text(name));
        assert_eq!(
            shown.as_str(),
            "<td title=\"&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;.wav\">\
             &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;.wav</td>"
        );
        let page = page("</title><b>", &Html::default());
        assert!(page.contains("<title>&lt;/title&gt;&lt;b&gt;</title>"), "{page}");
    }

    #[test]
    fn characters_that_would_mislead_the_reader_are_replaced() {
        assert_eq!(escape("a\u{0}b\u{1b}[31m\u{202E}vaw.exe\tc"), "a\u{FFFD}b\u{FFFD}[31m\u{FFFD}vaw.exe\tc");
        assert_eq!(escape("Lüfter 7 – 日本語.wav"), "Lüfter 7 – 日本語.wav");
    }

    #[test]
    fn a_page_asks_nothing_of_any_other_place() {
        let page = page("t", &element("p").text("x").into());
        for outside in ["http://", "https://", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
