target "ssh" "nodes" {
  hosts = { node1 = "10.0.0.11", node2 = "10.0.0.12" }
}

step "sql.vantage" "reach" {
  on       = step.cluster.primary
  user     = "testuser"
  password = secret.testuser
  database = "userdb"
  nodes    = target.nodes
  require  = ["inside", "pod_ip", "service"]
}

output "reach" {
  value = step.reach.text
}
