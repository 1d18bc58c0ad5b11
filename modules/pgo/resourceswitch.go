package pgo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// handOver has Patroni make the pod of a Deployment the primary: the request is
// the one that the operator of PGO 4 makes itself, inside that pod.
func (d *pgclusters) handOver(ctx context.Context, w *watch, to string) error {
	v, err := w.next(ctx, false)
	if err != nil {
		return err
	}
	for _, pod := range v.following() {
		if pod.Labels[v.names.workload] == to {
			return failoverTo(ctx, w.env.Dial, pod)
		}
	}
	return fmt.Errorf("%s follows no longer", to)
}

func failoverTo(ctx context.Context, dial func(ctx context.Context, network, addr string) (net.Conn, error), pod *corev1.Pod) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, fmt.Sprintf("pod/%s.%s:%s", pod.Name, pod.Namespace, patroniPort(pod)))
	}}}
	body, err := json.Marshal(map[string]string{"candidate": pod.Name})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+pod.Name+"/failover", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask Patroni in %s to lead: %w", pod.Name, err)
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // for the message alone
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("Patroni in %s does not take over: %s (%s)", pod.Name, strings.TrimSpace(string(said)), resp.Status)
	}
	return nil // that it chose another ("instead of") shows in who leads
}

// patroniPort is where Patroni says that it listens.
func patroniPort(pod *corev1.Pod) string {
	var status struct {
		API string `json:"api_url"`
	}
	if json.Unmarshal([]byte(pod.Annotations["status"]), &status) == nil {
		if u, err := url.Parse(status.API); err == nil && u.Port() != "" {
			return u.Port()
		}
	}
	return "8009"
}
