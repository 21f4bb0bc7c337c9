package rgmanager_test

import (
	"fmt"
	"strings"
	"testing"

	"fangnetz/internal/rgmanager"
	"fangnetz/internal/scenario"
)

// requestTable is what each request answers in each state: the result's code
// and, after a slash, the state and owner then. It is asked at node1; what has
// an owner has node2, else node2 was the last (clusvcadm, "What each request
// does, by service state"; the state checking is not used and not in there).
const requestTable = `
state         | enable a              | enable a on node3     | enable a by domain    | disable a   | stop a         | restart a
stopped       | 0/started on node1    | 0/started on node3    | 0/started on node3    | 0/disabled  | 0/stopped      | 0/started on node1
starting      | -10/starting on node2 | -6/starting on node2  | -10/starting on node2 | 0/disabled  | 0/stopped      | 0/started on node2
started       | -10/started on node2  | -6/started on node2   | -10/started on node2  | 0/disabled  | 0/stopped      | 0/started on node2
stopping      | -10/stopping on node2 | -6/stopping on node2  | -10/stopping on node2 | 0/disabled  | 0/stopped      | 0/started on node2
failed        | -2/failed             | -2/failed             | -1/failed             | 0/disabled  | -1/failed      | -1/failed
uninitialized | 0/started on node1    | 0/started on node3    | 0/started on node3    | 0/disabled  | 0/uninitialized| -8/uninitialized
recoverable   | 0/started on node1    | 0/started on node3    | 0/started on node3    | 0/disabled  | -1/recoverable | -1/recoverable
recovering    | 0/recovering          | 0/recovering          | 0/started on node3    | 0/disabled  | 0/stopped      | 0/started on node1
disabled      | 0/started on node1    | 0/started on node3    | 0/started on node3    | 0/disabled  | 0/disabled     | -8/disabled
migrating     | -10/migrating on node2| -6/migrating on node2 | -10/migrating on node2| 0/disabled  | 0/stopped      | 0/started on node2

state         | relocate a         | migrate a to node3   | freeze a             | unfreeze a           | convalesce a
stopped       | 0/started on node3 | -6/stopped           | 0/stopped frozen     | 0/stopped            | -8/stopped
starting      | 0/started on node3 | -6/starting on node2 | -6/starting on node2 | -6/starting on node2 | -6/starting on node2
started       | 0/started on node3 | 0/started on node3   | 0/started on node2 frozen | 0/started on node2 | -10/started on node2
stopping      | 0/started on node3 | -6/stopping on node2 | -6/stopping on node2 | -6/stopping on node2 | -6/stopping on node2
failed        | -2/failed          | -6/failed            | -6/failed            | -6/failed            | -8/failed
uninitialized | -8/uninitialized   | -6/uninitialized     | -6/uninitialized     | -6/uninitialized     | -8/uninitialized
recoverable   | -2/failed          | -6/recoverable       | -6/recoverable       | -6/recoverable       | -6/recoverable
recovering    | 0/started on node3 | -6/recovering        | -6/recovering        | -6/recovering        | -6/recovering
disabled      | -8/disabled        | -6/disabled          | 0/disabled frozen    | 0/disabled           | -8/disabled
migrating     | 0/started on node3 | -6/migrating on node2| -6/migrating on node2| -6/migrating on node2| -6/migrating on node2

frozen   | enable a                   | enable a by domain         | disable a                  | stop a                     | restart a
stopped  | -11/stopped frozen         | -11/stopped frozen         | -11/stopped frozen         | -11/stopped frozen         | -11/stopped frozen
started  | -11/started on node2 frozen| -11/started on node2 frozen| -11/started on node2 frozen| -11/started on node2 frozen| -11/started on node2 frozen
disabled | -11/disabled frozen        | -11/disabled frozen        | -11/disabled frozen        | -11/disabled frozen        | -11/disabled frozen

frozen   | relocate a                  | migrate a to node3          | freeze a                    | unfreeze a          | convalesce a
stopped  | -11/stopped frozen          | -6/stopped frozen           | 0/stopped frozen            | 0/stopped           | -11/stopped frozen
started  | -11/started on node2 frozen | -11/started on node2 frozen | 0/started on node2 frozen   | 0/started on node2  | -11/started on node2 frozen
disabled | -8/disabled frozen          | -6/disabled frozen          | 0/disabled frozen           | 0/disabled          | -11/disabled frozen
`

// TestRequests puts every request in every state.
func TestRequests(t *testing.T) {
	owned := map[string]bool{"starting": true, "started": true, "stopping": true, "migrating": true}
	var head []string
	cells := 0
	for line := range strings.Lines(requestTable) {
		row := strings.Split(strings.TrimSpace(line), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		if row[0] == "state" || row[0] == "frozen" {
			head = row
		}
		if len(row) < 2 || row[0] == head[0] {
			continue
		}
		setup := "service a " + row[0] + " last node2"
		if owned[row[0]] {
			setup = "service a " + row[0] + " on node2"
		}
		if head[0] == "frozen" {
			setup += " frozen"
		}
		for i, want := range row[1:] {
			cells++
			cell := fmt.Sprintf("%s of a %s service", head[i+1], row[0])
			got := answer(t, setup+" changed 1000", head[i+1])
			if got != want {
				t.Errorf("%s: %s, want %s (%s)", cell, got, want, head[0])
			}
		}
	}
	if cells != 140 {
		t.Errorf("%d cells", cells)
	}
}

// answer puts one request and returns its code, and the state and owner then.
func answer(t *testing.T, setup, request string) string {
	t.Helper()
	w, err := scenario.New(`<cluster name="three" config_version="1"><clusternodes><clusternode name="node1" nodeid="1"/>
<clusternode name="node2" nodeid="2"/><clusternode name="node3" nodeid="3"/></clusternodes><rm><vm name="a"/></rm></cluster>`)
	if err != nil {
		t.Fatal(err)
	}
	w.Check = true
	code := "none"
	for _, line := range []string{"node node1 online", "node node2 online", "node node3 online", setup, request} {
		c, err := scenario.Parse(line)
		if err == nil {
			_, err = w.Do(c, "")
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	for _, a := range w.Actions() {
		if r, ok := a.(rgmanager.Reply); ok {
			code = fmt.Sprint(int(r.Result))
		}
	}
	s := w.Machine().Status(0).Services[0]
	out := code + "/" + s.State.String()
	if s.Owner != 0 {
		out += " on node" + s.Owner.String()
	}
	if s.Flags != 0 {
		out += " " + s.Flags.String()
	}
	return out
}
