package hypervisor

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"fangnetz/internal/conf"
)

// maxDefinition is more than any definition takes: what is longer is an image.
const maxDefinition = 4 << 20

// source is what a machine is started from.
type source struct {
	xml       string // empty: what libvirt has here under its name
	uuid      string // empty: libvirt knows, or makes one up
	transient bool   // from a file: it is created, not defined
}

// sourceOf returns what svc is started from: the first that exists of the
// xmlfile, a file in path, the definition given. A file that is there and
// cannot be read is an error: another definition might be another machine.
func sourceOf(ctx context.Context, svc conf.Service, given string) (source, error) {
	text, err := bounded(ctx, func() (string, error) { return readDefinition(svc) })
	if err != nil {
		return source{}, err
	}
	s := source{xml: text, transient: text != ""}
	if text == "" {
		s.xml = given
	}
	if s.xml == "" {
		return s, nil
	}
	name, uuid, err := identity(s.xml)
	if err != nil {
		return source{}, fmt.Errorf("unreadable definition: %v", err)
	}
	if name != svc.Name {
		return source{}, fmt.Errorf("its definition is for %q", name)
	}
	s.uuid = uuid
	return s, nil
}

// readDefinition returns the text of the file that svc is to be created from;
// empty when there is none (rgmanager, "Virtual machines: actions").
func readDefinition(svc conf.Service) (string, error) {
	if svc.VM.XMLFile != "" {
		return readXML(svc.VM.XMLFile)
	}
	if svc.VM.Path == "/etc/xen" {
		return "", nil
	}
	for _, dir := range filepath.SplitList(svc.VM.Path) {
		if dir == "" {
			continue
		}
		for _, file := range []string{filepath.Join(dir, svc.Name), filepath.Join(dir, svc.Name+".xml")} {
			if st, err := os.Stat(file); err == nil && st.IsDir() {
				continue // of its images, perhaps
			}
			if text, err := readXML(file); text != "" || err != nil {
				return text, err
			}
		}
	}
	return "", nil
}

// readXML returns the text of file; empty when there is no such file.
func readXML(file string) (string, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxDefinition+1))
	switch {
	case err != nil:
		return "", err
	case !bytes.HasPrefix(bytes.TrimSpace(b), []byte("<")):
		return "", fmt.Errorf("%s is not XML; xm's files are not supported", file)
	case len(b) > maxDefinition:
		return "", fmt.Errorf("%s is longer than any definition", file)
	}
	return string(b), nil
}

// identity reads the name and the UUID out of a definition; UUID is empty
// when libvirt is to make one up.
func identity(definition string) (name, uuid string, err error) {
	var d struct {
		XMLName xml.Name `xml:"domain"`
		Name    string   `xml:"name"`
		UUID    string   `xml:"uuid"`
	}
	if err := xml.Unmarshal([]byte(definition), &d); err != nil {
		return "", "", err
	}
	return strings.TrimSpace(d.Name), strings.TrimSpace(d.UUID), nil
}

// bounded runs f, which looks at files and may hang where their server does:
// when ctx ends it is left behind.
func bounded[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := f()
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.v, a.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("its files do not answer: %w", context.Cause(ctx))
	}
}
