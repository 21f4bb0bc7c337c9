package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"fangnetz/internal/cluster"
	"fangnetz/internal/wire"
)

// history prints what was done, the oldest first, with one service or with all.
func (c *command) history(st cluster.Status, opts options) int {
	term, err := openTerminal(c.stdout)
	if err != nil {
		fmt.Fprintln(c.stderr, err)
		return 1
	}
	service := ""
	if opts.service != nil {
		service = *opts.service
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	entries, err := wire.New("").History(ctx, service)
	switch {
	case err != nil:
		return c.lost(err)
	case opts.json:
		renderHistoryJSON(c.stdout, st, entries)
		return 0
	case len(entries) == 0 && service != "":
		fmt.Fprintf(c.stderr, "Nothing is known of %s\n", service)
		return 0
	}
	if !term.is {
		term.columns = 0
	}
	renderHistory(c.stdout, st, entries, term.columns, c.now().Location())
	return 0
}

// renderHistory prints a line for each entry; its first eight words are always
// there. On a terminal, with columns, lines are broken between words, and the
// nodes' common domain is left out.
func renderHistory(w io.Writer, st cluster.Status, entries []cluster.Entry, columns int, zone *time.Location) {
	node := func(id cluster.NodeID) string {
		if id == 0 {
			return "-"
		}
		return memberName(st.Members, id)
	}
	suffix := ""
	if columns > 0 {
		suffix = commonDomain(st.Members)
	}
	rows := [][]string{{"Date", "Time", "Took", "Service", "What", "From", "To", "By", "Result"}}
	for _, e := range entries {
		end := e.Result.String()
		if e.Reason != "" {
			end += ": " + strings.Join(strings.Fields(e.Reason), " ")
		}
		began := time.UnixMilli(e.Began).In(zone)
		rows = append(rows, []string{began.Format(time.DateOnly), began.Format(time.TimeOnly), took(e.Ended - e.Began),
			cmp.Or(e.Service, "-"), e.What, node(e.From), node(e.To), cmp.Or(e.By, "-"), end})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			if suffix != "" {
				row[i] = strings.ReplaceAll(row[i], suffix, "")
			}
			widths[i] = max(widths[i], len(row[i]))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, word := range row[:len(row)-1] {
			fmt.Fprintf(&b, "%-*s ", widths[i], word)
		}
		b.WriteString(row[len(row)-1])
		io.WriteString(w, wrap(b.String(), columns)+"\n")
	}
}

// took is a duration in milliseconds, in five letters or so.
func took(ms int64) string {
	d := time.Duration(max(0, ms)) * time.Millisecond
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// commonDomain is what all nodes' names end with, from a dot on; empty when
// there is no such thing.
func commonDomain(members []cluster.Member) string {
	domain := ""
	for _, m := range members {
		i := strings.IndexByte(m.Name, '.')
		switch {
		case m.ID == 0:
		case i < 0 || domain != "" && m.Name[i:] != domain:
			return ""
		default:
			domain = m.Name[i:]
		}
	}
	return domain
}

// wrap breaks a line between words, so that it fits; further lines begin with
// blanks. 0 columns are without end.
func wrap(line string, columns int) string {
	const indent = "    "
	var b strings.Builder
	for columns > len(indent) && len(line) > columns {
		cut := strings.LastIndexByte(line[:columns+1], ' ')
		if cut < 0 || strings.TrimSpace(line[:cut]) == "" {
			break // a word that is longer than the line
		}
		b.WriteString(strings.TrimRight(line[:cut], " ") + "\n")
		line = indent + strings.TrimLeft(line[cut:], " ")
	}
	return b.String() + line
}

// jsonEntry is an element of what --history --json prints (clustat(8),
// "History"), with the same promise as document.
type jsonEntry struct {
	Began      float64        `json:"began"` // seconds since the epoch
	Ended      float64        `json:"ended"`
	Service    *string        `json:"service"` // null: a matter of a node, or of the cluster
	What       string         `json:"what"`
	By         *string        `json:"by"` // null: cmand itself
	From       *string        `json:"from"`
	FromID     cluster.NodeID `json:"from_id"`
	To         *string        `json:"to"`
	ToID       cluster.NodeID `json:"to_id"`
	Result     string         `json:"result"`
	ResultCode int            `json:"result_code"`
	Reason     string         `json:"reason"`
}

func renderHistoryJSON(w io.Writer, st cluster.Status, entries []cluster.Entry) {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	node := func(id cluster.NodeID) *string {
		if id == 0 {
			return nil
		}
		return text(memberName(st.Members, id))
	}
	d := struct {
		Schema  int         `json:"schema"`
		History []jsonEntry `json:"history"`
	}{1, []jsonEntry{}}
	for _, e := range entries {
		d.History = append(d.History, jsonEntry{float64(e.Began) / 1000, float64(e.Ended) / 1000, text(e.Service), e.What, text(e.By),
			node(e.From), e.From, node(e.To), e.To, e.Result.String(), int(e.Result), e.Reason})
	}
	encode(w, d)
}
