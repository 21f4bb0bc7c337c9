package main

import (
	"fmt"
	"os"

	"fangnetz/internal/wire"
)

// upgrade refuses: an archive of RHEL 3 is nothing that we read (ccs_tool,
// "RHEL 5: upgrade").
func (c *command) upgrade(location string) int {
	fi, err := os.Stat(location)
	words := "The specified device does not contain a CCS archive."
	if err != nil {
		words = fmt.Sprintf("Unable to stat %s: %s", location, wire.SystemError(err))
	} else if f, err := os.Open(location); err != nil {
		words = fmt.Sprintf("Unable to open %s: %s", location, wire.SystemError(err))
	} else {
		f.Close()
		if fi.IsDir() {
			words = fmt.Sprintf("Unable to read %s: Is a directory", location)
		}
	}
	fmt.Fprintf(c.stderr, "%s\n\nFailed to upgrade CCS configuration information.\n", words)
	return 1
}
