// SPDX-License-Identifier: AGPL-3.0-only

package main

// The scripts only hand the words of the line to plexus __complete, and what
// it prints to the shell.

const bashScript = `# Completion of plexus for bash: source <(plexus completion bash)
_plexus() {
	local line="${COMP_LINE:0:COMP_POINT}" words=() candidate
	# COMP_WORDS is split at "=" and ":" too, which plexus must not see.
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	local current="${words[${#words[@]}-1]}" cut=""
	# The shell replaces no more than what follows the last of these.
	[[ $current == *[=:]* ]] && cut="${current%"${current##*[=:]}"}"
	COMPREPLY=()
	while IFS=$'\t' read -r candidate _; do
		COMPREPLY+=("$(printf %q "${candidate#"$cut"}")")
	done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _plexus plexus
`

const zshScript = `#compdef plexus
# Completion of plexus for zsh: source <(plexus completion zsh)
_plexus() {
	local -a found
	local word about
	while IFS=$'\t' read -r word about; do
		found+=("${word//:/\\:}:${about}")
	done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
	_describe plexus found
}
if [ "${funcstack[1]}" = _plexus ]; then
	_plexus "$@"
else
	compdef _plexus plexus
fi
`

const fishScript = `# Completion of plexus for fish: plexus completion fish | source
function __plexus_complete
	set -l words (commandline -opc) (commandline -ct)
	$words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c plexus -f -a '(__plexus_complete)'
`

// completion prints the script for a shell.
func (c *command) completion(words []string) error {
	if len(words) == 1 {
		switch words[0] {
		case "bash":
			return c.printer.text(bashScript)
		case "zsh":
			return c.printer.text(zshScript)
		case "fish":
			return c.printer.text(fishScript)
		}
	}
	return usagef("completion takes the name of a shell").withHint("plexus completion bash|zsh|fish")
}
