#!/bin/sh
# planted.sh [FILE...]: plants the bugs of testdata/planted, one at a time, and
# says how long the simulation takes to find each. Nothing in the tree changes.
set -e
cd "$(dirname "$0")/../.."
limit=${LIMIT:-5m}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for patch in "${@:-internal/simulate/testdata/planted/*.patch}"; do
	for p in $patch; do
		name=$(basename "$p" .patch)
		file=$(sed -n 's,^+++ b/,,p' "$p")
		cp "$file" "$work/$name.go"
		patch -s -F 3 "$work/$name.go" "$p"
		printf '{"Replace":{"%s":"%s"}}' "$PWD/$file" "$work/$name.go" >"$work/overlay.json"
		go test -c -overlay "$work/overlay.json" -o "$work/test" ./internal/simulate
		if (cd internal/simulate && "$work/test" -test.run TestSchedules -test.timeout 0 -test.v -limit "$limit" -seeds 1000000000 -stop 1) >"$work/out" 2>&1; then
			printf '%-24s NOT FOUND: %s\n' "$name" "$(grep -o '[0-9]* schedules in.*' "$work/out" | tail -1)"
		else
			printf '%-24s %s\n' "$name" "$(grep -m1 -o 'seed [0-9]* after .*' "$work/out")"
		fi
	done
done
