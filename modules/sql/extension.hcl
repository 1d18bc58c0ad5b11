step "sql.extension" "statements" {
  on       = step.cluster.primary
  name     = "pg_stat_statements"
  database = "orders"
  update   = true
}

step "sql.extension" "trigrams" {
  on       = step.cluster.primary
  name     = "pg_trgm"
  database = "orders"
  schema   = "search"
  version  = "1.6"
}
