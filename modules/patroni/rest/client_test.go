package rest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// replay answers with what was recorded from Patroni 3.0.2 under PGO 4.2.1,
// byte for byte.
func replay(t *testing.T, more map[string][2]string) *Client {
	t.Helper()
	raw, err := os.ReadFile("../testdata/patroni-rest.txt")
	require.NoError(t, err)
	answers := map[string][2]string{}
	for _, part := range strings.Split(string(raw), "### ")[1:] {
		lines := strings.Split(strings.TrimSpace(part), "\n")
		answers[lines[0]] = [2]string{strings.TrimPrefix(lines[len(lines)-1], "HTTP "), strings.Join(lines[1:len(lines)-1], "\n")}
	}
	for request, a := range more {
		answers[request] = a
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a, ok := answers[strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body))]
		if !ok {
			a = [2]string{"404", "<!DOCTYPE HTML>\n<html>no such page</html>"}
		}
		status, _ := strconv.Atoi(a[0])
		w.WriteHeader(status)
		_, _ = io.WriteString(w, a[1])
	}))
	t.Cleanup(server.Close)
	return New("hippo-0", func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}, nil)
}

func TestTheRecordedAnswersAreUnderstood(t *testing.T) {
	c := replay(t, nil)
	s, err := c.Status(t.Context())
	require.NoError(t, err)
	require.True(t, s.Leads)
	require.True(t, s.Primary())
	require.Equal(t, []any{"running", 1, "7711121326432919651", "hippo", "3.0.2", 110010}, []any{s.State, s.Timeline, s.SystemID, s.Patroni.Scope, s.Patroni.Version, s.ServerVersion})
	require.Equal(t, "hippo-rcan-5f5b7f4b97-vtvxp", s.Replication[0].ApplicationName)

	all, err := c.Cluster(t.Context())
	require.NoError(t, err)
	require.Len(t, all.Members, 2)
	require.True(t, all.Members[0].Leads())
	require.False(t, all.Members[0].Lag.Known, "a leader has no lag")
	require.Equal(t, Lag{0, true}, all.Members[1].Lag)
	require.Equal(t, "http://10.88.0.56:8009/patroni", all.Members[1].APIURL)
	require.False(t, all.Pause)

	config, err := c.Config(t.Context())
	require.NoError(t, err)
	require.Equal(t, "128MB", config["postgresql"].(map[string]any)["parameters"].(map[string]any)["shared_buffers"])
	turns, err := c.History(t.Context())
	require.NoError(t, err)
	require.Empty(t, turns)
}

func TestAReplicaAnswers503AndThatIsNoFailure(t *testing.T) {
	s, err := replay(t, map[string][2]string{"GET /leader": {"503", `{"state": "running", "role": "replica", "cluster_unlocked": true, "patroni": {"scope": "hippo"}}`}}).Status(t.Context())
	require.NoError(t, err)
	require.False(t, s.Leads)
	require.True(t, s.Unlocked)
}

func TestTextAnswersAreRead(t *testing.T) {
	c := replay(t, map[string][2]string{
		`POST /restart {"restart_pending":true}`:          {"503", "restart conditions are not satisfied"},
		`PATCH /config {"ttl":20}`:                        {"409", "<!DOCTYPE HTML PUBLIC>\n<html>Error response</html>"},
		`PATCH /config {"ttl":null}`:                      {"200", `{"loop_wait":10}`},
		`POST /switchover {"candidate":"b","leader":"a"}`: {"200", `Switched over to "c" instead of "b"`},
		`POST /switchover {"candidate":"乙","leader":"a"}`: {"200", `Successfully switched over to "乙"`},
		`POST /switchover {"leader":"a"}`:                 {"200", `Successfully failed over to "c"`},
		`POST /switchover {"leader":"x"}`:                 {"412", "leader name does not match"},
		`POST /switchover {"leader":"y"}`:                 {"202", "Switchover scheduled"},
		`GET /config`:                                     {"502", ""},
	})
	_, err := c.Restart(t.Context())
	require.EqualError(t, err, "Patroni on hippo-0 answers POST /restart with 503: restart conditions are not satisfied")
	_, err = c.Patch(t.Context(), map[string]any{"ttl": 20})
	require.True(t, Said(err, http.StatusConflict))
	require.ErrorContains(t, err, "409: Conflict", "a page of HTML is no answer to show")
	config, err := c.Patch(t.Context(), map[string]any{"ttl": nil})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"loop_wait": 10.0}, config)
	for body, want := range map[string]Moved{
		"b": {To: "c", Wish: "b", Words: `Switched over to "c" instead of "b"`},
		"乙": {To: "乙", Words: `Successfully switched over to "乙"`},
		"":  {To: "c", Words: `Successfully failed over to "c"`},
	} {
		got, err := c.Switchover(t.Context(), "a", body)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err = c.Switchover(t.Context(), "x", "")
	require.ErrorContains(t, err, "412: leader name does not match")
	_, err = c.Switchover(t.Context(), "y", "")
	require.True(t, Said(err, http.StatusAccepted), "scheduled is not done")
	_, err = c.Config(t.Context())
	require.ErrorIs(t, err, ErrNoConfig)
}

func TestWhatIsNotPatroniIsSaidToBeNone(t *testing.T) {
	_, err := replay(t, map[string][2]string{"GET /cluster": {"200", "<html>it works</html>"}}).Cluster(t.Context())
	require.ErrorContains(t, err, `the answer is no JSON that Patroni would give ("<html>it works</html>")`)
	gone := New("b", func(context.Context) (net.Conn, error) { return nil, io.ErrUnexpectedEOF }, nil)
	_, err = gone.Status(t.Context())
	require.EqualError(t, err, "GET /leader of Patroni on b: unexpected EOF")
}

func TestLagMayBeAWord(t *testing.T) {
	var all Cluster
	require.NoError(t, json.Unmarshal([]byte(`{"pause": true, "members": [{"name": "a", "lag": "unknown"}, {"name": "b", "lag": 16777216}, {"name": "c"}, {"name": "d", "lag": null}]}`), &all))
	require.True(t, all.Pause)
	require.Equal(t, []Lag{{}, {16777216, true}, {}, {}}, []Lag{all.Members[0].Lag, all.Members[1].Lag, all.Members[2].Lag, all.Members[3].Lag})
}

func TestTheHistoryIsAListOfLists(t *testing.T) {
	turns, err := replay(t, map[string][2]string{"GET /history": {"200", `[[1, 50332848, "no recovery target specified", "2026-11-22T22:20:00+00:00", "乙"], [2, 67109024, "x"]]`}}).History(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Turn{{1, 50332848, "no recovery target specified", "2026-11-22T22:20:00+00:00", "乙"}, {2, 67109024, "x", "", ""}}, turns)
}

// The end of a forwarded connection may come long after what was said.
func TestAnAnswerIsReadToItsOwnEnd(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() {
		_, _ = theirs.Read(make([]byte, 4096))
		_, _ = io.WriteString(theirs, "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"members\": [{\"name\": \"a\"}]}")
	}()
	c := New("a", func(context.Context) (net.Conn, error) { return ours, nil }, nil)
	all, err := c.Cluster(t.Context())
	require.NoError(t, err)
	require.Equal(t, "a", all.Members[0].Name)
}
