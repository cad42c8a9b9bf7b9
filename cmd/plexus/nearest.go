// SPDX-License-Identifier: AGPL-3.0-only

package main

import (
	"cmp"
	"slices"
	"strings"
)

// mostNearest bounds how many names are proposed.
const mostNearest = 3

// nearest returns the names that somebody may have meant who wrote word: those
// that are nearest, and none that is nothing like it.
func nearest(word string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var all []candidate
	lower := strings.ToLower(word)
	for _, name := range names {
		other := strings.ToLower(name)
		d := distance(lower, other)
		if len(lower) >= 2 && (strings.HasPrefix(other, lower) || strings.HasSuffix(other, lower)) {
			d = min(d, 1) // the rest was left out
		}
		if d <= max(1, min(len(lower), len(other))/3) {
			all = append(all, candidate{name, d})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	var found []string
	for _, c := range all {
		if len(found) < mostNearest && c.distance == all[0].distance && !slices.Contains(found, c.name) {
			found = append(found, c.name)
		}
	}
	return found
}

// mostCompared bounds the characters of each word that are compared.
const mostCompared = 100

// distance is how many characters have to be put in, left out, replaced, or
// swapped with their neighbour, to make b of a.
func distance(a, b string) int {
	from, to := clip([]rune(a), mostCompared), clip([]rune(b), mostCompared)
	before, last, row := make([]int, len(to)+1), make([]int, len(to)+1), make([]int, len(to)+1)
	for j := range last {
		last[j] = j
	}
	for i := range from {
		row[0] = i + 1
		for j := range to {
			differs := 1
			if from[i] == to[j] {
				differs = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+differs)
			if i > 0 && j > 0 && from[i] == to[j-1] && from[i-1] == to[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(to)]
}

func clip[T any](list []T, most int) []T { return list[:min(len(list), most)] }

// didYouMean words the proposal; empty where there is none.
func didYouMean(word string, names []string) string {
	if near := nearest(word, names); len(near) > 0 {
		return "Did you mean " + orList(near) + "?"
	}
	return ""
}

// orList joins words: "a", "a or b", "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
