package conntest

import (
	"bytes"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// mutating lists, by program, the words that make it change something; nil
// where any use of it does.
var mutating = map[string][]string{
	"rm": nil, "rmdir": nil, "mv": nil, "cp": nil, "mkdir": nil, "chmod": nil, "chown": nil, "chgrp": nil,
	"tee": nil, "touch": nil, "ln": nil, "install": nil, "truncate": nil, "dd": nil, "kill": nil, "pkill": nil,
	"useradd": nil, "usermod": nil, "userdel": nil, "mount": nil, "umount": nil, "reboot": nil, "shutdown": nil,
	"createdb": nil, "dropdb": nil, "createuser": nil, "dropuser": nil, "pg_restore": nil,
	"systemctl": {"start", "stop", "restart", "reload", "enable", "disable", "mask", "unmask", "daemon-reload", "kill"},
	"service":   {"start", "stop", "restart", "reload"},
	"docker": {"build", "buildx", "tag", "load", "import", "rm", "rmi", "push", "pull", "run", "create", "start", "stop",
		"restart", "kill", "commit", "cp", "prune", "rename"},
	"ctr":     {"import", "tag", "rm", "remove", "delete", "push", "pull", "label", "create", "run", "kill"},
	"nerdctl": {"build", "tag", "load", "rm", "rmi", "push", "pull", "run"},
	"crictl":  {"rmi", "rm", "pull", "stop", "stopp", "rmp"},
	"kubectl": {"apply", "create", "delete", "patch", "replace", "scale", "edit", "label", "annotate", "drain", "cordon", "uncordon"},
	"sed":     {"-i", "--in-place"},
	"apt-get": {"install", "remove", "purge", "upgrade"},
}

// Mutates names the change that a command evidently makes; empty for none.
func Mutates(args []string) string {
	args = inner(args)
	if len(args) == 0 {
		return ""
	}
	program := path.Base(args[0])
	switch {
	case program == "sh" || program == "bash":
		if i := slices.Index(args, "-c"); i > 0 && i+1 < len(args) {
			return mutatesScript(args[i+1], args[i+2:])
		}
		return ""
	case program == "docker" && len(args) > 1 && args[1] == "exec",
		program == "kubectl" && len(args) > 1 && args[1] == "exec":
		return mutatesInside(args[2:])
	case isSQL(args):
		return mutatesSQL(strings.Join(args[1:], " "))
	}
	words, known := mutating[program]
	if !known {
		return ""
	}
	if words == nil {
		return program
	}
	// The verb is among the first words; what comes later are names.
	for _, arg := range args[1:min(len(args), 5)] {
		if slices.Contains(words, arg) {
			return program + " " + arg
		}
	}
	return ""
}

// inner leaves out what only says how to run a command.
func inner(args []string) []string {
	for len(args) > 0 {
		switch path.Base(args[0]) {
		case "sudo", "env", "nice", "nohup", "timeout", "exec", "command":
			args = args[1:]
			for len(args) > 0 && (strings.HasPrefix(args[0], "-") || strings.Contains(args[0], "=")) {
				if args[0] == "-u" {
					args = args[1:]
				}
				args = args[min(1, len(args)):]
			}
		default:
			return args
		}
	}
	return args
}

// mutatesInside finds the command after the options and the name of a
// container, wherever that begins.
func mutatesInside(args []string) string {
	for i := range args {
		if what := Mutates(args[i:]); what != "" {
			return what
		}
	}
	return ""
}

var (
	separators = regexp.MustCompile("[;|&\n(){}`]+|\\$\\(")
	redirect   = regexp.MustCompile(`(^|[^0-9&<>-])[12]?>>?\s*([^&\s>][^\s;|&)]*)`)
	keywords   = []string{"if", "then", "else", "elif", "while", "until", "do", "!", "for"}
)

// mutatesScript looks at the first words of each simple command, and at
// redirections into files. Inside quotes it sees commands that are none; such
// a script is better written otherwise in a look.
func mutatesScript(script string, args []string) string {
	if m := redirect.FindStringSubmatch(script); m != nil && !strings.HasPrefix(m[2], "/dev/") && !strings.HasPrefix(m[2], "=") {
		return "> " + m[2]
	}
	for _, simple := range separators.Split(script, -1) {
		words := strings.Fields(simple)
		for len(words) > 0 && slices.Contains(keywords, words[0]) {
			words = words[1:]
		}
		if len(words) == 2 && words[0] == "exec" && words[1] == `"$@"` {
			return Mutates(args)
		}
		if what := Mutates(words); what != "" {
			return what
		}
	}
	return ""
}

func isSQL(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return path.Base(a) == "psql" || path.Base(a) == "antsql" })
}

var statement = regexp.MustCompile(`(?i)\b(create|alter|drop|insert\s+into|update|delete\s+from|truncate|grant|revoke|comment\s+on|reindex|vacuum)\s+[a-z"]`)

func mutatesSQL(text string) string { return statement.FindString(text) }

func again(content []byte) io.Reader { return bytes.NewReader(content) }
