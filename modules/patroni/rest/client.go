// Package rest speaks Patroni's REST API with one member of a cluster.
package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Client asks one member. It is safe for concurrent use.
type Client struct {
	name   string
	scheme string
	http   *http.Client
}

const (
	// lookTime is for questions: Patroni answers them out of its memory, but for
	// one query of its own database that it gives three seconds.
	lookTime = 15 * time.Second
	// answerLimit is far above the answer of a cluster of a hundred members.
	answerLimit = 4 << 20
)

// New makes the client of the member that people call name. dial opens a
// connection to its API; config is nil for an API without TLS.
func New(name string, dial func(ctx context.Context) (net.Conn, error), config *tls.Config) *Client {
	c := &Client{name: name, scheme: "http"}
	if config != nil {
		c.scheme = "https"
	}
	// Patroni ends the connection after every answer, so none is kept.
	c.http = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}}
	return c
}

// Refusal is an answer that says no.
type Refusal struct {
	Member, Method, Path string
	Status               int
	Text                 string // what Patroni said about it; may be empty
}

func (r *Refusal) Error() string {
	text := fmt.Sprintf("Patroni on %s answers %s %s with %d", r.Member, r.Method, r.Path, r.Status)
	if r.Text != "" {
		text += ": " + r.Text
	}
	return text
}

// Said reports whether err is a refusal with that status.
func Said(err error, status int) bool {
	r := (*Refusal)(nil)
	return errors.As(err, &r) && r.Status == status
}

// answer is a status and what came with it.
type answer struct {
	status int
	body   []byte
}

// send makes one request and takes the answer whatever its status.
func (c *Client) send(ctx context.Context, method, path string, body any) (answer, error) {
	failed := func(err error) (answer, error) {
		return answer{}, fmt.Errorf("%s %s of Patroni on %s: %w", method, path, c.name, unwrap(err))
	}
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return failed(err)
		}
		payload = bytes.NewReader(text) // of known length: Patroni answers 411 to a body without
	}
	req, err := http.NewRequestWithContext(ctx, method, c.scheme+"://patroni"+path, payload)
	if err != nil {
		return failed(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return failed(err)
	}
	defer res.Body.Close()
	text, err := said(res)
	if err != nil {
		return failed(err)
	}
	return answer{res.StatusCode, text}, nil
}

// said reads the answer. JSON is read to its own end: Patroni does not say how
// long an answer is, and what forwards the port in a node may take a second to
// tell that the connection has ended.
func said(res *http.Response) ([]byte, error) {
	whole := io.LimitReader(res.Body, answerLimit)
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return io.ReadAll(whole)
	}
	var read bytes.Buffer
	var value json.RawMessage
	if err := json.NewDecoder(io.TeeReader(whole, &read)).Decode(&value); err == nil {
		return value, nil
	}
	rest, err := io.ReadAll(whole)
	return append(read.Bytes(), rest...), err
}

// unwrap drops the invented URL from an error of net/http.
func unwrap(err error) error {
	for _, layer := range []string{"Get \"", "Post \"", "Patch \""} {
		if strings.HasPrefix(err.Error(), layer) && errors.Unwrap(err) != nil {
			return errors.Unwrap(err)
		}
	}
	return err
}

// refusal is the answer as an error.
func (c *Client) refusal(method, path string, a answer) error {
	return &Refusal{Member: c.name, Method: method, Path: path, Status: a.status, Text: a.text()}
}

// text is what the answer says in words. Python's own error pages say no more
// than their status does.
func (a answer) text() string {
	text := strings.TrimSpace(string(a.body))
	if lower := strings.ToLower(text); strings.HasPrefix(lower, "<!doctype") || strings.HasPrefix(lower, "<html") || strings.HasPrefix(lower, "<head") {
		return http.StatusText(a.status)
	}
	return strings.TrimPrefix(text, "\ufeff")
}

// get asks for path and reads the JSON of an answer that accept lets pass.
func (c *Client) get(ctx context.Context, path string, into any, accept ...int) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	a, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, err
	}
	return a.status, c.read(http.MethodGet, path, a, into, accept...)
}

func (c *Client) read(method, path string, a answer, into any, accept ...int) error {
	for _, status := range accept {
		if a.status != status {
			continue
		}
		if err := json.Unmarshal(a.body, into); err != nil {
			return fmt.Errorf("%s %s of Patroni on %s: the answer is no JSON that Patroni would give (%.80q): %w", method, path, c.name, a.body, err)
		}
		return nil
	}
	return c.refusal(method, path, a)
}
