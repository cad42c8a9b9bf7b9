// SPDX-License-Identifier: AGPL-3.0-only

package tomlfile

import (
	"strings"
	"testing"
)

// What is wrong with a line is reported on it, whatever the line ends with, and
// whatever follows.
func TestAMistakeIsOnItsOwnLine(t *testing.T) {
	follow := []string{"\n", "\r\n", " \n", "\n\n\n# c\n", "\n[[entry]]\nname = 'y'\nport = 2\n", "\nport = 1\nlist = ['y']\n", ""}
	for _, line := range []string{
		"name", "'name'", `"name"`, "na me", "a.b", "a.", "a.b.", ".a", "name:'x'", "name 'x'", "name # = 'x'", "name\t",
		"name =", "name = ", "name = # 'x'", "=", "= 'x'", "name == 'x'", "name = x", "name = 'x", `name = "x`, "name = 'x' 'y'", "name = 'x' port = 1",
		`name = "\q"`, `name = "\u12"`, `name = "\u12`, `name = "\`, `name = "\x"`,
		"port = +", "port = -", "port = 1_", "port = 0x", "port = 0b2", "port = 1 2", "port = 1e", "port = 1.", "port = .5", "port = tru", "port = in", "port = +in",
		"port = 1979-05-", "port = 25:00:00", "port = \x01", "por\x02t = 1", "# \x01",
		"list = [1 2]", "list = ['x", "list = {a 1}", "list = {a = 1 b = 2}", "list = [}", "list = {]", "list = ]", "}",
		"[[entry]", "[[entry", "[[entry]]]", "[[entry]] x", "[[entry] ]", "[entry", "[", "[[", "[]", "[[]]", "[.a]", "[a.]", "[a..b]", "[a b]", `["a]`, "[a] b",
		"name = '''x", `name = """x`, `name = """\`, "name = '''x''",
	} {
		for _, end := range follow {
			text := "[[entry]]\n" + line + end
			if _, err := read(text); err == nil || !strings.HasPrefix(err.Error(), "f:2: ") {
				t.Errorf("%q: got %v, want it on line 2", text, err)
			}
		}
	}
}
