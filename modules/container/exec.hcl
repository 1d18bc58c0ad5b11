target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "k8s.wait" "primary" {
  on       = target.lab
  kind     = "pod"
  selector = "pg-cluster=antdb,role=master"
}

step "container.exec" "extension" {
  on     = step.primary.container
  script = "psql -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION IF NOT EXISTS pgaudit'"
  unless = "psql -Atc \"SELECT 1 FROM pg_extension WHERE extname = 'pgaudit'\" | grep -q 1"
}
