package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// logger writes to stderr, and to the journal instead when that is where
// stderr goes.
func logger(stderr io.Writer) *slog.Logger {
	if ok, err := journal.StderrIsJournalStream(); ok && err == nil && stderr == os.Stderr {
		return slog.New(&journalHandler{})
	}
	return slog.New(slog.NewTextHandler(stderr, nil))
}

// journalHandler sends each record to the journal with its own priority.
type journalHandler struct{ attrs string }

func (h *journalHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

func (h *journalHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message + h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(" " + a.String())
		return true
	})
	priority := journal.PriInfo
	switch {
	case r.Level >= slog.LevelError:
		priority = journal.PriErr
	case r.Level >= slog.LevelWarn:
		priority = journal.PriWarning
	}
	return journal.Send(b.String(), priority, map[string]string{"SYSLOG_IDENTIFIER": "cmand"})
}

func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	text := h.attrs
	for _, a := range attrs {
		text += " " + a.String()
	}
	return &journalHandler{text}
}

func (h *journalHandler) WithGroup(string) slog.Handler { return h }
