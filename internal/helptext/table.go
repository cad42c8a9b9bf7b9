// SPDX-License-Identifier: AGPL-3.0-only

package helptext

import (
	"slices"
	"strings"
)

// maxColumn is how wide a column is made for a few long cells: what follows those
// in their line is moved, and the other lines stay as they are.
const maxColumn = 40

// Table lays out a table, line by line. Every row has as many cells as head.
func Table(head []string, rows [][]string) (lines []string) {
	rows = append([][]string{head}, rows...)
	columns := make([]int, len(head)) // how wide they are
	for i := range columns {
		var all []int
		for _, row := range rows {
			all = append(all, Cells(row[i]))
		}
		slices.Sort(all)
		limit := max(maxColumn, all[(len(all)-1)/2])
		for _, n := range all {
			if n <= limit {
				columns[i] = n
			}
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += Pad(cell, columns[i]) + "  "
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}
