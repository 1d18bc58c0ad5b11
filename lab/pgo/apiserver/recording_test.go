package apiserver_test

import (
	"bufio"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exchange is one recorded request with its answer.
type exchange struct {
	method, path, body string
	headers            http.Header
	status             int
	answerHeaders      http.Header
	answer             string
}

// readExchanges parses a recording: ">>>" starts a request, "<<<" its answer; headers end at an empty line. The block
// that was recorded without a request line (no client certificate) is left out, TestTransport has it.
func readExchanges(t *testing.T, name string) []*exchange {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	require.NoError(t, err)
	defer file.Close()
	var all []*exchange
	var current *exchange
	var headers http.Header // of the part being read; nil while its body is read
	var body *string
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		switch {
		case strings.HasPrefix(line, ">>> "):
			words := strings.Fields(line)
			current = &exchange{method: words[1], path: words[2], headers: http.Header{}, answerHeaders: http.Header{}}
			all = append(all, current)
			headers, body = current.headers, &current.body
		case strings.HasPrefix(line, "<<< "):
			current.status, err = strconv.Atoi(strings.Fields(line)[1])
			require.NoError(t, err)
			headers, body = current.answerHeaders, &current.answer
		case strings.HasPrefix(line, "#"):
			headers, body = nil, nil
		case headers != nil && line == "":
			headers = nil
		case headers != nil:
			key, value, _ := strings.Cut(line, ": ")
			headers.Add(key, value)
		case body != nil && line != "":
			*body += line
		}
	}
	require.NoError(t, scanner.Err())
	return all
}

// volatile is what differs from run to run.
var volatile = []struct {
	find    *regexp.Regexp
	replace string
}{
	{regexp.MustCompile(`"(uid|resourceVersion)":"[^"]*",`), ""},
	{regexp.MustCompile(`"generation":\d+,`), ""},
	{regexp.MustCompile(`"creationTimestamp":("[^"]*"|null),`), ""},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`"Password":"[A-Za-z]{10}"`), `"Password":"TEN-LETTERS"`},
	{regexp.MustCompile(`created Pgreplica (\w+)-[a-z]{4}`), "created Pgreplica $1-XXXX"},
}

func normal(text string) string {
	for _, v := range volatile {
		text = v.find.ReplaceAllString(text, v.replace)
	}
	return strings.TrimSpace(text)
}
