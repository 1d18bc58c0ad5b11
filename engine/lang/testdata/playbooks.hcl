step "host.file" "file" { path = "/" }
playbook "a" {
  watch = step.fil # ERROR: Did you mean "file"?
  look "sql.query" "db" {
    sql = "select 1"
  }
  look "host.file" "write" { # ERROR: A look must not change anything
    path = "/"
  }
  look "sql.query" "db" { # ERROR: Duplicate look name
    sql = "x"
  }
  finding "no when" { # ERROR: Missing argument "when"
    cause  = "x"
    remedy = "x"
  }
  finding "typo" {
    when   = look.bd.rows == "x" # ERROR: Unknown look "bd": The playbook "a" has no look of this name. Did you mean "db"?
    cause  = look.db.row # ERROR: Did you mean "rows"?
    remedy = "x ${step.file.smu}" # ERROR: Did you mean "sum"?
  }
}
playbook "fixes" {
  look "sql.query" "db" {
    sql = "select 1"
  }
  finding "good" {
    when   = look.db.rows == "x"
    cause  = "x"
    remedy = "x"
    fix {
      runbook = "fix.hcl"
      vars    = { rows = look.db.rows, size = step.file.sum }
    }
  }
  finding "bad" {
    when   = true
    cause  = "x"
    remedy = "x"
    fix {} # ERROR: Missing argument "runbook"
  }
  finding "worse" {
    when   = true
    cause  = "x"
    remedy = "x"
    fix {
      runbook = look.bd.rows # ERROR: Did you mean "db"?
      vars    = "cluster" # ERROR: takes { name = value, … }
      var     = {} # ERROR: Unsupported argument
    }
    fix { runbook = "x" } # ERROR: Second fix block
  }
}
playbook "a" {} # ERROR: Duplicate playbook name
playbook "b" {
  look "sql.query" "db" {
    sql = look.db.rows # ERROR: No "look" in this step
  }
  findign "x" {} # ERROR: Did you mean "finding"?
}
