// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// maxCompletionTime is how long somebody who has pressed the tab key may be
// kept waiting.
const maxCompletionTime = 800 * time.Millisecond

// complete answers a completion script of cobra, which asks what the last of
// words, which may be empty, can be completed to. Behind a path, cobra is given
// the commands that the hub has. What goes wrong is no more than nothing to
// complete.
func (c *command) complete(ctx context.Context, root *cobra.Command, request string, words []string) error {
	before, last := words[:len(words)-1], words[len(words)-1]
	root.SetErr(io.Discard)
	c.hubs.note = func(string, ...any) {}
	l, err := c.split(root, before)
	c.options.help = false // of "help", which is completed like no command
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.options.timeout, maxCompletionTime))
	defer cancel()
	switch {
	case err != nil: // the value of a flag before the path is to be completed
		l = line{words: before}
	case l.path:
		t, err := c.target(ctx, l.words)
		if err != nil || t.unknown >= 0 {
			return c.printer.text(fmt.Sprintf(":%d\n", cobra.ShellCompDirectiveNoFileComp))
		}
		c.add(root, t)
		l.words[0] = hubCommand
	case len(l.words) == 0 && root.Flags().ArgsLenAtDash() == 0:
		l.rest = []string{"--"} // and the name of a hub
	case len(l.words) == 1 && (l.words[0] == "call" || l.words[0] == "help"):
		l.words = nil
	}
	root.SetArgs(append(append(append([]string{request}, l.words...), l.rest...), last))
	return root.ExecuteContext(ctx)
}

// completeHubs completes the name of a hub.
func (c *command) completeHubs(cmd *cobra.Command, args []string, last string) (all []cobra.Completion, _ cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 {
		return nil, directive
	}
	first, err := c.hubs.registry(cmd.Context())
	if err != nil {
		return nil, directive
	}
	add := func(name, about string) {
		if strings.HasPrefix(name, last) && isPlain(name) && (last != "" || !isFlag(name)) {
			all = append(all, cobra.CompletionWithDesc(name, firstLine(about)))
		}
	}
	add(first.name, "The hub at "+first.url)
	backends, err := c.hubs.backends(cmd.Context(), first, nil)
	if err != nil {
		return all, directive
	}
	for _, b := range backends {
		if !sameName(b.name(), first.name) {
			add(b.name(), b.text("description"))
		}
	}
	return all, directive
}

// completeWords completes one of the words.
func completeWords(words []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, last string) ([]cobra.Completion, cobra.ShellCompDirective) {
		other := func(word string) bool { return !strings.HasPrefix(word, last) || !isPlain(word) }
		return slices.DeleteFunc(words, other), cobra.ShellCompDirectiveNoFileComp
	}
}

// isPlain reports whether a word that a hub chose may be completed: the scripts
// have the shell evaluate what stands in the line.
func isPlain(word string) bool {
	return word != "" && strings.IndexFunc(word, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.:/@+,%", r)
	}) < 0
}

// completion prints the script for a shell.
func completion(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		switch root := cmd.Root(); args[0] {
		case "bash":
			if _, err := fmt.Fprint(root.OutOrStdout(), bashWords); err != nil {
				return err
			}
			return root.GenBashCompletionV2(root.OutOrStdout(), true)
		case "zsh":
			return root.GenZshCompletion(root.OutOrStdout())
		case "fish":
			return root.GenFishCompletion(root.OutOrStdout(), true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(root.OutOrStdout())
		}
	}
	return usagef("completion needs the name of a shell").withHint("plexus " + cmd.Use)
}

// bashWords stands in for the package bash-completion, which cobra's script
// takes the words of the line from, where that is not installed.
const bashWords = `if ! declare -F _get_comp_words_by_ref >/dev/null; then
	_get_comp_words_by_ref() {
		local line="${COMP_LINE:0:COMP_POINT}"
		read -ra words <<<"$line"
		[[ $line == *[[:space:]] ]] && words+=("")
		cword=$((${#words[@]} - 1))
		cur="${words[cword]}" prev="${words[cword - 1]}"
	}
fi
`
