package hypervisor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"fangnetz/internal/conf"
)

// askProgram runs the status_program of svc once, as a shell command in a
// process group of its own, for svc.VM.DeepTimeout at most. The error holds
// its exit status and the last line that it wrote; of its command line only
// the first word, the rest may hold a password.
func askProgram(ctx context.Context, svc conf.Service) error {
	limit := or(svc.VM.DeepTimeout, deepTimeout)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", svc.VM.StatusProgram)
	cmd.Env = append(os.Environ(), "OCF_CHECK_LEVEL=10", "OCF_RESKEY_name="+svc.Name,
		"OCF_RESOURCE_TYPE="+svc.Type, "OCF_RESOURCE_INSTANCE="+svc.FullName())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for what it left behind with our pipe
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("status_program %q did not end within %v", programName(svc), limit)
	case out.line() != "":
		return fmt.Errorf("status_program %q: %v: %s", programName(svc), err, out.line())
	}
	return fmt.Errorf("status_program %q: %v", programName(svc), err)
}

// programName is the first word of the status_program.
func programName(svc conf.Service) string {
	if words := strings.Fields(svc.VM.StatusProgram); len(words) > 0 {
		return words[0]
	}
	return ""
}

// tail keeps the last 200 bytes of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = bytes.Clone(t.b[max(0, len(t.b)-200):])
	return len(p), nil
}

func (t *tail) line() string {
	text := strings.TrimSpace(string(t.b))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
