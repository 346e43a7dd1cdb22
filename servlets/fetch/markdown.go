package main

import (
	"net/url"
	"slices"
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// markdown turns a page into Markdown: its main part where the page says which that is, without
// scripts, forms, navigation and what is hidden; links are absolute.
func markdown(text string, where *url.URL) (string, error) {
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return "", err
	}
	title := strings.Join(strings.Fields(inner(find(doc, atom.Title))), " ")
	if b := find(doc, atom.Base); b != nil {
		if to, err := where.Parse(strings.TrimSpace(attribute(b, "href"))); err == nil {
			where = to
		}
	}
	content := mainPart(doc)
	prune(content)
	absolute(content, where)
	convert := converter.NewConverter(converter.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), table.NewTablePlugin()))
	out, err := convert.ConvertNode(content)
	if err != nil {
		return "", err
	}
	body := strings.TrimSpace(string(out))
	if title != "" && find(content, atom.H1) == nil {
		body = strings.TrimSpace("# " + title + "\n\n" + body)
	}
	return body, nil
}

// mainPart is the one main element of a page, else its one article, else all of it.
func mainPart(doc *html.Node) *html.Node {
	for _, is := range []func(*html.Node) bool{
		func(n *html.Node) bool { return n.DataAtom == atom.Main || attribute(n, "role") == "main" },
		func(n *html.Node) bool { return n.DataAtom == atom.Article },
	} {
		var found []*html.Node
		for n := range doc.Descendants() {
			if n.Type == html.ElementNode && is(n) {
				found = append(found, n)
			}
		}
		if len(found) == 1 && strings.TrimSpace(inner(found[0])) != "" {
			return found[0]
		}
	}
	return doc
}

// without are elements that are not for reading.
var without = []atom.Atom{
	atom.Script, atom.Style, atom.Noscript, atom.Template, atom.Iframe, atom.Object, atom.Embed, atom.Svg, atom.Canvas, atom.Nav, atom.Dialog,
	atom.Button, atom.Select, atom.Input, atom.Textarea,
}

// prune removes what nobody who looks at the page would read as its text: what is hidden there is how a
// page speaks to a model behind the reader's back.
func prune(root *html.Node) {
	for n := root.FirstChild; n != nil; {
		next := n.NextSibling
		if n.Type == html.CommentNode || n.Type == html.ElementNode && (slices.Contains(without, n.DataAtom) || hidden(n)) {
			root.RemoveChild(n)
		} else {
			prune(n)
		}
		n = next
	}
}

func hidden(n *html.Node) bool {
	for _, a := range n.Attr {
		style := strings.ToLower(strings.Join(strings.Fields(a.Val), ""))
		switch {
		case a.Key == "hidden", a.Key == "aria-hidden" && style == "true",
			a.Key == "style" && (strings.Contains(style, "display:none") || strings.Contains(style, "visibility:hidden")):
			return true
		}
	}
	return false
}

// absolute completes links and the addresses of pictures, and drops those that are no address of anything:
// a picture in the page itself is noise as text, and a script behind a link waits for who shows the Markdown.
func absolute(root *html.Node, where *url.URL) {
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for i, a := range n.Attr {
			if a.Key != "href" && a.Key != "src" {
				continue
			}
			to, err := where.Parse(strings.TrimSpace(a.Val))
			if err == nil && slices.Contains(schemes, to.Scheme) {
				n.Attr[i].Val = to.String()
			} else {
				n.Attr[i].Val = ""
			}
		}
	}
}

// schemes are those of links that are kept.
var schemes = []string{"http", "https", "mailto", "tel", "ftp"}

func find(root *html.Node, kind atom.Atom) *html.Node {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.DataAtom == kind && n.Namespace == "" {
			return n
		}
	}
	return nil
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// inner is the text in an element.
func inner(root *html.Node) string {
	if root == nil {
		return ""
	}
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	}
	return b.String()
}
