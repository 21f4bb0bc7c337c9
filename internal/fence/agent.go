package fence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// AgentError is an agent that ran, or was to run, and did not succeed.
type AgentError struct {
	Method, Device, Agent string
	Status                int    // exit status; -1: killed, or it did not start
	Stderr                string // its last words without secrets, 1 KiB at most
	Cause                 error  // why it did not end by itself; nil: it did
}

func (e *AgentError) Error() string {
	var b strings.Builder
	if e.Method != "" {
		fmt.Fprintf(&b, "method %q, ", e.Method)
	}
	fmt.Fprintf(&b, "device %q, agent %s: ", e.Device, e.Agent)
	if e.Cause != nil {
		fmt.Fprint(&b, e.Cause)
	} else {
		fmt.Fprintf(&b, "exit status %d", e.Status)
	}
	if e.Stderr != "" {
		fmt.Fprintf(&b, ": %s", e.Stderr)
	}
	return b.String()
}

func (e *AgentError) Unwrap() error { return e.Cause }

// run runs the agent once with input on its standard input. The agent and all
// that it started are killed when ctx or the time ends.
func (f *Fencer) run(ctx context.Context, agent, input string, hide []string) error {
	fail := &AgentError{Agent: agent, Status: -1}
	search := cmp.Or(f.Path, os.Getenv("PATH")+":/usr/sbin:/sbin")
	path, err := find(agent, search)
	if err != nil {
		fail.Cause = err
		return fail
	}
	limit := cmp.Or(f.Timeout, 2*time.Minute)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no end after %v", limit))
	defer cancel()

	words := &head{limit: 64 << 10}
	cmd := exec.CommandContext(ctx, path)
	cmd.Stdin = strings.NewReader(input)
	cmd.Stderr = words
	cmd.Env = append(os.Environ(), "PATH="+search)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second // for what it left behind with its stderr open
	err = cmd.Run()
	if cmd.ProcessState == nil {
		fail.Cause = err
		return fail
	}
	if cmd.ProcessState.Success() {
		return nil
	}
	fail.Status = cmd.ProcessState.ExitCode()
	fail.Stderr = tail(scrub(words.String(), hide), 1<<10)
	switch ws := cmd.ProcessState.Sys().(syscall.WaitStatus); {
	case ctx.Err() != nil:
		fail.Cause = context.Cause(ctx)
	case ws.Signaled():
		fail.Cause = errors.New("killed by " + ws.Signal().String())
	}
	return fail
}

// find looks an agent up in a list of folders; an absolute path is taken as it is.
func find(agent, folders string) (string, error) {
	if filepath.IsAbs(agent) {
		return exec.LookPath(agent)
	}
	if strings.Contains(agent, "/") {
		return "", errors.New("neither a name nor an absolute path")
	}
	for _, dir := range filepath.SplitList(folders) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, agent)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("not found in %s", folders)
}

// head keeps the first limit bytes that are written to it. What goes beyond is
// dropped back to the last line break, so that no secret is cut in two.
type head struct {
	limit int
	data  []byte
	full  bool
}

func (h *head) Write(p []byte) (int, error) {
	room := h.limit - len(h.data)
	h.full = h.full || len(p) > room
	h.data = append(h.data, p[:min(len(p), room)]...)
	return len(p), nil
}

func (h *head) String() string {
	text := string(h.data)
	if h.full {
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	return text
}

// tail keeps the last n bytes of a text.
func tail(text string, n int) string {
	text = strings.TrimSpace(text)
	if len(text) > n {
		text = "..." + strings.ToValidUTF8(text[len(text)-n+3:], "")
	}
	return text
}
