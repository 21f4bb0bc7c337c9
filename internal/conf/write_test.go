package conf

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Mode().Perm()
}

// alone fails when the folder holds anything but the names.
func alone(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if len(got) != len(names) {
		t.Errorf("%s holds %q, want %q", dir, got, names)
		return
	}
	for i := range got {
		if got[i] != names[i] {
			t.Errorf("%s holds %q, want %q", dir, got, names)
		}
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cluster.conf")
	if err := WriteFile(path, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got, m := content(t, path), mode(t, path); got != "one" || m != 0o640 {
		t.Errorf("new file holds %q with mode %o; want one, 640", got, m)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("two"), 0o640); err != nil {
		t.Fatal(err)
	}
	if got, m := content(t, path), mode(t, path); got != "two" || m != 0o604 {
		t.Errorf("replaced file holds %q with mode %o; want two, 604", got, m)
	}
	alone(t, dir, "cluster.conf")
}

func TestWriteFileFollowsALink(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real.conf"), filepath.Join(t.TempDir(), "cluster.conf")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, []byte("two"), 0o640); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Lstat(link); err != nil || fi.Mode()&fs.ModeSymlink == 0 || content(t, path) != "two" {
		t.Errorf("the link was replaced: %v, %v, %q", fi, err, content(t, path))
	}
}

func TestStage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cluster.conf")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"lost", "two"} { // the second replaces the first
		staged, err := Stage(path, []byte(text))
		if err != nil || staged != path+"-update" {
			t.Fatalf("Stage = %q, %v", staged, err)
		}
		if got, m := content(t, staged), mode(t, staged); got != text || m != 0o600 {
			t.Errorf("staged file holds %q with mode %o; want %s, 600", got, m, text)
		}
	}
	if got := content(t, path); got != "one" {
		t.Errorf("staging changed the file to %q", got)
	}
	alone(t, dir, "cluster.conf", "cluster.conf-update")
	if err := Activate(path, []byte("two")); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != "two" {
		t.Errorf("file holds %q, want two", got)
	}
	alone(t, dir, "cluster.conf")
	if err := Activate(path, []byte("unstaged")); err != nil || content(t, path) != "unstaged" {
		t.Errorf("Activate without a staged file = %v, file holds %q", err, content(t, path))
	}
	if _, err := Stage(path, []byte("stale")); err != nil {
		t.Fatal(err)
	}
	if err := Activate(path, []byte("two")); err != nil || content(t, path) != "two" {
		t.Errorf("Activate beside a stale staged file = %v, file holds %q", err, content(t, path))
	}
	if _, err := Stage(path, []byte("three")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Discard(path); err != nil {
			t.Fatal(err)
		}
	}
	alone(t, dir, "cluster.conf")
	if got := content(t, path); got != "two" {
		t.Errorf("file holds %q, want two", got)
	}
}

func TestStageBesideNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.conf")
	staged, err := Stage(path, []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	if m := mode(t, staged); m != 0o640 {
		t.Errorf("mode = %o, want 640", m)
	}
	if err := Activate(path, []byte("one")); err != nil || content(t, path) != "one" {
		t.Errorf("Activate = %v, file holds %q", err, content(t, path))
	}
}

func TestWriteFailsWhole(t *testing.T) {
	dir := t.TempDir()
	if err := WriteFile(filepath.Join(dir, "none", "cluster.conf"), []byte("one"), 0o640); err == nil {
		t.Error("writing into a missing folder succeeded")
	}
	folder := filepath.Join(dir, "cluster.conf")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(folder, []byte("one"), 0o640); err == nil {
		t.Error("writing over a folder succeeded")
	}
	alone(t, dir, "cluster.conf")
}

// A real file system that is full, then one that may not be written: the old
// file stands, and nothing is left beside it.
func TestFullAndReadOnlyDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "cluster.conf")
	if err := WriteFile(path, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("x"), 1<<20)
	try := func(what string) {
		t.Helper()
		if err := WriteFile(path, big, 0o640); err == nil {
			t.Errorf("%s: WriteFile succeeded", what)
		}
		if _, err := Stage(path, big); err == nil {
			t.Errorf("%s: Stage succeeded", what)
		}
		if got := content(t, path); got != "one" {
			t.Errorf("%s: file holds %d bytes, want the old text", what, len(got))
		}
		alone(t, dir, "cluster.conf")
	}
	try("full disk")
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	try("read-only disk")
}
