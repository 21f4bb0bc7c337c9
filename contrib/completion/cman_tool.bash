# Completion of cman_tool(8) for bash(1).

_cman_tool() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} word offers='status nodes services version wait -h -V'
	case $previous in
	-n) offers=$(timeout 2 cman_tool nodes -F name 2>/dev/null) ;;
	-F) offers='id,type,name id name type addr votes exp state' ;;
	-t) offers='10 60 300' ;;
	*)
		for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
			case $word in
			nodes) offers=' -a -n -F' ;;
			version) offers=' -r -d' ;;
			wait) offers=' -q -t' ;;
			status | services) offers= ;;
			esac
		done ;;
	esac
	COMPREPLY=()
	while read -r word; do # compgen -W would expand what a name holds
		[[ $word == "$current"* && -n $word ]] && COMPREPLY+=("$word")
	done < <(printf '%s\n' "$offers" | tr -s ' ' '\n')
}

complete -F _cman_tool cman_tool
