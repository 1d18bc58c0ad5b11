# A fault of syntax costs the block it is in.

finding "bad-brace" { # ERROR: Unclosed configuration block
  title = { en = "t"
  layer = "image"
}

finding "good" {
  title    = { en = "t" }
  layer    = "image"
  explains = ["lost-with-its-block"]
  cause    = { en = "c" }
  fact "x" {
    of   = "k8s.pod"
    when = true
  }
}

finding "bad-quote" {
  title = { en = "t } # ERROR: Invalid multi-line string
}

finding "good-too" {
  title = { en = "t" }
  layer = "image"
  cause = { en = "c" }
  fact "x" {
    of   = "k8s.pod"
    when = true
  }
}
