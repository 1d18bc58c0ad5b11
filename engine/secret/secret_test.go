package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

const text = "hunter2 & 'friends'\""

func TestNoPrintedFormShowsTheText(t *testing.T) {
	v := New(text)
	holder := struct{ Password Value }{v}
	asJSON, err := json.Marshal(holder)
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "password", v, "holder", holder)
	forms := []string{string(asJSON), log.String(), v.Cty().GoString()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		forms = append(forms, fmt.Sprintf(verb, v), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, &holder))
	}
	for _, f := range forms {
		require.NotContains(t, f, "hunter2")
		require.NotContains(t, f, fmt.Sprintf("%x", "hunter2"))
	}
	require.Equal(t, text, v.Reveal())
}

func TestStringsConvertToSecretsAndNeverBack(t *testing.T) {
	v, err := convert.Convert(cty.StringVal("abc"), Type)
	require.NoError(t, err)
	require.Equal(t, "abc", v.EncapsulatedValue().(*Value).Reveal())
	_, err = convert.Convert(v, cty.String)
	require.Error(t, err)
}

func TestRedactorHidesEveryCommonEncoding(t *testing.T) {
	var r Redactor
	require.Equal(t, text, r.Redact(text), "an empty redactor changes nothing")
	r.Add(New(text))
	r.Add(New("hunter2"))
	for _, form := range encodings(text) {
		got := r.Redact("before " + form + " after")
		require.Equal(t, "before (secret) after", got)
	}
	var none *Redactor
	require.Equal(t, "x", none.Redact("x"))
}
