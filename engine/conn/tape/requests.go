package tape

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/adbsql/antdbctl/engine/secret"
)

// longestReview bounds the requests other than GET that are noted.
const longestReview = 64 << 10

// transport notes the answers of a Kubernetes API.
func (r *Recorder) transport(target string) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(req *http.Request) (*http.Response, error) {
			key, ok, err := requestKey(r.known, req)
			if err != nil || !ok {
				return nextTrip(next, req, err)
			}
			resp, err := next.RoundTrip(req)
			if err != nil {
				return resp, err
			}
			e := Entry{Target: target, Asked: asked(req), Key: key, Code: resp.StatusCode, Type: resp.Header.Get("Content-Type")}
			resp.Body = &response{noted: noted{ReadCloser: resp.Body, entry: e, tape: r.withoutSecrets()}}
			return resp, nil
		})
	}
}

func nextTrip(next http.RoundTripper, req *http.Request, err error) (*http.Response, error) {
	if err != nil {
		return nil, err
	}
	return next.RoundTrip(req)
}

type tripper func(*http.Request) (*http.Response, error)

func (t tripper) RoundTrip(req *http.Request) (*http.Response, error) { return t(req) }

// response is the body of an answer. Clients may stop reading before the end is
// told, so closing it looks for it.
type response struct{ noted }

func (b *response) Close() error {
	if !b.done {
		_, _ = io.CopyN(io.Discard, &b.noted, 512)
	}
	return b.noted.ReadCloser.Close()
}

func asked(req *http.Request) string { return req.Method + " " + req.URL.Path }

// requestKey tells requests apart; ok is false for those that are not noted:
// what changes something, watches, and logs, which are evidence by themselves.
func requestKey(known *secret.Redactor, req *http.Request) (key string, ok bool, err error) {
	query := req.URL.Query()
	if watch := query.Get("watch"); watch == "true" || watch == "1" || strings.HasSuffix(req.URL.Path, "/log") {
		return "", false, nil
	}
	query.Del("timeout")
	body := ""
	switch {
	case req.Method == http.MethodGet:
	case req.Method == http.MethodPost && strings.HasPrefix(req.URL.Path, "/apis/authorization.k8s.io/") && req.Body != nil:
		text, err := io.ReadAll(io.LimitReader(req.Body, longestReview))
		if err != nil {
			return "", false, err
		}
		_ = req.Body.Close()
		req.Body = io.NopCloser(bytes.NewReader(text))
		body = string(text)
	default:
		return "", false, nil
	}
	return digest("request", req.Method, req.URL.Path, query.Encode(), req.Header.Get("Accept"), known.Redact(body)), true, nil
}

// withoutSecrets is a Recorder of Kubernetes objects, whose Secrets lose their
// values but stay well-formed.
func (r *Recorder) withoutSecrets() *Recorder {
	return &Recorder{r.known, func(e Entry) {
		if strings.Contains(e.Stdout, "Secret") {
			e.Stdout = blankSecrets(e.Stdout)
		}
		r.keep(e)
	}}
}

// blankSecrets hides the data of a Secret or of a list of them.
func blankSecrets(body string) string {
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var object map[string]any
	if d.Decode(&object) != nil {
		return body
	}
	kind, _ := object["kind"].(string)
	items, _ := object["items"].([]any)
	switch {
	case kind == "Secret":
		blank(object)
	case len(items) > 0:
		for _, item := range items {
			// The items of a list of one kind do not say it.
			if one, ok := item.(map[string]any); ok && (kind == "SecretList" || one["kind"] == "Secret") {
				blank(one)
			}
		}
	default:
		return body
	}
	text, err := json.Marshal(object)
	if err != nil {
		return ""
	}
	return string(text)
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func blank(object map[string]any) {
	hidden := base64.StdEncoding.EncodeToString([]byte(secret.Hidden))
	data, _ := object["data"].(map[string]any)
	for key := range data {
		data[key] = hidden
	}
	delete(object, "stringData")
	metadata, _ := object["metadata"].(map[string]any)
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		delete(annotations, lastApplied)
	}
}
