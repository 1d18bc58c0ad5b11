target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "k8s.apply" "settings" {
  on       = target.lab
  manifest = <<-YAML
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: antdb-settings
    data:
      max_connections: "500"
  YAML
}
