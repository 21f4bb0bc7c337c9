package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"fangnetz/internal/conf"
	"fangnetz/internal/wire"
)

const queryUsage = `Usage:

ccs_tool query [-n] <xpath query>

options
  -n     disable full XPath parsing
`

// What the original said of a query without a value.
var (
	errInvalid = errors.New("Invalid argument")  //lint:ignore ST1005 the C library's words
	errNoData  = errors.New("No data available") //lint:ignore ST1005 the C library's words
)

// query prints values of the running configuration (ccs_tool, "query"). Of
// several paths only the first is looked at, once for each, as the original
// did.
func (c *command) query(ctx context.Context, args []string) int {
	lite := false
	var paths []string
	for opt, err := range parseQuery(args) {
		switch {
		case err != nil:
			fmt.Fprintf(c.stderr, "query: %v\n", err)
			fmt.Fprint(c.stderr, queryUsage)
			return 1
		case opt.Letter == 'n':
			lite = true
		case opt.Letter == 0:
			paths = append(paths, opt.Arg)
		}
	}
	if len(paths) == 0 {
		fmt.Fprint(c.stderr, queryUsage)
		return 1
	}
	root, err := c.running(ctx)
	if err != nil {
		fmt.Fprintln(c.stderr, "Unable to connect to ccs")
		return 1
	}
	for range paths {
		value, err := "", error(nil)
		if lite {
			value, err = selectLite(root, paths[0])
		} else {
			value, err = selectFull(root, paths[0])
		}
		if err != nil {
			if _, ok := err.(*badPath); ok {
				fmt.Fprintln(c.stderr, err)
				err = errInvalid
			}
			fmt.Fprintf(c.stderr, "Query failed: %v\n", err)
			return 255
		}
		fmt.Fprintln(c.stdout, value)
	}
	return 0
}

// running is the root of the running configuration, which cmand hands out; to
// whom it does not, cluster.conf has to do.
func (c *command) running(ctx context.Context) (conf.Element, error) {
	running, err := c.client.Config(ctx, 0)
	text := running.Text
	if _, refused := errors.AsType[*wire.Refusal](err); refused {
		text, err = os.ReadFile(c.conf)
	}
	if err != nil {
		return conf.Element{}, err
	}
	draft, err := conf.Edit(c.conf, text)
	if err != nil {
		return conf.Element{}, err
	}
	return draft.Root(), nil
}

// badPath is a path that is none; the words are libxml2's.
type badPath struct{}

func (*badPath) Error() string { return "XPath error : Invalid expression" }

// selectLite finds a value by the small language that -n asks for: elements
// from the root down, each with [N] or [@attribute="value"], and at the end
// @attribute, @* or child::*, with [N] or without.
func selectLite(root conf.Element, path string) (string, error) {
	steps, ok := splitPath(path)
	if !ok || len(steps) < 2 {
		return "", errInvalid
	}
	here := []conf.Element{root}
	for i, step := range steps {
		name, predicates, ok := cutStep(step)
		last := i == len(steps)-1
		if !ok || name == "" {
			return "", errInvalid
		}
		switch {
		case last && strings.HasPrefix(name, "@"):
			return liteAttr(here, name[1:], predicates)
		case last && name == "child::*":
			here = pick(children(here, "*"), predicates)
			if len(here) == 0 {
				return "", errInvalid
			}
			return here[0].Name() + "=", nil
		case i == 0 && name != root.Name():
			return "", errInvalid
		case i > 0:
			here = children(here, name)
		}
		if here = pick(here, predicates); len(here) == 0 {
			return "", errInvalid
		}
	}
	return "", errInvalid
}

func liteAttr(here []conf.Element, key string, predicates []string) (string, error) {
	for _, e := range here {
		attrs := e.Attrs()
		if key != "*" {
			if v, ok := e.Attr(key); ok && v == "" {
				return "", errNoData
			} else if ok {
				return v, nil
			}
			continue
		}
		n := 1
		if len(predicates) > 0 {
			n = conf.Atoi(predicates[0])
		}
		if n >= 1 && n <= len(attrs) {
			return attrs[n-1].Key + "=" + attrs[n-1].Value, nil
		}
	}
	return "", errInvalid
}

func children(of []conf.Element, name string) []conf.Element {
	var all []conf.Element
	for _, e := range of {
		for _, c := range e.Elements() {
			if name == "*" || c.Name() == name {
				all = append(all, c)
			}
		}
	}
	return all
}

// pick leaves what every predicate, given without its brackets, takes.
func pick(elements []conf.Element, predicates []string) []conf.Element {
	for _, p := range predicates {
		var left []conf.Element
		key, value, isAttr := strings.Cut(strings.TrimPrefix(p, "@"), "=")
		for i, e := range elements {
			got, ok := e.Attr(key)
			if isAttr && ok && got == strings.Trim(value, `"'`) || !isAttr && conf.Atoi(p) == i+1 {
				left = append(left, e)
			}
		}
		elements = left
	}
	return elements
}

// splitPath cuts an absolute path at its slashes, but for those in quotes.
func splitPath(path string) ([]string, bool) {
	if !strings.HasPrefix(path, "/") {
		return nil, false
	}
	var steps []string
	var quote rune
	from := 1
	for i, c := range path {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '/' && i > 0:
			steps = append(steps, path[from:i])
			from = i + 1
		}
	}
	return append(steps, path[from:]), quote == 0
}

// cutStep separates the name of a step from its predicates.
func cutStep(step string) (name string, predicates []string, ok bool) {
	name, rest, found := strings.Cut(step, "[")
	for found {
		var p string
		if p, rest, found = strings.Cut(rest, "]"); !found {
			return "", nil, false
		}
		predicates = append(predicates, p)
		if rest == "" {
			break
		}
		if rest, found = strings.CutPrefix(rest, "["); !found {
			return "", nil, false
		}
	}
	return name, predicates, true
}
