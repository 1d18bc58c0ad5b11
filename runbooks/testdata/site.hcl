# As `lab up` writes it.
docker_host  = "unix:///run/lab/docker.sock"
kubeconfig   = "/run/lab/kubeconfig"
ssh_config   = "/run/lab/ssh_config"
ssh_identity = "/run/lab/id_ed25519"
known_hosts  = "/run/lab/known_hosts"
pgo_url      = "https://10.96.0.10:8443"
pgo_certs    = "/run/lab/pgo"
pgouser_file = "/run/lab/pgo/pgouser"

nodes = {
  node1 = { address = "10.0.0.11", port = 22, labels = ["k8s"] }
  node2 = { address = "10.0.0.12", port = 22, labels = ["k8s"] }
}
