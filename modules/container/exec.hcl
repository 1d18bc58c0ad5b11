target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "container.exec" "extension" {
  on     = step.cluster.primary
  script = <<-SH
    psql -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION IF NOT EXISTS pgaudit'
  SH
  unless = "psql -Atc \"SELECT 1 FROM pg_extension WHERE extname = 'pgaudit'\" | grep -q 1"
}
