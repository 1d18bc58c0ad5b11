package lint

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/buildcontext"
)

// uses are references to a variable in a script.
func uses(script, name string) bool {
	return regexp.MustCompile(`\$(` + name + `\b|\{` + name + `\b)`).MatchString(script)
}

func lostExport(l *look) {
	type export struct{ line, stage int }
	exported := map[string]export{}
	for _, s := range l.steps {
		if s.Verb != "RUN" {
			continue
		}
		script, sets := s.Script(), map[string]bool{}
		for i, c := range s.commands {
			for name := range c.sets {
				sets[name] = true
			}
			if c.name() == "export" && len(c.sets) > 0 && i == len(s.commands)-1 {
				l.report(Warning, s.Line, "export at the end of a RUN", "a variable lives as long as its RUN: no later line sees it", "use ENV, or ARG when only the build needs it")
			}
		}
		for _, name := range sorted(exported) {
			if e := exported[name]; e.stage == s.stage.Index && !sets[name] && !s.declared[name] && uses(script, name) {
				l.report(Warning, s.Line, "uses $"+name, fmt.Sprintf("it was exported in the RUN of line %d and is lost here", e.line), "use ENV, or ARG when only the build needs it")
			}
		}
		for _, c := range s.commands {
			if c.name() == "export" {
				for name := range c.sets {
					exported[name] = export{s.Line, s.stage.Index}
				}
			}
		}
	}
}

func lostCd(l *look) {
	for _, s := range l.steps {
		if n := len(s.commands); n > 0 && s.commands[n-1].name() == "cd" {
			l.report(Warning, s.Line, "cd at the end of a RUN", "the next line starts in the working directory again", "use WORKDIR")
		}
	}
}

func exportOverArg(l *look) {
	for _, s := range l.steps {
		hidden := map[string]bool{}
		for _, c := range s.commands {
			if c.name() != "export" {
				continue
			}
			for name := range c.sets {
				if s.declared[name] {
					hidden[name] = true
				}
			}
		}
		if len(hidden) == 0 {
			continue
		}
		l.report(Warning, s.Line, "export sets "+strings.Join(sorted(hidden), ", "), "the ARG or ENV of that name has no say in this line: changing it changes half of the image",
			"leave the export out, and give the ARG its value by args")
	}
}

var fromHistory = []struct {
	says  *regexp.Regexp
	level Level
	what  string
}{
	{regexp.MustCompile(`^\|\d+ `), Error, "the |N list of a RUN's build arguments"},
	{regexp.MustCompile(`^(/BIN/SH|/BIN/BASH|<MISSING>|SHA256:[0-9A-F]+) `), Error, "a command without RUN"},
	{regexp.MustCompile(`^RUN \|\d+ `), Error, "the |N list of a RUN's build arguments"},
	{regexp.MustCompile(`#\(nop\)`), Error, "#(nop), which marks an instruction that runs nothing"},
	{regexp.MustCompile(`^(COPY|ADD) (--\S+ )*(file|dir|multi):[0-9a-f]{64} in `), Error, "the checksum of a file in place of its name"},
	{regexp.MustCompile(`^HEALTHCHECK &?\{`), Error, "a HEALTHCHECK as Go prints it"},
	{regexp.MustCompile(`^EXPOSE (map)?\[`), Error, "an EXPOSE as Go prints it"},
	{regexp.MustCompile(` # buildkit$`), Warning, "the mark # buildkit"},
}

func historyText(l *look) {
	for _, in := range l.File.Instructions {
		for _, h := range fromHistory {
			if h.says.MatchString(in.String()) {
				l.report(h.level, in.Line, "here stands "+h.what, "this is how docker history prints a line, not how it is written",
					"let `antdbctl image recover` write the Dockerfile, or turn |N lists into ARG lines and the command into a RUN line")
				break
			}
		}
	}
}

var brackets = regexp.MustCompile(`^\[\s*["'“/]`)

func execForm(l *look) {
	for _, in := range l.File.Instructions {
		text := in.Text
		if !slices.Contains([]string{"CMD", "ENTRYPOINT", "SHELL", "VOLUME", "RUN"}, in.Verb) || !brackets.MatchString(text) {
			continue
		}
		if in.Verb == "RUN" && strings.HasPrefix(text, "[ ") {
			continue // a test of the shell
		}
		if _, ok := in.List(); !ok {
			l.report(Error, in.Line, in.Short(80)+" is no JSON", "the brackets are taken for words of a shell, or of a path", `write ["word", "word"]: double quotes, and commas between`)
		}
	}
}

var (
	bashWords  = regexp.MustCompile(`\$\{\w+//?[^}]|\[\[ |\bset -\w*o pipefail|<<<|(^|[\s;&])source /`)
	otherShell = regexp.MustCompile(`(^|/)(debian|ubuntu|alpine|busybox)(:|$|@)`)
)

func bashOnly(l *look) {
	for _, s := range l.steps {
		if s.shell != "" || !otherShell.MatchString(s.base) {
			continue
		}
		if m := bashWords.FindString(s.Script()); m != "" {
			l.report(Warning, s.Line, fmt.Sprintf("%q is bash's", strings.TrimSpace(m)), "the shell of "+s.base+" is another one, which stops here", `add SHELL ["/bin/bash", "-c"], or write it for sh`)
		}
	}
}

func crlf(l *look) {
	if n := l.File.CRLF; n > 0 {
		l.report(Warning, n, "the line ends in CR LF", "here-documents and continued lines keep the CR, and a program sees it", "save the file with the line ends of Unix (dos2unix)")
	}
}

func crlfScript(l *look) {
	seen := map[string]bool{}
	for _, s := range l.steps {
		for _, p := range s.puts {
			for _, e := range l.below(p) {
				if !seen[e.Name] && hasCRLFShebang(e) {
					l.report(Warning, s.Line, e.Name+" begins with #! and a line that ends in CR LF", "it does not start: \"no such file or directory\" or \"bad interpreter: ^M\"",
						"save the file with the line ends of Unix (dos2unix)")
				}
				seen[e.Name] = true
			}
		}
	}
}

func hasCRLFShebang(e buildcontext.Entry) bool {
	f, err := os.Open(e.Path)
	if err != nil {
		return false
	}
	defer f.Close()
	line, _ := bufio.NewReader(io.LimitReader(f, 256)).ReadString('\n')
	return strings.HasPrefix(line, "#!") && strings.HasSuffix(line, "\r\n")
}
