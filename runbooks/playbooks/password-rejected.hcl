# Is the password in the operator's Secret the one that the server has.

playbook "password rejected" {
  look "sql.collect" "servers" {
    on = target.site
  }

  finding "the Secret has another password than the server" {
    when     = anytrue([for r in look.servers.facts.pg_role : r.matches == "no"])
    cause    = "Somebody changed the password by SQL, or the Secret by hand; who reads the Secret is refused."
    remedy   = "Set it in both with pgo.user (runbooks/antdb-rotate-password.hcl, or antdbctl diagnose --fix G-69)."
    evidence = [for r in look.servers.facts.pg_role : "${r.place.cluster}: role ${r.name}, Secret ${r.secret}" if r.matches == "no"]
  }

  finding "a role's password has expired" {
    when     = anytrue([for r in look.servers.facts.pg_role : r.expires < 0])
    cause    = "VALID UNTIL has passed. The server says \"password authentication failed\", as for a wrong one."
    remedy   = "alter role NAME valid until 'infinity', or rotate the password (pgo.user)."
    evidence = [for r in look.servers.facts.pg_role : "${r.place.cluster}: role ${r.name}, ${floor(-r.expires / 3600)} h ago" if r.expires < 0]
  }

  finding "a role may not log in" {
    when     = anytrue([for r in look.servers.facts.pg_role : !r.exists || !r.login])
    cause    = "The Secret is there, and the role is not, or it is NOLOGIN."
    remedy   = "Make it with pgo.user, or grant it: alter role NAME login."
    evidence = [for r in look.servers.facts.pg_role : "${r.place.cluster}: role ${r.name} (${r.exists ? "nologin" : "not there"})" if !r.exists || !r.login]
  }
}
