# Faults of findings as a whole.

other "x" {} # ERROR: finding blocks only

finding {                 # ERROR: one label
  layer = "image"
}

finding "bad-missing" { # ERROR: needs "title" # ERROR: needs "cause"
  layer = "image"
  fact "x" {
    of   = "k8s.pod"
    when = true
  }
}

finding "bad-silent" { # ERROR: needs a line or a fact block
  title = { en = "t" }
  layer = "image"
  cause = { en = "c" }
}

finding "bad-words" {
  title   = { en = "t", zn = "t" }   # ERROR: Texts are in en and zh
  layer   = "imgae"                  # ERROR: Did you mean "image"?
  per     = "host"                   # ERROR: There are pod, node, cluster, site
  stpes   = ["pgo."]                 # ERROR: Did you mean "steps"?
  warning = "perhaps"                # ERROR: Wrong type
  require = ["pods", "x | hosts"]    # ERROR: no line or fact "pods" # ERROR: no line or fact "hosts"
  cause   = { zh = "c" }             # ERROR: The text in English (en) is missing
  check   = "text"                   # ERROR: A text is given in the languages
  remedy  = { en = "${nothing}" }    # ERROR: Unknown variable
  fact "x" {
    of   = "k8s.pod"
    when = true
  }
  blokc {}                           # ERROR: line, fact and fix blocks
}

finding "good" {
  title    = { en = "t", zh = "标题" }
  layer    = "image"
  explains = ["good-too", "bad-words", "god"] # ERROR: Did you mean "good"?
  cause    = { en = "c" }
  fact "x" {
    of   = "k8s.pod"
    when = self.phase == "Failed"
  }
  fix {
    runbook = "nowhere.hcl" # ERROR: the finding offers no fix
    vars    = { a = x.name }
  }
}

finding "good" { # ERROR: declared already
  title = { en = "t" }
}

finding "good-too" {
  title   = { en = "t" }
  layer   = "image"
  cause   = { en = "${x.name} ${try(said.word, "?")}" }
  require = ["x | said"]
  fact "x" {
    of   = "k8s.pod"
    when = self.phase == "Failed"
  }
  line "said" {
    in    = ["event"]
    match = "a (?P<word>b)"
  }
}
