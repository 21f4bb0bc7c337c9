package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"fangnetz/internal/wire"
	"fangnetz/internal/wiretest"
)

// validated runs ccs_config_validate in a folder with a file of each kind,
// good.conf being the default one.
func validated(t *testing.T, args ...string) result {
	t.Helper()
	for name, text := range map[string]string{
		"good.conf": fine, "odd.conf": strings.Replace(fine, "<rm>", `<rm colour="red">`, 1), "bad.conf": strings.Replace(fine, ` nodeid="2"`, "", 1),
		"broken.conf": strings.Replace(fine, `"alpha"`, "alpha", 1), "none.conf": strings.Replace(fine, ` config_version="7"`, "", 1), "there": "",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	c := &command{stdout: &stdout, stderr: &stderr, conf: "good.conf", client: wire.New("")}
	exit := c.validate(context.Background(), args)
	return result{stdout.String(), stderr.String(), exit}
}

const (
	validates = "Configuration validates\n"
	fails     = "Configuration fails to validate\n"
	noNodeid  = "tempfile:6:5: error: clusternode \"node2\" has no nodeid: no node can start; expected a number from 1\n"
)

// The words, streams and exit statuses are the script's.
func TestValidate(t *testing.T) {
	t.Chdir(t.TempDir())
	refuseConnections(t)
	broken := "tempfile:2: parser error : AttValue: \" or ' expected\n<cluster name=alpha config_version=\"7\">\n              ^\n"
	for _, c := range []struct {
		args string
		want result
	}{
		{"", result{validates, "", 0}},
		{"-f good.conf", result{validates, "", 0}},
		{"-l good.conf", result{validates, "", 0}},
		{"-C xmlconfig -u -n -t kept", result{validates, "", 0}},
		{"-q -f good.conf", result{}},
		{"-f odd.conf", result{validates, "", 0}},
		{"-f bad.conf", result{noNodeid + fails, "", 3}},
		{"-q -f bad.conf", result{noNodeid + fails, "", 3}},
		{"-f none.conf -R 0", result{validates, "", 0}},
		{"-f none.conf -R 6", result{"", "Error: Unable to determine new config version!\n", 253}},
		{"-qf none.conf -R 6", result{"", "", 253}},
		{"-f good.conf -R 6", result{validates, "", 0}},
		{"-f good.conf -R 7", result{"", "Error: Configuration version is older than running config!\n", 254}},
		{"-q -f good.conf -R 7", result{"", "", 254}},
		{"-f missing.conf", result{"\n", "Unable to get the configuration\n", 255}},
		{"-C ldap", result{"\n", "Unable to get the configuration\n", 255}},
		{"-r", result{"\n", "Unable to get the configuration\n", 255}},
		{"-t there", result{"", "Selected temporary file there already exists\nUse -o to force overwrite (dangerous)\n", 255}},
		{"-o -t there", result{validates, "", 0}},
		{"-t none/x", result{"", "Unable to create temporary file\n", 255}},
		{"-f a -r", result{"", "Error: invalid options. -r can not be set together with -l or -C or -f\n", 255}},
		{"-r -f a", result{"", "Error: invalid options. -f can not be set together with -r or -C or -l\n", 255}},
		{"-r -l a", result{"", "Error: invalid options. -l can not be set together with -r or -C or -f\n", 255}},
		{"-f a -C b", result{"", "Error: invalid options. -C can not be set together with -l or -r or -f\n", 255}},
		{"-q -v", result{"", "Error: invalid options. -v can not be set together with -q\n", 255}},
		{"-v -q", result{"", "Error: invalid options. -q can not be set together with -v\n", 255}},
		{"-h", result{validateUsage, "", 0}},
		{"-V", result{"ccs_config_validate version " + version + "\n", "", 0}},
		{"-x", result{"", "ccs_config_validate: invalid option -- 'x'\n" + validateUsage, 255}},
	} {
		t.Run(c.args, func(t *testing.T) {
			if got := validated(t, strings.Fields(c.args)...); got != c.want {
				t.Errorf("ccs_config_validate %s = %+v; want %+v", c.args, got, c.want)
			}
		})
	}
	if got := validated(t, "-f", "broken.conf"); !strings.HasPrefix(got.stdout, broken) || !strings.HasSuffix(got.stdout, "\n"+fails) || got.stderr != "" || got.exit != 1 {
		t.Errorf("of what is ill-formed: %+v; want %q first", got, broken)
	}
	if text, err := os.ReadFile("kept"); err != nil || string(text) != fine {
		t.Errorf("-n kept %q, %v", text, err)
	}
	if _, err := os.Stat("there"); err != nil { // written anew by validated, and removed by the run with -o
		t.Error(err)
	}
}

func TestValidateVerbose(t *testing.T) {
	t.Chdir(t.TempDir())
	wiretest.Serve(t, &fakeCmand{running: strings.Replace(fine, "<rm>", `<rm colour="red">`, 1)}, true)
	got := validated(t, "-v", "-R", "6", "-r")
	got.stdout = regexp.MustCompile(`file: /\S+`).ReplaceAllString(got.stdout, "file: F")
	want := result{stdout: "Creating temporary file: F\nConfiguration stored in temporary file\nUpdating relaxng schema\nValidating..\n" +
		"Old version: 6 New version: 7\ntempfile:11:7: warning: attribute colour is not known in <rm>: it is not read\n" +
		validates + "Validation completed\n"}
	if got != want {
		t.Errorf("ccs_config_validate -v -R 6 -r = %+v; want %+v", got, want)
	}
	got = validated(t, "-v", "-u", "-t", "f")
	want = result{stdout: "Creating temporary file: f\nConfig interface set to: xmlconfig\nConfiguration stored in temporary file\nValidating..\n" +
		validates + "Validation completed\n"}
	if got != want {
		t.Errorf("ccs_config_validate -v -u = %+v; want %+v", got, want)
	}
	if _, err := os.Stat("f"); err == nil {
		t.Error("the temporary file is still there")
	}
}

// The program goes by the name that it is called by; the page has its options.
func TestValidateByName(t *testing.T) {
	var stdout, stderr bytes.Buffer
	exit := run([]string{"/usr/sbin/ccs_config_validate", "-V"}, strings.NewReader(""), &stdout, &stderr)
	if exit != 0 || stdout.String() != "ccs_config_validate version "+version+"\n" {
		t.Errorf("exit %d, stdout %q, stderr %q", exit, stdout.String(), stderr.String())
	}
	page, err := os.ReadFile("../../man/ccs_config_validate.8")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^  -(\w)`).FindAllStringSubmatch(validateUsage, -1) {
		if !strings.Contains(string(page), "\n.It Fl "+m[1]) {
			t.Errorf("the page does not have -%s", m[1])
		}
	}
}
