package hypervisor

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"fangnetz/internal/cluster"
)

func TestStatusProgram(t *testing.T) {
	dir := t.TempDir()
	check := func(t *testing.T, program string) (cluster.Health, error) {
		h := driver(t)
		svc := vm("test")
		svc.VM.StatusProgram, svc.VM.DeepTimeout = program, time.Second
		return h.Check(t.Context(), svc, true)
	}
	tests := map[string]struct {
		program string
		want    string // of the detail; empty: healthy
	}{
		"succeeds":             {`test "$OCF_RESKEY_name" = test && test $OCF_RESOURCE_INSTANCE = vm:test`, ""},
		"fails":                {"false --password=secret", `running, unknown: status_program "false": exit status 1`},
		"fails and says why":   {"echo one; echo no answer from it >&2; exit 3", `status_program "echo": exit status 3: no answer from it`},
		"is not there":         {"/nonexistent/check", `exit status 127`},
		"hangs":                {"sleep 60 & sleep 60", `status_program "sleep" did not end within 1s`},
		"leaves a child alive": {"sleep 60 >&- 2>&- & exit 0", ""},
		"writes much":          {"yes | head -c 1000000; exit 1", "exit status 1: y"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			health, err := check(t, tt.program)
			if err != nil || health.OK != (tt.want == "") || !strings.Contains(health.Detail, tt.want) || strings.Contains(health.Detail, "secret") {
				t.Errorf("Check = %+v, %v; want %q", health, err, tt.want)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	t.Run("is not asked at depth 0", func(t *testing.T) {
		svc := vm("test")
		svc.VM.StatusProgram = "false"
		if health, err := driver(t).Check(t.Context(), svc, false); err != nil || !health.OK {
			t.Errorf("Check = %+v, %v", health, err)
		}
	})
	t.Run("is not asked while paused on purpose", func(t *testing.T) {
		h, svc := driver(t), vm("test")
		svc.VM.StatusProgram = "false"
		if err := act(t.Context(), h.all()[0], 0, "test", suspend); err != nil {
			t.Fatal(err)
		}
		if health, err := h.Check(t.Context(), svc, true); err != nil || health != (cluster.Health{OK: true, Detail: "paused, user"}) {
			t.Errorf("Check = %+v, %v", health, err)
		}
	})
	t.Run("given up", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		svc := vm("test")
		svc.VM.StatusProgram = "sleep 60"
		if health, err := driver(t).Check(ctx, svc, true); err == nil || health.OK {
			t.Errorf("Check = %+v, %v; want an error", health, err)
		}
	})
	t.Run("start waits for it", func(t *testing.T) {
		h, svc := driver(t), vm("web")
		svc.VM.StatusProgram = "test -e " + dir + "/ready || { touch " + dir + "/ready; exit 1; }"
		began := time.Now()
		if err := h.Start(t.Context(), svc, definition); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < tryProgram {
			t.Errorf("Start took %v; want the second try after %v", took, tryProgram)
		}
	})
	t.Run("start gives up", func(t *testing.T) {
		h, svc := driver(t), vm("web")
		svc.VM.StatusProgram, svc.VM.StartTimeout = "false", 300*time.Millisecond
		err := h.Start(t.Context(), svc, definition)
		if err == nil || !strings.Contains(err.Error(), `Timeout exceeded while waiting for "false"`) {
			t.Errorf("Start = %v", err)
		}
	})
	t.Run("start sees that the machine has gone", func(t *testing.T) {
		h, svc := driver(t), vm("web")
		svc.VM.StatusProgram = "touch " + dir + "/asked; false"
		ended := make(chan error, 1)
		go func() { ended <- h.Start(t.Context(), svc, definition) }()
		eventually(t, "the program to be asked", func() error { _, err := os.Stat(dir + "/asked"); return err })
		if err := h.Destroy(t.Context(), "web"); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "it has ended again: shut off, destroyed") {
			t.Errorf("Start = %v", err)
		}
	})
}
