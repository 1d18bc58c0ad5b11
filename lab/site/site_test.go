package site

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/lab/layout"
)

func TestVarFileHoldsTheSite(t *testing.T) {
	lab := layout.Lab{State: t.TempDir(), Nodes: 2}
	s := Site{SSHConfig: "/s/ssh_config", SSHIdentity: "/s/id", KnownHosts: "/s/known_hosts", PGOURL: "https://10.96.0.9:8443", PGOCerts: "/s/pgo", PGOUserFile: "/s/pgo/pgouser"}
	require.NoError(t, s.Write(lab))
	content, err := os.ReadFile(Path(lab))
	require.NoError(t, err)
	require.Equal(t, "# Written by `lab up`. Use: antdbctl apply RUNBOOK --var-file THIS_FILE\n\n"+
		`docker_host   = "unix://`+lab.State+`/docker.sock"
kubeconfig    = "`+lab.State+`/kubeconfig"
ssh_config    = "/s/ssh_config"
ssh_identity  = "/s/id"
known_hosts   = "/s/known_hosts"
pgo_url       = "https://10.96.0.9:8443"
pgo_certs     = "/s/pgo"
pgouser_file  = "/s/pgo/pgouser"

nodes = {
  node1 = { address = "10.213.0.11", port = 22, labels = ["k8s"] }
  node2 = { address = "10.213.0.12", port = 22, labels = ["k8s", "docker"] }
}
`, string(content))
}
