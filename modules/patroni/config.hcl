step "patroni.config" "tuned" {
  on      = target.lab
  cluster = "antdb"

  parameters = {
    shared_buffers  = "256MB"
    max_connections = 200
    work_mem        = "8MB"
    log_statement   = null
  }

  settings = {
    maximum_lag_on_failover = 1048576
  }
}

step "sql.query" "proof" {
  on    = step.cluster.primary
  sql   = "select current_setting('shared_buffers') as shared_buffers"
  after = [step.tuned]
}
