package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"charm.land/lipgloss/v2"

	"github.com/adbsql/antdbctl/modules/image"
)

// imageJSON writes what image.inspect gives a runbook.
func (a *app) imageJSON(m *image.Inspect) error {
	return json.NewEncoder(a.stdout).Encode(map[string]any{
		"id": m.ID, "names": m.Names, "digest": m.Digest, "size": m.Size, "created": m.Created, "os": m.Os, "arch": m.Arch,
		"layers": m.Layers, "config": m.Config, "history": m.History, "wasted": m.Wasted, "waste": m.Waste, "notes": m.Notes,
	})
}

// few is how many wasted files the overview shows.
const few = 5

// showImage is the overview.
func (a *app) showImage(source string, m *image.Inspect) error {
	names := m.Names
	if len(names) == 0 {
		names = []string{source}
	}
	fmt.Fprintf(a.stdout, "%s\n%s\n\n", cut(strings.Join(names, "  "), 4096), imageLine(m))
	a.layerTable(m)
	if m.Wasted > 0 {
		fmt.Fprintf(a.stdout, "\nWasted: %s of %s (%d %%)", bytesText(m.Wasted), bytesText(sizeOf(m)), m.Wasted*100/max(sizeOf(m), 1))
		if len(m.Waste) > few {
			fmt.Fprint(a.stdout, ", most of it in")
		}
		fmt.Fprintln(a.stdout)
		a.wasteLines(m.Waste[:min(few, len(m.Waste))])
		if len(m.Waste) > few {
			fmt.Fprintln(a.stdout, a.dim("  … --waste lists the others"))
		}
	}
	a.configLines(m.Config)
	for _, note := range m.Notes {
		fmt.Fprintf(a.stdout, "\nNote: %s\n", note)
	}
	return nil
}

func (a *app) dim(text string) string {
	if !a.colored(a.stdout) {
		return text
	}
	return lipgloss.NewStyle().Foreground(lipgloss.Color("8")).Render(text)
}

func (a *app) alarm(text string) string {
	if !a.colored(a.stdout) {
		return text
	}
	return lipgloss.NewStyle().Foreground(lipgloss.Color("3")).Render(text)
}

// imageLine says in a line what the image is.
func imageLine(m *image.Inspect) string {
	parts := []string{fmt.Sprintf("%.19s", m.ID), cut(m.Os+"/"+m.Arch, 40),
		fmt.Sprintf("%s in %s", bytesText(sizeOf(m)), count(len(m.History), "layer"))}
	if built, err := time.Parse(time.RFC3339Nano, m.Created); err == nil && built.Year() > 1980 {
		parts = append(parts, "built "+built.UTC().Format("2006-01-02 15:04"))
	}
	return strings.Join(parts, " · ")
}

// sizeOf is the size of the layers, which is what travels and what the numbers
// of waste are shares of; docker's own number leaves the tars' padding out.
func sizeOf(m *image.Inspect) (n int64) {
	for _, l := range m.History {
		n += l.Size
	}
	return n
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (a *app) layerTable(m *image.Inspect) {
	const head = "  %3s  %10s  %6s %6s %6s  %10s  "
	room := width(a.stdout) - len(fmt.Sprintf(head, "", "", "", "", "", ""))
	fmt.Fprintln(a.stdout, a.dim(fmt.Sprintf(head, "", "size", "+", "~", "-", "wasted")+"command"))
	for _, l := range m.History {
		wasted := fmt.Sprintf("%10s", dash(l.Wasted > 0, bytesText(l.Wasted)))
		if l.Wasted > 1<<20 {
			wasted = a.alarm(wasted)
		}
		command := l.Command
		if command == "" {
			command = "?"
		}
		fmt.Fprintf(a.stdout, "  %3d  %10s  %6s %6s %6s  %s  %s\n", l.Number, bytesText(l.Size),
			files(l.Added), files(l.Changed), files(l.Deleted), wasted, cut(command, room))
	}
}

func files(n int) string { return dash(n > 0, strconv.Itoa(n)) }

func dash(there bool, text string) string {
	if there {
		return text
	}
	return "·"
}

// cut shortens a line to n columns and makes it safe for a terminal.
func cut(text string, n int) string {
	text = strings.Map(func(c rune) rune {
		if !strconv.IsPrint(c) {
			return '\ufffd'
		}
		return c
	}, text)
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:max(n-1, 0)]) + "…"
}

func (a *app) listWaste(m *image.Inspect) error {
	a.wasteLines(m.Waste)
	fmt.Fprintf(a.stdout, "%10s  in all, of %s\n", bytesText(m.Wasted), bytesText(sizeOf(m)))
	return nil
}

func (a *app) wasteLines(list []image.WasteFacts) {
	column := 0
	for _, w := range list {
		column = max(column, min(utf8.RuneCountInString(visibleName(w.Path)), width(a.stdout)/2))
	}
	for _, w := range list {
		fmt.Fprintf(a.stdout, "%10s  %-*s  %s\n", bytesText(w.Size), column, visibleName(w.Path), a.dim(because(w)))
	}
}

// because says why a file is wasted.
func because(w image.WasteFacts) string {
	same := ""
	if w.Same != "" {
		same = visibleName(w.Same)
	}
	switch w.Why {
	case "deleted":
		text := fmt.Sprintf("layer %d; layer %d deleted it", w.Layer, w.By)
		if same != "" {
			text += ", and the same is in " + same
		}
		return text
	case "overwritten":
		return fmt.Sprintf("layer %d; layer %d overwrote it", w.Layer, w.By)
	case "rewritten":
		return fmt.Sprintf("layer %d; layer %d stored the same again (chown, chmod, touch or cp)", w.Layer, w.By)
	}
	return fmt.Sprintf("layer %d; the same as %s", w.Layer, same)
}

func (a *app) configLines(c image.Config) {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(a.stdout, "%s %s\n", a.dim(fmt.Sprintf("%-10s", name)), cut(text, width(a.stdout)-11))
		}
	}
	fmt.Fprintln(a.stdout)
	line("entrypoint", words(c.Entrypoint))
	line("cmd", words(c.Cmd))
	line("user", c.User)
	line("workdir", c.Workdir)
	line("exposes", strings.Join(c.Exposed, " "))
	line("volumes", strings.Join(c.Volumes, " "))
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		line("env", name+"="+c.Env[name])
	}
	if !a.verbose {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		line("label", name+"="+c.Labels[name])
	}
}

// words are a command line that could be typed.
func words(list []string) string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n\"'$\\;&|<>*?()") {
			out[i] = strconv.Quote(w)
		}
	}
	return strings.Join(out, " ")
}

// showProgram shows what a program or library needs.
func (a *app) showProgram(p string, all map[string]image.Program, symbols []string) error {
	program := all[p]
	if a.json {
		return json.NewEncoder(a.stdout).Encode(program)
	}
	fmt.Fprintf(a.stdout, "%s: %s for %s", visibleName(p), program.Kind, program.Arch)
	if program.Glibc != "" {
		fmt.Fprintf(a.stdout, ", wants glibc %s", cut(program.Glibc, 40))
	}
	fmt.Fprintln(a.stdout)
	for _, name := range program.Needed {
		fmt.Fprintf(a.stdout, "  needs   %s\n", visibleName(name))
	}
	for _, fault := range program.Missing {
		fmt.Fprintf(a.stdout, "  %s %s\n", a.alarm("missing"), cut(fault, 4096))
	}
	for _, name := range symbols {
		fmt.Fprintf(a.stdout, "  symbol  %s: %s\n", visibleName(name), program.Symbols[name])
	}
	if len(program.Missing) > 0 {
		return exit{exitError}
	}
	return nil
}
