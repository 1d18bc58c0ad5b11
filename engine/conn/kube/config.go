package kube

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/features"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/adbsql/antdbctl/engine/conn"
)

const (
	connectTimeout = 15 * time.Second
	// A rollout asks many small things at once; client-go's own 5 a second
	// would make waiting for the client the longest part of a run. The server
	// has its own priority and fairness.
	qps, burst = 100, 200
)

// load reads the kubeconfig that the settings mean: the named file, or what
// kubectl would take ($KUBECONFIG, ~/.kube/config), or the pod's own account.
func load(s conn.Settings) (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = s.Kubeconfig
	client := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: s.Context})
	config, err := client.ClientConfig()
	if flaw := unknownContext(client, s.Context); flaw != nil {
		return nil, "", flaw
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, "", fmt.Errorf("read kubeconfig: %w", err)
	case clientcmd.IsEmptyConfig(err):
		return nil, "", fmt.Errorf("no kubeconfig with a cluster in %s", strings.Join(searched(rules), ", "))
	case err != nil:
		return nil, "", fmt.Errorf("kubeconfig: %w", err)
	}
	if err := loginFlaw(config); err != nil {
		return nil, "", err
	}
	namespace := s.Namespace
	if namespace == "" {
		if namespace, _, err = client.Namespace(); err != nil {
			return nil, "", fmt.Errorf("kubeconfig: %w", err)
		}
	}
	config.QPS, config.Burst = qps, burst
	config.UserAgent = "antdbctl"
	config.WarningHandler = rest.NoWarnings{}
	return config, namespace, nil
}

func searched(rules *clientcmd.ClientConfigLoadingRules) []string {
	if rules.ExplicitPath != "" {
		return []string{rules.ExplicitPath}
	}
	return rules.Precedence
}

// tune changes what client-go keeps for the whole process, before its first
// client is made.
//
// Streaming lists go off: servers before 1.27 let an informer that asks for one
// wait for ever; all other features stay as the environment has them. Its own
// log goes nowhere: what matters comes back as errors, and the terminal is ours.
var tune = sync.OnceFunc(func() {
	features.ReplaceFeatureGates(withoutWatchList{features.FeatureGates()})
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
})

type withoutWatchList struct{ features.Gates }

func (g withoutWatchList) Enabled(f features.Feature) bool {
	return f != features.WatchListClient && g.Gates.Enabled(f)
}
