package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"fangnetz/internal/conf"
	"fangnetz/internal/getopt"
)

const validateUsage = `Usage: ccs_config_validate [options]

Options:
  -f <file>     Check this file
  -l <file>     Check this file, as cman would load it
  -r            Check the running configuration
  -C <loader>   Load the configuration in another way than xmlconfig
  -R <version>  The configuration must have a higher version
  -t <file>     Name of the temporary file
  -o            Overwrite the temporary file
  -n            Keep the temporary file
  -u            Do not refresh the schema
  -v            Print what is done, and warnings
  -q            Print nothing but what is wrong
  -h            Print this usage and exit
  -V            Print version information and exit
`

// Exit statuses of ccs_config_validate (ccs_tool, "ccs_config_validate").
const (
	illFormed = 1
	invalid   = 3
	noVersion = 253
	oldFile   = 254
	unable    = 255
)

// notValid is why a configuration was not validated, and the exit status;
// words may be empty.
type notValid struct {
	status int
	words  string
}

func (n *notValid) Error() string { return n.words }

// validation is one run of ccs_config_validate.
type validation struct {
	c              *command
	given          map[byte]string
	verbose, quiet bool
}

// validate is ccs_config_validate: check in the form, and with the words, of
// that script.
func (c *command) validate(ctx context.Context, args []string) int {
	v := &validation{c: c, given: map[byte]string{}}
	for opt, err := range getopt.Parse(args, "t:hVnC:f:l:rR:ovqu") {
		if err != nil {
			fmt.Fprintf(c.stderr, "ccs_config_validate: %v\n%s", err, validateUsage)
			return unable
		}
		switch opt.Letter {
		case 0:
			continue // operands were never looked at
		case 'h':
			io.WriteString(c.stdout, validateUsage)
			return 0
		case 'V':
			fmt.Fprintf(c.stdout, "ccs_config_validate version %s\n", version)
			return 0
		}
		if others := v.clash(opt.Letter); others != "" {
			fmt.Fprintf(c.stderr, "Error: invalid options. -%c can not be set together with %s\n", opt.Letter, others)
			return unable
		}
		v.given[opt.Letter] = opt.Arg
	}
	v.verbose, v.quiet = v.has('v'), v.has('q')
	err := v.run(ctx)
	if n, ok := errors.AsType[*notValid](err); ok {
		if n.words != "" {
			fmt.Fprintln(c.stderr, n.words)
		}
		return n.status
	}
	return 0
}

func (v *validation) has(letter byte) bool {
	_, ok := v.given[letter]
	return ok
}

// clash names the options that letter cannot stand beside, if one of them was
// given before.
func (v *validation) clash(letter byte) string {
	exclude := map[byte]string{'C': "lrf", 'l': "rCf", 'f': "rCl", 'r': "lCf", 'v': "q", 'q': "v"}[letter]
	for _, other := range []byte(exclude) {
		if v.has(other) {
			return "-" + strings.Join(strings.Split(exclude, ""), " or -")
		}
	}
	return ""
}

func (v *validation) say(format string, args ...any) {
	if v.verbose {
		fmt.Fprintf(v.c.stdout, format+"\n", args...)
	}
}

func (v *validation) run(ctx context.Context) error {
	temp, err := v.temporary()
	if err != nil {
		return err
	}
	defer temp.Close()
	if !v.has('n') {
		defer os.Remove(temp.Name())
	}
	text, err := v.load(ctx)
	if err != nil {
		fmt.Fprintln(v.c.stdout)
		return &notValid{unable, "Unable to get the configuration"}
	}
	if _, err := temp.Write(text); err != nil {
		return &notValid{unable, "Unable to create temporary file"}
	}
	v.say("Configuration stored in temporary file")
	if !v.has('u') {
		v.say("Updating relaxng schema") // there is none: what is known is in the program
	}
	v.say("Validating..")
	err = v.judge(text)
	v.say("Validation completed")
	return err
}

// temporary makes the file that the configuration is copied to.
func (v *validation) temporary() (*os.File, error) {
	path, given := v.given['t']
	if !given {
		f, err := os.CreateTemp("", "ccs_config_validate.")
		if err != nil {
			return nil, &notValid{unable, "Unable to create temporary file"}
		}
		v.say("Creating temporary file: %s", f.Name())
		return f, nil
	}
	if _, err := os.Lstat(path); err == nil && !v.has('o') {
		return nil, &notValid{unable, fmt.Sprintf("Selected temporary file %s already exists\nUse -o to force overwrite (dangerous)", path)}
	}
	v.say("Creating temporary file: %s", path)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, &notValid{unable, "Unable to create temporary file"}
	}
	return f, nil
}

// load reads what is to be checked.
func (v *validation) load(ctx context.Context) ([]byte, error) {
	if file, ok := v.given['f']; ok {
		return os.ReadFile(file)
	}
	if v.has('r') {
		running, err := v.c.client.Config(ctx, 0)
		return running.Text, err
	}
	loader, ok := v.given['C']
	if !ok {
		loader = "xmlconfig"
	}
	v.say("Config interface set to: %s", loader)
	if loader != "xmlconfig" {
		return nil, fmt.Errorf("no loader %q", loader)
	}
	file, ok := v.given['l']
	if !ok {
		file = v.c.conf
	}
	return os.ReadFile(file)
}

// judge prints what is wrong with a text, and compares its version with -R's.
func (v *validation) judge(text []byte) error {
	const file = "tempfile"
	draft, err := conf.Edit(file, text)
	if err != nil {
		fmt.Fprintf(v.c.stdout, "%sConfiguration fails to validate\n", complaints(file, text, err))
		return &notValid{status: illFormed}
	}
	if err := v.newer(draft.Root()); err != nil {
		return err
	}
	doc, err := conf.Parse(file, text)
	if err != nil {
		findings(v.c.stdout, err.(conf.Faults))
		fmt.Fprintln(v.c.stdout, "Configuration fails to validate")
		return &notValid{status: invalid}
	}
	faults := doc.Check()
	for _, f := range faults {
		if f.Severity <= conf.Unstartable || v.verbose {
			findings(v.c.stdout, conf.Faults{f})
		}
	}
	if !faults.Pushable() {
		fmt.Fprintln(v.c.stdout, "Configuration fails to validate")
		return &notValid{status: invalid}
	}
	if !v.quiet {
		fmt.Fprintln(v.c.stdout, "Configuration validates")
	}
	return nil
}

// newer compares the version with that of -R.
func (v *validation) newer(root conf.Element) error {
	old := conf.Atoi(v.given['R'])
	if old == 0 {
		return nil
	}
	loud := func(words string) string {
		if v.quiet {
			return ""
		}
		return words
	}
	text, ok := root.Attr("config_version")
	if !ok || strings.Trim(text, "0123456789") != "" || text == "" {
		return &notValid{noVersion, loud("Error: Unable to determine new config version!")}
	}
	v.say("Old version: %d New version: %s", old, text)
	if conf.Atoi(text) <= old {
		return &notValid{oldFile, loud("Error: Configuration version is older than running config!")}
	}
	return nil
}
