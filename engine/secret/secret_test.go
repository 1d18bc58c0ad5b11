package secret

import (
	"encoding/base64"
	"encoding/hex"
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

func TestSecretsAreFoundInsideOfWhatWasEncodedWithThem(t *testing.T) {
	var r Redactor
	r.Add(New("correct horse battery"))
	for _, before := range []string{"", "u", "us", "use"} {
		whole := before + "correct horse battery" + "tail"
		got := r.Redact(base64.StdEncoding.EncodeToString([]byte(whole)))
		require.Contains(t, got, Hidden)
		require.Less(t, len(got), len(Hidden)+18, "what is left is what was around it")
	}
	require.Equal(t, Hidden, r.Redact(hex.EncodeToString([]byte("correct horse battery"))))
}

func TestFindSeesSecretsThatWereBrokenIntoLines(t *testing.T) {
	var r Redactor
	require.Empty(t, r.Find([]byte("abc")))
	for _, text := range []string{"hunter2-and-some-more", "hunt"} {
		r.Add(New(text))
		for _, form := range encodings(text) {
			require.Equal(t, []Span{{7, 7 + len(form)}}, r.Find([]byte("before "+form+" after")), form)
			for k := 1; k < len(form); k++ {
				for _, br := range []string{"\n", "\r\n", "\n    ", "\n\t", `\n`, "\n2026-03-05T05:52:03.096123456Z stderr F "} {
					broken := form[:k] + br + form[k:]
					require.Equal(t, []Span{{7, 7 + len(broken)}}, r.Find([]byte("before "+broken+" after")), broken)
				}
			}
		}
	}
	require.Equal(t, []Span{{1, 5}, {6, 30}}, r.Find([]byte("xhunt hunter2\n-and-\n some-more")), "also more than once, and into many")
}
