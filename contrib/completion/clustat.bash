# Completion of clustat(8) for bash(1). Names that a shell would take apart are
# not offered.

_clustat_names() { # the names of that XML element: group or node
	timeout 2 clustat -fx 2>/dev/null | sed -n 's/^ *<'"$1"' name="\([[:alnum:]._:/@%+=,-]*\)".*/\1/p'
}

_clustat() {
	# readline splits words at colons, and so the line itself is looked at
	local line=${COMP_LINE:0:COMP_POINT} words current name
	current=${line##*[[:space:]]}
	read -r -a words <<<"${line%"$current"}"
	COMPREPLY=()
	while read -r name; do # compgen -W would expand what a name holds
		if [[ $name == "$current"* && -n $name ]]; then
			case $current in
			*:*) name=${name#"${current%:*}:"} ;; # readline keeps what is before the colon
			esac
			COMPREPLY+=("$name")
		fi
	done < <(
		case ${words[-1]} in
		-*s | --history) _clustat_names group ;;
		-*m) _clustat_names node ;;
		-*i) printf '%s\n' 1 2 5 10 ;;
		*) printf '%s\n' -f -h -I -i -l -m -Q -s -v -x --history --json --watch ;;
		esac
	)
}

complete -F _clustat clustat
