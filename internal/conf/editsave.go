package conf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Kept is the error of a Save that could not keep the old text; the file is
// as it was.
type Kept struct{ Err error }

func (k *Kept) Error() string { return fmt.Sprintf("cannot keep the old configuration: %v", k.Err) }
func (k *Kept) Unwrap() error { return k.Err }

// Save puts text in the place of the file at path and keeps the old one as
// path.old, an older one of which is replaced. The new file has mode 0640
// whatever the old one had (ccs_tool, "Common rules of the editing commands").
//
// Unlike the original, which renamed the old file away first, there is a
// whole file at path at every moment. A symbolic link is followed. The error
// is a *Kept, or holds the system's.
func Save(path string, text []byte) error {
	path = follow(path)
	staged := path + ".tmp"
	if err := stage(staged, text); err != nil {
		os.Remove(staged)
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := keep(path); err != nil {
		os.Remove(staged)
		return &Kept{err}
	}
	if err := os.Rename(staged, path); err != nil {
		os.Remove(staged)
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// stage writes text to a new file at path, durably.
func stage(path string, text []byte) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, newMode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Chmod(newMode), f.Sync(), f.Close()) // the umask is the caller's
}

// keep gives the file at path, if there is one, the name path.old as well.
func keep(path string) error {
	fi, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return nil
	case err != nil:
		return err
	case fi.IsDir():
		return fmt.Errorf("%s is a folder", path)
	}
	// A link cannot replace a file, but a rename of it can.
	link := path + ".old.tmp"
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.Link(path, link); err != nil {
		return os.Rename(path, path+".old") // a file system without links
	}
	err = os.Rename(link, path+".old")
	os.Remove(link) // it is still there after an error, and when both were one file
	return err
}
