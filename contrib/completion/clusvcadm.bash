# Completion of clusvcadm(8) for bash(1). Names that a shell would take apart are
# not offered.

_clusvcadm_services() { # full names; those of type service without it, too
	timeout 2 clustat -fx 2>/dev/null | sed -n 's/^ *<group name="\([[:alnum:]._:/@%+=,-]*\)".*/\1/p' | sed 's/^service:\(.*\)/&\n\1/'
}

_clusvcadm_members() { # those that are online
	timeout 2 clustat -fx 2>/dev/null | sed -n '/nodeid="0x00000000"/d;s/^ *<node name="\([[:alnum:]._:/@%+=,-]*\)" state="1".*/\1/p'
}

_clusvcadm() {
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
		--dry-run) printf '%s\n' -c -d -e -M -R -r -s -U -Z --drain --undrain ;;
		--drain | --undrain) _clusvcadm_members ;;
		-*[mn]) _clusvcadm_members ;;
		-*[cdeRrsUZ]) _clusvcadm_services ;;
		-*M) _clusvcadm_services | grep ^vm: ;;
		*) printf '%s\n' -c -d -e -F -h -l -M -m -n -q -R -r -S -s -U -u -v -Z --drain --dry-run --undrain ;;
		esac
	)
}

complete -F _clusvcadm clusvcadm
