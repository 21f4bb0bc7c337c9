package fence

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"fangnetz/internal/conf"
)

// secret reports whether an attribute of that name holds a secret. One too
// many does no harm.
func secret(key string) bool {
	key = strings.ToLower(key)
	return !strings.HasSuffix(key, "_script") && slices.ContainsFunc(
		[]string{"passw", "passphrase", "community", "secret", "token", "identity", "key"},
		func(word string) bool { return strings.Contains(key, word) })
}

// secrets lists the values that must not be seen, the longest first, also in
// the forms in which an agent may quote them: for a shell, in a URL, as a
// string of C or Python.
func secrets(lists ...[]conf.Attr) []string {
	var hide []string
	for _, a := range slices.Concat(lists...) {
		if a.Value == "" || !secret(a.Key) {
			continue
		}
		escaped := strings.ReplaceAll(a.Value, `\`, `\\`)
		hide = append(hide, a.Value,
			strings.ReplaceAll(a.Value, `'`, `'"'"'`),
			strings.ReplaceAll(a.Value, `'`, `'\''`),
			url.QueryEscape(a.Value), url.PathEscape(a.Value),
			escaped, strings.ReplaceAll(escaped, `"`, `\"`), strings.ReplaceAll(escaped, `'`, `\'`))
	}
	slices.SortFunc(hide, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	return slices.Compact(hide)
}

// scrub replaces every secret in text by ***.
func scrub(text string, hide []string) string {
	var pairs []string
	for _, s := range hide {
		pairs = append(pairs, s, "***")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
