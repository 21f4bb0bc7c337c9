package cluster

// Result answers a request, with rgmanager's codes. 0 is success, negative
// values are refusals and failures (clusvcadm, "Result line and result codes").
type Result int

const (
	Success           Result = 0
	Yes               Result = 1
	No                Result = 2
	Failure           Result = -1  // start or stop failed, or not allowed here
	Aborted           Result = -2  // its stop failed; it is "failed" now
	Forward           Result = -3  // not mastered locally
	NoService         Result = -4  // unknown name
	Deadlock          Result = -5  // a relocation of it is in progress
	TryAgain          Result = -6  // locked, or in a state of passage
	DependencyRule    Result = -7  // depend not met, exclusive conflict, domain
	InvalidOperation  Result = -8  // not possible in this state or for this type
	NoQuorum          Result = -9  //
	AlreadyRunning    Result = -10 // exit status 0
	FrozenService     Result = -11 //
	TargetDead        Result = -12 //
	FencePending      Result = -13 //
	ScriptError       Result = -14 //
	NotRunnable       Result = -15 //
	ExclusiveConflict Result = -16 //
	RunsOnOriginal    Result = -17 // relocation or migration failed, runs at home
	Denied            Result = -18 // not root, not group cluster
	Warning           Result = -19 // disabled, but something was left behind
)

var resultWords = map[Result]string{
	Success:           "Success",
	Yes:               "Yes",
	No:                "No",
	Failure:           "Failure",
	Aborted:           "Aborted; service failed",
	Forward:           "Service not mastered locally",
	NoService:         "Service does not exist",
	Deadlock:          "Operation would cause a deadlock",
	TryAgain:          "Temporary failure; try again",
	DependencyRule:    "Operation violates dependency rule",
	InvalidOperation:  "Invalid operation for resource",
	NoQuorum:          "Operation requires quorum",
	AlreadyRunning:    "Service is already running",
	FrozenService:     "Failure: Service is frozen",
	TargetDead:        "Target node dead / nonexistent",
	FencePending:      "Fencing operation pending; try again later",
	ScriptError:       "S/Lang Script Error",
	NotRunnable:       "Service not runnable",
	ExclusiveConflict: "Service not runnable: cannot run exclusive",
	RunsOnOriginal:    "Failed; service running on original owner",
	Denied:            "Permission denied",
	Warning:           "Warning; see system logs",
}

// String is the text that clusvcadm prints; "Unknown" for any other number.
func (r Result) String() string {
	if s, ok := resultWords[r]; ok {
		return s
	}
	return "Unknown"
}

// ExitStatus is what clusvcadm returns to the shell, 0 to 255.
func (r Result) ExitStatus() int {
	if r == AlreadyRunning {
		return 0
	}
	return int(uint8(r))
}
