package main

import (
	"iter"
	"strings"

	"github.com/antchfx/xpath"

	"fangnetz/internal/conf"
	"fangnetz/internal/getopt"
)

func parseQuery(args []string) iter.Seq2[getopt.Option, error] { return getopt.Parse(args, "n") }

// selectFull finds the first value that an XPath selects. An attribute gives
// its value, an element its first text; @* and child::* in the path put the
// name before it. The original looked at a dump of the configuration that
// held no text but a line break behind each start tag with others inside.
func selectFull(root conf.Element, path string) (value string, err error) {
	if !strings.HasPrefix(path, "/") {
		return "", errInvalid
	}
	defer func() {
		if recover() != nil { // the library panics on some calls of functions
			value, err = "", &badPath{}
		}
	}()
	expr, err := xpath.Compile(path)
	if err != nil {
		return "", &badPath{}
	}
	found, ok := expr.Evaluate(&navigator{at: tree(root)}).(*xpath.NodeIterator)
	if !ok || !found.MoveNext() {
		return "", errInvalid
	}
	n := found.Current().(*navigator)
	switch at := n.at; {
	case n.attr > 0:
		a := at.attrs[n.attr-1]
		if strings.Contains(path, "@*") {
			return a.Key + "=" + a.Value, nil
		}
		if a.Value != "" {
			return a.Value, nil
		}
	case at.parent == nil:
	case strings.Contains(path, "child::*"):
		return at.name + "=" + lineBreak(at), nil
	case len(at.children) > 0:
		return lineBreak(at), nil
	}
	return "", errNoData
}

func lineBreak(n *node) string {
	if len(n.children) > 0 {
		return "\n"
	}
	return ""
}

// node is an element, or the document around the root.
type node struct {
	name     string
	attrs    []conf.Attr
	parent   *node
	children []*node
	place    int // among the parent's children
}

// tree is the document whose root element is given.
func tree(root conf.Element) *node {
	doc := &node{}
	add(doc, root)
	return doc
}

func add(parent *node, e conf.Element) {
	n := &node{name: e.Name(), attrs: e.Attrs(), parent: parent, place: len(parent.children)}
	parent.children = append(parent.children, n)
	for _, c := range e.Elements() {
		add(n, c)
	}
}

// navigator walks the nodes for the XPath library.
type navigator struct {
	at   *node
	attr int // from 1: an attribute of at; 0: at itself
}

func (n *navigator) NodeType() xpath.NodeType {
	switch {
	case n.attr > 0:
		return xpath.AttributeNode
	case n.at.parent == nil:
		return xpath.RootNode
	}
	return xpath.ElementNode
}

func (n *navigator) LocalName() string {
	if n.attr > 0 {
		return n.at.attrs[n.attr-1].Key
	}
	return n.at.name
}

func (n *navigator) Prefix() string { return "" }

func (n *navigator) Value() string {
	if n.attr > 0 {
		return n.at.attrs[n.attr-1].Value
	}
	return ""
}

func (n *navigator) Copy() xpath.NodeNavigator {
	c := *n
	return &c
}

func (n *navigator) MoveToRoot() {
	for n.attr = 0; n.at.parent != nil; {
		n.at = n.at.parent
	}
}

func (n *navigator) MoveToParent() bool {
	switch {
	case n.attr > 0:
		n.attr = 0
		return true
	case n.at.parent == nil:
		return false
	}
	n.at = n.at.parent
	return true
}

func (n *navigator) MoveToNextAttribute() bool {
	if n.attr >= len(n.at.attrs) {
		return false
	}
	n.attr++
	return true
}

func (n *navigator) MoveToChild() bool {
	if n.attr > 0 || len(n.at.children) == 0 {
		return false
	}
	n.at = n.at.children[0]
	return true
}

func (n *navigator) MoveToFirst() bool { return n.sibling(-n.at.place) }

func (n *navigator) MoveToNext() bool { return n.sibling(1) }

func (n *navigator) MoveToPrevious() bool { return n.sibling(-1) }

// sibling moves by places among the parent's children.
func (n *navigator) sibling(by int) bool {
	if n.attr > 0 || n.at.parent == nil {
		return false
	}
	to := n.at.place + by
	if by == 0 || to < 0 || to >= len(n.at.parent.children) {
		return false
	}
	n.at = n.at.parent.children[to]
	return true
}

func (n *navigator) MoveTo(other xpath.NodeNavigator) bool {
	o, ok := other.(*navigator)
	if ok {
		*n = *o
	}
	return ok
}
