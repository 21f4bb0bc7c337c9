package cluster

// Release is a release of Red Hat Cluster Suite whose forms and words a
// command takes on.
type Release int

const (
	Release318  Release = iota // 3.1.8, the last 3.x: RHEL 6
	Release3012                // 3.0.12: RHEL 6.0
	Release2                   // the 2.x line of July 2008: RHEL 5
)

// ReleaseOf reads RHCS_COMPAT, which names a release of RHEL: `6.0` or `5`.
// Anything else is 3.1.8.
func ReleaseOf(compat string) Release {
	switch compat {
	case "6.0":
		return Release3012
	case "5":
		return Release2
	}
	return Release318
}

// Words are result's in release r, which knew fewer of them the older it is
// (clusvcadm, "Result line and result codes").
func (r Release) Words(result Result) string {
	last := Warning
	switch r {
	case Release3012:
		if result == Denied {
			return "Permissing denied"
		}
		last = Denied
	case Release2:
		last = NotRunnable
	}
	if result < last {
		return "Unknown"
	}
	return result.String()
}
