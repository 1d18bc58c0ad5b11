# Faults of signals and of expressions.

finding "bad-lines" {
  title = { en = "t" }
  layer = "image"
  cause = { en = "c" }
  line "self" { # ERROR: Invalid name of a signal
    in    = ["event"]
    match = "a"
  }
  line "a" {
    in       = ["evnet"] # ERROR: Did you mean "event"?
    match    = "(a"      # ERROR: missing closing )
    strength = "sure"    # ERROR: There are hint, strong, proof
  }
  line "b" {
    in    = []   # ERROR: No kind of log
    match = ".*" # ERROR: every line
  }
  line "a" { # ERROR: Duplicate signal
    in    = ["event"]
    match = "x"
  }
  line "c" { # ERROR: needs "in"
    match     = "(?P<count>x)" # ERROR: Reserved name of a group
    container = ""             # ERROR: Empty string
    inner {}                   # ERROR: has no blocks
  }
}

finding "bad-facts" {
  title = { en = "t" }
  layer = "image"
  per   = "pod"
  cause = { en = "${said.wrod} ${pod.place.nod}" } # ERROR: Did you mean "word"? # ERROR: Did you mean "node"?
  check = { en = try(said.wrod, "-"), zh = "${try(pod.phsae, "")}" } # ERROR: Did you mean "word"? # ERROR: Did you mean "phase"?
  unless = length(facts.k8s_pods) > 0 # ERROR: Did you mean "k8s_pod"?
  line "said" {
    in    = ["event"]
    match = "x (?P<word>y)"
  }
  fact "pod" {
    of   = "k8s.pod"
    when = self.redy # ERROR: Did you mean "ready"?
  }
  fact "kind" {
    of   = "k8s.pdo" # ERROR: Did you mean "k8s.pod"?
    when = self.ready
  }
  fact "type" {
    of   = "k8s.pod"
    when = self.claims # ERROR: Wrong type
  }
  fact "inside" {
    of   = "k8s.job"
    when = try(anytrue([for p in facts.k8s_pod : p.raedy]), false) # ERROR: Did you mean "ready"?
  }
  fact "function" {
    of   = "k8s.job"
    when = starts(self.name, "x") # ERROR: no function named "starts"
  }
  fact "other" {
    of   = "k8s.job"
    when = said.count > 1 # ERROR: Unknown variable
  }
  fix {
    runbook = "signals.hcl"
    vars    = "all" # ERROR: It takes { name = value, … }
  }
}

finding "good" {
  title  = { en = "t" }
  layer  = "image"
  cause  = { en = "${try(coalesce(said.word), "nothing")} at ${place.node}${try(" ${pod.labels["x"]}", "")}" }
  unless = try(said.count, 0) > 3 && facts.k8s_pod[2].ready
  line "said" {
    in    = ["event"]
    match = "x (?P<word>y)"
  }
  fact "pod" {
    of   = "k8s.pod"
    when = !self.ready && can(regex("(?i)image", self.message)) && lookup(self.labels, "a", "") == "" && self.labels["b"] != ""
  }
}
