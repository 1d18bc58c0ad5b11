package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/lang"
)

func TestFindingsAreToldInTheOperatorsLanguage(t *testing.T) {
	for _, tt := range []struct {
		asked string
		env   map[string]string
		want  string
	}{
		{"", nil, "en"},
		{"", map[string]string{"LANG": "zh_CN.UTF-8"}, "zh"},
		{"", map[string]string{"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"},
		{"", map[string]string{"LC_MESSAGES": "en_US.UTF-8", "LC_ALL": "ZH_TW"}, "zh"},
		{"", map[string]string{"LC_ALL": "zh_CN", "ANTDBCTL_LANG": "en"}, "en"},
		{"", map[string]string{"LANG": "C.UTF-8"}, "en"},
		{"", map[string]string{"LANG": "fr_FR"}, "en"},
		{"zh", map[string]string{"ANTDBCTL_LANG": "en"}, "zh"},
	} {
		require.Equal(t, tt.want, languageOf(tt.asked, func(name string) string { return tt.env[name] }), "%+v", tt)
	}
}

func TestTheCommandThatIsOfferedKeepsSecretsToItself(t *testing.T) {
	a := &app{vars: []string{"a=x y", "key=hunter2"}, varFiles: []string{"site file.hcl"}}
	book := &lang.Runbook{Path: "book.hcl", Variables: []*lang.Variable{{Name: "a"}, {Name: "key", Sensitive: true}}}
	require.Equal(t, "antdbctl diagnose book.hcl --var-file 'site file.hcl' --var 'a=x y' --signatures mine.hcl",
		a.again(&inquiry{signatures: []string{"mine.hcl"}}, book))
	require.Equal(t, "antdbctl diagnose --context lab --namespace ns --var-file 'site file.hcl' --var 'a=x y'",
		a.again(&inquiry{free: true, context: "lab", namespace: "ns"}, book))
}
