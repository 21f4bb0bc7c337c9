package conf

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// newMode is the mode of a cluster.conf that was not there before
// (cluster.conf, "File and general rules").
const newMode fs.FileMode = 0o640

// staged is what the name of a file not yet taken into use ends in
// (ccs_tool, "RHEL 5: update").
const staged = "-update"

// WriteFile puts text in the place of the file at path, so that after a crash
// at any moment the old text or the new is there, whole. A file that exists
// keeps its mode and owner; a new one gets mode. A symbolic link is followed.
//
// After an error the old text stands, unless the error says that the folder
// could not be synced: then the new one stands, and may be lost in a crash.
func WriteFile(path string, text []byte, mode fs.FileMode) error {
	path = follow(path)
	return replace(path, path, text, mode)
}

// Stage writes text durably beside the file at path, as path-update, and
// returns that name. The file at path is left as it was; Activate puts the
// staged text in its place. An earlier staged text is replaced.
func Stage(path string, text []byte) (string, error) {
	path = follow(path)
	return path + staged, replace(path+staged, path, text, newMode)
}

// Activate puts text in the place of the file at path: by renaming what Stage
// has stored, or, when that is not text, by writing it now. After an error
// WriteFile's rule holds.
func Activate(path string, text []byte) error {
	path = follow(path)
	if stored, err := os.ReadFile(path + staged); err != nil || !bytes.Equal(stored, text) {
		if err := WriteFile(path, text, newMode); err != nil {
			return err
		}
		return Discard(path)
	}
	if err := os.Rename(path+staged, path); err != nil {
		return fmt.Errorf("cannot take staged configuration into use: %v", err)
	}
	return syncFolder(filepath.Dir(path))
}

// Discard removes the staged text; there need not be one.
func Discard(path string) error {
	path = follow(path)
	if err := os.Remove(path + staged); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("cannot discard staged configuration: %v", err)
	}
	return syncFolder(filepath.Dir(path))
}

// replace writes text to a new file beside path and renames it. Mode and
// owner are those of the file like, if there is one.
func replace(path, like string, text []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".")
	if err != nil {
		return fmt.Errorf("cannot write %s: %v", path, err)
	}
	defer func() {
		if err != nil {
			f.Close() // a second close does no harm
			os.Remove(f.Name())
			err = fmt.Errorf("cannot write %s: %v", path, err)
		}
	}()
	if fi, err := os.Stat(like); err == nil {
		mode = fi.Mode().Perm()
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
			if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
				return err
			}
		}
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes a rename in the folder last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("cannot sync folder %s: %v", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("cannot sync folder %s: %v", dir, err)
	}
	return nil
}

// follow returns what a symbolic link points to, and any other path as it is.
func follow(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}
