# Certificates that end within a month, or have ended.

playbook "certificate expiring" {
  look "k8s.collect" "cluster" {
    on = target.site
  }

  look "host.collect" "nodes" {
    on = target.nodes
  }

  finding "a certificate of the cluster ends" {
    when     = anytrue([for c in look.cluster.facts.certificate : c.left < 2592000])
    cause    = "Clients that check it are refused from that moment on."
    remedy   = "Renew it where it was made: the API server's by kubeadm certs renew, the operator's by its Secret, a Service's by who signs it."
    evidence = [for c in look.cluster.facts.certificate : "${c.where}: ${c.subject}, ${c.left < 0 ? "ended ${floor(-c.left / 86400)} days ago" : "${floor(c.left / 86400)} days left"}" if c.left < 2592000]
  }

  finding "a certificate on a machine ends" {
    when     = anytrue([for n in look.nodes : anytrue([for c in n.facts.certificate : c.left < 2592000])])
    cause    = "The kubelet and the API server refuse each other from that moment on; the whole cluster stands still with it."
    remedy   = "kubeadm certs renew all on the control plane, then restart its pods; kubelets renew theirs by themselves where rotateCertificates is on."
    evidence = flatten([for name, n in look.nodes : [for c in n.facts.certificate : "${name}, ${c.where}: ${c.subject}, ${floor(c.left / 86400)} days left" if c.left < 2592000]])
  }
}
