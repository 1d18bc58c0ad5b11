package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
)

// Cluster asks for all members.
func (c *Client) Cluster(ctx context.Context) (*Cluster, error) {
	all := &Cluster{}
	_, err := c.get(ctx, "/cluster", all, http.StatusOK)
	return all, err
}

// Status asks the member about itself, by the path whose status tells whether
// it holds the leader lock: 503 is no failure there.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	s := &Status{}
	status, err := c.get(ctx, "/leader", s, http.StatusOK, http.StatusServiceUnavailable)
	if err != nil {
		return nil, err
	}
	s.Leads = status == http.StatusOK
	return s, nil
}

// ErrNoConfig says that the cluster has no dynamic configuration yet.
var ErrNoConfig = errors.New("the cluster has no dynamic configuration: it is not initialised")

// Config asks for the dynamic configuration.
func (c *Client) Config(ctx context.Context) (map[string]any, error) {
	config := map[string]any{}
	_, err := c.get(ctx, "/config", &config, http.StatusOK)
	if Said(err, http.StatusBadGateway) || Said(err, http.StatusServiceUnavailable) {
		return nil, fmt.Errorf("%w (%w)", ErrNoConfig, err)
	}
	return config, err
}

// Patch merges change into the dynamic configuration; a nil value takes its
// key out. It answers 409 (see Said) when somebody else changed the
// configuration at the same time: nothing is done then.
func (c *Client) Patch(ctx context.Context, change map[string]any) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	a, err := c.send(ctx, http.MethodPatch, "/config", change)
	if err != nil {
		return nil, err
	}
	config := map[string]any{}
	return config, c.read(http.MethodPatch, "/config", a, &config, http.StatusOK)
}

// Restart restarts the member's database if a restart is pending there, and
// returns when that is done. ctx must leave time for a shutdown and a start.
func (c *Client) Restart(ctx context.Context) (string, error) {
	a, err := c.send(ctx, http.MethodPost, "/restart", map[string]any{"restart_pending": true})
	if err != nil {
		return "", err
	}
	if a.status != http.StatusOK {
		return "", c.refusal(http.MethodPost, "/restart", a)
	}
	return a.text(), nil
}

// Moved is what came of a switchover.
type Moved struct {
	To    string // the new leader; empty when Patroni did not name it
	Wish  string // the member that was asked for, when another was chosen in its stead
	Words string
}

// instead are the answers of 200: the second is no success, whoever asked for
// the candidate.
var (
	moved   = regexp.MustCompile(`(?is)(?:switched|failed) over to "(.*?)"(?: instead of "(.*)")?$`)
	success = regexp.MustCompile(`(?i)(?:switched|failed) over to`)
)

// Switchover asks that leader hands over to candidate, or to whom Patroni
// finds best. The call takes up to twice Patroni's loop; ctx should leave it
// 30 seconds at least, for a call that is given up still does its work.
func (c *Client) Switchover(ctx context.Context, leader, candidate string) (Moved, error) {
	body := map[string]any{"leader": leader}
	if candidate != "" {
		body["candidate"] = candidate
	}
	a, err := c.send(ctx, http.MethodPost, "/switchover", body)
	if err != nil {
		return Moved{}, err
	}
	if a.status != http.StatusOK || !success.MatchString(a.text()) {
		return Moved{}, c.refusal(http.MethodPost, "/switchover", a)
	}
	m := Moved{Words: a.text()}
	if at := moved.FindStringSubmatch(m.Words); at != nil {
		m.To, m.Wish = at[1], at[2]
	}
	return m, nil
}

// History asks for the timelines that have ended, oldest first.
func (c *Client) History(ctx context.Context) ([]Turn, error) {
	var turns []Turn
	_, err := c.get(ctx, "/history", &turns, http.StatusOK)
	return turns, err
}
