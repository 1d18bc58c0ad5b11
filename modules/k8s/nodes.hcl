target "kubernetes" "lab" {
  namespace = "pgouser1"
}

target "ssh" "nodes" {
  hosts = { node1 = "10.0.0.1", node2 = "10.0.0.2" }
  user  = "root"
}

target "docker" "builder" {}

step "k8s.nodes" "machines" {
  on       = target.lab
  hosts    = target.nodes
  selector = "kubernetes.io/os=linux"

  expect "pods use the images that their node has" {
    that = self.always_pull != "yes"
    hint = "The admission AlwaysPullImages is on: bring the image to a registry that the nodes reach."
  }
}

step "image.ship" "nodes" {
  on    = step.machines.targets
  from  = target.builder
  image = "antdb-ha:4.1"
}
